"""SubEnroll ([MS-RMPRS] 3.3): a licensing-only cluster gets its certificate from this, its root cluster.

The certificate stands under our own SLC and says nothing of licensing only; that it does not certify is a matter of trust:
account certificates count by the exact key of their issuer, and nobody lists a licensing-only cluster's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import Argument, ArgumentNull, UnauthorizedAccess
from rmsserver.operations import blocked_users
from rmsserver.operations.enrollee import (
    Enrollee,
    EnrolleeInformation,
    EnrolleeKey,
    is_url,
    is_writable,
    issue_licensor,
    read_enrollee_key,
)
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class SubEnrollRequest:
    key: EnrolleeKey | None
    information: EnrolleeInformation | None


def sub_enroll(
    request: SubEnrollRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[str, ...]:
    """The enrollee's SLC, our SLC and the chain above.

    Raises ClusterDecommissioned, UnauthorizedAccess (switched off; this cluster is a licensing-only one itself; blocked),
    ArgumentNull, Argument, UnspecifiedError, and what `read_enrollee_key` raises.
    """
    check_in_service(state)
    if not state.sub_enrollment_enabled or state.is_licensing_only:
        raise UnauthorizedAccess("sub-enrollment is switched off, or not ours to do")
    blocked_users.check_caller(caller, state, ports.directory)
    if request.key is None or request.information is None:
        raise ArgumentNull("the key or the information is missing")
    enrollee = _enrollee(request.key, request.information, state)
    caller.trail.note("enrollee", enrollee.guid)
    caller.trail.note("enrollee_key", enrollee.key.id.hex())
    chain = issue_licensor(enrollee, state.licensor, state, ports.random.guid, now)
    caller.trail.alert(f"a licensing-only cluster was enrolled: {enrollee.url}")
    return chain


def _enrollee(sent: EnrolleeKey, information: EnrolleeInformation, state: ServerState) -> Enrollee:
    sku, version, name, url = information.sku, information.version, information.name, information.url
    key, guid = read_enrollee_key(sent, state)
    if not sku or not version or not url:
        raise ArgumentNull("SKU, version or URL is missing")
    if not all(map(is_writable, (sku, version, name or "-"))) or not is_url(url):
        raise Argument("SKU, version, name or URL cannot stand in a certificate")
    return Enrollee(key, guid, version, sku, name or None, url)
