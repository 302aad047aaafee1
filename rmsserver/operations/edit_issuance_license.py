"""EditIssuanceLicense ([MS-RMSI] 3.4.4.1): a signed publishing licence gets other rights and keeps its content key.

Order of faults: decommissioned, publishing disabled, arguments, sizes; the signed licence's signature, signer and
principal; the unsigned one's syntax and principal; then the private key: the signed licence's enabling bits, its permission,
the unsigned one's enabling bits, rights data and template.

Who may: those whom the endpoint's policy lists (nobody until accounts are added), for licences that allow it in their
encrypted rights data, where only who holds the content key can have written it. The rights of the caller in the document
are not looked at: the service is for machines that manage other people's documents. Threats L1 to L3 and L13:
- A licence whose owner differs between its clear and its encrypted part is refused on either side.
- Content key or enabling bits that another signer published first are an alert, each time; a refusal where
  `refuse_republished_keys` is on. The caller's listing is what stands against laundering: what the server signs here is
  exempt from that alert later.
- Another owner than before is honoured and an alert.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import (
    ArgumentNull,
    EnablingBitsHashDoesNotMatch,
    InvalidOfficialRightsTemplate,
    InvalidOperation,
    InvalidRightsLabelSignature,
    InvalidSignedIssuanceLicense,
    OnlinePublishingDisabled,
    RightsLabelNoMatchingIssuedPrincipal,
    ServerRepublishIllegal,
    UnspecifiedError,
)
from rmsserver.operations import blocked_users
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.online_publishing import OnlinePublishing, OpenedUnsignedLicense
from rmsserver.operations.open_license import (
    FoundLicense,
    OpenedLicense,
    budget_name,
    find_license,
    open_license,
    same_grantee,
)
from rmsserver.operations.preconditions import check_in_service, check_may_issue
from rmsserver.operations.use_licenses import applicable_policy, check_license_sizes
from rmsserver.ports import Ports, PortUnavailable
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.enabling_bits import ContentKey

ALLOW_SERVER_EDITING = "Allow_Server_Editing"


@dataclass(frozen=True)
class EditIssuanceLicenseItem:
    """Surface texts of two leaves; None where missing or null."""

    signed: str | None
    unsigned: str | None


@dataclass(frozen=True)
class EditIssuanceLicenseRequest:
    items: tuple[EditIssuanceLicenseItem | None, ...] | None


@dataclass(frozen=True)
class EditIssuanceLicenseResult:
    license: str
    """The new signed publishing licence alone (rulings 5)."""


def edit_issuance_license(
    request: EditIssuanceLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> EditIssuanceLicenseResult:
    """The unsigned licence, signed, with the content key of the signed one.

    Raises ClusterDecommissioned, OnlinePublishingDisabled, UnauthorizedAccess (blocked), ArgumentNull, InvalidOperation
    (several items), InvalidSignedIssuanceLicense, UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, ServerRepublishIllegal,
    EnablingBitsHashDoesNotMatch, CryptoUnsupportedSymKey, InvalidOfficialRightsTemplate or UnspecifiedError.
    """
    check_in_service(state)
    if not state.online_publishing_enabled:
        raise OnlinePublishingDisabled
    blocked_users.check_caller(caller, state, ports.directory)
    signed, unsigned_text = _texts(request, state)
    publishing = OnlinePublishing(caller, state, ports, now, KnownServers.of(state))
    found = _find_signed(signed, publishing)
    unsigned = publishing.read(unsigned_text)
    opened = _open_signed(found, publishing)
    _check_allowed(opened, found, publishing)
    replacement = publishing.open(unsigned, edited=opened.payload)
    check_may_issue(state, now)
    _note(opened, replacement, caller)
    content_key = ContentKey(opened.payload)
    rights = content_key.encrypt_text(replacement.data.text)
    return EditIssuanceLicenseResult(publishing.sign(replacement.license, content_key, rights))


def _texts(request: EditIssuanceLicenseRequest, state: ServerState) -> tuple[str, str]:
    items = request.items or ()
    if len(items) > 1:
        raise InvalidOperation(f"{len(items)} items where there is to be one")
    item = items[0] if items else None
    if item is None or not item.signed or not item.unsigned:
        raise ArgumentNull("there are not two licences in the request")
    check_license_sizes((item.signed, item.unsigned), None, state)
    return item.signed, item.unsigned


def _find_signed(text: str, publishing: OnlinePublishing) -> FoundLicense:
    try:
        return find_license((text,), publishing.servers, publishing.state, publishing.ports)
    except (InvalidRightsLabelSignature, RightsLabelNoMatchingIssuedPrincipal) as error:
        raise InvalidSignedIssuanceLicense(error.detail) from None
    except PortUnavailable:
        raise
    except UnspecifiedError as error:
        # Well signed and badly made: badly made enabling bits must look like those that do not open (threat C1).
        raise EnablingBitsHashDoesNotMatch(error.detail) from None


def _open_signed(found: FoundLicense, publishing: OnlinePublishing) -> OpenedLicense:
    """One outcome for whatever does not open (rulings 15)."""
    caller, state, ports = publishing.caller, publishing.state, publishing.ports
    try:
        return open_license(found, budget_name(caller), publishing.servers, state, ports, caller.trail)
    except PortUnavailable:
        raise
    except UnspecifiedError as error:
        raise EnablingBitsHashDoesNotMatch(error.detail) from None


def _check_allowed(opened: OpenedLicense, found: FoundLicense, publishing: OnlinePublishing) -> None:
    """AUTHENTICATEDDATA "Allow_Server_Editing" in the rights data, or in our own template where that takes their place.

    Diverges: the specification knows the rights data alone; ours is the version that rights are read from, too.
    """
    if opened.owner_disputed:
        raise InvalidSignedIssuanceLicense("the owner is another than in the rights data")
    policy = applicable_policy(opened, found, publishing.servers, publishing.state, publishing.caller.trail)
    if policy is None:
        raise InvalidOfficialRightsTemplate("the signed licence's template is not signed by a server known here")
    values = [data.value.strip().lower() for data in policy.application_data if data.name == ALLOW_SERVER_EDITING]
    if not values or any(value != "true" for value in values):
        raise ServerRepublishIllegal


def _note(opened: OpenedLicense, replacement: OpenedUnsignedLicense, caller: RequestContext) -> None:
    new = replacement.data.owner or replacement.license.owner
    if opened.owner is not None and (new is None or not same_grantee(opened.owner, new)):
        caller.trail.alert(f"republished with another owner: {'nobody' if new is None else new.email or new.id}")
