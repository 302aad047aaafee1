"""Groups of other forests: asking the servers there ([MS-RMPRS] 3.5.4.1).

Which server is asked is configuration, by the domain of the group's address; nothing in a document or a question chooses a
host (threat N1). A question carries how many servers it has come through, and ends at the limit, so circles of servers end.
"""

from __future__ import annotations

from collections.abc import Iterable

from rmsserver.ports import Ports, PortUnavailable
from rmsserver.state import AuditTrail, ServerState

_FORESTS_AT_ONCE = 4
"""For one question; more would let one document keep a worker for longer than the calls of four forests take."""
_GROUPS_AT_ONCE = 20
_QUESTIONS = 20
_ASKED = "asked_forest"
_UNANSWERED = "unanswered_forest"


def groups_elsewhere(
    principal: str,
    groups: Iterable[str],
    calls: int,
    state: ServerState,
    ports: Ports,
    trail: AuditTrail,
) -> frozenset[str]:
    """Which of `groups` (e-mail addresses) in other forests `principal` (an e-mail address) belongs to.

    `calls` servers have been involved, this one not yet counted. A forest that does not answer counts as "not a member", is
    an alert, and is not asked again for the same request; such an answer must not be remembered (`is_unanswered`). A
    request that has asked twenty times asks no more.
    """
    found: set[str] = set()
    if calls + 2 >= state.cross_forest_limit:
        return frozenset()  # whoever is asked would refuse
    for url, there in list(_by_forest(groups, state).items())[:_FORESTS_AT_ONCE]:
        if url[:200] in trail.facts.get(_UNANSWERED, ()):
            continue
        if len(trail.facts.get(_ASKED, ())) >= _QUESTIONS:
            trail.note(_UNANSWERED, url)
            continue
        trail.note(_ASKED, url)
        try:
            found |= _members(url, principal, there[:_GROUPS_AT_ONCE], calls + 1, ports)
        except PortUnavailable as error:
            trail.alert(f"another forest did not answer about groups: {error.detail}")
            trail.note(_UNANSWERED, url)
    return frozenset(found)


def is_unanswered(trail: AuditTrail) -> bool:
    """Did a forest that was to be asked for this request not answer?"""
    return _UNANSWERED in trail.facts


def is_elsewhere(group: str, state: ServerState) -> bool:
    """Is the group's address of a domain of another forest?"""
    return group.rpartition("@")[2].lower() in state.forests


def _by_forest(groups: Iterable[str], state: ServerState) -> dict[str, list[str]]:
    forests: dict[str, list[str]] = {}
    for group in groups:
        url = state.forests.get(group.rpartition("@")[2].lower())
        if url is not None:
            forests.setdefault(url, []).append(group)
    return forests


def _members(url: str, principal: str, groups: list[str], calls: int, ports: Ports) -> set[str]:
    """Ask for all at once; the answer is one truth value, so ask again for each where it is true of several."""
    if not ports.peers.is_principal_member_of(url, principal, groups, calls):
        return set()
    if len(groups) == 1:
        return set(groups)
    return {group for group in groups if ports.peers.is_principal_member_of(url, principal, [group], calls)}
