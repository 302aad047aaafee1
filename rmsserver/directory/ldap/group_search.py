"""Groups in groups: what the server resolves for us, and the walk where it does not.

`tokenGroups` ([MS-ADTS] 3.1.1.4.5.19) is the server's own list of an account's groups, at any depth, with the primary
group and groups of other domains, but without distribution lists. What a document names and that list lacks is asked for
with LDAP_MATCHING_RULE_IN_CHAIN, which follows distribution lists too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import structlog

from rmsserver.directory.ldap.answers import Entry, NotSupported, Scope, SearchRefused
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.entries import Group, Person, emails_of, group_attributes, has_email, read_group
from rmsserver.directory.ldap.filters import ANYTHING, IN_CHAIN, IS_CONTACT, IS_GROUP, Filter, all_of, any_of, equals
from rmsserver.directory.ldap.sids import sid_bytes, sid_text, with_rid
from rmsserver.xrml.values import fold

if TYPE_CHECKING:
    from rmsserver.directory.ldap.connection import Connection

T = TypeVar("T")

_BATCH = 40
"""Alternatives in one filter; controllers refuse filters that are too long."""
_WALK_LEVELS = 64
_WALK_GROUPS = 5_000

_log = structlog.get_logger()


@dataclass(frozen=True)
class Groups:
    """SIDs of an account's groups. `complete`: a group that is not here does not contain it."""

    sids: frozenset[str]
    complete: bool


@dataclass(frozen=True)
class GroupSearch:
    """Questions about groups, put to one connection under one deadline. Each raises `LdapFailure`."""

    connection: Connection
    base: str
    email_attributes: tuple[str, ...]
    deadline: Deadline

    def find(self, names: Iterable[str]) -> list[Group]:
        """Groups with one of these e-mail addresses or SIDs; what is neither finds nothing."""
        filters = [one for name in names for one in self._called(name)]
        return [group for batch in _batches(filters) for group in self._groups(any_of(batch))]

    def token_groups(self, person: Person) -> frozenset[str] | None:
        """None where the server does not tell."""
        try:
            found = self.connection.search(person.dn, Scope.BASE, ANYTHING, ("tokenGroups",), self.deadline)
        except (NotSupported, SearchRefused) as error:
            _log.info("directory.no_token_groups", why=str(error))
            return None
        sids = [sid_text(value) for entry in found for value in entry.all("tokenGroups")]
        return frozenset(sid for sid in sids if sid is not None) or None

    def containing(self, person: Person, groups: Iterable[Group]) -> frozenset[str]:
        """SIDs of those of `groups` that contain the account at any depth, by the in-chain rule. Raises `NotSupported`."""
        contains = equals("member", person.dn, IN_CHAIN)
        return frozenset(
            group.sid
            for batch in _batches(groups)
            for group in self._groups(any_of(_with_sid(group.sid) for group in batch), contains)
        )

    def walk(self, person: Person) -> list[Group]:
        """All groups that contain the account, level by level; each group is visited once, so loops end."""
        visited: dict[str, Group] = {}
        primary = with_rid(person.sid, person.primary_group) if person.primary_group else ""
        frontier = [group for group in self.find([primary]) if primary]
        members = [person.dn, *(group.dn for group in frontier)]
        visited |= {group.sid: group for group in frontier}
        for _ in range(_WALK_LEVELS):
            above = [g for batch in _batches(members) for g in self._groups(any_of(equals("member", m) for m in batch))]
            new = {group.sid: group for group in above if group.sid not in visited}
            visited |= new
            members = [group.dn for group in new.values()]
            if not members:
                return list(visited.values())
            if len(visited) > _WALK_GROUPS:
                break
        _log.warning("directory.walk_too_long", account=person.known.account.name, groups=len(visited))
        return list(visited.values())

    def foreign_members(self, groups: Iterable[Group]) -> dict[str, frozenset[str]]:
        """By SID of each group the folded addresses of the contacts in it, level by level; none for most. Loops end: a group
        is visited again only for a group of `groups` that it was not yet reached from.
        """
        found: dict[str, set[str]] = {}
        reached: dict[str, set[str]] = {}
        frontier = {fold(group.dn): {group.sid} for group in groups}
        for _ in range(_WALK_LEVELS):
            below: dict[str, set[str]] = {}
            for entry in self._directly_in(list(frontier)):
                origins = set().union(*(frontier.get(fold(dn), ()) for dn in entry.texts("memberOf")))
                if entry.all("objectSid"):
                    new = origins - reached.setdefault(fold(entry.dn), set())
                    reached[fold(entry.dn)] |= new
                    below.setdefault(fold(entry.dn), set()).update(new)
                else:
                    addresses = [fold(email) for email in emails_of(entry, self.email_attributes)]
                    for sid in origins:
                        found.setdefault(sid, set()).update(addresses)
            frontier = {dn: origins for dn, origins in below.items() if origins}
            if not frontier or len(reached) > _WALK_GROUPS:
                break
        if frontier:
            _log.warning("directory.walk_too_long", groups=len(reached))
        return {sid: frozenset(addresses) for sid, addresses in found.items()}

    def _directly_in(self, dns: Iterable[str]) -> list[Entry]:
        """Groups and contacts that these groups hold, with the groups that hold them."""
        attributes = (*group_attributes(self.email_attributes), "memberOf")
        return [
            entry
            for batch in _batches(dns)
            for entry in self.connection.search(
                self.base,
                Scope.SUBTREE,
                all_of(any_of((IS_GROUP, IS_CONTACT)), any_of(equals("memberOf", dn) for dn in batch)),
                attributes,
                self.deadline,
            )
        ]

    def _called(self, name: str) -> Sequence[Filter]:
        sid = sid_bytes(name)
        if sid is not None:
            return [equals("objectSid", sid)]
        return has_email(name, self.email_attributes) if "@" in name else []

    def _groups(self, *which: Filter) -> list[Group]:
        attributes = group_attributes(self.email_attributes)
        rows: list[Entry] = self.connection.search(
            self.base, Scope.SUBTREE, all_of(IS_GROUP, *which), attributes, self.deadline
        )
        return [group for group in (read_group(row, self.email_attributes) for row in rows) if group is not None]


def _with_sid(sid: str) -> Filter:
    return equals("objectSid", sid_bytes(sid) or b"")


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
