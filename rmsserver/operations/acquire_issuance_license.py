"""AcquireIssuanceLicense ([MS-RMPR] 3.5.4.1): the server signs a publishing licence (online publishing).

Checks in this order (rulings 17): decommissioned, disabled, arguments and sizes, then those of `online_publishing`. Nothing
is signed unless every licence of the request passes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, OnlinePublishingDisabled, UnspecifiedError
from rmsserver.operations import blocked_users
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.online_publishing import OnlinePublishing
from rmsserver.operations.preconditions import check_in_service, check_may_issue, exceeds
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class AcquireIssuanceLicenseRequest:
    items: tuple[str | None, ...] | None
    """One unsigned publishing licence per element, surface text; None where missing or null."""


@dataclass(frozen=True)
class AcquireIssuanceLicenseResult:
    chains: tuple[tuple[str, ...], ...]
    """For each item the signed publishing licence, the SLC and the chain above."""


def acquire_issuance_license(
    request: AcquireIssuanceLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> AcquireIssuanceLicenseResult:
    """Sign each licence with the own key, its content key sealed anew to it (rulings 2, 16, 17).

    Raises ClusterDecommissioned, OnlinePublishingDisabled, UnauthorizedAccess (blocked), ArgumentNull, UnspecifiedError,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, EnablingBitsHashDoesNotMatch, CryptoUnsupportedSymKey or
    InvalidOfficialRightsTemplate.
    """
    check_in_service(state)
    if not state.online_publishing_enabled:
        raise OnlinePublishingDisabled
    blocked_users.check_caller(caller, state, ports.directory)
    texts = _texts(request, state)
    publishing = OnlinePublishing(caller, state, ports, now, KnownServers.of(state))
    opened = [publishing.open(publishing.read(text)) for text in texts]
    check_may_issue(state, now)
    signed = [publishing.sign(item.license, item.content_key) for item in opened]
    return AcquireIssuanceLicenseResult(tuple((text, *state.licensor.chain) for text in signed))


def _texts(request: AcquireIssuanceLicenseRequest, state: ServerState) -> list[str]:
    if not request.items:
        raise ArgumentNull("there are no licences in the request")
    if len(request.items) > state.batch_limit:
        raise UnspecifiedError(f"{len(request.items)} items in one request; the limit is {state.batch_limit}")
    texts = [text for text in request.items if text]
    if len(texts) != len(request.items):
        raise ArgumentNull("an item has no licence")
    limit = state.issuance_license_limit_bytes
    if any(exceeds(text, limit) for text in texts):
        raise UnspecifiedError(f"a publishing licence is larger than {limit} bytes")
    return texts
