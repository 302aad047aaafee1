"""A bound on failing private-key operations: a token bucket for each account (threat C4)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    exhausted: bool = False


class TokenBucketBudget:
    """`failures` failing operations at once, refilled evenly over `window_seconds`; at most `accounts`
    remembered.

    An account that fails no more is whole again after one window. The account that failed longest ago is
    forgotten first.
    """

    def __init__(
        self,
        *,
        failures: int = 50,
        window_seconds: float = 3600.0,
        accounts: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = float(failures)
        self._rate = failures / window_seconds
        self._accounts = accounts
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, who: str) -> bool:
        with self._lock:
            bucket = self._buckets.get(who)
            return bucket is None or self._refill(bucket).tokens >= 1.0

    def failed(self, who: str) -> bool:
        """Count a failure; True exactly once between a whole budget and the next one, when it runs out."""
        with self._lock:
            bucket = self._buckets.setdefault(who, _Bucket(self._capacity, self._clock()))
            self._buckets.move_to_end(who)
            while len(self._buckets) > self._accounts:
                self._buckets.popitem(last=False)
            self._refill(bucket)
            bucket.tokens = max(0.0, bucket.tokens - 1.0)
            newly = bucket.tokens < 1.0 and not bucket.exhausted
            bucket.exhausted = bucket.exhausted or newly
            return newly

    def _refill(self, bucket: _Bucket) -> _Bucket:
        now = self._clock()
        bucket.tokens = min(self._capacity, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens >= self._capacity:
            bucket.exhausted = False
        return bucket
