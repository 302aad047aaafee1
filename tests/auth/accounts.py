"""Accounts for the tests of sign-on: the `Credentials` port in memory, with NT hashes computed by pyspnego."""

from __future__ import annotations

from dataclasses import dataclass

from spnego._ntlm_raw.crypto import ntowfv1

from rmsserver.state import DomainAccount

ALICE = DomainAccount("EXAMPLE\\alice", "S-1-5-21-1-2-3-1001")
BOB = DomainAccount("EXAMPLE\\bob", "S-1-5-21-1-2-3-1002")
PASSWORD = "correct horse"
LOGINS = {
    "alice": ALICE,
    "example\\alice": ALICE,
    "alice@example.com": ALICE,
    "bob": BOB,
    "example\\bob": BOB,
}


@dataclass
class Accounts:
    """alice and bob, both with PASSWORD. `checks` counts the passwords verified, `lookups` the NT hashes asked for."""

    disabled: frozenset[DomainAccount] = frozenset()
    checks: int = 0
    lookups: int = 0

    def _find(self, login: str) -> DomainAccount | None:
        account = LOGINS.get(login.lower())
        return None if account in self.disabled else account

    def check_password(self, login: str, password: str) -> DomainAccount | None:
        self.checks += 1
        return self._find(login) if password == PASSWORD else None

    def nt_hash(self, login: str) -> tuple[DomainAccount, bytes] | None:
        self.lookups += 1
        account = self._find(login)
        return (account, ntowfv1(PASSWORD)) if account else None


@dataclass
class Time:
    """A monotonic clock that moves only when told."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds
