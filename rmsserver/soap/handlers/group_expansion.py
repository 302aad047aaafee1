"""GroupExpansionWebService ([MS-RMPRS] 3.5)."""

from __future__ import annotations

from rmsserver.operations.is_principal_member_of import IsPrincipalMemberOfRequest
from rmsserver.soap.call import Call, Handler, Message


def is_principal_member_of(
    call: Call, principal: str | None, cross_forest: str | None, groups: Message | None, calls: int | None
) -> bool:
    """3.5.4.1."""
    names = None if groups is None else tuple(groups.string or ())
    request = IsPrincipalMemberOfRequest(principal, cross_forest, names, calls)
    return call.ask(call.operations.is_principal_member_of, request).is_member


HANDLERS: dict[str, Handler] = {"IsPrincipalMemberOf": is_principal_member_of}
