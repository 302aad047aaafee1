"""Guessing of passwords is slowed down (threat A7)."""

from __future__ import annotations

import pytest

from rmsserver.auth.guessing import GuessingLimits, Limit, PasswordGuessing, account_key, address_key
from tests.auth.accounts import Time

HOME = "192.0.2.1"


def _fail(guessing: PasswordGuessing, times: int, login: str = "alice", address: str = HOME) -> None:
    for _ in range(times):
        assert not guessing.admits(login, address, proven=False)


def test_A7_free_failures_do_not_lock() -> None:
    """Five mistakes cost nothing."""
    guessing = PasswordGuessing(monotonic=Time())
    _fail(guessing, 5)
    assert guessing.admits("alice", HOME, proven=True)


def test_A7_right_password_is_refused_while_the_lock_holds() -> None:
    """After the sixth failure also the right password is refused, and served when the lock ends."""
    guessing = PasswordGuessing(monotonic=(time := Time()))
    _fail(guessing, 6)
    assert not guessing.admits("alice", HOME, proven=True)
    time.seconds += 1.9
    assert not guessing.admits("alice", HOME, proven=True)
    time.seconds += 0.2
    assert guessing.admits("alice", HOME, proven=True)


def test_A7_each_further_failure_doubles_the_lock_up_to_the_longest() -> None:
    """2, 4, 8 ... seconds, at most the limit."""
    limits = GuessingLimits(pair=Limit(free=0, longest_s=10, recovery_s=600))
    guessing = PasswordGuessing(limits, monotonic=(time := Time()))
    for penalty in (2, 4, 8, 10, 10):
        _fail(guessing, 1)
        time.seconds += penalty - 0.1
        assert not guessing.admits("alice", HOME, proven=True)
        time.seconds += 0.2
    assert guessing.admits("alice", HOME, proven=True)


def test_A7_attempts_during_a_lock_change_nothing() -> None:
    """An attacker cannot prolong a lock by going on."""
    guessing = PasswordGuessing(monotonic=(time := Time()))
    _fail(guessing, 100)
    time.seconds += 2.1
    assert guessing.admits("alice", HOME, proven=True)


def test_A7_lock_of_one_address_leaves_the_person_alone_elsewhere() -> None:
    """Guessing from one address does not keep the account out at another."""
    guessing = PasswordGuessing(monotonic=Time())
    _fail(guessing, 6)
    assert guessing.admits("alice", "192.0.2.2", proven=True)


def test_A7_guessing_at_one_account_from_many_addresses_locks_it_shortly() -> None:
    """The account's own counter sees what is spread over addresses; its lock is at most a minute."""
    guessing = PasswordGuessing(monotonic=(time := Time()))
    for i in range(26):
        _fail(guessing, 1, address=f"198.51.100.{i}")
    assert not guessing.admits("alice", "192.0.2.2", proven=True)
    time.seconds += 61
    assert guessing.admits("alice", "192.0.2.2", proven=True)


def test_A7_spraying_many_accounts_from_one_address_locks_the_address() -> None:
    """One password tried on many accounts is seen by the address's counter."""
    guessing = PasswordGuessing(monotonic=Time())
    for i in range(51):
        _fail(guessing, 1, login=f"user{i}")
    assert not guessing.admits("alice", HOME, proven=True)
    assert guessing.admits("alice", "192.0.2.2", proven=True)


def test_A7_own_success_does_not_wash_away_failures_at_others() -> None:
    """Signing on with an own account between guesses does not reset the address's counter."""
    guessing = PasswordGuessing(monotonic=Time())
    for i in range(51):
        _fail(guessing, 1, login=f"user{i}")
        guessing.admits("mallory", HOME, proven=True)
    assert not guessing.admits("mallory", HOME, proven=True)


def test_A7_success_resets_the_pair() -> None:
    """A person who mistypes now and then is never locked."""
    guessing = PasswordGuessing(monotonic=Time())
    for _ in range(4):
        _fail(guessing, 5)
        assert guessing.admits("alice", HOME, proven=True)


def test_A7_failures_are_forgiven_one_by_one() -> None:
    """Ten minutes forgive one failure of the pair, an hour all five."""
    guessing = PasswordGuessing(monotonic=(time := Time()))
    _fail(guessing, 5)
    time.seconds += 601
    _fail(guessing, 1)
    assert guessing.admits("alice", HOME, proven=True)
    _fail(guessing, 5)
    time.seconds += 599
    _fail(guessing, 1)
    assert not guessing.admits("alice", HOME, proven=True)


def test_A7_failures_are_all_forgiven_in_the_end() -> None:
    """An hour later five mistakes are free again."""
    guessing = PasswordGuessing(monotonic=(time := Time()))
    _fail(guessing, 5)
    time.seconds += 3601
    _fail(guessing, 5)
    assert guessing.admits("alice", HOME, proven=True)


def test_A7_tables_are_bounded() -> None:
    """However many names an attacker invents, the tables keep their size, and lose the oldest first."""
    limits = GuessingLimits(address=Limit(free=10_000, longest_s=1, recovery_s=1), entries=100)
    guessing = PasswordGuessing(limits, monotonic=Time())
    for i in range(1000):
        _fail(guessing, 1, login=f"user{i}")
    assert guessing.entries <= 300


@pytest.mark.parametrize("login", ["alice", "ALICE", "EXAMPLE\\alice", "example\\Alice", "alice@example.com", " alice"])
def test_A7_spellings_of_one_login_share_their_failures(login: str) -> None:
    """Another spelling of the name gives no new guesses."""
    assert account_key(login) == "alice"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix", "unix"),
    ],
)
def test_A7_an_ipv6_host_counts_as_its_network(address: str, key: str) -> None:
    """A host cannot escape by using another address of its /64."""
    assert address_key(address) == key


def test_is_locked_says_what_admits_would_do() -> None:
    """Before the lock it holds for nobody; then for the account and address that failed, until it ends."""
    time = Time()
    guessing = PasswordGuessing(monotonic=time)
    for _ in range(6):
        assert not guessing.is_locked("alice", "192.0.2.1")
        guessing.admits("alice", "192.0.2.1", proven=False)
    assert guessing.is_locked("EXAMPLE\\ALICE", "192.0.2.1")
    assert not guessing.is_locked("alice", "192.0.2.2")
    time.seconds += 3
    assert not guessing.is_locked("alice", "192.0.2.1")
