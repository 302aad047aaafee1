"""Groups of other forests: asking the servers there ([MS-RMPRS] 3.5.4.1).

Which server is asked is configuration, by the domain of an e-mail address; nothing in a document or a question chooses a
host (threat N1). A group of ours may have members there, groups or people, at any depth: they are asked about in its stead.
Clusters whose groups hold each other ask in a circle, and each may ask several others, so that a question has three ends: it
carries how many servers it has come through, each server has less time than the one that asked it, and asks four forests.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rmsserver.ports import Directory, Ports, PortUnavailable
from rmsserver.state import AuditTrail, ServerState
from rmsserver.xrml.values import fold

_FORESTS_AT_ONCE = 4
"""For one question; more would let one document keep a worker for longer than the calls of four forests take."""
_ADDRESSES_AT_ONCE = 20
_QUESTIONS_FOR_ONE_FOREST = 5
_QUESTIONS = 20
_SECONDS = 5.0
_SECONDS_LESS = 0.5
"""With each server on the way: what comes later than the asking server waits is of no use to it."""
_ASKED = "asked_forest"
_UNANSWERED = "unanswered_forest"

Elsewhere = Mapping[str, frozenset[str]]
"""Names of groups, and for each the e-mail addresses in other forests that one may be its member by, all folded."""


def is_elsewhere(address: str, state: ServerState) -> bool:
    """Is this an e-mail address of a domain of another forest?"""
    return fold(address.rpartition("@")[2]) in state.forests


def in_other_forests(names: Iterable[str], state: ServerState, directory: Directory) -> Elsewhere:
    """What of these groups (e-mail addresses and SIDs) is in other forests: the group itself, by its address, or members that
    our own directory has of it, by theirs. Groups of which nothing is elsewhere are left out. Raises PortUnavailable.
    """
    if not state.forests:
        return {}
    wanted = sorted({fold(name) for name in names})
    members = directory.foreign_members(wanted)
    every = {name: {name, *members.get(name, ())} for name in wanted}
    found = {name: frozenset(a for a in addresses if is_elsewhere(a, state)) for name, addresses in every.items()}
    return {name: addresses for name, addresses in found.items() if addresses}


def groups_holding(emails: Iterable[str], elsewhere: Elsewhere) -> frozenset[str]:
    """The groups of ours that have one of these addresses among their members of other forests. For whom our directory does
    not know: nobody has to be asked.
    """
    folded = {fold(email) for email in emails}
    return frozenset(name for name, addresses in elsewhere.items() if folded & (addresses - {name}))


def groups_elsewhere(
    principal: str,
    elsewhere: Elsewhere,
    calls: int,
    state: ServerState,
    ports: Ports,
    trail: AuditTrail,
) -> frozenset[str]:
    """Which of the groups `principal` (an e-mail address) belongs to by what of them is in other forests.

    `calls` servers have been involved, this one not yet counted. A forest that does not answer counts as "not a member", is
    an alert, and is not asked again for the same request; such an answer must not be remembered (`is_unanswered`). The
    same is true of what is not asked because it would be too much.
    """
    if calls + 2 >= state.cross_forest_limit:
        return frozenset()  # whoever is asked would refuse
    asking = _Asking(principal, calls + 1, ports, trail, time.monotonic() + max(1.0, _SECONDS - calls * _SECONDS_LESS))
    found: set[str] = set()
    for url, groups in _questions(elsewhere, state, trail):
        open_ = {name: addresses for name, addresses in groups.items() if name not in found}
        if open_:
            found |= asking.members(url, open_)
    return frozenset(found)


def is_unanswered(trail: AuditTrail) -> bool:
    """Did a forest that was to be asked for this request not answer?"""
    return _UNANSWERED in trail.facts


def _questions(elsewhere: Elsewhere, state: ServerState, trail: AuditTrail) -> list[tuple[str, Elsewhere]]:
    """URLs, and groups to ask about there: so many addresses at once, questions for one forest, and forests."""
    forests: dict[str, list[tuple[str, str]]] = {}
    for name, addresses in elsewhere.items():
        for address in sorted(addresses):
            forests.setdefault(state.forests[fold(address.rpartition("@")[2])], []).append((name, address))
    most = _ADDRESSES_AT_ONCE * _QUESTIONS_FOR_ONE_FOREST
    if len(forests) > _FORESTS_AT_ONCE or any(len(pairs) > most for pairs in forests.values()):
        trail.alert(
            "a question about groups has to do with more of other forests than is asked about: some was left out"
        )
        trail.note(_UNANSWERED, "")
    return [
        (url, _by_name(pairs[at : at + _ADDRESSES_AT_ONCE]))
        for url, pairs in list(forests.items())[:_FORESTS_AT_ONCE]
        for at in range(0, min(len(pairs), most), _ADDRESSES_AT_ONCE)
    ]


def _by_name(pairs: Iterable[tuple[str, str]]) -> Elsewhere:
    groups: dict[str, frozenset[str]] = {}
    for name, address in pairs:
        groups[name] = groups.get(name, frozenset()) | {address}
    return groups


@dataclass(frozen=True)
class _Asking:
    """One principal's questions. `calls`: servers involved, ourselves included. `until`: on the monotonic clock."""

    principal: str
    calls: int
    ports: Ports
    trail: AuditTrail
    until: float

    def members(self, url: str, groups: Elsewhere) -> set[str]:
        """The groups that the server at `url` says yes to; none where it does not answer, or has not before."""
        if url[:200] in self.trail.facts.get(_UNANSWERED, ()):
            return set()
        if len(self.trail.facts.get(_ASKED, ())) >= _QUESTIONS:
            self.trail.note(_UNANSWERED, url)
            return set()
        self.trail.note(_ASKED, url)
        try:
            return self._members(url, groups)
        except PortUnavailable as error:
            self.trail.alert(f"another forest did not answer about groups: {error.detail}")
            self.trail.note(_UNANSWERED, url)
            return set()

    def _members(self, url: str, groups: Elsewhere) -> set[str]:
        """Ask for all at once; the answer is one truth value, so ask again for each where it is true of several."""
        if not self._is_member(url, frozenset().union(*groups.values())):
            return set()
        if len(groups) == 1:
            return set(groups)
        return {name for name, addresses in groups.items() if self._is_member(url, addresses)}

    def _is_member(self, url: str, addresses: frozenset[str]) -> bool:
        left = self.until - time.monotonic()
        if left <= 0:
            raise PortUnavailable("there was no time left to ask")
        return self.ports.peers.is_principal_member_of(url, self.principal, sorted(addresses), self.calls, left)
