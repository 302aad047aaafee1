"""A real web server on 127.0.0.1 in a thread, and a client that sends bytes as they are."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.threadpool import ThreadPool

from rmsserver.auth import Challenge, ConnectionAuth, Identity
from rmsserver.state import AuthenticationType, DomainAccount
from rmsserver.web.site import RmsSite, WebParts, make_site
from rmsserver.web.tls import Tls


class NamedSignOn:
    """Signs on a connection as whoever `Basic name:pass` says; two steps for `Slow` (a challenge first), as NTLM has.

    Stands for the schemes, which have tests of their own; what is watched here is how connections are told apart.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.closed = threading.Semaphore(0)

    def connection(self, *, secure: bool, channel_bindings: bytes | None) -> ConnectionAuth:
        self.opened += 1
        return _NamedConnection(self)


class _NamedConnection:
    def __init__(self, sign_on: NamedSignOn) -> None:
        self._sign_on = sign_on
        self._identity: Identity | None = None
        self._challenged = False

    def step(self, authorization: str | None, *, client_address: str, forwarded: bool = False) -> Identity | Challenge:
        if authorization is None:
            return self._identity or Challenge(("Slow", 'Basic realm="rms"'))
        self._identity = None
        scheme, _, token = authorization.partition(" ")
        if scheme == "Slow" and not self._challenged:
            self._challenged = True
            return Challenge(("Slow more",))
        name = base64.b64decode(token).decode().partition(":")[0]
        self._identity = Identity(AuthenticationType.BASIC, DomainAccount(f"EXAMPLE\\{name}", f"S-1-5-21-{len(name)}"))
        return self._identity

    def close(self) -> None:
        self._sign_on.closed.release()


def basic(name: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{name}:pass'.encode()).decode()}"


class RunningServer:
    """`make_site` listening on a port of the system's choice. A reactor of its own, so that several can run."""

    def __init__(self, parts: Callable[[ThreadPool], WebParts], *, workers: int = 4, tls: Tls | None = None) -> None:
        """`tls`: serve https, which the client here takes from whoever answers."""
        self._reactor: Any = EPollReactor()
        self._pool = ThreadPool(1, workers)
        self._pool.start()
        self.site: RmsSite = make_site(parts(self._pool), self._reactor)
        started = threading.Event()
        self._reactor.callWhenRunning(started.set)
        self._tls = tls
        factory: Any = self.site
        if tls is not None:
            # Not listenSSL: that would flush by the clock of the process's own reactor, which does not run here.
            make: Any = TLSMemoryBIOFactory
            factory = make(tls.options, False, self.site, clock=self._reactor)
        port = self._reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.port: int = port.getHost().port
        self._thread = threading.Thread(target=self._reactor.run, args=(False,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def connect(self) -> Wire:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connection = context.wrap_socket(connection)
        return Wire(connection)

    def send(self, data: bytes) -> Response:
        """One request on a connection of its own."""
        with self.connect() as wire:
            return wire.ask(data)

    def stop(self) -> None:
        self._reactor.callFromThread(self._reactor.stop)
        self._thread.join(10)
        self._pool.stop()


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes
    all_headers: tuple[tuple[str, str], ...] = field(default=())

    def every(self, name: str) -> list[str]:
        return [value for key, value in self.all_headers if key == name]


class Wire:
    """A connection on which bytes are sent and answers read."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def write(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, data: bytes) -> Response:
        self.write(data)
        return self.read()

    def read(self, *, head: bool = False) -> Response:
        """The next answer. Raises ConnectionError where there is none any more."""
        status_line = self._file.readline()
        if not status_line:
            raise ConnectionError("closed")
        status = int(status_line.split()[1])
        pairs = []
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            pairs.append((name.lower(), value.strip()))
        headers = dict(pairs)
        length = 0 if head or status == 100 else int(headers.get("content-length", 0))
        return Response(status, headers, self._file.read(length), tuple(pairs))

    def is_closed(self) -> bool:
        """Waits until the server closes; False where it sends something instead."""
        try:
            return self._file.read(1) == b""
        except ConnectionResetError:
            return True


def request(
    path: str, body: bytes = b"", *, method: str = "POST", content_type: str = "text/xml; charset=utf-8", **headers: str
) -> bytes:
    """A request in bytes. Names of `headers` have `_` for `-`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: spoofed.example.org"]
    if method == "POST":
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
