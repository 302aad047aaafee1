"""rmsserver.cli.client_discovery: whom a client asks. The asking itself is in tests/live/test_discovery.py."""

from __future__ import annotations

import socket

import pytest

from rmsserver.cli.client_discovery import Domain, _bind, _domain_name, discover_url
from rmsserver.client.errors import SetupError
from rmsserver.client.sign_on import Credentials, Method
from rmsserver.directory.ldap.settings import KerberosBind, SimpleBind


@pytest.mark.parametrize(
    ("said", "user", "environment", "host", "expected"),
    [
        ("said.test", "alice@realm.test", {"USERDNSDOMAIN": "WINDOWS.TEST"}, "pc.host.test", "said.test"),
        (None, "alice@realm.test", {"USERDNSDOMAIN": "WINDOWS.TEST"}, "pc.host.test", "realm.test"),
        (None, "RMSTEST\\alice", {"USERDNSDOMAIN": "WINDOWS.TEST"}, "pc.host.test", "WINDOWS.TEST"),
        (None, "alice", {}, "pc.host.test", "host.test"),
    ],
)
def test_which_domain(
    monkeypatch: pytest.MonkeyPatch,
    said: str | None,
    user: str,
    environment: dict[str, str],
    host: str,
    expected: str,
) -> None:
    """What was said, else the account's, else that of Windows, else this machine's."""
    monkeypatch.setattr(socket, "getfqdn", lambda: host)
    assert _domain_name(Domain(said), user, environment) == expected


@pytest.mark.parametrize("host", ["localhost", "pc.lan"])
def test_no_domain(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """One word is no domain; the line names both ways out."""
    monkeypatch.setattr(socket, "getfqdn", lambda: host)
    with pytest.raises(SetupError, match="--domain, or the server with --url"):
        _domain_name(Domain(), "alice", {})


def test_how_the_directory_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With this person's tickets; with the password where there are none, or somebody else's."""
    monkeypatch.setattr("rmsserver.cli.client_discovery.tickets_of", lambda: "alice@RMS.TEST")
    assert _bind(Credentials("alice@rms.test", "secret")) == KerberosBind()
    assert _bind(Credentials("bob@rms.test", "secret")) == SimpleBind("bob@rms.test", "secret")
    monkeypatch.setattr("rmsserver.cli.client_discovery.tickets_of", lambda: None)
    assert _bind(Credentials("alice@rms.test", "secret")) == SimpleBind("alice@rms.test", "secret")
    assert _bind(Credentials("alice@rms.test", "", Method.KERBEROS)) == KerberosBind()


def test_a_controller_that_is_none() -> None:
    """What goes wrong is told in one line, with the way around."""
    pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")
    with pytest.raises(SetupError, match="name the server with --url"):
        discover_url(Domain(controllers=("ldaps://127.0.0.1:1",)), Credentials("bob@rms.test", "secret"), None)
