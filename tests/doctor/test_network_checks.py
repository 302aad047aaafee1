"""rmsserver.doctor.network_checks, against real sockets and real TLS on loopback"""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from rmsserver.doctor.finding import Finding, Verdict
from rmsserver.doctor.network_checks import Place, check_name, check_port, check_sign_on, check_tls
from tests.live.authority import Authority

NOW = dt.datetime.now(dt.UTC)


@contextlib.contextmanager
def http(status: int = 401, *offers: str, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server that answers every request so; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            for offer in offers:
                self.send_header("WWW-Authenticate", offer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def one(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    return found


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca.pem", "Test CA")


def server_context(authority: Authority, folder: Path, host: str = "localhost") -> ssl.SSLContext:
    files = {"certificate_file": folder / "server.pem", "key_file": folder / "server.key"}
    authority.issue(host, "127.0.0.2", **files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate_file"], files["key_file"])
    return context


def test_name() -> None:
    """A name that resolves, and one that does not: reserved for that by RFC 2606."""
    assert one(check_name(Place("http://localhost/_wmcs"))).verdict is Verdict.OK
    found = one(check_name(Place("https://nosuch.invalid/_wmcs")))
    assert found.verdict is Verdict.FAILURE
    assert found.remedy == "give nosuch.invalid an A record in DNS"


@pytest.mark.parametrize("host", ["x" * 64 + ".test", "a..b"])
def test_a_name_that_cannot_be_one(host: str) -> None:
    """Told, not raised."""
    assert one(check_name(Place(f"https://{host}/_wmcs"))).verdict is Verdict.FAILURE


def test_an_alias_matters_in_a_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients ask for a ticket for the name behind it."""
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "web1.example.com", ("192.0.2.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: answer)
    place = Place("https://rms.example.com/_wmcs", in_domain=True)
    assert one(check_name(place)).verdict is Verdict.WARNING
    assert "HTTP/web1.example.com" in one(check_name(place)).remedy
    assert one(check_name(Place(place.base_url))).verdict is Verdict.OK


def test_port() -> None:
    """Somebody listens; nobody does."""
    with http() as port:
        assert one(check_port(Place(f"http://127.0.0.1:{port}/_wmcs"))).verdict is Verdict.OK
    found = one(check_port(Place(f"http://127.0.0.1:{port}/_wmcs")))
    assert (found.verdict, "rmsserver serve" in found.remedy) == (Verdict.FAILURE, True)


def test_tls(authority: Authority, tmp_path: Path) -> None:
    """Chain and name are right where the authority is known; else the line says which of them is not."""
    with http(tls=server_context(authority, tmp_path)) as port:
        place = Place(f"https://localhost:{port}/_wmcs", authority.certificate_file)
        assert one(check_tls(place, NOW)).verdict is Verdict.OK
        unknown = one(check_tls(Place(place.base_url), NOW))
        assert unknown.verdict is Verdict.FAILURE
        assert "--ca" in unknown.remedy
        other = one(check_tls(Place(f"https://127.0.0.1:{port}/_wmcs", authority.certificate_file), NOW))
        assert (other.verdict, other.remedy) == (Verdict.FAILURE, "get a certificate for this very name")


def test_a_certificate_that_ends_soon(authority: Authority, tmp_path: Path) -> None:
    """Two weeks before its end it is worth a word."""
    with http(tls=server_context(authority, tmp_path)) as port:
        place = Place(f"https://localhost:{port}/_wmcs", authority.certificate_file)
        found = one(check_tls(place, NOW + dt.timedelta(days=16)))
    assert (found.verdict, found.remedy) == (Verdict.WARNING, "renew it and restart the server")


def test_no_tls_behind_https() -> None:
    """A server that speaks plain HTTP there."""
    with http() as port:
        found = one(check_tls(Place(f"https://localhost:{port}/_wmcs"), NOW))
    assert found.verdict is Verdict.FAILURE
    assert "tls_certificate" in found.remedy


def test_a_url_without_tls() -> None:
    """Worth a word, but not on this machine itself."""
    assert one(check_tls(Place("http://rms.example.com/_wmcs"), NOW)).verdict is Verdict.WARNING
    assert list(check_tls(Place("http://127.0.0.1:8080/_wmcs"), NOW)) == []


@pytest.mark.parametrize(
    ("status", "offers", "in_domain", "verdict", "told"),
    [
        (401, ("Negotiate", "NTLM", 'Basic realm="x"'), True, Verdict.OK, "Negotiate, NTLM, Basic"),
        (401, ("NTLM", 'Basic realm="x"'), False, Verdict.OK, "NTLM, Basic"),
        (401, ('Basic realm="x"',), True, Verdict.FAILURE, "Basic"),
        (401, (), True, Verdict.FAILURE, "no way to sign on"),
        (404, (), True, Verdict.WARNING, "answers 404"),
        (500, (), False, Verdict.WARNING, "answers 500"),
    ],
)
def test_sign_on(status: int, offers: tuple[str, ...], in_domain: bool, verdict: Verdict, told: str) -> None:
    """What the server offers to whoever has not signed on; in a domain that must be Negotiate."""
    with http(status, *offers) as port:
        found = one(check_sign_on(Place(f"http://127.0.0.1:{port}/_wmcs", in_domain=in_domain)))
    assert found.verdict is verdict
    assert told in found.seen


def test_a_peer_that_is_no_http_server() -> None:
    """It answers something else, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            peer, _ = listening.accept()
            peer.recv(4096)
            peer.sendall(b"220 mail.example.com ESMTP\r\n")
            peer.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        found = one(check_sign_on(Place(f"http://127.0.0.1:{listening.getsockname()[1]}/_wmcs")))
        thread.join(5)
    assert found.verdict is Verdict.FAILURE
