"""rmsserver.stores.license_cache"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rmsserver.stores.license_cache import BoundedLicenseCache, weigh

ACCOUNT = ("Windows", "S-1-5-21-1-2-3-1104")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_hit_and_miss(clock: Clock) -> None:
    """What was put is got under its key alone."""
    cache = BoundedLicenseCache(clock=clock)
    cache.put(b"a", "licence")
    assert cache.get(b"a") == "licence"
    assert cache.get(b"b") is None


def test_bounded_by_count(clock: Clock) -> None:
    """The entry used longest ago goes first."""
    cache = BoundedLicenseCache(entries=2, clock=clock)
    for key in (b"a", b"b"):
        cache.put(key, key)
    cache.get(b"a")
    cache.put(b"c", b"c")
    assert (cache.get(b"a"), cache.get(b"b"), cache.get(b"c")) == (b"a", None, b"c")


def test_bounded_by_bytes(clock: Clock) -> None:
    """Entries weigh together at most the limit; one that is heavier alone is not kept, nor its
    predecessor.
    """
    cache = BoundedLicenseCache(max_bytes=10, clock=clock, weigh=lambda value: int(str(value)))
    cache.put(b"a", 6)
    cache.put(b"b", 4)
    assert cache.held_bytes == 10
    cache.put(b"c", 5)
    assert cache.get(b"a") is None
    cache.put(b"b", 11)
    assert cache.get(b"b") is None
    assert cache.held_bytes == 5


@dataclass(frozen=True)
class Opened:
    weight_bytes: int


def test_weight_that_an_entry_states() -> None:
    """What an entry says of its own weight counts."""
    assert weigh(Opened(1_000_000)) - weigh(Opened(0)) == 1_000_000
    assert weigh(object()) > 0


def test_L6_lifetime(clock: Clock) -> None:
    """L6: an entry and a refusal are forgotten after the lifetime."""
    cache = BoundedLicenseCache(lifetime_seconds=10, clock=clock)
    cache.put(b"a", "licence")
    cache.remember_no_rights(b"a", ACCOUNT, 1)
    clock.now = 9.9
    assert cache.get(b"a")
    assert cache.has_no_rights(b"a", ACCOUNT, 1)
    clock.now = 10
    assert cache.get(b"a") is None
    assert not cache.has_no_rights(b"a", ACCOUNT, 1)
    assert cache.held_bytes == 0


def test_L6_refusals_end_with_their_generation(clock: Clock) -> None:
    """L6: when templates or directory change, a refusal no longer counts, for good."""
    cache = BoundedLicenseCache(clock=clock)
    cache.remember_no_rights(b"a", ACCOUNT, (1, 1))
    assert cache.has_no_rights(b"a", ACCOUNT, (1, 1))
    assert not cache.has_no_rights(b"a", ("Passport", ACCOUNT[1]), (1, 1))
    assert not cache.has_no_rights(b"a", ACCOUNT, (1, 2))
    assert not cache.has_no_rights(b"a", ACCOUNT, (1, 1))


def test_refusals_are_bounded(clock: Clock) -> None:
    """The oldest refusal goes first."""
    cache = BoundedLicenseCache(refusals=2, clock=clock)
    for key in (b"a", b"b", b"c"):
        cache.remember_no_rights(key, ACCOUNT, 1)
    assert [cache.has_no_rights(key, ACCOUNT, 1) for key in (b"a", b"b", b"c")] == [False, True, True]


def test_clear(clock: Clock) -> None:
    """Nothing is left when trust changes."""
    cache = BoundedLicenseCache(clock=clock)
    cache.put(b"a", "licence")
    cache.remember_no_rights(b"a", ACCOUNT, 1)
    cache.clear()
    assert cache.get(b"a") is None
    assert not cache.has_no_rights(b"a", ACCOUNT, 1)
    assert cache.held_bytes == 0
