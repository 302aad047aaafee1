"""rmsserver.directory.ldap.cache"""

from __future__ import annotations

import pytest

from rmsserver.directory.ldap.cache import AgingCache, CacheStatistics
from tests.directory.ldap.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(clock: Clock) -> AgingCache[str, int]:
    return AgingCache(entries=3, lifetime=10, negative_lifetime=2, clock=clock)


def test_entry_ends_with_its_life(cache: AgingCache[str, int], clock: Clock) -> None:
    """An entry is answered for its lifetime, counted from when the directory was asked, not from when it was kept."""
    cache.put("a", 1, born=clock.now - 4)
    clock.now += 5.9
    found = cache.get("a")
    assert found is not None
    assert found.value == 1
    clock.now += 0.1
    assert cache.get("a") is None


def test_absence_is_kept_for_a_shorter_time(cache: AgingCache[str, int], clock: Clock) -> None:
    """None is an answer, for two seconds."""
    cache.put("a", None, born=clock.now)
    clock.now += 1.9
    found = cache.get("a")
    assert found is not None
    assert found.value is None
    clock.now += 0.1
    assert cache.get("a") is None


def test_bounded_by_least_recent_use(cache: AgingCache[str, int], clock: Clock) -> None:
    """The entry that nobody asked for makes room."""
    for key in "abc":
        cache.put(key, 1, born=clock.now)
    cache.get("a")
    cache.put("d", 1, born=clock.now)
    assert [key for key in "abcd" if cache.get(key) is not None] == ["a", "c", "d"]


def test_answers_under_way_are_not_kept_over_a_flush(cache: AgingCache[str, int], clock: Clock) -> None:
    """Whoever asked before the flush may get an old answer; nobody after him."""
    asked = clock.now
    clock.now += 1
    cache.drop()
    assert cache.put("a", 1, born=asked).value == 1
    assert cache.get("a") is None


def test_drop_some(cache: AgingCache[str, int], clock: Clock) -> None:
    """What matches goes, and is counted."""
    cache.put("a", 1, born=clock.now)
    cache.put("b", 2, born=clock.now)
    assert cache.drop(lambda key, value: key == "x" or value == 2) == 1
    assert cache.get("a") is not None
    assert cache.get("b") is None


def test_statistics(cache: AgingCache[str, int], clock: Clock) -> None:
    """Hits, misses, evictions, and the age of the oldest answer one could get; two caches add up."""
    cache.put("a", 1, born=clock.now)
    clock.now += 3
    cache.put("b", 1, born=clock.now)
    cache.get("a")
    cache.get("x")
    assert cache.statistics() == CacheStatistics(entries=2, hits=1, misses=1, evictions=0, oldest_seconds=3)
    assert cache.statistics() + CacheStatistics(1, 2, 3, 4, 5.0) == CacheStatistics(3, 3, 4, 4, 5.0)
    clock.now += 20
    assert cache.statistics().oldest_seconds == 0
