"""EnrollService ([MS-RMPR] 3.6) and SubEnrollService ([MS-RMPRS] 3.3). Certificates are strings here, which Spyne escapes."""

from __future__ import annotations

from collections.abc import Iterable

from rmsserver.operations.enroll import EnrollRequest, RevocationInformation
from rmsserver.operations.enrollee import EnrolleeInformation, EnrolleeKey
from rmsserver.operations.sub_enroll import SubEnrollRequest
from rmsserver.soap.call import Call, Handler, Message


def enroll(call: Call, parameters: Message | None) -> Message:
    """3.6.4.1."""
    found = parameters and parameters.RevocationInformation
    revocation = RevocationInformation(found.RevocationType, _authorities(found)) if found else None
    request = EnrollRequest(_key(parameters), _information(parameters), revocation)
    return _answer(call, "EnrollResponse", call.ask(call.operations.enroll, request))


def sub_enroll(call: Call, parameters: Message | None) -> Message:
    """3.3.4.1."""
    request = SubEnrollRequest(_key(parameters), _information(parameters))
    return _answer(call, "SubEnrollResponse", call.ask(call.operations.sub_enroll, request))


def _key(parameters: Message | None) -> EnrolleeKey | None:
    found = parameters and parameters.CertificatePublicKey
    return EnrolleeKey(found.aPublicKeyBytes, found.Guid) if found else None


def _information(parameters: Message | None) -> EnrolleeInformation | None:
    found = parameters and parameters.EnrolleeInformation
    return EnrolleeInformation(found.SKU, found.Version, found.Name, found.URL) if found else None


def _authorities(revocation: Message) -> tuple[str | None, ...]:
    array = revocation.aRevocationAuthorities
    items = () if array is None else array.RevocationAuthorityInformation or ()
    return tuple(item and item.aRevocationAuthorityPublicKey for item in items)


def _answer(call: Call, name: str, chain: Iterable[str]) -> Message:
    return call.new(name, LicensorCertificateChain=call.new("ArrayOfString", string=list(chain)))


ENROLL: dict[str, Handler] = {"Enroll": enroll}
SUB_ENROLL: dict[str, Handler] = {"SubEnroll": sub_enroll}
