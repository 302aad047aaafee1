"""The `Directory` port over LDAP ([MS-RMPR] 3.1.1.3.1 to 3.1.1.3.3)."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rmsserver.directory.ldap.account_search import AccountSearch
from rmsserver.directory.ldap.cache import Aged, AgingCache, CacheStatistics
from rmsserver.directory.ldap.connection import use_kerberos
from rmsserver.directory.ldap.controllers import ControllerStatistics
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.entries import Person
from rmsserver.directory.ldap.filters import is_askable
from rmsserver.directory.ldap.forest_client import ForestClient
from rmsserver.directory.ldap.memberships import Memberships
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings
from rmsserver.directory.ldap.sids import sid_bytes
from rmsserver.directory.logins import LoginName
from rmsserver.ports import DirectoryAccount
from rmsserver.state import DomainAccount
from rmsserver.xrml.values import fold


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
    it is gone after the whole of it (threat L6). Times on `clock` are in seconds.
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
        self._client = ForestClient(settings, now)
        self._accounts: AgingCache[tuple[str, str], Person] = AgingCache.of(settings, clock)
        self._memberships = Memberships(self._client, settings, clock)
        self._flushes = 0
        self._lock = threading.Lock()

    # --- the port -------------------------------------------------------------------------------------------

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        return _known(self._by_sid(sid, self._client.deadline()).value)

    def by_login(self, login: str) -> DirectoryAccount | None:
        deadline = self._client.deadline()
        return _known(self._by_principal(login, deadline).value or self._by_email(login, deadline).value)

    def by_email(self, email: str) -> DirectoryAccount | None:
        return _known(self._by_email(email, self._client.deadline()).value)

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        deadline = self._client.deadline()
        names = {fold(name) for name in candidates if is_askable(name)}
        person = self._by_sid(sid, deadline)
        if person.value is None:
            return frozenset()
        return self._memberships.among(person.value, person.born, names, deadline)

    def foreign_members(self, groups: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Of contacts, all e-mail addresses."""
        names = {fold(name) for name in groups if is_askable(name)}
        return self._memberships.foreign_members(names, self._client.deadline())

    def directory_of(self, account: DomainAccount) -> str | None:
        if self.by_sid(account.sid) is not None:
            return self.own_name
        domain = account.name.partition("\\")[0].lower()
        others = self._settings.other_forests
        return next((other.name for other in others if domain in map(str.lower, other.domains)), None)

    @property
    def own_name(self) -> str:
        """The DNS name of the forest. Raises `PortUnavailable` until a controller has told it once."""
        return self._client.forest(self._client.deadline()).dns_name

    def service_location(self, directory: str, service_type: str) -> str | None:
        for other in self._settings.other_forests:
            if other.name.lower() == directory.lower():
                return other.locations.get(service_type)
        return None

    @property
    def generation(self) -> int:
        return (self._flushes << 40) + int(self._clock() / self._settings.cache_seconds)

    # --- for sign-on ----------------------------------------------------------------------------------------

    def by_principal(self, login: str) -> DirectoryAccount | None:
        """As `by_login`, but never by e-mail address: for names that Kerberos or a controller has verified, which belong
        to nobody but the account that is called so.
        """
        return _known(self._by_principal(login, self._client.deadline()).value)

    def realm_of(self, account: DomainAccount) -> str | None:
        """The Kerberos realm of an account of this forest: its domain's DNS name in capitals. Raises `PortUnavailable`."""
        forest, name = self._client.forest(self._client.deadline()), account.name.partition("\\")[0]
        return next((domain.dns_name.upper() for domain in forest.domains if domain.is_called(name)), None)

    # --- for administrators ---------------------------------------------------------------------------------

    def flush(self, who: str | None = None) -> int:
        """Forget what is cached: all of it, or that of one account or group (SID, login or e-mail address).

        Returns how many entries went. `generation` moves in any case.
        """
        with self._lock:
            self._flushes += 1
        if who is None:
            return self._accounts.drop() + self._memberships.flush()
        names = {fold(who)}

        def is_meant(key: tuple[str, str], person: Person | None) -> bool:
            meant = key[1] in names or (person is not None and fold(who) in person.names)
            if meant and person is not None:
                names.add(fold(person.sid))
            return meant

        return self._accounts.drop(is_meant) + self._memberships.flush_of(names)

    def statistics(self) -> DirectoryStatistics:
        return DirectoryStatistics(
            self._accounts.statistics(),
            self._memberships.group_statistics(),
            self._memberships.statistics(),
            self._client.statistics(),
        )

    def close(self) -> None:
        self._client.close()

    # --- inside ---------------------------------------------------------------------------------------------

    def _by_sid(self, sid: str, deadline: Deadline) -> Aged[Person | None]:
        data = sid_bytes(sid)
        if data is None:
            return Aged(None, self._clock())
        return self._find("sid", sid, deadline, lambda search: search.by_sid(sid, data))

    def _by_principal(self, login: str, deadline: Deadline) -> Aged[Person | None]:
        name = LoginName.parse(login)
        if not name.user:
            return Aged(None, self._clock())
        return self._find("login", login, deadline, lambda search: search.by_login(name))

    def _by_email(self, email: str, deadline: Deadline) -> Aged[Person | None]:
        if "@" not in email:
            return Aged(None, self._clock())
        return self._find("email", email, deadline, lambda search: search.by_email(email))

    def _find(
        self, kind: str, name: str, deadline: Deadline, question: Callable[[AccountSearch], Person | None]
    ) -> Aged[Person | None]:
        if not is_askable(name):
            return Aged(None, self._clock())
        known = self._accounts.get((kind, fold(name)))
        if known is not None:
            return known
        born = self._clock()
        found = self._client.ask_accounts(question, deadline)
        return self._accounts.put((kind, fold(name)), found, born=born)


def _known(person: Person | None) -> DirectoryAccount | None:
    return person.known if person is not None else None
