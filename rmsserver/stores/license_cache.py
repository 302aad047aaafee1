"""Opened publishing licences and refused accounts, kept in memory ([MS-RMPR] 3.1.1.1.3).

Everything here may be forgotten at any moment: entries are bounded by count, by bytes and by age, oldest use
first. Threat L6: a grant or removal is visible at the latest when the lifetime is over.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_ENTRY = 400
"""Bytes of an entry itself: its key, tuple and places in the table."""


def weigh(value: object) -> int:
    """An estimate, in bytes, of what an entry holds in memory: its own `weight_bytes` where it has one."""
    stated = getattr(value, "weight_bytes", None)
    return _ENTRY + (stated if isinstance(stated, int) else sys.getsizeof(value))


class BoundedLicenseCache:
    """At most `entries` licences of `max_bytes` together, and `refusals` refused accounts. Thread-safe."""

    def __init__(
        self,
        *,
        entries: int = 2_000,
        max_bytes: int = 128 * 1024 * 1024,
        refusals: int = 50_000,
        lifetime_seconds: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
        weigh: Callable[[object], int] = weigh,
    ) -> None:
        self._max_entries = entries
        self._max_bytes = max_bytes
        self._max_refusals = refusals
        self._lifetime = lifetime_seconds
        self._clock = clock
        self._weigh = weigh
        self._entries: OrderedDict[bytes, tuple[object, int, float]] = OrderedDict()
        self._refusals: OrderedDict[tuple[bytes, tuple[str, str]], tuple[object, float]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """What the entries weigh together."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes) -> object | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if entry[2] <= self._clock():
                self._drop(key)
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: bytes, value: object) -> None:
        """Keep `value`; one that is heavier than the whole cache is not kept."""
        weight = self._weigh(value)
        with self._lock:
            if key in self._entries:
                self._drop(key)
            if weight > self._max_bytes:
                return
            self._entries[key] = (value, weight, self._clock() + self._lifetime)
            self._bytes += weight
            while self._bytes > self._max_bytes or len(self._entries) > self._max_entries:
                self._drop(next(iter(self._entries)))

    def has_no_rights(self, key: bytes, account: tuple[str, str], generation: object) -> bool:
        with self._lock:
            found = self._refusals.get((key, account))
            if found is None:
                return False
            if found[0] != generation or found[1] <= self._clock():
                del self._refusals[key, account]
                return False
            return True

    def remember_no_rights(self, key: bytes, account: tuple[str, str], generation: object) -> None:
        with self._lock:
            self._refusals[key, account] = (generation, self._clock() + self._lifetime)
            self._refusals.move_to_end((key, account))
            while len(self._refusals) > self._max_refusals:
                self._refusals.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: trust or templates changed."""
        with self._lock:
            self._entries.clear()
            self._refusals.clear()
            self._bytes = 0

    def _drop(self, key: bytes) -> None:
        self._bytes -= self._entries.pop(key)[1]
