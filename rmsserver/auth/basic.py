"""HTTP Basic ([RFC7617]): a name and a password in each request. Nothing is kept from one request to the next."""

from __future__ import annotations

import enum
import ipaddress
from dataclasses import dataclass, field
from typing import Protocol

from rmsserver.auth import Identity
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Channel, SignOnError
from rmsserver.state import AuthenticationType, DomainAccount

LOGIN_LIMIT = 256
PASSWORD_LIMIT = 1024


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
        if self._is_remote and self._guessing.is_locked(given.login, client_address):
            raise SignOnError("too many failures", given.login)
        account = self._passwords.check_password(given.login, given.password)
        admitted = self._guessing.admits(given.login, client_address, proven=account is not None)
        if not admitted or account is None:
            raise SignOnError("wrong password, unknown account or too many failures", given.login)
        return Identity(AuthenticationType.BASIC, account)
