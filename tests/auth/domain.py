"""A domain in memory, for the pieces of sign-on that ask one."""

from __future__ import annotations

from dataclasses import dataclass

from rmsserver.ports import DirectoryAccount
from rmsserver.state import DomainAccount

ALICE = DomainAccount("RMSTEST\\alice", "S-1-5-21-1-2-3-1102")
DAVE = DomainAccount("RMSTEST\\dave", "S-1-5-21-1-2-3-1106")
FOREIGN = DomainAccount("OTHER\\zoe", "S-1-5-21-9-9-9-1001")


@dataclass
class DomainInMemory:
    """Alice, whose address is mail@rms.test; Dave, who is disabled; and a trusted forest OTHER."""

    accounts: tuple[DirectoryAccount, ...] = (
        DirectoryAccount(ALICE, ("mail@rms.test",)),
        DirectoryAccount(DAVE, (), enabled=False),
    )

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        return next((a for a in self.accounts if a.account.sid == sid), None)

    def by_principal(self, login: str) -> DirectoryAccount | None:
        user = login.rpartition("\\")[2].partition("@")[0].lower()
        return next((a for a in self.accounts if a.account.name.lower() == f"rmstest\\{user}"), None)

    def by_login(self, login: str) -> DirectoryAccount | None:
        return self.by_principal(login) or next((a for a in self.accounts if login in a.emails), None)

    def directory_of(self, account: DomainAccount) -> str | None:
        return "other.test" if account.name.startswith("OTHER\\") else None

    def realm_of(self, account: DomainAccount) -> str | None:
        return "RMS.TEST" if account.name.startswith("RMSTEST\\") else None
