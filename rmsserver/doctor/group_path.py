"""By which groups an account is in a group: the shortest way, from the account's own group to the one that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from rmsserver.directory.ldap.entries import has_email
from rmsserver.directory.ldap.filters import IN_CHAIN, IS_ACCOUNT, IS_GROUP, all_of, any_of, equals
from rmsserver.directory.ldap.sids import sid_bytes
from rmsserver.ports import AccountRows
from rmsserver.xrml.values import fold

if TYPE_CHECKING:
    from rmsserver.doctor.domain import Domain

_MOST_GROUPS = 500

Path = tuple[str, ...]
"""E-mail addresses or names of groups; the last one is the group that was asked for."""


def shortest_path(start: str, goal: str, above: Callable[[str], Iterable[str]]) -> Path | None:
    """From `start` (not in the answer) to `goal`. Loops end; None also where more than 500 groups were looked at."""
    came_from: dict[str, str] = {}
    frontier = [start]
    while frontier and len(came_from) <= _MOST_GROUPS:
        reached = []
        for node in frontier:
            for parent in above(node):
                if parent not in came_from and parent != start:
                    came_from[parent] = node
                    reached.append(parent)
        if goal in came_from:
            return _back(start, goal, came_from)
        frontier = reached
    return None


def _back(start: str, goal: str, came_from: Mapping[str, str]) -> Path:
    steps, node = [], goal
    while node != start:
        steps.append(node)
        node = came_from[node]
    return tuple(reversed(steps))


def path_in_rows(rows: AccountRows, sid: str, email: str) -> Path | None:
    """In the embedded directory."""
    groups = {group.sid: group.email for group in rows.groups()}
    above: dict[str, list[str]] = {}
    for group in groups:
        for member in rows.members(group):
            above.setdefault(member, []).append(group)
    goal = rows.group_by_email(fold(email))
    found = shortest_path(sid, goal.sid, lambda node: above.get(node, ())) if goal else None
    return tuple(groups[step] for step in found) if found else None


def path_in_domain(domain: Domain, sid: str, email: str) -> Path | None:
    """By `member` links; None too where the way leads over the account's primary group, which is no such link.

    The server names the groups between the two (LDAP_MATCHING_RULE_IN_CHAIN, both ways), and only those are walked.
    """
    attributes = domain.settings.email_attributes
    persons = domain.search(all_of(IS_ACCOUNT, equals("objectSid", sid_bytes(sid) or b"")), "cn")
    goals = domain.search(all_of(IS_GROUP, any_of(has_email(email, attributes))), "cn")
    if len(persons) != 1 or len(goals) != 1:
        return None
    person, goal = persons[0].dn, goals[0].dn
    between = domain.search(
        all_of(IS_GROUP, equals("member", person, IN_CHAIN), equals("memberOf", goal, IN_CHAIN)), "mail", "cn"
    )
    names = {row.dn: row.text("mail") or row.text("cn") for row in between} | {goal: email}

    def above(node: str) -> Iterable[str]:
        rows = domain.search(all_of(IS_GROUP, equals("member", node)), "cn")
        return [row.dn for row in rows if row.dn in names]

    found = shortest_path(person, goal, above)
    return tuple(names[step] for step in found) if found else None
