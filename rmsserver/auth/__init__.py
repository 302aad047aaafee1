"""HTTP authentication: from an Authorization header to a verified account ([MS-RMPR] 3.1.4.1, 3.1.4.3).

What lives here: the schemes Basic, NTLM and Negotiate, the connection they are bound to, the delay of password guessing and
the table of which endpoint demands what. What does not: HTTP itself (the web layer hands the header in and sends the
challenges out), and passwords (they stay behind the `Credentials` port).

The web layer makes one `ConnectionAuth` for each TCP connection and calls `step` for each request on it, in order, in a
worker thread. An identity never leaves its connection: there is no cookie, address or forwarded header that carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rmsserver.state import AuthenticationType, DomainAccount


@dataclass(frozen=True)
class Identity:
    """A verified caller. `account` is the directory's own spelling, whatever the client called itself."""

    authentication: AuthenticationType
    account: DomainAccount
    confirmation: str | None = field(default=None, compare=False)
    """Where set, send the answer with this one WWW-Authenticate header: the closing token of Negotiate ([RFC4559] 5)."""


@dataclass(frozen=True)
class Challenge:
    """Answer 401 with one WWW-Authenticate header for each of `headers`, in this order.

    Where `headers` is empty no way to sign on is open to such a request: answer 403, as a 401 must name one.
    """

    headers: tuple[str, ...]
    refused: str | None = field(default=None, compare=False)
    """Where credentials were offered and refused: why, for the audit. The client learns nothing of it."""
    login: str = field(default="", compare=False)
    """Whom the refused credentials named, as far as they could be read. Of the client's making."""


class ConnectionAuth(Protocol):
    """The authentication of one TCP connection. `step` and `close` may come from different threads."""

    def step(self, authorization: str | None, *, client_address: str, forwarded: bool = False) -> Identity | Challenge:
        """Take one request's Authorization header (None where it has none) and say who is calling.

        Blocks: it reads the directory and hashes passwords. `client_address` is the peer's address as the socket tells it,
        used for the delay of password guessing and to know loopback, never as an identity. `forwarded`: the request has a
        Via, Forwarded or X-Forwarded-For header, so a proxy may send several people's requests over this connection (A2).
        Raises `PortUnavailable` where the directory is away.
        """

    def close(self) -> None:
        """Forget identity and half handshake: the TCP connection is gone. Idempotent."""


class Authenticator(Protocol):
    """Makes a `ConnectionAuth` for each TCP connection. Thread-safe."""

    def connection(self, *, secure: bool, channel_bindings: bytes | None) -> ConnectionAuth:
        """`secure`: this server ended TLS itself. `channel_bindings`: the application data of [RFC5929]
        (`tls-server-end-point:` and the hash of the server certificate), None without TLS."""
