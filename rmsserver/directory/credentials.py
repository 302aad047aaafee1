"""Sign-on for the embedded directory: the port `Credentials`, and the making of what it checks against.

Passwords are Argon2id hashes. NT hashes exist only for users with NTLM switched on, wrapped with the SID
(threat K1).
"""

from __future__ import annotations

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from rmsserver.directory.embedded import domain_account, find_login
from rmsserver.directory.nt_hash import nt_hash
from rmsserver.errors import OperatorError
from rmsserver.ports import AccountRows, Wrapping
from rmsserver.state import DomainAccount

_PURPOSE = "nt hash"
_LONGEST_PASSWORD = 256

HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""19 MiB for each password being checked, so that many at once do not exhaust the memory of the machine."""


class EmbeddedCredentials:
    """Implements the port `Credentials`. Every method may raise PortUnavailable."""

    def __init__(self, rows: AccountRows, wrapping: Wrapping, *, hasher: PasswordHasher = HASHER) -> None:
        self._rows = rows
        self._wrapping = wrapping
        self._hasher = hasher
        self._own_name = rows.name()
        self._nobody = hasher.hash("a password that nobody has, checked for unknown logins")

    def check_password(self, login: str, password: str) -> DomainAccount | None:
        stored = find_login(self._rows, self._own_name, login)
        # Unknown, disabled and without a password: the same work as a wrong password (threat N6).
        expected = stored.password_hash if stored is not None else None
        matches = self._matches(expected or self._nobody, password)
        if stored is None or expected is None or not matches or not stored.enabled:
            return None
        return domain_account(self._own_name, stored)

    def nt_hash(self, login: str) -> tuple[DomainAccount, bytes] | None:
        """Raises UnwrapError where the row was changed or swapped with another's."""
        stored = find_login(self._rows, self._own_name, login)
        if stored is None or not stored.enabled or not stored.ntlm or stored.nt_hash_wrapped is None:
            return None
        return domain_account(self._own_name, stored), self._wrapping.unwrap(
            _PURPOSE, stored.sid, stored.nt_hash_wrapped
        )

    def _matches(self, expected: str, password: str) -> bool:
        try:
            return self._hasher.verify(expected, _normal(password)[:_LONGEST_PASSWORD])
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False


def hash_password(password: str, hasher: PasswordHasher = HASHER) -> str:
    """The Argon2id hash of an acceptable password. Raises OperatorError."""
    check_password_form(password)
    return hasher.hash(_normal(password))


def wrap_nt_hash(password: str, sid: str, wrapping: Wrapping) -> bytes:
    """The NT hash of an acceptable password, wrapped for the account's row."""
    check_password_form(password)
    return wrapping.wrap(_PURPOSE, sid, nt_hash(password))


def check_password_form(password: str) -> None:
    """Raise OperatorError for passwords that are empty, too long, or hold characters nobody can type."""
    if not password or len(_normal(password)) > _LONGEST_PASSWORD or not password.isprintable():
        raise OperatorError(f"a password has 1 to {_LONGEST_PASSWORD} printable characters")


def _normal(password: str) -> str:
    return unicodedata.normalize("NFC", password)
