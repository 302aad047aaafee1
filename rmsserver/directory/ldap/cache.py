"""A bounded cache whose entries age. "Not found" is an entry too, with a shorter life."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from rmsserver.directory.ldap.settings import LdapSettings

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True)
class Aged(Generic[V]):
    """A value and the time on the cache's clock at which the directory was asked for it."""

    value: V
    born: float


@dataclass(frozen=True)
class CacheStatistics:
    entries: int
    hits: int
    misses: int
    evictions: int
    oldest_seconds: float
    """Age of the oldest entry that could still be answered."""

    def __add__(self, other: CacheStatistics) -> CacheStatistics:
        """Two caches seen as one."""
        return CacheStatistics(
            self.entries + other.entries,
            self.hits + other.hits,
            self.misses + other.misses,
            self.evictions + other.evictions,
            max(self.oldest_seconds, other.oldest_seconds),
        )


class AgingCache(Generic[K, V]):
    """Least recently used entries make room. Thread-safe. Times in seconds."""

    def __init__(self, *, entries: int, lifetime: float, negative_lifetime: float, clock: Callable[[], float]) -> None:
        self._bound = entries
        self._lifetime = lifetime
        self._negative_lifetime = negative_lifetime
        self._clock = clock
        self._entries: OrderedDict[K, Aged[V | None]] = OrderedDict()
        self._emptied = float("-inf")
        self._hits = self._misses = self._evictions = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: LdapSettings, clock: Callable[[], float]) -> AgingCache[K, V]:
        """As large and short-lived as configured."""
        lifetime = settings.cache_seconds
        negative = min(lifetime, settings.negative_lifetime_seconds)
        return cls(entries=settings.cache_entries, lifetime=lifetime, negative_lifetime=negative, clock=clock)

    def get(self, key: K) -> Aged[V | None] | None:
        """The entry, whose value is None where the directory had nothing; None where it must be asked."""
        with self._lock:
            found = self._entries.get(key)
            if found is None or self._age(found) >= self._life(found):
                self._entries.pop(key, None)
                self._misses += 1
                return None
            self._entries.move_to_end(key)
            self._hits += 1
            return found

    def put(self, key: K, value: V | None, *, born: float) -> Aged[V | None]:
        """Keep what the directory said at `born`. An answer that was under way when the cache was emptied is not kept."""
        entry = Aged(value, born)
        with self._lock:
            if born >= self._emptied:
                self._entries[key] = entry
                self._entries.move_to_end(key)
            while len(self._entries) > self._bound:
                self._entries.popitem(last=False)
                self._evictions += 1
        return entry

    def drop(self, matches: Callable[[K, V | None], bool] | None = None) -> int:
        """Forget the entries that match, or all; how many there were."""
        with self._lock:
            self._emptied = self._clock()
            doomed = [key for key, entry in self._entries.items() if matches is None or matches(key, entry.value)]
            for key in doomed:
                del self._entries[key]
            return len(doomed)

    def statistics(self) -> CacheStatistics:
        with self._lock:
            ages = (self._age(entry) for entry in self._entries.values() if self._age(entry) < self._life(entry))
            oldest = max(ages, default=0.0)
            return CacheStatistics(len(self._entries), self._hits, self._misses, self._evictions, oldest)

    def _age(self, entry: Aged[V | None]) -> float:
        return self._clock() - entry.born

    def _life(self, entry: Aged[V | None]) -> float:
        return self._negative_lifetime if entry.value is None else self._lifetime
