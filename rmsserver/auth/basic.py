"""HTTP Basic ([RFC7617]): a name and a password in each request. What a connection proved a moment ago is remembered."""

from __future__ import annotations

import enum
import hmac
import ipaddress
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rmsserver.auth import Identity
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Channel, SignOnError
from rmsserver.state import AuthenticationType, DomainAccount

LOGIN_LIMIT = 256
PASSWORD_LIMIT = 1024
REMEMBERED_S = 60.0
"""For so long a disabled account or an old password may pass where it passed before."""


class BasicUse(enum.Enum):
    """On which connections a password may come in the clear."""

    NEVER = "never"
    SECURE = "secure"
    """Where this server itself ended TLS."""
    SECURE_OR_LOOPBACK = "secure-or-loopback"
    """Also from 127.0.0.0/8 and ::1. Not behind a local proxy that adds no Via, Forwarded or X-Forwarded-For header."""
    ALWAYS = "always"
    """Also without TLS: for networks where something else protects the way here."""

    def allows(self, channel: Channel, client_address: str) -> bool:
        if self is BasicUse.SECURE_OR_LOOPBACK:
            return channel.secure or _is_loopback(client_address)
        return self is BasicUse.ALWAYS or (self is BasicUse.SECURE and channel.secure)


def _is_loopback(client_address: str) -> bool:
    try:
        address = ipaddress.ip_address(client_address)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


@dataclass(frozen=True)
class UserPass:
    """What a Basic token says. `login` as the client spelled it."""

    login: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, token: bytes) -> UserPass:
        """Raises SignOnError where it has no colon, a control character, an empty name or is too long."""
        try:
            text = token.decode("utf-8")
        except UnicodeDecodeError:
            # Clients older than RFC 7617 send their code page; ISO 8859-1 is the one they have in common.
            text = token.decode("iso-8859-1")
        login, colon, password = text.partition(":")
        if not colon or not login or len(login) > LOGIN_LIMIT or len(password) > PASSWORD_LIMIT:
            raise SignOnError("malformed Basic credentials")
        if any(c < " " or c == "\x7f" for c in text):
            raise SignOnError("control character in Basic credentials")
        return cls(login, password)


class PasswordCheck(Protocol):
    """As much of the port `Credentials` as Basic needs."""

    def check_password(self, login: str, password: str) -> DomainAccount | None: ...


class BasicScheme:
    """Checks one request's name and password."""

    def __init__(self, passwords: PasswordCheck, guessing: PasswordGuessing, *, is_remote: bool = False) -> None:
        """`is_remote`: passwords are checked by a domain controller, which is not asked while a lock holds here."""
        self._passwords = passwords
        self._guessing = guessing
        self._is_remote = is_remote

    def verify(self, token: bytes, *, client_address: str) -> Identity:
        """Raises SignOnError. Where the check is our own it is made whether or not a lock holds, so that time does not
        tell (A7); a domain controller would count it, so that guessing here would lock people out of the domain."""
        given = UserPass.read(token)
        if self._is_remote and self.is_locked(given.login, client_address):
            raise SignOnError("too many failures", given.login)
        account = self._passwords.check_password(given.login, given.password)
        admitted = self._guessing.admits(given.login, client_address, proven=account is not None)
        if not admitted or account is None:
            raise SignOnError("wrong password, unknown account or too many failures", given.login)
        return Identity(AuthenticationType.BASIC, account)

    def is_locked(self, login: str, client_address: str) -> bool:
        """Whether even the right password would be refused."""
        return self._guessing.is_locked(login, client_address)


@dataclass(frozen=True)
class _Proven:
    digest: bytes
    login: str
    identity: Identity
    until: float


class ProvenBasic:
    """What one connection proved last: the same token again within a minute needs no hashing, which takes 20 MiB and tens
    of milliseconds so that guessing does.

    Kept is a digest under a key of this object alone. Any other token drops it, right or wrong.
    """

    def __init__(self, scheme: BasicScheme, monotonic: Callable[[], float]) -> None:
        self._scheme = scheme
        self._monotonic = monotonic
        self._key = secrets.token_bytes(32)
        self._proven: _Proven | None = None

    def verify(self, token: bytes, *, client_address: str) -> Identity:
        """Raises SignOnError."""
        proven, self._proven = self._proven, None
        now, digest = self._monotonic(), hmac.digest(self._key, token, "sha256")
        if proven is None or now >= proven.until or not hmac.compare_digest(proven.digest, digest):
            identity = self._scheme.verify(token, client_address=client_address)
            proven = _Proven(digest, UserPass.read(token).login, identity, now + REMEMBERED_S)
        elif self._scheme.is_locked(proven.login, client_address):
            raise SignOnError("too many failures", proven.login)
        self._proven = proven
        return proven.identity

    def forget(self) -> None:
        self._proven = None
