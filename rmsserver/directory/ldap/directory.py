"""The `Directory` port over LDAP ([MS-RMPR] 3.1.1.3.1 to 3.1.1.3.3)."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from rmsserver.directory.ldap.accounts import AccountSearch
from rmsserver.directory.ldap.answers import LdapFailure, NotSupported
from rmsserver.directory.ldap.cache import Aged, AgingCache, CacheStatistics
from rmsserver.directory.ldap.connection import Connection, use_kerberos
from rmsserver.directory.ldap.controllers import Controllers, ControllerStatistics, Work
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.entries import Group, Person
from rmsserver.directory.ldap.filters import is_askable
from rmsserver.directory.ldap.forest import Forest, read_forest, search_base
from rmsserver.directory.ldap.membership import Groups, GroupSearch
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, Nesting
from rmsserver.directory.ldap.sids import sid_bytes
from rmsserver.directory.logins import LoginName
from rmsserver.ports import DirectoryAccount, PortUnavailable
from rmsserver.state import DomainAccount

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")

_FOREST_SECONDS = 3600.0

_log = structlog.get_logger()


@dataclass(frozen=True)
class DirectoryStatistics:
    """For `rmsserver doctor`, health and metrics."""

    accounts: CacheStatistics
    groups: CacheStatistics
    memberships: CacheStatistics
    controllers: tuple[ControllerStatistics, ...]


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class LdapDirectory:
    """Accounts and groups of a forest. Thread-safe; connects when first asked.

    Every method answers within `settings.request_seconds`, or raises `PortUnavailable`. What it answers was true in the
    directory at most half of `lifetime_seconds` ago, and `generation` moves every half, so that a "no rights" kept under
    it is gone after the whole of it (threat L6).
    """

    def __init__(
        self,
        settings: LdapSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        if isinstance(settings.bind, KerberosBind):
            use_kerberos(settings.bind)
        self._settings = settings
        self._clock = clock
        self._now = now
        self._controllers = Controllers(settings)
        self._accounts: AgingCache[tuple[str, str], Person] = self._cache()
        self._groups: AgingCache[str, Group] = self._cache()
        self._tokens: AgingCache[str, Groups] = self._cache()
        self._chains: AgingCache[tuple[str, str], bool] = self._cache()
        self._forest: Aged[Forest] | None = None
        self._flushes = 0
        self._lock = threading.Lock()

    # --- the port -------------------------------------------------------------------------------------------

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        person = self._by_sid(sid, self._controllers.deadline())
        return person.value.known if person.value else None

    def by_login(self, login: str) -> DirectoryAccount | None:
        deadline = self._controllers.deadline()
        name = LoginName.parse(login)
        if not name.user:
            return None
        person = self._find(("login", login), deadline, lambda search: search.by_login(name))
        if person.value is None and "@" in login:
            return self.by_email(login)
        return person.value.known if person.value else None

    def by_email(self, email: str) -> DirectoryAccount | None:
        if "@" not in email:
            return None
        deadline = self._controllers.deadline()
        person = self._find(("email", email), deadline, lambda search: search.by_email(email))
        return person.value.known if person.value else None

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        deadline = self._controllers.deadline()
        person = self._by_sid(sid, deadline)
        wanted = {name.lower() for name in candidates if is_askable(name)}
        if person.value is None or not wanted:
            return frozenset()
        groups = self._named_groups(wanted, deadline)
        tokens = self._groups_of(person.value, person.born, deadline)
        members = {name for name, group in groups.items() if group.sid in tokens.sids}
        if not tokens.complete:
            rest = {name: group for name, group in groups.items() if name not in members}
            members |= self._in_chain(person.value, person.born, rest, deadline)
        return frozenset(members)

    def directory_of(self, account: DomainAccount) -> str | None:
        if self.by_sid(account.sid) is not None:
            return self.own_name
        domain = account.name.partition("\\")[0].lower()
        return next(
            (other.name for other in self._settings.other_forests if domain in map(str.lower, other.domains)), None
        )

    @property
    def own_name(self) -> str:
        """The DNS name of the forest. Raises `PortUnavailable` until a controller has told it once."""
        return self._known_forest(self._controllers.deadline()).dns_name

    def service_location(self, directory: str, service_type: str) -> str | None:
        for other in self._settings.other_forests:
            if other.name.lower() == directory.lower():
                return other.locations.get(service_type)
        return None

    @property
    def generation(self) -> int:
        return (self._flushes << 40) + int(self._clock() / self._half_life)

    # --- for administrators ---------------------------------------------------------------------------------

    def flush(self, who: str | None = None) -> int:
        """Forget what is cached: all of it, or that of one account or group (SID, login or e-mail address).

        Returns how many entries went. `generation` moves in any case.
        """
        with self._lock:
            self._flushes += 1
        if who is None:
            return sum(cache.drop() for cache in (self._accounts, self._groups, self._tokens, self._chains))
        name = who.lower()
        sids: set[str] = {name}

        def is_meant(key: tuple[str, str], person: Person | None) -> bool:
            meant = key[1] == name or (person is not None and name in _names_of(person))
            if meant and person is not None:
                sids.add(person.sid.lower())
            return meant

        dropped = self._accounts.drop(is_meant)
        dropped += self._groups.drop(
            lambda key, group: key == name or (group is not None and group.sid.lower() in sids)
        )
        dropped += self._tokens.drop(lambda sid, _: sid.lower() in sids)
        return dropped + self._chains.drop(lambda pair, _: not sids.isdisjoint(map(str.lower, pair)))

    def statistics(self) -> DirectoryStatistics:
        return DirectoryStatistics(
            self._accounts.statistics(),
            self._groups.statistics(),
            _together(self._tokens.statistics(), self._chains.statistics()),
            self._controllers.statistics(),
        )

    def close(self) -> None:
        self._controllers.close()

    # --- accounts -------------------------------------------------------------------------------------------

    def _by_sid(self, sid: str, deadline: Deadline) -> Aged[Person | None]:
        data = sid_bytes(sid)
        if data is None:
            return Aged(None, self._clock())
        return self._find(("sid", sid), deadline, lambda search: search.by_sid(sid, data))

    def _find(
        self, key: tuple[str, str], deadline: Deadline, ask: Callable[[AccountSearch], Person | None]
    ) -> Aged[Person | None]:
        key = (key[0], key[1].lower())
        if not is_askable(key[1]):
            return Aged(None, self._clock())
        known = self._accounts.get(key)
        if known is not None:
            return known
        born = self._clock()
        forest = self._known_forest(deadline)
        settings, now = self._settings, self._now()

        def work(connection: Connection, until: Deadline) -> Person | None:
            base = search_base(connection.uri, forest, settings)
            return ask(AccountSearch(connection, forest, base, settings.email_attributes, until, now))

        found = self._ask(work, deadline)
        return self._accounts.put(key, found, born=born)

    # --- groups ---------------------------------------------------------------------------------------------

    def _named_groups(self, names: set[str], deadline: Deadline) -> dict[str, Group]:
        """The groups that have these e-mail addresses or SIDs. A name that two groups have is nobody's."""
        known = {name: entry for name in names if (entry := self._groups.get(name)) is not None}
        groups = {name: entry.value for name, entry in known.items() if entry.value is not None}
        unknown = names - known.keys()
        if unknown:
            born = self._clock()
            found = self._ask_groups(lambda search: search.find(sorted(unknown)), deadline)
            for name in unknown:
                meant = {group.sid: group for group in found if name in (group.sid.lower(), *group.emails)}
                if len(meant) > 1:
                    _log.warning("directory.ambiguous_group", groups=[group.dn for group in meant.values()])
                group = next(iter(meant.values())) if len(meant) == 1 else None
                self._groups.put(name, group, born=born)
                if group is not None:
                    groups[name] = group
        return groups

    def _groups_of(self, person: Person, born: float, deadline: Deadline) -> Groups:
        """What the server lists, or what a walk finds. Not younger than the account it was found for."""
        known = self._tokens.get(person.sid)
        if known is not None and known.value is not None:
            return known.value
        asks_server = self._asks_server(deadline)

        def ask(search: GroupSearch) -> Groups:
            tokens = search.token_groups(person) if asks_server else None
            if tokens is None and self._settings.nesting is not Nesting.SERVER:
                return Groups(search.walk(person), complete=True)
            return Groups(tokens or frozenset(), complete=False)

        groups = self._ask_groups(ask, deadline)
        self._tokens.put(person.sid, groups, born=born)
        return groups

    def _in_chain(self, person: Person, born: float, groups: dict[str, Group], deadline: Deadline) -> set[str]:
        """The names of those of `groups` that contain the account by way of something that is no security group."""
        known = {name: self._chains.get((person.sid, group.sid)) for name, group in groups.items()}
        members = {name for name, entry in known.items() if entry is not None and entry.value}
        unknown = {groups[name].sid: groups[name] for name, entry in known.items() if entry is None}
        if not unknown:
            return members

        def ask(search: GroupSearch) -> frozenset[str]:
            try:
                return search.containing(person, unknown.values())
            except NotSupported:
                if self._settings.nesting is Nesting.SERVER:
                    raise
                return search.walk(person)

        containing = self._ask_groups(ask, deadline)
        for sid in unknown:
            self._chains.put((person.sid, sid), True if sid in containing else None, born=born)
        return members | {name for name, group in groups.items() if group.sid in containing}

    def _asks_server(self, deadline: Deadline) -> bool:
        if self._settings.nesting is Nesting.AUTO:
            return self._known_forest(deadline).understands_chains
        return self._settings.nesting is Nesting.SERVER

    # --- asking ---------------------------------------------------------------------------------------------

    def _ask_groups(self, ask: Callable[[GroupSearch], T], deadline: Deadline) -> T:
        forest, settings = self._known_forest(deadline), self._settings

        def work(connection: Connection, until: Deadline) -> T:
            base = search_base(connection.uri, forest, settings)
            return ask(GroupSearch(connection, base, settings.email_attributes, until))

        return self._ask(work, deadline)

    def _ask(self, work: Work[T], deadline: Deadline) -> T:
        try:
            return self._controllers.do(work, deadline)
        except LdapFailure as error:
            _log.warning("directory.refused", why=str(error))
            raise PortUnavailable(str(error)) from error

    def _known_forest(self, deadline: Deadline) -> Forest:
        """Names of domains hardly ever change: asked once an hour, and kept where nobody answers."""
        known = self._forest
        if known is not None and self._clock() - known.born < _FOREST_SECONDS:
            return known.value
        born = self._clock()
        try:
            forest = self._ask(read_forest, deadline)
        except PortUnavailable:
            if known is None:
                raise
            return known.value
        self._forest = Aged(forest, born)
        return forest

    def _cache(self) -> AgingCache[K, V]:
        return AgingCache(
            entries=self._settings.cache_entries,
            lifetime=self._half_life,
            negative_lifetime=min(self._half_life, self._settings.negative_lifetime_seconds),
            clock=self._clock,
        )

    @property
    def _half_life(self) -> float:
        return self._settings.lifetime_seconds / 2


def _names_of(person: Person) -> set[str]:
    known = person.known
    names = (known.account.sid, *known.sid_history, known.account.name, person.login, person.principal, *known.emails)
    return {name.lower() for name in names}


def _together(one: CacheStatistics, other: CacheStatistics) -> CacheStatistics:
    return CacheStatistics(
        one.entries + other.entries,
        one.hits + other.hits,
        one.misses + other.misses,
        one.evictions + other.evictions,
        max(one.oldest_seconds, other.oldest_seconds),
    )
