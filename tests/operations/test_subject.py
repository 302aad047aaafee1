"""Accounts by what others call them."""

from __future__ import annotations

import pytest

from rmsserver.operations.subject import Subject, find_account, is_sid
from rmsserver.ports import DirectoryAccount
from rmsserver.state import DomainAccount
from tests.cluster import Cluster

READER = "reader@example.com"


def test_an_account_by_address_or_sid(mode_2: Cluster) -> None:
    """Also under a SID of its past, as the account that it is now."""
    directory, sid = mode_2.directory(), mode_2.sid(READER)
    directory.change_user(sid, sid_history=("S-1-5-21-9-9-9-1",))
    for identity in (READER, READER.upper(), sid, sid.lower(), "S-1-5-21-9-9-9-1"):
        found = find_account(identity, directory)
        assert found is not None
        assert Subject.of(found) == Subject(sid, "Windows", sid, READER)


@pytest.mark.parametrize("identity", ["", "reader", "EXAMPLE\\reader", "all@example.com", "S-1-5-21-1", "*", "a b@c"])
def test_what_names_nobody(mode_2: Cluster, identity: str) -> None:
    """Logins, groups and patterns are no accounts here."""
    assert find_account(identity, mode_2.directory()) is None


@pytest.mark.parametrize("text", ["S-1-5-21-1-2-3-1104", "s-1-5-18"])
def test_sids(text: str) -> None:
    assert is_sid(text)


@pytest.mark.parametrize(
    "text", ["", "S-1", "S-1-", "S-2-5", "S-1-5-x", "S-1-5 ", "S-1" + "-1" * 16, "S-1-12345678901"]
)
def test_no_sids(text: str) -> None:
    assert not is_sid(text)


def test_an_account_without_an_address_gets_no_certificate() -> None:
    """None, also for one that no certificate may hold."""
    for emails in ((), ("x",)):
        assert Subject.of(DirectoryAccount(DomainAccount("EXAMPLE\\x", "S-1-5-1"), emails)) is None
