"""What entries mean: accounts and groups, read from their attributes and checked. No request to a server here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from rmsserver.directory.ldap.answers import Entry
from rmsserver.directory.ldap.filters import Filter, equals
from rmsserver.directory.ldap.forest import Forest
from rmsserver.directory.ldap.sids import sid_text
from rmsserver.ports import DirectoryAccount
from rmsserver.state import DomainAccount
from rmsserver.xrml.values import fold

_FIXED_ATTRIBUTES = (
    "objectSid",
    "sIDHistory",
    "sAMAccountName",
    "userPrincipalName",
    "userAccountControl",
    "accountExpires",
    "primaryGroupID",
)
_DISABLED = 0x2
"""ADS_UF_ACCOUNT_DISABLE of userAccountControl."""
_NEVER = (0, 2**63 - 1)
_FILE_TIME_EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
_PROXY_ADDRESSES = "proxyaddresses"
_SMTP = "smtp:"


@dataclass(frozen=True)
class Person:
    """An account (a user's or a computer's) with what the directory's own questions need besides."""

    known: DirectoryAccount
    dn: str
    login: str
    principal: str
    """userPrincipalName; "" where it has none."""
    primary_group: int

    @property
    def sid(self) -> str:
        return self.known.account.sid

    @property
    def names(self) -> frozenset[str]:
        """Everything it may be called, folded."""
        known = self.known
        texts = (self.sid, *known.sid_history, known.account.name, self.login, self.principal, *known.emails)
        return frozenset(fold(text) for text in texts if text)


@dataclass(frozen=True)
class Group:
    dn: str
    sid: str
    emails: tuple[str, ...]
    """Folded."""

    @property
    def names(self) -> frozenset[str]:
        """What a document may call it: SID and addresses, folded."""
        return frozenset((fold(self.sid), *self.emails))


def person_attributes(email_attributes: Iterable[str]) -> tuple[str, ...]:
    return (*_FIXED_ATTRIBUTES, *email_attributes)


def group_attributes(email_attributes: Iterable[str]) -> tuple[str, ...]:
    return ("objectSid", *email_attributes)


def read_person(entry: Entry, forest: Forest, email_attributes: Iterable[str], now: dt.datetime) -> Person | None:
    """None for what has no SID or login: contacts, say, which are persons too."""
    sid = sid_text(next(iter(entry.all("objectSid")), b""))
    login = entry.text("sAMAccountName")
    domain = forest.domain_of(entry.dn)
    if sid is None or not login or domain is None:
        return None
    history = tuple(text for text in map(sid_text, entry.all("sIDHistory")) if text is not None)
    enabled = not entry.number("userAccountControl") & _DISABLED and not _has_expired(
        entry.number("accountExpires"), now
    )
    known = DirectoryAccount(
        DomainAccount(f"{domain.netbios_name}\\{login}", sid), emails_of(entry, email_attributes), enabled, history
    )
    return Person(known, entry.dn, login, entry.text("userPrincipalName"), entry.number("primaryGroupID"))


def read_group(entry: Entry, email_attributes: Iterable[str]) -> Group | None:
    sid = sid_text(next(iter(entry.all("objectSid")), b""))
    if sid is None:
        return None
    return Group(entry.dn, sid, tuple(fold(email) for email in emails_of(entry, email_attributes)))


def emails_of(entry: Entry, email_attributes: Iterable[str]) -> tuple[str, ...]:
    """Primary address first, each once. Of `proxyAddresses`, `SMTP:` marks the primary, `smtp:` an alias; others (X400,
    SIP) are no e-mail addresses.
    """
    primary: list[str] = []
    aliases: list[str] = []
    for attribute in email_attributes:
        for value in entry.texts(attribute):
            if attribute.lower() != _PROXY_ADDRESSES:
                primary.append(value)
            elif value.lower().startswith(_SMTP):
                (primary if value.startswith(_SMTP.upper()) else aliases).append(value[len(_SMTP) :])
    once: dict[str, str] = {}
    for email in (*primary, *aliases):
        once.setdefault(fold(email), email)
    return tuple(once.values())


def has_email(email: str, email_attributes: Iterable[str]) -> list[Filter]:
    """Filters, any of which finds the object with this address."""
    return [
        equals(attribute, _SMTP + email if attribute.lower() == _PROXY_ADDRESSES else email)
        for attribute in email_attributes
    ]


def _has_expired(file_time: int, now: dt.datetime) -> bool:
    """`file_time` counts 100 ns since 1601 ([MS-ADA1] accountExpires)."""
    if file_time in _NEVER or file_time < 0:
        return False
    return file_time <= (now - _FILE_TIME_EPOCH) // dt.timedelta(microseconds=1) * 10
