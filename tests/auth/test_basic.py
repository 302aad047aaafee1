"""HTTP Basic."""

from __future__ import annotations

import pytest

from rmsserver.auth.basic import REMEMBERED_S, BasicScheme, BasicUse, ProvenBasic, UserPass
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


# --- the same header again on one connection ---------------------------------------------------------------------------

RIGHT = f"alice:{PASSWORD}".encode()


def test_the_same_token_is_hashed_once() -> None:
    """A connection that repeats its header costs one check."""
    accounts = Accounts()
    proven = ProvenBasic(_scheme(accounts), Time())
    assert {proven.verify(RIGHT, client_address=HOME).account for _ in range(3)} == {ALICE}
    assert accounts.checks == 1


def test_what_was_proven_lasts_a_minute() -> None:
    """A disabled account passes no longer than that."""
    accounts, time = Accounts(), Time()
    proven = ProvenBasic(_scheme(accounts), time)
    proven.verify(RIGHT, client_address=HOME)
    accounts.disabled = frozenset({ALICE})
    time.seconds += REMEMBERED_S - 1
    assert proven.verify(RIGHT, client_address=HOME).account == ALICE
    time.seconds += 1
    with pytest.raises(SignOnError):
        proven.verify(RIGHT, client_address=HOME)


@pytest.mark.parametrize("other", [b"alice:wrong", f"bob:{PASSWORD}".encode(), b"malformed"])
def test_A3_another_token_drops_what_was_proven(other: bytes) -> None:
    """A3: right, wrong or malformed: it is checked itself, and the first one is checked anew."""
    accounts = Accounts()
    proven = ProvenBasic(_scheme(accounts), Time())
    proven.verify(RIGHT, client_address=HOME)
    try:
        assert proven.verify(other, client_address=HOME).account != ALICE
    except SignOnError:
        assert b"bob" not in other
    before = accounts.checks
    assert proven.verify(RIGHT, client_address=HOME).account == ALICE
    assert accounts.checks == before + 1


def test_A7_a_lock_holds_for_what_was_proven() -> None:
    """A7: while an account is locked the remembered password is refused as the right one is."""
    scheme = _scheme()
    proven = ProvenBasic(scheme, Time())
    proven.verify(RIGHT, client_address=HOME)
    while not scheme.is_locked("alice", HOME):
        assert not _admits(scheme, "alice:wrong")
    with pytest.raises(SignOnError):
        proven.verify(RIGHT, client_address=HOME)


def test_K1_the_password_is_not_kept() -> None:
    """K1: what is remembered is a keyed digest, and shows nothing."""
    proven = ProvenBasic(_scheme(), Time())
    proven.verify(RIGHT, client_address=HOME)
    assert PASSWORD not in repr(vars(proven))
