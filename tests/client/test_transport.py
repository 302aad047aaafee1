"""HTTP: sign-on, TLS, limits, addresses, against a real local server."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from rmsserver.client import sign_on, transport
from rmsserver.client.errors import ServerAnswerError, ServerUnreachableError, SignOnError
from rmsserver.client.sign_on import Credentials
from rmsserver.client.transport import HttpConnection
from tests.client.http_server import Received, Reply, make_certificate, serving

ALICE = Credentials("alice", "pass:wörd")


def _basic(request: Received) -> Reply:
    expected = "Basic " + base64.b64encode("alice:pass:wörd".encode()).decode()
    if request.headers.get("Authorization") == expected:
        return Reply(200, b"in")
    return Reply(401, b"out", {"WWW-Authenticate": 'Basic realm="x"'})


def test_basic_is_sent_only_when_asked() -> None:
    """The first request has no password; the one after the challenge has, in UTF-8, and brings the body
    again."""
    with serving(_basic) as server:
        assert HttpConnection(ALICE).post(f"{server.url}/x", b"body", {}).body == b"in"
    assert "Authorization" not in server.received[0].headers
    assert [request.body for request in server.received] == [b"body", b"body"]


def test_basic_comes_before_ntlm_where_nobody_can_listen() -> None:
    """A server that offers both gets one try with Basic: a failing NTLM handshake would count as a guess."""

    def both(request: Received) -> Reply:
        reply = _basic(request)
        return reply if reply.status == 200 else Reply(401, b"", {"WWW-Authenticate": 'NTLM, Basic realm="x"'})

    with serving(both) as server:
        assert HttpConnection(ALICE).post(f"{server.url}/x", b"body", {}).status == 200
    assert len(server.received) == 2


def test_a_wrong_password_is_one_try() -> None:
    """401 after the password is an error, not a loop."""
    with serving(_basic) as server:
        with pytest.raises(SignOnError, match="did not accept"):
            HttpConnection(Credentials("alice", "wrong")).post(f"{server.url}/x", b"", {})
        assert len(server.received) == 2


def test_without_tls_a_password_never_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere that asks for Basic over plain HTTP gets nothing, even where HTTP is allowed."""
    for module in (sign_on, transport):
        monkeypatch.setattr(module, "is_this_machine", lambda _host: False)
    with serving(_basic) as server:
        with pytest.raises(SignOnError, match="clear text"):
            HttpConnection(ALICE, allow_http=True).post(f"{server.url}/x", b"", {})
        assert len(server.received) == 1


@pytest.mark.parametrize("url", ["http://rms.example.com/_wmcs", "http://10.0.0.1/", "http://localhost.example.com/"])
def test_plain_http_elsewhere_needs_leave(url: str) -> None:
    """Addresses without TLS that are not this machine are refused before a connection is made."""
    with pytest.raises(ServerUnreachableError, match="--allow-http"):
        HttpConnection().post(url, b"", {})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "file:///etc/passwd", "https://user:pw@127.0.0.1/", "https:///x"])
def test_other_addresses_are_refused(url: str) -> None:
    """Only HTTP addresses without a user in them are connected to."""
    with pytest.raises(ServerUnreachableError) as caught:
        HttpConnection().get(url)
    assert "pw" not in str(caught.value)


def test_tls_is_verified(tmp_path: Path) -> None:
    """A certificate nobody vouches for is refused, and accepted with its CA file; Basic works over it."""
    pem = make_certificate(tmp_path / "server.pem")
    with serving(_basic, pem) as server:
        with pytest.raises(ServerUnreachableError, match="--ca FILE"):
            HttpConnection(ALICE).post(f"{server.url}/x", b"", {})
        assert server.received == []
        assert HttpConnection(ALICE, ca_file=pem).post(f"{server.url}/x", b"", {}).body == b"in"


def test_N6_redirects_are_not_followed() -> None:
    """A redirect is an answer out of order: neither request nor sign-on goes to its target."""
    with serving(lambda _r: Reply(302, b"", {"Location": "http://127.0.0.1:1/"})) as server:
        with pytest.raises(ServerAnswerError, match="302"):
            HttpConnection(ALICE).post(f"{server.url}/x", b"", {})
        assert len(server.received) == 1


def test_X7_a_large_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer above the limit is refused while it is read."""
    monkeypatch.setattr(transport, "ANSWER_LIMIT_BYTES", 1000)
    with (
        serving(lambda _r: Reply(200, bytes(2000))) as server,
        pytest.raises(ServerAnswerError, match="too large"),
    ):
        HttpConnection().get(f"{server.url}/x")


def test_nobody_there_is_one_line() -> None:
    """A port that nobody listens on."""
    with serving(lambda _r: Reply()) as server:
        gone = server.url
    with pytest.raises(ServerUnreachableError, match="cannot be reached"):
        HttpConnection().get(f"{gone}/x")


def test_a_broken_ntlm_handshake_is_one_line() -> None:
    """A server that offers NTLM and then does not go on with it."""
    with (
        serving(lambda _r: Reply(401, b"", {"WWW-Authenticate": "NTLM"})) as server,
        pytest.raises(SignOnError, match=r"broke off|did not accept"),
    ):
        HttpConnection(Credentials("EXAMPLE\\alice", "pw")).post(f"{server.url}/x", b"", {})


def test_environment_does_not_move_the_sign_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Proxy variables and .netrc are not read."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login mallory password x\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving(lambda _r: Reply(200, b"ok")) as server:
        assert HttpConnection().get(f"{server.url}/x").body == b"ok"
    assert "Authorization" not in server.received[0].headers


def test_credentials_do_not_print() -> None:
    """A password is not in the representation."""
    assert "wörd" not in repr(ALICE)
