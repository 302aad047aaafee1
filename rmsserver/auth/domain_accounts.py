"""From what a mechanism has verified to an account of the directory, and the last look at it: who is disabled stays out."""

from __future__ import annotations

from typing import Protocol

from rmsserver.auth.mechanism import SignOnError
from rmsserver.ports import DirectoryAccount
from rmsserver.state import DomainAccount


class DomainDirectory(Protocol):
    """What sign-on asks of a directory whose controllers verify passwords and issue tickets. May raise `PortUnavailable`."""

    def by_sid(self, sid: str) -> DirectoryAccount | None: ...

    def by_login(self, login: str) -> DirectoryAccount | None:
        """As in the port `Directory`."""

    def by_principal(self, login: str) -> DirectoryAccount | None:
        """The account of exactly this name, `DOMAIN\\user` or `user@realm`; never one with such an e-mail address."""

    def directory_of(self, account: DomainAccount) -> str | None: ...

    def realm_of(self, account: DomainAccount) -> str | None:
        """The Kerberos realm of an account of this directory."""


class DomainAccounts:
    """Finds the account of a verified caller. Every method raises SignOnError for who may not sign on."""

    def __init__(self, directory: DomainDirectory) -> None:
        self._directory = directory

    def of_sid(self, sid: str, name: str) -> DomainAccount:
        """The account with this verified SID. One of another forest that is configured is let in under its verified `name`:
        the service locator tells it where its own cluster is ([MS-RMPR] 3.1.1.3.3)."""
        found = self._directory.by_sid(sid)
        if found is not None:
            return _enabled(found)
        foreign = DomainAccount(name, sid)
        if self._directory.directory_of(foreign) is None:
            raise SignOnError("an account that the directory does not know", name)
        return foreign

    def of_name(self, name: str) -> DomainAccount:
        """The account with this verified name."""
        found = self._directory.by_principal(name)
        if found is None:
            raise SignOnError("an account that the directory does not know", name)
        return _enabled(found)


def _enabled(found: DirectoryAccount) -> DomainAccount:
    if not found.enabled:
        raise SignOnError("disabled account", found.account.name)
    return found.account
