"""Publish ([MS-RMPR] 3.5)."""

from __future__ import annotations

from collections.abc import Iterable

from rmsserver.operations.acquire_issuance_license import AcquireIssuanceLicenseRequest
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest
from rmsserver.soap.call import Call, Handler, Message


def acquire_issuance_license(call: Call, array: Message | None) -> Message:
    """3.5.4.1."""
    items = None if array is None else tuple(_unsigned(call, item) for item in _items(array, "AcquireIssuanceLicense"))
    result = call.ask(call.operations.acquire_issuance_license, AcquireIssuanceLicenseRequest(items))
    return _answer(call, "AcquireIssuanceLicenseResponse", result.chains)


def get_client_licensor_cert(call: Call, array: Message | None) -> Message:
    """3.5.4.2."""
    items = None
    if array is not None:
        items = tuple(
            call.chain(item.PersonaCerts) if item else None for item in _items(array, "GetClientLicensorCert")
        )
    result = call.ask(call.operations.get_client_licensor_cert, GetClientLicensorCertRequest(items))
    return _answer(call, "GetClientLicensorCertResponse", result.chains)


def _items(array: Message, operation: str) -> Iterable[Message | None]:
    items: list[Message | None] | None = getattr(array, operation + "Params")
    return items or ()


def _unsigned(call: Call, item: Message | None) -> str | None:
    return call.text(item.UnsignedIssuanceLicense) or None if item else None


def _answer(call: Call, name: str, chains: Iterable[Iterable[str]]) -> Message:
    responses = [call.new(name, CertificateChain=call.chain_answer(chain)) for chain in chains]
    return call.new("ArrayOf" + name, **{name: responses})


HANDLERS: dict[str, Handler] = {
    "AcquireIssuanceLicense": acquire_issuance_license,
    "GetClientLicensorCert": get_client_licensor_cert,
}
