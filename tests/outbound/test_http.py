"""Connections to other servers: where they go, and how long they may take."""

from __future__ import annotations

import socket
import time

import pytest

from rmsserver.outbound.http import HttpPeer, Question
from rmsserver.ports import PortUnavailable
from tests.outbound.other_server import OtherServer


def post(server: OtherServer, *, seconds: float = 5, limit: int = 1000) -> bytes:
    return HttpPeer().post(Question(server.url, b"question", {"Content-Type": "text/xml"}, seconds, limit)).body


def test_an_answer_comes_back_as_it_stands() -> None:
    """At the limit too; the question arrives as it was given."""
    with OtherServer(body=b"x" * 1000).serving() as server:
        assert post(server) == b"x" * 1000
        path, headers, body = server.requests[0]
    assert (path, headers["Content-Type"], body) == ("/service.asmx", "text/xml", b"question")


def test_one_octet_too_many() -> None:
    """Refused while reading."""
    with OtherServer(body=b"x" * 1001).serving() as server, pytest.raises(PortUnavailable, match="more than"):
        post(server)


def test_N1_redirects_and_proxies_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """N1: nobody but the configured host is asked, whatever it answers and the environment says."""
    with OtherServer().serving() as elsewhere:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, elsewhere.url)
        with OtherServer(status=302, headers={"Location": elsewhere.url}).serving() as server:
            answer = HttpPeer().post(Question(server.url, b"", {}, 5, 10))
            assert (answer.status, len(server.requests)) == (302, 1)
        assert elsewhere.requests == []


@pytest.mark.parametrize(("drip", "wait"), [(False, 3.0), (True, 0.4)])
def test_a_slow_server_is_given_up(drip: bool, wait: float) -> None:
    """One that says nothing, and one that says it octet by octet."""
    with OtherServer(body=b"x" * 1000, wait_seconds=wait, drip=drip).serving() as server:
        begun = time.monotonic()
        with pytest.raises(PortUnavailable, match="in time"):
            post(server, seconds=1)
        assert time.monotonic() - begun < 2


def test_nobody_there() -> None:
    """The error names the host, and not the question."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(PortUnavailable) as caught:
        HttpPeer().post(Question(f"http://127.0.0.1:{port}/secret", b"question", {}, 2, 10))
    assert "127.0.0.1" in caught.value.detail
    assert "secret" not in caught.value.detail


def test_a_coding_nobody_asked_for() -> None:
    """A gzip bomb is not unpacked."""
    with OtherServer(body=b"x", headers={"Content-Encoding": "gzip"}).serving() as server:
        with pytest.raises(PortUnavailable, match="coding"):
            post(server)
        assert server.requests[0][1]["Accept-Encoding"] == "identity"


def test_tls_is_verified() -> None:
    """A server without TLS, or with a certificate nobody vouches for, is not talked to over https."""
    with OtherServer().serving() as server, pytest.raises(PortUnavailable, match="SSLError"):
        HttpPeer().post(Question(server.url.replace("http:", "https:"), b"", {}, 3, 10))
