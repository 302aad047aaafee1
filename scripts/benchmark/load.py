"""The load: keep-alive connections that send prepared bytes. One thread, so that it costs little beside the server."""

from __future__ import annotations

import base64
import selectors
import socket
import time
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import spnego

from benchmark.cluster import PASSWORD, BenchmarkError
from benchmark.envelopes import with_authorization

_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes

    def text(self) -> str:
        if b"content-encoding: gzip" in self.head.lower():
            return zlib.decompress(self.body, wbits=31).decode()
        return self.body.decode()


class Connection:
    """One TCP connection of one account."""

    def __init__(self, port: int, account: str, scheme: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._account = account
        self._received = bytearray()
        self._basic = _basic(account) if scheme == "basic" else None

    def prepared(self, request: bytes) -> bytes:
        """With what each request must carry on this connection."""
        return request if self._basic is None else with_authorization(request, self._basic)

    def sign_on(self, request: bytes) -> None:
        """NTLM, bound to the connection: negotiate, challenge, authenticate. `request` is any that is answered."""
        if self._basic is not None:
            return
        context = spnego.client(self._account, PASSWORD, protocol="ntlm")
        answer = self.ask(with_authorization(request, _ntlm(context.step())))
        token = base64.b64decode(answer.head.partition(b"NTLM ")[2].partition(b"\r\n")[0])
        answer = self.ask(with_authorization(request, _ntlm(context.step(token))))
        if answer.status != 200:
            raise BenchmarkError(f"{self._account} could not sign on: status {answer.status}")

    def ask(self, request: bytes) -> Answer:
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def receive(self) -> Answer | None:
        """Take what has come; the answer once it is whole."""
        data = self.socket.recv(262_144)
        if not data:
            raise BenchmarkError("the server closed a connection")
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
        head = bytes(self._received[:end])
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._received) < end + length:
            return None
        answer = Answer(int(head[9:12]), head, bytes(self._received[end : end + length]))
        self._received.clear()
        return answer


def connect(port: int, accounts: Iterable[str], request: bytes, scheme: str) -> list[Connection]:
    """A signed-on connection for each account."""
    connections = [Connection(port, account, scheme) for account in accounts]
    for connection in connections:
        connection.sign_on(request)
    return connections


@dataclass(frozen=True)
class Outcome:
    """What a run gave: its length and, for each request, the seconds until its answer had come."""

    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def run(connections: Sequence[Connection], queues: Sequence[Iterable[bytes]]) -> Outcome:
    """Each connection sends its queue, one request after the other's answer, all at the same time.

    Raises BenchmarkError where an answer is not of status 200: refusals are quick and must not count.
    """
    pending = [deque(map(c.prepared, queue)) for c, queue in zip(connections, queues, strict=True)]
    latencies: list[float] = []
    sent: dict[int, float] = {}
    with selectors.DefaultSelector() as selector:
        for index, connection in enumerate(connections):
            selector.register(connection.socket, selectors.EVENT_READ, index)
        begun = time.perf_counter()
        for index, queue in enumerate(pending):
            if queue:
                sent[index] = time.perf_counter()
                connections[index].send(queue.popleft())
        while sent:
            ready = selector.select(_TIMEOUT_SECONDS)
            if not ready:
                raise BenchmarkError("no answer came")
            for key, _events in ready:
                index = key.data
                answer = connections[index].receive()
                if answer is None:
                    continue
                now = time.perf_counter()
                latencies.append(now - sent.pop(index))
                if answer.status != 200:
                    raise BenchmarkError(f"an answer of status {answer.status}: {answer.text()[:300]}")
                if pending[index]:
                    sent[index] = now
                    connections[index].send(pending[index].popleft())
        return Outcome(time.perf_counter() - begun, tuple(latencies))


def _ntlm(token: bytes | None) -> str:
    return "NTLM " + base64.b64encode(token or b"").decode()


def _basic(account: str) -> str:
    return "Basic " + base64.b64encode(f"{account}:{PASSWORD}".encode()).decode()
