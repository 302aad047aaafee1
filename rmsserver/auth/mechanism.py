"""The port for a security mechanism: NTLM today, Kerberos beside it later.

A `Mechanism` makes one `Handshake` for each attempt to sign on; the handshake turns tokens of the client into tokens of the
server until it accepts or refuses. It knows nothing of HTTP, and one handshake is never shared between connections.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Protocol

from rmsserver.auth import Identity


class SignOnError(Exception):
    """The client did not prove who it is. `reason` and `login` are for the log; the client learns nothing but 401."""

    def __init__(self, reason: str, login: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.login = login[:64]


class ChannelBinding(enum.Enum):
    """Whether a token must be bound to the TLS channel it came through (extended protection; threats A4, A5)."""

    NEVER = "never"
    """Not looked at: where something else ends TLS before this server."""
    OPTIONAL = "optional"
    """Checked where the client sends one; an absent or all-zero one passes."""
    REQUIRED = "required"
    """No sign-on by challenge and response without the right one, hence none without TLS."""


@dataclass(frozen=True)
class Channel:
    """What this server itself knows of the TCP connection."""

    secure: bool = False
    bindings: bytes | None = None
    """Application data of [RFC5929], for example `tls-server-end-point:` and a hash; None without TLS."""


class SecurityContext(Protocol):
    """The keys two sides share after a handshake, as far as SPNEGO needs them ([RFC4178] section 5)."""

    @property
    def has_integrity(self) -> bool:
        """False where the two sides did not negotiate integrity: then SPNEGO exchanges no MIC."""

    def client_mic_is_valid(self, message: bytes, mic: bytes) -> bool:
        """True where `mic` is the client's first GSS_GetMIC over `message`."""

    def server_mic(self, message: bytes) -> bytes:
        """The server's first GSS_GetMIC over `message`."""


@dataclass(frozen=True)
class Continue:
    """Send `token` and wait for the client's next one."""

    token: bytes = field(repr=False)


@dataclass(frozen=True)
class Accepted:
    """The handshake is over and the client is who it says."""

    identity: Identity
    context: SecurityContext = field(repr=False)
    token: bytes | None = field(default=None, repr=False)
    """The mechanism's own last token, where it has one (Kerberos AP-REP)."""


class Handshake(Protocol):
    """The server's side of one attempt. After `Accepted` or `SignOnError` the caller throws it away."""

    def step(self, token: bytes, *, client_address: str) -> Continue | Accepted:
        """Raises `SignOnError` where the token is malformed, out of order or proves nothing."""


class Mechanism(Protocol):
    """One way to prove an identity by tokens."""

    @property
    def oids(self) -> tuple[str, ...]:
        """Its names in SPNEGO, dotted."""

    def available(self, channel: Channel) -> bool:
        """False where the settings forbid it on such a connection: it is then neither offered nor accepted."""

    def begin(self, channel: Channel) -> Handshake: ...
