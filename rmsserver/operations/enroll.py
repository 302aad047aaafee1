"""Enroll ([MS-RMPR] 3.6): another cluster gets its certificate from the Enrollment Service of our hierarchy.

What the public enrollment service once did for everybody, an administrator may do here for clusters of the own organisation;
for those without a connection by files (operations/admin/offline_enrollment.py).
The certificate stands beside ours, not under it: neither cluster trusts the other for it (threat L9).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from rmsserver.errors import Argument, ArgumentNull, ArgumentOutOfRange, UnauthorizedAccess
from rmsserver.operations import blocked_users
from rmsserver.operations.enrollee import (
    Enrollee,
    EnrolleeInformation,
    EnrolleeKey,
    is_url,
    is_writable,
    issue_licensor,
    read_enrollee_key,
    read_public_key,
)
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports
from rmsserver.state import AuditTrail, Licensor, RequestContext, ServerState
from rmsserver.xrml.issuing import revocation_conditions_xml
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.values import Guid

STANDARD, CUSTOM = "StandardRevocation", "CustomRevocation"
_AUTHORITIES = 10


@dataclass(frozen=True)
class RevocationInformation:
    """EnrolleeRevocationInformation: the type as it stands; keys of authorities in base64 of PKCS#1, None where missing."""

    type: str | None
    authorities: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class EnrollRequest:
    """AuthorizationInformation is ignored (3.6.4.1.4.2)."""

    key: EnrolleeKey | None
    information: EnrolleeInformation | None
    revocation: RevocationInformation | None


def enroll(
    request: EnrollRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[str, ...]:
    """Four certificates: the enrollee's SLC, Enrollment Service, Enrollment CA, CA (3.6.4.1.4.7).

    Raises ClusterDecommissioned, UnauthorizedAccess (switched off, the Enrollment Service's key is not here, or blocked),
    and what `enroll_server` raises.
    """
    check_in_service(state)
    service = state.enrollment_service
    if not state.enrollment_enabled or service is None:
        raise UnauthorizedAccess("enrollment is switched off, or the store has no Enrollment Service")
    blocked_users.check_caller(caller, state, ports.directory)
    return enroll_server(request, service, caller.trail, state, ports.random.guid, now)


def enroll_server(
    request: EnrollRequest,
    service: Licensor,
    trail: AuditTrail,
    state: ServerState,
    guid: Callable[[], Guid],
    now: dt.datetime,
) -> tuple[str, ...]:
    """The four certificates, signed by `service`, for whoever asks; an alert in `trail`.

    Raises ArgumentNull, Argument (revocation), ArgumentOutOfRange, UnspecifiedError, and what `read_enrollee_key` raises.
    """
    if request.key is None or request.information is None or request.revocation is None:
        raise ArgumentNull("key, information or revocation is missing")
    conditions = _conditions(request.revocation, service)
    enrollee = _enrollee(request.key, request.information, state)
    trail.note("enrollee", enrollee.guid)
    trail.note("enrollee_key", enrollee.key.id.hex())
    chain = issue_licensor(enrollee, service, state, guid, now, conditions=conditions)
    trail.alert(f"a cluster was enrolled: {enrollee.url or enrollee.guid}")
    return chain


def _enrollee(sent: EnrolleeKey, information: EnrolleeInformation, state: ServerState) -> Enrollee:
    """Only the version is looked at (3.6.4.1.4.6); SKU and URL stand in the certificate where they can.

    The name does not: only a self-enrolled server's certificate has one (2.2.9.3.3).
    """
    key, guid = read_enrollee_key(sent, state)
    version, url = information.version or "", information.url or ""
    if not version:
        raise ArgumentNull("the version is missing")
    if not is_writable(version):
        raise Argument("the version cannot stand in a certificate")
    sku = information.sku if information.sku and is_writable(information.sku) else None
    return Enrollee(key, guid, version, sku, None, url if is_url(url) else None)


def _conditions(revocation: RevocationInformation, service: Licensor) -> str:
    """3.6.4.1.4.3: authorities go with CustomRevocation alone, and NonRevocable is not supported."""
    if revocation.type is None:
        raise ArgumentNull("the type of revocation is missing")
    if revocation.type not in (STANDARD, CUSTOM) or bool(revocation.authorities) != (revocation.type == CUSTOM):
        raise Argument("a type of revocation that is not supported, or authorities that do not go with it")
    if len(revocation.authorities) > _AUTHORITIES:
        raise ArgumentOutOfRange(f"more than {_AUTHORITIES} revocation authorities")
    keys = [_authority(text) for text in revocation.authorities]
    return revocation_conditions_xml(service.certificate.principal.public_key, keys) if keys else ""


def _authority(text: str | None) -> PublicKey:
    if not text:
        raise ArgumentNull("the key of a revocation authority is missing")
    return read_public_key(text)
