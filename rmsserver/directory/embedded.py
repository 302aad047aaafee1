"""The embedded directory: the port `Directory` over the cluster's own database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from rmsserver.directory.addresses import can_be_looked_up
from rmsserver.directory.logins import LoginName
from rmsserver.ports import AccountRows, DirectoryAccount, StoredAccount
from rmsserver.state import DomainAccount
from rmsserver.xrml.values import fold

_MOST_ACCOUNTS = 5_000
_MOST_GROUPS = 100
"""Remembered of one generation; who is in more groups than that is looked up each time."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class _Generation:
    """What was looked up while the directory was of this generation: true for exactly so long."""

    number: int
    accounts: dict[str, DirectoryAccount | None] = field(default_factory=dict)
    groups: dict[str, frozenset[str] | None] = field(default_factory=dict)
    """Lower-case addresses and SIDs of all groups an account is in; None for too many."""
    foreign: dict[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """Under "": the addresses of other directories that each group holds, by its own address and SID."""


class EmbeddedDirectory:
    """Users and groups that `rmsserver user` and `rmsserver group` keep. Every method may raise
    PortUnavailable.

    Accounts and their groups are looked up once in each generation of the directory, which every change moves.
    """

    def __init__(self, rows: AccountRows) -> None:
        self._rows = rows
        self._own_name = rows.name()
        self._known = _Generation(-1)

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        if not can_be_looked_up(sid):
            return None
        sid = sid.upper()
        known = self._current().accounts
        return _remembered(known, sid, lambda: self._account(self._rows.by_sid(sid)))

    def by_login(self, login: str) -> DirectoryAccount | None:
        return self._account(find_login(self._rows, self._own_name, login))

    def by_email(self, email: str) -> DirectoryAccount | None:
        return self._account(self._rows.by_email(fold(email))) if can_be_looked_up(email) else None

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        names = {fold(candidate) for candidate in candidates if can_be_looked_up(candidate)}
        if not names or not can_be_looked_up(sid):
            return frozenset()
        groups = self._all_groups(sid.upper())
        if groups is not None:
            return groups.intersection(names)
        stored = {name.upper() if name.startswith("s-1-") else name for name in names}
        return frozenset(fold(name) for name in self._rows.groups_among(sid.upper(), stored))

    def foreign_members(self, groups: Iterable[str]) -> Mapping[str, frozenset[str]]:
        held = _remembered(self._current().foreign, "", self._all_foreign_members)
        return {name: held[name] for name in map(fold, groups) if name in held} if held else {}

    def directory_of(self, account: DomainAccount) -> str | None:
        return self._own_name if self.by_sid(account.sid) else None

    @property
    def own_name(self) -> str:
        return self._own_name

    def service_location(self, directory: str, service_type: str) -> str | None:  # noqa: ARG002 - the port
        """None: one directory knows of no other."""
        return None

    @property
    def generation(self) -> int:
        return self._rows.generation()

    def _current(self) -> _Generation:
        # The number first: what is looked up after it is at least as new.
        number, known = self._rows.generation(), self._known
        if known.number != number:
            known = self._known = _Generation(number)
        return known

    def _all_groups(self, sid: str) -> frozenset[str] | None:
        def look_up() -> frozenset[str] | None:
            groups = self._rows.groups_above(sid, _MOST_GROUPS)
            if groups is None:
                return None
            return frozenset(name for group in groups for name in (fold(group.sid), group.email))

        return _remembered(self._current().groups, sid, look_up)

    def _all_foreign_members(self) -> Mapping[str, frozenset[str]]:
        # All at once: they are few, and a document may name very many groups.
        held: dict[str, set[str]] = {}
        for address, group in self._rows.foreign_memberships():
            for name in (fold(group.sid), group.email):
                held.setdefault(name, set()).add(address)
        return {name: frozenset(addresses) for name, addresses in held.items()}

    def _account(self, stored: StoredAccount | None) -> DirectoryAccount | None:
        if stored is None:
            return None
        return DirectoryAccount(domain_account(self._own_name, stored), stored.emails, stored.enabled)


def _remembered(known: dict[str, _T], key: str, look_up: Callable[[], _T]) -> _T:
    """The answer for `key`, looked up where it is not known. `known` starts anew where it has become large."""
    try:
        return known[key]
    except KeyError:
        answer = look_up()
        if len(known) >= _MOST_ACCOUNTS:
            known.clear()
        known[key] = answer
        return answer


def domain_account(directory_name: str, stored: StoredAccount) -> DomainAccount:
    """The account with its name as DOMAIN\\user."""
    return DomainAccount(f"{directory_name}\\{stored.login}", stored.sid)


def find_login(rows: AccountRows, directory_name: str, login: str) -> StoredAccount | None:
    """The user for a login in any of its spellings; one with a realm that is not ours may be an e-mail
    address.
    """
    if not can_be_looked_up(login):
        return None
    name = LoginName.parse(login)
    found = rows.by_login(fold(name.user)) if name.user and name.is_of(directory_name) else None
    return found or (rows.by_email(fold(login)) if name.realm else None)
