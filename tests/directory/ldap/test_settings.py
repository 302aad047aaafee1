"""rmsserver.directory.ldap.settings"""

from __future__ import annotations

import pytest

from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, SimpleBind, is_catalogue, starts_tls, writable
from rmsserver.errors import OperatorError

PASSWORD = SimpleBind("svc@rms.test", "secret")


@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        ("controllers", {"controllers": ()}),
        ("controllers", {"controllers": ("dc1.rms.test",)}),
        ("controllers", {"controllers": ("http://dc1",)}),
        ("controllers", {"controllers": ("ldaps://dc1:port",)}),
        ("controllers", {"controllers": ("ldaps://",)}),
        ("controllers", {"controllers": ("ldaps://dc1/DC=rms?mail",)}),
        ("start_tls", {"controllers": ("ldap://dc1",), "start_tls": False}),
        ("request_seconds", {"request_seconds": 6}),
        ("connect_seconds", {"connect_seconds": 0}),
        ("negative_lifetime_seconds", {"negative_lifetime_seconds": 301}),
        ("connections", {"connections": 0}),
        ("email_attributes", {"email_attributes": ()}),
        ("email_attributes", {"email_attributes": ("mail)(cn=*",)}),
    ],
)
def test_what_cannot_work_is_refused(setting: str, changes: dict[str, object]) -> None:
    """The error names the setting; a password without TLS is among what cannot be set."""
    given: dict[str, object] = {"controllers": ("ldaps://dc1",), "bind": PASSWORD} | changes
    with pytest.raises(OperatorError, match=f"directory.{setting}:"):
        LdapSettings(**given)  # type: ignore[arg-type]


def test_tls_begins_where_a_password_goes() -> None:
    """StartTLS by default on ldap:// for passwords, not for Kerberos, which encrypts by itself; never on ldaps://."""
    for_password = LdapSettings(("ldap://dc1",), PASSWORD)
    for_kerberos = LdapSettings(("ldap://dc1",), KerberosBind())
    assert starts_tls("ldap://dc1", for_password)
    assert not starts_tls("ldap://dc1", for_kerberos)
    assert not starts_tls("ldaps://dc1", for_password)
    assert starts_tls("ldap://dc1", LdapSettings(("ldap://dc1",), KerberosBind(), start_tls=True))


def test_password_is_not_shown() -> None:
    """K1: settings in a log or traceback do not tell the password."""
    assert "secret" not in repr(LdapSettings(("ldaps://dc1",), PASSWORD))


@pytest.mark.parametrize(
    ("uri", "catalogue", "own"),
    [
        ("ldap://dc1.rms.test:3268", True, "ldap://dc1.rms.test:389"),
        ("ldaps://[::1]:3269", True, "ldaps://[::1]:636"),
        ("ldaps://dc1", False, "ldaps://dc1"),
        ("ldap://dc1:3890", False, "ldap://dc1:3890"),
    ],
)
def test_catalogue_and_own_directory(uri: str, catalogue: bool, own: str) -> None:
    """The catalogue's ports stand beside those of the controller's own directory."""
    assert is_catalogue(uri) is catalogue
    assert writable(uri) == own
