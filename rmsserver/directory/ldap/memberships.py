"""Which groups an account belongs to, remembered for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from rmsserver.directory.ldap.answers import NotSupported
from rmsserver.directory.ldap.cache import AgingCache, CacheStatistics
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.entries import Group, Person
from rmsserver.directory.ldap.forest_client import ForestClient
from rmsserver.directory.ldap.group_search import Groups, GroupSearch
from rmsserver.directory.ldap.settings import LdapSettings, Nesting
from rmsserver.xrml.values import fold

_MANY_NAMES = 200
"""Beyond this many names it is cheaper to ask for the account's groups than for each name."""
_MOST_NAMES = 2_000
"""Of one document, that are looked at for members of other directories: forty cost a search."""

_log = structlog.get_logger()


class Memberships:
    """Five caches: groups by their names, an account's own list of groups, single answers of the in-chain rule, for documents
    that name a great many people the names of all groups an account is in, and members of other directories.

    Nothing kept here is younger than the account it was found for, so that ages do not add up.
    """

    def __init__(self, client: ForestClient, settings: LdapSettings, clock: Callable[[], float]) -> None:
        self._client = client
        self._nesting = settings.nesting
        self._clock = clock
        self._groups: AgingCache[str, Group] = AgingCache.of(settings, clock)
        self._lists: AgingCache[str, Groups] = AgingCache.of(settings, clock)
        self._chains: AgingCache[tuple[str, str], bool] = AgingCache.of(settings, clock)
        self._names: AgingCache[str, frozenset[str]] = AgingCache.of(settings, clock)
        self._foreign: AgingCache[str, frozenset[str]] = AgingCache.of(settings, clock)

    def among(self, person: Person, born: float, names: Iterable[str], deadline: Deadline) -> frozenset[str]:
        """Which of `names` (e-mail addresses and SIDs folded) are groups of an account as it was at `born`."""
        wanted = set(names)
        if len(wanted) > _MANY_NAMES:
            wanted &= self._names_above(person, born, deadline)
        groups = self._named(wanted, deadline)
        if not groups:
            return frozenset()
        known = self._list_of(person, born, deadline)
        members = {name for name, group in groups.items() if group.sid in known.sids}
        if not known.complete:
            members |= self._in_chain(person, born, {n: g for n, g in groups.items() if n not in members}, deadline)
        return frozenset(members)

    def foreign_members(self, names: Iterable[str], deadline: Deadline) -> dict[str, frozenset[str]]:
        """For those of `names` (folded) that are groups which hold contacts: their addresses, folded."""
        wanted = sorted(set(names))
        if len(wanted) > _MOST_NAMES:
            _log.warning("directory.too_many_names", names=len(wanted), asked=_MOST_NAMES)
        groups = self._named(set(wanted[:_MOST_NAMES]), deadline)
        known = {group.sid: self._foreign.get(group.sid) for group in groups.values()}
        unknown = {group.sid: group for group in groups.values() if known[group.sid] is None}
        if unknown:
            born = self._clock()
            found = self._client.ask_groups(lambda search: search.foreign_members(unknown.values()), deadline)
            known |= {sid: self._foreign.put(sid, found.get(sid, frozenset()), born=born) for sid in unknown}
        held = {name: entry.value for name, group in groups.items() if (entry := known[group.sid]) is not None}
        return {name: addresses for name, addresses in held.items() if addresses}

    def flush(self) -> int:
        """Forget everything; how many entries there were."""
        dropped = self._groups.drop() + self._lists.drop() + self._chains.drop() + self._names.drop()
        return dropped + self._foreign.drop()

    def flush_of(self, names: set[str]) -> int:
        """Forget what concerns accounts and groups with these SIDs and e-mail addresses, folded."""
        sids = set(names)

        def is_meant(name: str, group: Group | None) -> bool:
            meant = name in names or (group is not None and not names.isdisjoint(group.names))
            if meant and group is not None:
                sids.add(fold(group.sid))
            return meant

        dropped = self._groups.drop(is_meant)
        # Which accounts a group has is not known here: whoever is in it now, his list may lack it.
        self._names.drop()
        self._foreign.drop()
        dropped += self._lists.drop() if dropped else self._lists.drop(lambda sid, _: fold(sid) in sids)
        return dropped + self._chains.drop(lambda pair, _: not sids.isdisjoint(map(fold, pair)))

    def group_statistics(self) -> CacheStatistics:
        return self._groups.statistics()

    def statistics(self) -> CacheStatistics:
        lists = self._lists.statistics() + self._chains.statistics() + self._names.statistics()
        return lists + self._foreign.statistics()

    # --- inside ---------------------------------------------------------------------------------------------

    def _named(self, names: set[str], deadline: Deadline) -> dict[str, Group]:
        """The groups that have these names. A name that two groups have is nobody's."""
        known = {name: entry for name in names if (entry := self._groups.get(name)) is not None}
        unknown = names - known.keys()
        if unknown:
            born = self._clock()
            found = self._client.ask_groups(lambda search: search.find(sorted(unknown)), deadline)
            known |= {name: self._groups.put(name, _called(name, found), born=born) for name in unknown}
        return {name: entry.value for name, entry in known.items() if entry.value is not None}

    def _names_above(self, person: Person, born: float, deadline: Deadline) -> frozenset[str]:
        """Names of all groups it may be in. Its groups are fewer than the names in a document made to keep us busy."""
        known = self._names.get(person.sid)
        if known is not None and known.value is not None:
            return known.value

        def ask(search: GroupSearch) -> frozenset[str]:
            listed = search.find(search.token_groups(person) or ())
            return frozenset().union(*(group.names for group in (*listed, *search.walk(person))))

        names = self._client.ask_groups(ask, deadline)
        self._names.put(person.sid, names, born=born)
        return names

    def _list_of(self, person: Person, born: float, deadline: Deadline) -> Groups:
        """What the server lists, or what a walk finds."""
        known = self._lists.get(person.sid)
        if known is not None and known.value is not None:
            return known.value
        asks_server = self._asks_server(deadline)

        def ask(search: GroupSearch) -> Groups:
            tokens = search.token_groups(person) if asks_server else None
            if tokens is None and self._nesting is not Nesting.SERVER:
                return Groups(frozenset(group.sid for group in search.walk(person)), complete=True)
            return Groups(tokens or frozenset(), complete=False)

        groups = self._client.ask_groups(ask, deadline)
        self._lists.put(person.sid, groups, born=born)
        return groups

    def _in_chain(self, person: Person, born: float, groups: dict[str, Group], deadline: Deadline) -> set[str]:
        """The names of those of `groups` that contain the account by way of a distribution list."""
        known = {group.sid: self._chains.get((person.sid, group.sid)) for group in groups.values()}
        containing = {sid for sid, entry in known.items() if entry is not None and entry.value}
        unknown = [group for group in groups.values() if known[group.sid] is None]

        def ask(search: GroupSearch) -> frozenset[str]:
            try:
                return search.containing(person, unknown)
            except NotSupported:
                if self._nesting is Nesting.SERVER:
                    raise
                return frozenset(group.sid for group in search.walk(person))

        if unknown:
            found = self._client.ask_groups(ask, deadline)
            containing |= found
            for group in unknown:
                self._chains.put((person.sid, group.sid), True if group.sid in found else None, born=born)
        return {name for name, group in groups.items() if group.sid in containing}

    def _asks_server(self, deadline: Deadline) -> bool:
        if self._nesting is Nesting.AUTO:
            return self._client.forest(deadline).understands_chains
        return self._nesting is Nesting.SERVER


def _called(name: str, groups: Iterable[Group]) -> Group | None:
    meant = {group.sid: group for group in groups if name in group.names}
    if len(meant) > 1:
        _log.warning("directory.ambiguous_group", groups=[group.dn for group in meant.values()])
    return next(iter(meant.values())) if len(meant) == 1 else None
