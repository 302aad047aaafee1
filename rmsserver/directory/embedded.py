"""The embedded directory: the port `Directory` over the cluster's own database."""

from __future__ import annotations

from collections.abc import Iterable

from rmsserver.directory.addresses import can_be_looked_up
from rmsserver.directory.logins import LoginName
from rmsserver.ports import AccountRows, DirectoryAccount, StoredAccount
from rmsserver.state import DomainAccount


class EmbeddedDirectory:
    """Users and groups that `rmsserver user` and `rmsserver group` keep. Every method may raise
    PortUnavailable.
    """

    def __init__(self, rows: AccountRows) -> None:
        self._rows = rows
        self._own_name = rows.name()

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        return self._account(self._rows.by_sid(sid.upper())) if can_be_looked_up(sid) else None

    def by_login(self, login: str) -> DirectoryAccount | None:
        return self._account(find_login(self._rows, self._own_name, login))

    def by_email(self, email: str) -> DirectoryAccount | None:
        return self._account(self._rows.by_email(email.casefold())) if can_be_looked_up(email) else None

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        names = {candidate.casefold() for candidate in candidates if can_be_looked_up(candidate)}
        if not names or not can_be_looked_up(sid):
            return frozenset()
        stored = {name.upper() if name.startswith("s-1-") else name for name in names}
        return frozenset(name.casefold() for name in self._rows.groups_among(sid.upper(), stored))

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

    def _account(self, stored: StoredAccount | None) -> DirectoryAccount | None:
        if stored is None:
            return None
        return DirectoryAccount(domain_account(self._own_name, stored), stored.emails, stored.enabled)


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
    found = rows.by_login(name.user.casefold()) if name.user and name.is_of(directory_name) else None
    return found or (rows.by_email(login.casefold()) if name.realm else None)
