"""The Configuration Refresh Timer ([MS-RMPR] 3.1.2, 3.1.5): looks for changes again and again, however each look ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import structlog

_log = structlog.get_logger()

SHORTEST = dt.timedelta(seconds=1)
"""Below it a server would do little else."""
LONGEST = dt.timedelta(days=1)
"""3.1.2."""


class ConfigurationTimer:
    """`refresh` begins a look and answers with a Deferred; the next one begins `interval()` after its end.

    The interval is asked anew each time: it is configuration, and may have changed with the rest. `clock` is Twisted's.
    """

    def __init__(self, clock: Any, refresh: Callable[[], Any], interval: Callable[[], dt.timedelta]) -> None:
        self._clock = clock
        self._refresh = refresh
        self._interval = interval
        self._waiting: Any = None
        self._stopped = True

    def start(self) -> None:
        """The first look comes after one interval."""
        self._stopped = False
        self._wait()

    def stop(self) -> None:
        """No look begins any more. Idempotent."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _wait(self) -> None:
        seconds = min(max(self._interval(), SHORTEST), LONGEST).total_seconds()
        self._waiting = self._clock.callLater(seconds, self._elapsed)

    def _elapsed(self) -> None:
        self._waiting = None
        self._refresh().addErrback(_note).addCallback(self._again)

    def _again(self, _: object) -> None:
        if not self._stopped:
            self._wait()


def _note(failure: Any) -> None:
    """One look that failed is no reason to look no more."""
    _log.error("configuration.refresh_failed", reason=failure.type.__qualname__)
