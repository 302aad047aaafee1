"""From a verified caller to an account."""

from __future__ import annotations

import pytest

from rmsserver.auth.domain_accounts import DomainAccounts
from rmsserver.auth.mechanism import SignOnError
from tests.auth.domain import ALICE, DAVE, FOREIGN, DomainInMemory
from tests.conformance import conforms

ACCOUNTS = DomainAccounts(DomainInMemory())


@conforms("MS-RMPR 3.1.4.3", "The account has the SID that the sign-on proved.")
def test_the_directory_names_the_account() -> None:
    """By SID and by name the account comes in the directory's own spelling."""
    assert ACCOUNTS.of_sid(ALICE.sid, "rms.test\\ALICE") == ALICE
    assert ACCOUNTS.of_name("RMSTEST\\Alice") == ALICE


def test_disabled_accounts_are_refused() -> None:
    """Whatever their ticket or controller says."""
    with pytest.raises(SignOnError, match="disabled"):
        ACCOUNTS.of_sid(DAVE.sid, DAVE.name)
    with pytest.raises(SignOnError, match="disabled"):
        ACCOUNTS.of_name(DAVE.name)


def test_an_account_of_a_configured_forest_comes_in_under_its_own_name() -> None:
    """The service locator has an answer for it; nobody else is let in."""
    assert ACCOUNTS.of_sid(FOREIGN.sid, FOREIGN.name) == FOREIGN
    with pytest.raises(SignOnError, match="does not know"):
        ACCOUNTS.of_sid("S-1-5-21-8-8-8-1", "STRANGE\\x")


def test_a_verified_name_is_never_an_email_address() -> None:
    """Who proves to be mail@rms.test somewhere is not the account that has such an address here."""
    with pytest.raises(SignOnError, match="does not know"):
        ACCOUNTS.of_name("mail@rms.test")
