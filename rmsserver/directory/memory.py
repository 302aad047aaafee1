"""A directory in memory: the contract of `embedded` without a database, for tests and trials."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping

from rmsserver.directory.logins import LoginName
from rmsserver.ports import DirectoryAccount
from rmsserver.state import DomainAccount
from rmsserver.xrml.values import fold


class MemoryDirectory:
    """Users and groups in dictionaries. Changes are immediate and move `generation`. Thread-safe."""

    def __init__(self, own_name: str = "EXAMPLE", *, domain_sid: str | None = None) -> None:
        self._own_name = own_name
        self._domain_sid = domain_sid or "S-1-5-21-" + "-".join(str(secrets.randbits(32)) for _ in range(3))
        self._next_rid = 1104
        self._generation = 1
        self._users: dict[str, DirectoryAccount] = {}
        self._groups: dict[str, str] = {}
        self._group_sids: dict[str, str] = {}
        self._parents: dict[str, set[str]] = {}
        self._lock = threading.RLock()

    # --- administration -------------------------------------------------------------------------------------

    def add_user(
        self,
        login: str,
        *emails: str,
        sid: str | None = None,
        enabled: bool = True,
        sid_history: tuple[str, ...] = (),
    ) -> DirectoryAccount:
        """A user; `emails` has the primary address first. Raises ValueError where the login or an address is
        taken.
        """
        with self._lock:
            if self.by_login(login) or any(self.by_email(email) for email in emails):
                raise ValueError("the login or an e-mail address is taken")
            account = DomainAccount(f"{self._own_name}\\{login}", sid or self._new_sid())
            user = DirectoryAccount(account, emails, enabled, sid_history)
            self._users[fold(account.sid)] = user
            self._generation += 1
            return user

    def change_user(self, sid: str, **changes: object) -> DirectoryAccount:
        """Replace fields of the user's DirectoryAccount. Raises KeyError where there is none."""
        with self._lock:
            user = dataclasses.replace(self._users[fold(sid)], **changes)  # type: ignore[arg-type]
            self._users[fold(sid)] = user
            self._generation += 1
            return user

    def remove_user(self, sid: str) -> None:
        with self._lock:
            del self._users[fold(sid)]
            self._parents.pop(fold(sid), None)
            self._generation += 1

    def add_group(self, email: str, *members: str, sid: str | None = None) -> str:
        """A group with members (see `add_member`); returns its SID."""
        with self._lock:
            group_sid = sid or self._new_sid()
            self._groups[fold(group_sid)] = fold(email)
            self._group_sids[fold(email)] = fold(group_sid)
            for member in members:
                self.add_member(email, member)
            self._generation += 1
            return group_sid

    def add_member(self, group: str, member: str) -> None:
        """Put a user or group into a group, each named by e-mail address or SID. Raises KeyError for unknown
        names.
        """
        with self._lock:
            self._parents.setdefault(self._sid_of(member), set()).add(self._sid_of(group))
            self._generation += 1

    def remove_member(self, group: str, member: str) -> None:
        with self._lock:
            self._parents.get(self._sid_of(member), set()).discard(self._sid_of(group))
            self._generation += 1

    def add_foreign_member(self, group: str, address: str) -> None:
        """Put somebody, or a group, of another directory into a group. Raises KeyError for an unknown group."""
        with self._lock:
            self._parents.setdefault(fold(address), set()).add(self._sid_of(group))
            self._generation += 1

    def remove_foreign_member(self, group: str, address: str) -> None:
        with self._lock:
            self._parents.get(fold(address), set()).discard(self._sid_of(group))
            self._generation += 1

    # --- the port -------------------------------------------------------------------------------------------

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        wanted = fold(sid)
        found = self._users.get(wanted)
        if found is not None:
            return found
        return self._first(lambda user: wanted in map(fold, user.sid_history))

    def by_login(self, login: str) -> DirectoryAccount | None:
        name = LoginName.parse(login)
        if name.is_of(self._own_name):
            wanted = fold(f"{self._own_name}\\{name.user}")
            found = self._first(lambda user: fold(user.account.name) == wanted)
            if found is not None:
                return found
        return self.by_email(login) if name.realm else None

    def by_email(self, email: str) -> DirectoryAccount | None:
        wanted = fold(email)
        return self._first(lambda user: wanted in map(fold, user.emails))

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        user = self.by_sid(sid)
        if user is None:
            return frozenset()
        with self._lock:
            names = self._names_above(fold(user.account.sid))
        return frozenset(names.intersection(fold(candidate) for candidate in candidates))

    def foreign_members(self, groups: Iterable[str]) -> Mapping[str, frozenset[str]]:
        wanted = {fold(group) for group in groups}
        found: dict[str, frozenset[str]] = {}
        with self._lock:
            for address in [member for member in self._parents if "@" in member]:
                for name in self._names_above(address) & wanted:
                    found[name] = found.get(name, frozenset()) | {address}
        return found

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
        return self._generation

    # --- inside ---------------------------------------------------------------------------------------------

    def _names_above(self, member: str) -> set[str]:
        """SIDs and addresses of the groups that hold a SID or an address of another directory, at any depth."""
        reached: set[str] = set()
        waiting = [member]
        while waiting:
            for parent in self._parents.get(waiting.pop(), ()):
                if parent not in reached:
                    reached.add(parent)
                    waiting.append(parent)
        return reached | {self._groups[group] for group in reached}

    def _new_sid(self) -> str:
        while True:
            self._next_rid += 1
            sid = f"{self._domain_sid}-{self._next_rid}"
            if fold(sid) not in self._users and fold(sid) not in self._groups:
                return sid

    def _sid_of(self, name: str) -> str:
        wanted = fold(name)
        if wanted in self._users or wanted in self._groups:
            return wanted
        if wanted in self._group_sids:
            return self._group_sids[wanted]
        user = self.by_email(name)
        if user is None:
            raise KeyError(name)
        return fold(user.account.sid)

    def _first(self, matches: Callable[[DirectoryAccount], bool]) -> DirectoryAccount | None:
        with self._lock:
            return next((user for user in self._users.values() if matches(user)), None)
