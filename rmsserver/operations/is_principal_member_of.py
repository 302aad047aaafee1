"""IsPrincipalMemberOf ([MS-RMPRS] 3.5.4.1, and 3.6.4.1 in its binary form): is somebody in one of these groups?

For other servers, which ask about groups of our forest. Who may ask is for the endpoint's list; whether anybody may, for
configuration. Groups are named by e-mail address, the principal too, plainly or as `mail=…`; the product's first version
also writes `id=` and a SID (4.3).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from rmsserver.errors import Argument, ArgumentNull, ArgumentOutOfRange, UnauthorizedAccess, WrongFormat
from rmsserver.operations import blocked_users
from rmsserver.operations.cross_forest import groups_elsewhere, groups_holding, in_other_forests
from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import DirectoryAccount, Ports
from rmsserver.state import RequestContext, ServerState

_SID = re.compile(r"S-1(?:-[0-9]{1,10}){1,15}\Z", re.IGNORECASE)
_NAME_LIMIT = 300


@dataclass(frozen=True)
class IsPrincipalMemberOfRequest:
    principal: str | None
    principal_cross_forest: str | None
    """The same as `principal` (3.5.4.1.2.1); None where it was not sent."""
    groups: tuple[str | None, ...] | None
    calls: int | None
    """crossForestCallsSoFar: servers involved before this one."""
    binary: bool = False
    """The request came in the binary form."""


@dataclass(frozen=True)
class IsPrincipalMemberOfResult:
    is_member: bool
    principal: str
    """The e-mail address or SID that was asked about, without prefix."""
    account: DirectoryAccount | None
    """None where the directory does not know the principal."""


def is_principal_member_of(
    request: IsPrincipalMemberOfRequest,
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
    now: dt.datetime,  # noqa: ARG001 - every operation has these arguments
) -> IsPrincipalMemberOfResult:
    """False where neither principal nor groups are known, or the account is disabled.

    Raises ClusterDecommissioned, UnauthorizedAccess (switched off, blocked), ArgumentNull, Argument (two different
    principals), ArgumentOutOfRange (too many groups; the question has come through too many servers), WrongFormat,
    PortUnavailable.
    """
    check_in_service(state)
    if not (state.binary_group_expansion_enabled if request.binary else state.group_expansion_enabled):
        raise UnauthorizedAccess("group expansion is switched off in this form")
    blocked_users.check_caller(caller, state, ports.directory)
    principal, groups, calls = _checked(request, state)
    caller.trail.note("account", principal)
    account = ports.directory.by_sid(principal) if _SID.match(principal) else ports.directory.by_email(principal)
    if account is not None and not account.enabled:
        member, account = False, None
    else:
        member = _is_member(principal, account, groups, calls, caller, state, ports)
    caller.trail.note("is_member", str(member).lower())
    return IsPrincipalMemberOfResult(member, principal, account)


def _checked(request: IsPrincipalMemberOfRequest, state: ServerState) -> tuple[str, list[str], int]:
    if not request.principal or not request.groups or request.calls is None or not all(request.groups):
        raise ArgumentNull("principal, groups or count of calls is missing")
    if request.principal_cross_forest and request.principal_cross_forest.lower() != request.principal.lower():
        raise Argument("two different principals in one question")
    if len(request.groups) > state.batch_limit:
        raise ArgumentOutOfRange(f"{len(request.groups)} groups in one question; the limit is {state.batch_limit}")
    # The product refuses once the count, this server included, reaches the limit (section 7, note 23).
    if request.calls < 0 or request.calls + 1 >= state.cross_forest_limit:
        raise ArgumentOutOfRange(f"the question has come through {request.calls} servers")
    return _name(request.principal), [_name(group) for group in request.groups if group], request.calls


def _name(text: str) -> str:
    """The e-mail address or SID in `text`."""
    prefix, equals, rest = text.partition("=")
    is_prefixed = bool(equals) and prefix.lower() in ("mail", "id")
    name = rest if is_prefixed else text
    if len(text) > _NAME_LIMIT or not (_SID.match(name) or is_email_address(name)):
        raise WrongFormat("a principal or group is neither an e-mail address nor a SID")
    return name


def _is_member(
    principal: str,
    account: DirectoryAccount | None,
    groups: list[str],
    calls: int,
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
) -> bool:
    if account is not None and ports.directory.groups_of(account.account.sid, groups):
        return True
    email = account.primary_email if account is not None else principal
    if email is None or _SID.match(email):
        return False
    elsewhere = in_other_forests(groups, state, ports.directory)
    if account is None and groups_holding((email,), elsewhere):
        return True
    # One truth value is wanted, so all of it is one question for each forest.
    everything = {"": frozenset().union(*elsewhere.values())} if elsewhere else {}
    return bool(groups_elsewhere(email, everything, calls, state, ports, caller.trail))
