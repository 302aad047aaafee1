"""How the client chooses its way to sign on."""

from __future__ import annotations

import pytest

from rmsserver.client.errors import SignOnError
from rmsserver.client.sign_on import Credentials, Method, is_same_user, refusal
from rmsserver.client.transport import HttpConnection
from tests.client.http_server import Received, Reply, serving


@pytest.mark.parametrize("user", ["alice", "ALICE", "RMSTEST\\alice", "alice@rms.test"])
def test_the_same_user(user: str) -> None:
    """Login and principal in each spelling."""
    assert is_same_user(user, "alice@RMS.TEST")


@pytest.mark.parametrize("user", ["bob", "RMSTEST\\bob", "alice@other.test", "alice2", ""])
def test_another_user(user: str) -> None:
    """Tickets of somebody else are not used in her name."""
    assert not is_same_user(user, "alice@RMS.TEST")


def test_a_password_is_asked_for_once_and_late() -> None:
    """Where the server wants none nobody is asked."""
    asked = []

    def ask() -> str:
        asked.append(1)
        return "secret"

    def answer(request: Received) -> Reply:
        return Reply(200, b"in") if request.headers.get("Authorization") else _challenge("Basic realm=x")

    with serving(lambda _request: Reply(200, b"in")) as server:
        HttpConnection(Credentials("alice", ask)).post(f"{server.url}/x", b"", {})
    assert not asked
    with serving(answer) as server:
        connection = HttpConnection(Credentials("alice", ask))
        for _ in range(2):
            connection.post(f"{server.url}/x", b"", {})
    assert len(asked) == 1


def _challenge(scheme: str) -> Reply:
    return Reply(401, b"", {"WWW-Authenticate": scheme})


def test_a_way_that_was_not_asked_for_is_not_taken() -> None:
    """--auth ntlm sends no password in the clear, whatever the server would like."""
    with serving(lambda _request: _challenge("Basic realm=x")) as server:
        connection = HttpConnection(Credentials("alice", "secret", Method.NTLM))
        with pytest.raises(SignOnError, match="does not take ntlm"):
            connection.post(f"{server.url}/x", b"", {})
        assert all("Authorization" not in request.headers for request in server.received)


def test_kerberos_without_tickets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Demanded: an error that says what to do. Chosen automatically: the next way."""
    monkeypatch.setenv("KRB5CCNAME", "FILE:/nonexistent/tickets")
    with serving(lambda _request: _challenge("Negotiate")) as server:
        connection = HttpConnection(Credentials("alice", "secret", Method.KERBEROS))
        with pytest.raises(SignOnError, match="kinit"):
            connection.post(f"{server.url}/x", b"", {})


def test_refusals_say_what_to_do() -> None:
    """One line each, by what was offered and what was tried."""
    shown, url = "https://rms.example.com/_wmcs", "https://rms.example.com/_wmcs"
    kerberos = Credentials("", "", Method.KERBEROS)
    assert "kinit again" in refusal("Negotiate, NTLM", url, shown, kerberos)
    assert "does not take kerberos" in refusal("Basic", url, shown, kerberos)
    assert "user name or password" in refusal("Negotiate", url, shown, Credentials("alice", "x"))
    assert "https://" in refusal("Basic", "http://rms.example.com", "x", Credentials("alice", "x"))
