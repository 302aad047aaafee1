"""Binds an identity to one TCP connection: the state between the requests on it, and the headers of HTTP sign-on.

The rules, each with a test by its threat:
- A1: a half handshake belongs to its connection, takes the very next request, and lives 60 s; there is one at most.
- A2: an identity is kept in the connection's own object and is nowhere looked up; through a proxy, which may send several
  people's requests over one connection, nothing is kept.
- A3: any Authorization header first drops the identity that was there, whatever becomes of the new one. A request without
  one never has what Basic proved before; the same header again does, for a minute, without hashing the password again.
- A6: whatever is refused is answered with the same 401; the reason goes to the log.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from rmsserver.auth import Challenge, ConnectionAuth, Identity
from rmsserver.auth.basic import BasicScheme, BasicUse, ProvenBasic
from rmsserver.auth.mechanism import Accepted, Channel, Handshake, Mechanism, SignOnError
from rmsserver.auth.negotiate import NegotiateHandshake
from rmsserver.auth.ntlm import NTLMSSP_OID

AUTHORIZATION_LIMIT_BYTES = 16 * 1024
HANDSHAKE_LIMIT_S = 60.0
IDENTITY_LIMIT_S = 600.0
"""A connection may live for days; who signed on is asked again after this time, and might be disabled by then."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class SignOnSettings:
    basic: BasicUse = BasicUse.SECURE
    realm: str = "Rights Management"
    """Shown by browsers. No quotation mark, backslash or control character."""
    proxy_keeps_connections_apart: bool = False
    """True promises that the proxy before this server never sends two clients' requests over one connection. Without the
    promise NTLM and Negotiate are neither offered nor taken through a proxy; Basic, which binds nothing, still is."""

    def __post_init__(self) -> None:
        if any(c in '"\\' or not " " <= c <= "~" for c in self.realm):
            raise ValueError("realm must be printable ASCII without quotation marks and backslashes")


class HttpAuthenticator:
    """The `Authenticator` that the web layer uses. `mechanisms`: Kerberos, NTLM; `basic` None where passwords cannot be
    checked at all."""

    def __init__(
        self,
        mechanisms: Sequence[Mechanism],
        basic: BasicScheme | None,
        settings: SignOnSettings | None = None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mechanisms = tuple(mechanisms)
        self.basic = basic
        self.settings = settings or SignOnSettings()
        self.monotonic = monotonic

    def connection(self, *, secure: bool, channel_bindings: bytes | None) -> ConnectionAuth:
        return _Connection(self, Channel(secure, channel_bindings))


@dataclass(frozen=True)
class _Pending:
    """A half handshake and the scheme it began under."""

    scheme: str
    handshake: Handshake = field(repr=False)
    until: float


@dataclass(frozen=True)
class _Origin:
    """Where one request came from: the peer's address, and whether a proxy says that it only passed it on."""

    address: str
    forwarded: bool


class _Connection:
    def __init__(self, authenticator: HttpAuthenticator, channel: Channel) -> None:
        self._authenticator = authenticator
        self._channel = channel
        # The web layer serves one request at a time; the lock holds even if it should not.
        self._lock = threading.Lock()
        self._identity: Identity | None = None
        self._identity_until = 0.0
        basic = authenticator.basic
        self._proven = None if basic is None else ProvenBasic(basic, authenticator.monotonic)
        self._pending: _Pending | None = None
        self._closed = False

    def step(self, authorization: str | None, *, client_address: str, forwarded: bool = False) -> Identity | Challenge:
        origin = _Origin(client_address, forwarded)
        with self._lock:
            if self._closed:
                return self._offer(origin)
            pending, self._pending = self._pending, None
            if not self._may_bind(origin):
                pending = self._identity = None
                self._forget_password()
            if self._authenticator.monotonic() >= self._identity_until:
                self._identity = None
            if authorization is None:
                return self._identity or self._offer(origin)
            self._identity = None
            try:
                return self._verify(authorization, pending, origin)
            except SignOnError as refused:
                _log.info("sign-on refused", reason=refused.reason, login=refused.login, client=client_address)
                return replace(self._offer(origin), refused=refused.reason, login=refused.login)

    def close(self) -> None:
        # Without the lock: the reactor calls this, and a step may be hashing a password just now.
        self._closed = True
        self._identity = None
        self._pending = None
        self._forget_password()

    def _forget_password(self) -> None:
        if self._proven is not None:
            self._proven.forget()

    def _may_bind(self, origin: _Origin) -> bool:
        """Whether an identity may stay with the connection: not where a proxy may share it among people (A2)."""
        return not origin.forwarded or self._authenticator.settings.proxy_keeps_connections_apart

    def _basic_allowed(self, origin: _Origin) -> bool:
        # Who comes through a proxy on this machine is not on this machine.
        address = "" if origin.forwarded else origin.address
        if self._authenticator.basic is None:
            return False
        return self._authenticator.settings.basic.allows(self._channel, address)

    def _verify(self, authorization: str, pending: _Pending | None, origin: _Origin) -> Identity | Challenge:
        scheme, token = _split(authorization)
        if scheme == "basic":
            basic = self._authenticator.basic
            if basic is None or self._proven is None or not self._basic_allowed(origin):
                raise SignOnError("Basic on a connection where it is not offered")
            verify = self._proven.verify if self._may_bind(origin) else basic.verify
            return verify(token, client_address=origin.address)
        self._forget_password()
        if scheme not in ("negotiate", "ntlm"):
            raise SignOnError("unknown scheme")
        if not self._may_bind(origin):
            raise SignOnError("challenge and response through a proxy")
        return self._exchange(scheme, token, pending, origin.address)

    def _exchange(
        self, scheme: str, token: bytes, pending: _Pending | None, client_address: str
    ) -> Identity | Challenge:
        now = self._authenticator.monotonic()
        if pending is None or pending.scheme != scheme or now >= pending.until or _opens(token):
            # The time runs from the first token, so that many small steps do not stretch it.
            pending = _Pending(scheme, self._begin(scheme), now + HANDSHAKE_LIMIT_S)
        result = pending.handshake.step(token, client_address=client_address)
        name = "NTLM" if scheme == "ntlm" else "Negotiate"
        if isinstance(result, Accepted):
            # Kept without the closing token, which belongs to this one answer.
            self._identity, self._identity_until = result.identity, now + IDENTITY_LIMIT_S
            return replace(result.identity, confirmation=_header(name, result.token) if result.token else None)
        self._pending = pending
        return Challenge((_header(name, result.token),))

    def _begin(self, scheme: str) -> Handshake:
        mechanisms = self._authenticator.mechanisms
        if scheme == "negotiate":
            return NegotiateHandshake(mechanisms, self._channel)
        ntlm = self._ntlm()
        if ntlm is None:
            raise SignOnError("NTLM on a connection where it is not offered")
        return ntlm.begin(self._channel)

    def _ntlm(self) -> Mechanism | None:
        available = (m for m in self._authenticator.mechanisms if m.available(self._channel))
        return next((m for m in available if NTLMSSP_OID in m.oids), None)

    def _offer(self, origin: _Origin) -> Challenge:
        """All that may be used for such a request, strongest first; the same after every refusal."""
        headers: list[str] = []
        if self._may_bind(origin):
            if any(m.available(self._channel) for m in self._authenticator.mechanisms):
                headers.append("Negotiate")
            if self._ntlm() is not None:
                headers.append("NTLM")
        if self._basic_allowed(origin):
            headers.append(f'Basic realm="{self._authenticator.settings.realm}", charset="UTF-8"')
        return Challenge(tuple(headers))


def _split(authorization: str) -> tuple[str, bytes]:
    """Scheme in small letters, and the decoded token. Raises SignOnError on anything but strict base64."""
    if len(authorization) > AUTHORIZATION_LIMIT_BYTES:
        raise SignOnError("Authorization header too long")
    scheme, _, text = authorization.strip(" \t").partition(" ")
    text = text.lstrip(" ")
    try:
        token = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SignOnError("token is not base64") from None
    if not token or base64.b64encode(token).decode("ascii") != text:
        raise SignOnError("token is empty or not canonical base64")
    return scheme.lower(), token


def _header(scheme: str, token: bytes) -> str:
    return f"{scheme} {base64.b64encode(token).decode('ascii')}"


def _opens(token: bytes) -> bool:
    """True for a NEGOTIATE_MESSAGE or an InitialContextToken: the client starts anew, whatever was before."""
    return token.startswith((b"NTLMSSP\x00\x01\x00\x00\x00", b"\x60"))
