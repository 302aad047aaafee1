"""CertificationWebService ([MS-RMPR] 3.3)."""

from __future__ import annotations

from rmsserver.operations.certify import CertifyRequest
from rmsserver.soap.call import Call, Handler, Message


def certify(call: Call, parameters: Message | None) -> Message:
    """3.3.4.1. The quota is a relic; its numbers are the product's (section 7, note 40)."""
    chain = call.chain(parameters.MachineCertificateChain) if parameters else None
    request = CertifyRequest(chain, parameters.Persistent if parameters else None)
    result = call.ask(call.operations.certify, request)
    return call.new(
        "CertifyResponse",
        CertificateChain=call.chain_answer(result.chain),
        Quota=call.new("QuotaResponse", Verified=True, CurrentConsumption=5, Maximum=10),
    )


HANDLERS: dict[str, Handler] = {"Certify": certify}
