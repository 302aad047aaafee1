"""rmsserver.directory.ldap.entries and forest"""

from __future__ import annotations

import datetime as dt

import pytest

from rmsserver.directory.ldap.answers import Entry
from rmsserver.directory.ldap.entries import emails_of, read_group, read_person
from rmsserver.directory.ldap.forest import Domain, Forest
from tests.directory.ldap.test_sids import DATA, TEXT

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
OWN = Domain("RMSTEST", "rms.test", "DC=rms,DC=test")
CHILD = Domain("LAB", "lab.rms.test", "DC=lab,DC=rms,DC=test")
FOREST = Forest("rms.test", "CN=Configuration,DC=rms,DC=test", OWN, (OWN, CHILD), understands_chains=True)
MAIL = ("mail", "proxyAddresses")


def entry(dn: str = "CN=Alice,DC=rms,DC=test", /, **attributes: list[bytes]) -> Entry:
    given = {"objectSid": [DATA], "sAMAccountName": [b"alice"]} | attributes
    return Entry(dn, {name.lower(): tuple(values) for name, values in given.items()})


def test_account_is_named_after_its_domain() -> None:
    """The longest domain name that ends the object's own says in which it is, whatever the case and blanks."""
    for dn, name in (("CN=a,DC=RMS, DC=test", "RMSTEST\\alice"), ("CN=a,DC=lab,DC=rms,DC=test", "LAB\\alice")):
        person = read_person(entry(dn), FOREST, MAIL, NOW)
        assert person is not None
        assert person.known.account.name == name
        assert person.sid == TEXT


@pytest.mark.parametrize(
    "incomplete",
    [
        entry(objectSid=[]),
        entry(objectSid=[b"\1\2"]),
        entry(sAMAccountName=[]),
        entry("CN=a,DC=elsewhere"),
        entry("CN=a,DC=xrms,DC=test"),
    ],
)
def test_no_account(incomplete: Entry) -> None:
    """Without SID, login or a domain of the forest it is none."""
    assert read_person(incomplete, FOREST, MAIL, NOW) is None


def test_email_addresses_in_order() -> None:
    """`mail`, the SMTP: address, then aliases; each once, without what is no e-mail address."""
    found = entry(
        mail=[b"Alice@rms.test"],
        proxyAddresses=[b"smtp:a@rms.test", b"SMTP:alice@rms.test", b"sip:x@rms.test", b"X500:/o=x", b"smtp:\xff"],
    )
    assert emails_of(found, MAIL) == ("Alice@rms.test", "a@rms.test")
    assert emails_of(entry(proxyAddresses=[b"smtp:a@rms.test", b"SMTP:b@rms.test"]), MAIL) == (
        "b@rms.test",
        "a@rms.test",
    )


def test_configured_attributes() -> None:
    """Addresses come from the attributes that are configured, in their order."""
    found = entry(userPrincipalName=[b"upn@rms.test"], mail=[b"mail@rms.test"])
    assert emails_of(found, ("userPrincipalName",)) == ("upn@rms.test",)


def file_time(moment: dt.datetime) -> bytes:
    seconds = (moment - dt.datetime(1601, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)
    return str(seconds * 10_000_000).encode()


@pytest.mark.parametrize(
    ("attributes", "enabled"),
    [
        ({}, True),
        ({"userAccountControl": [b"512"]}, True),
        ({"userAccountControl": [b"514"]}, False),
        ({"accountExpires": [b"0"]}, True),
        ({"accountExpires": [b"9223372036854775807"]}, True),
        ({"accountExpires": [file_time(NOW + dt.timedelta(seconds=1))]}, True),
        ({"accountExpires": [file_time(NOW)]}, False),
        ({"accountExpires": [b"nonsense"]}, True),
    ],
)
def test_enabled(attributes: dict[str, list[bytes]], enabled: bool) -> None:
    """Switched off, or past its end, an account is disabled."""
    person = read_person(entry("CN=a,DC=rms,DC=test", **attributes), FOREST, MAIL, NOW)
    assert person is not None
    assert person.known.enabled is enabled


def test_group() -> None:
    """A group's addresses are kept in lower case; without a SID it is none."""
    group = read_group(entry(mail=[b"Staff@RMS.test"]), MAIL)
    assert group is not None
    assert (group.sid, group.emails) == (TEXT, ("staff@rms.test",))
    assert read_group(entry(objectSid=[]), MAIL) is None


def test_domains_by_name() -> None:
    """A domain is known by either name, without case; others are not."""
    assert CHILD.is_called("lab")
    assert CHILD.is_called("LAB.rms.test")
    assert not CHILD.is_called("rms")
