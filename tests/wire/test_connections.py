"""Slow clients, idle sockets and too many of either."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rmsserver.auth.policy import AccessPolicy
from rmsserver.operations.certify import CertifyRequest, CertifyResult
from rmsserver.web.limits import WebLimits
from rmsserver.web.site import WebParts
from tests.http_server import NamedSignOn, RunningServer, Wire, basic, request
from tests.soap_messages import XRML, Served, certify_body, envelope

CERTIFY = "/_wmcs/certification/certification.asmx"
CALL = request(CERTIFY, envelope(certify_body(XRML)).encode(), Authorization=basic("author"))

Start = Callable[..., RunningServer]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a server with these limits and this Certify."""
    servers: list[RunningServer] = []

    def begin(limits: WebLimits, certify: Any = None, *, workers: int = 4) -> RunningServer:
        served = Served(certify=certify or (lambda asked, *_: CertifyResult(asked.machine_chain or ())))
        server = RunningServer(
            lambda pool: WebParts(served.dispatcher, NamedSignOn(), pool, policy=AccessPolicy, limits=limits),
            workers=workers,
        )
        servers.append(server)
        return server

    yield begin
    for server in servers:
        server.stop()


def ends_within(wire: Wire, seconds: float) -> bool:
    wire.socket.settimeout(seconds)
    try:
        while wire.socket.recv(4096):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def test_X15_an_idle_socket_is_closed(start: Start) -> None:
    """X15: after the idle time, before and after a request."""
    server = start(WebLimits(idle_seconds=0.3))
    with server.connect() as silent, server.connect() as served:
        assert served.ask(CALL).status == 200
        assert ends_within(silent, 3)
        assert ends_within(served, 3)


def test_X15_a_slow_post_ends_at_the_deadline(start: Start) -> None:
    """X15: a byte now and then keeps no connection open: the whole request has its time, then it is 408."""
    server = start(WebLimits(request_seconds=0.5))
    begun = time.monotonic()
    with server.connect() as slow:
        slow.write(CALL[:200])
        for _ in range(4):
            slow.write(b" ")
            time.sleep(0.1)
        assert slow.read().status == 408
        assert ends_within(slow, 3)
    assert time.monotonic() - begun < 3


def test_X15_slow_headers_end_at_the_deadline(start: Start) -> None:
    """X15: the same before the body."""
    server = start(WebLimits(request_seconds=0.3))
    with server.connect() as slow:
        slow.write(b"POST / HTTP/1.1\r\nHost: x\r\nX: ")
        assert slow.read().status == 408


def test_X15_a_request_in_time_leaves_no_deadline_behind(start: Start) -> None:
    """X15: the deadline counts for one request, not for the connection."""
    server = start(WebLimits(request_seconds=0.3))
    with server.connect() as wire:
        for _ in range(4):
            assert wire.ask(CALL).status == 200
            time.sleep(0.15)


def test_X15_idle_sockets_give_way(start: Start) -> None:
    """X15: where all places are taken, the connection that has been idle for longest is closed; others are served."""
    server = start(WebLimits(connections=20))
    used = server.connect()
    assert used.ask(CALL).status == 200
    crowd = [server.connect() for _ in range(200)]
    try:
        assert server.send(CALL).status == 200
        time.sleep(0.1)
        assert sum(not ends_within(wire, 0.01) for wire in crowd) <= 20
    finally:
        for wire in (used, *crowd):
            wire.__exit__()


def test_X15_a_connection_in_use_is_kept(start: Start) -> None:
    """X15: nobody's answer is lost to make room."""
    entered, leave = threading.Event(), threading.Event()

    def certify(asked: CertifyRequest, *_: Any) -> CertifyResult:
        entered.set()
        assert leave.wait(10)
        return CertifyResult(asked.machine_chain or ())

    server = start(WebLimits(connections=2), certify)
    with server.connect() as busy:
        busy.write(CALL)
        assert entered.wait(10)
        crowd = [server.connect() for _ in range(10)]
        leave.set()
        assert busy.read().status == 200
        for wire in crowd:
            wire.__exit__()


@pytest.mark.parametrize(("workers", "path"), [(2, "/readyz"), (1, "/healthz")])
def test_K6_a_slow_operation_holds_up_nobody_else(start: Start, workers: int, path: str) -> None:
    """K6: operations run in worker threads; that the process is alive is said even where all of them are busy."""
    entered, leave = threading.Event(), threading.Event()

    def certify(asked: CertifyRequest, *_: Any) -> CertifyResult:
        entered.set()
        assert leave.wait(10)
        return CertifyResult(asked.machine_chain or ())

    server = start(WebLimits(), certify, workers=workers)
    with server.connect() as busy:
        busy.write(CALL)
        assert entered.wait(10)
        assert server.send(request(path, method="GET")).status == 200
        leave.set()
        assert busy.read().status == 200
