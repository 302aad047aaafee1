"""A circuit breaker: whoever failed is left alone for a while, then tried by one caller at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Circuit:
    """Closed at first. Each failure in a row opens it for twice as long, from one second to `longest_seconds`."""

    def __init__(self, *, longest_seconds: float, clock: Callable[[], float]) -> None:
        self._longest = longest_seconds
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    def allows(self) -> bool:
        """Whether to try now. True for one caller only once an open circuit's time is over; the others wait for it."""
        with self._lock:
            if self._failures == 0:
                return True
            now = self._clock()
            if now < self._open_until:
                return False
            self._open_until = now + self._pause()
            return True

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._open_until = self._clock() + self._pause()

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    @property
    def failures(self) -> int:
        """In a row."""
        return self._failures

    @property
    def retry_in_seconds(self) -> float:
        """0 where the circuit is closed, or may be tried."""
        with self._lock:
            return max(0.0, self._open_until - self._clock()) if self._failures else 0.0

    def _pause(self) -> float:
        return float(min(self._longest, 2.0 ** min(max(self._failures, 1) - 1, 30)))
