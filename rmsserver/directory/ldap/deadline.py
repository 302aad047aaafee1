"""A point in time until which something must be done."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """`at` is on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds; 0 where it has passed."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.remaining == 0.0

    def share(self, parties: int) -> Deadline:
        """An equal part of what remains, so that a party that hangs leaves time for those after it."""
        return Deadline.after(self.remaining / max(1, parties))

    def at_most(self, seconds: float) -> Deadline:
        return Deadline.after(min(seconds, self.remaining))
