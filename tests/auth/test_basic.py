"""HTTP Basic."""

from __future__ import annotations

import pytest

from rmsserver.auth.basic import BasicScheme, BasicUse, UserPass
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Channel, SignOnError
from rmsserver.state import AuthenticationType
from tests.auth.accounts import ALICE, PASSWORD, Accounts, Time

HOME = "192.0.2.1"


def _scheme(accounts: Accounts | None = None) -> BasicScheme:
    return BasicScheme(accounts or Accounts(), PasswordGuessing(monotonic=Time()))


def _admits(scheme: BasicScheme, token: str) -> bool:
    try:
        identity = scheme.verify(token.encode(), client_address=HOME)
    except SignOnError:
        return False
    return identity.account == ALICE and identity.authentication is AuthenticationType.BASIC


@pytest.mark.parametrize("login", ["alice", "ALICE", "EXAMPLE\\alice", "alice@example.com"])
def test_spellings_of_a_login(login: str) -> None:
    """Every spelling gives the directory's account."""
    assert _admits(_scheme(), f"{login}:{PASSWORD}")


def test_password_may_hold_colons_and_any_script() -> None:
    """The first colon ends the name; UTF-8 is read as such, older code pages as ISO 8859-1."""
    assert UserPass.read("ann:pä:ß".encode()) == UserPass("ann", "pä:ß")
    assert UserPass.read("ann:pä".encode("iso-8859-1")) == UserPass("ann", "pä")


@pytest.mark.parametrize("token", ["alice", ":x", "a\nb:x", "alice:x\x00", "a" * 257 + ":x", "alice:" + "x" * 1025])
def test_malformed_credentials_are_refused_before_the_directory(token: str) -> None:
    """Nothing malformed reaches the port."""
    accounts = Accounts()
    assert not _admits(_scheme(accounts), token)
    assert accounts.checks == 0


def test_N6_unknown_wrong_and_disabled_are_refused_alike() -> None:
    """One check each, one reason for all."""
    reasons = set()
    for token in ("alice:wrong", "nobody:wrong", f"nobody:{PASSWORD}", f"bob:{PASSWORD}"):
        accounts = Accounts(disabled=frozenset({Accounts()._find("bob")}))  # type: ignore[arg-type]
        with pytest.raises(SignOnError) as refused:
            _scheme(accounts).verify(token.encode(), client_address=HOME)
        reasons.add(refused.value.reason)
        assert accounts.checks == 1
    assert len(reasons) == 1


def test_A7_password_is_checked_also_while_locked() -> None:
    """During a lock the right password is refused, after the same work as ever."""
    accounts = Accounts()
    scheme = _scheme(accounts)
    for _ in range(6):
        assert not _admits(scheme, "alice:wrong")
    assert not _admits(scheme, f"alice:{PASSWORD}")
    assert accounts.checks == 7


def test_repr_shows_no_password() -> None:
    """Passwords do not reach a log through repr."""
    assert PASSWORD not in repr(UserPass("alice", PASSWORD))


@pytest.mark.parametrize(
    ("use", "secure", "address", "allowed"),
    [
        (BasicUse.NEVER, True, "127.0.0.1", False),
        (BasicUse.SECURE, True, HOME, True),
        (BasicUse.SECURE, False, "127.0.0.1", False),
        (BasicUse.SECURE_OR_LOOPBACK, False, "127.0.0.1", True),
        (BasicUse.SECURE_OR_LOOPBACK, False, "::1", True),
        (BasicUse.SECURE_OR_LOOPBACK, False, "::ffff:127.0.0.1", True),
        (BasicUse.SECURE_OR_LOOPBACK, False, HOME, False),
        (BasicUse.SECURE_OR_LOOPBACK, False, "localhost", False),
        (BasicUse.SECURE_OR_LOOPBACK, True, HOME, True),
        (BasicUse.ALWAYS, False, HOME, True),
    ],
)
def test_where_basic_may_be_used(use: BasicUse, secure: bool, address: str, allowed: bool) -> None:
    """In the clear only where it was configured."""
    assert use.allows(Channel(secure=secure), address) is allowed


def test_A7_a_domain_is_not_asked_while_a_lock_holds() -> None:
    """Guessing here would otherwise lock the account in the domain; the right password gets the same refusal."""
    accounts = Accounts()
    scheme = BasicScheme(accounts, PasswordGuessing(monotonic=Time()), is_remote=True)
    for _ in range(20):
        assert not _admits(scheme, "alice:wrong")
    assert accounts.checks == 6
    assert not _admits(scheme, f"alice:{PASSWORD}")
    assert accounts.checks == 6
