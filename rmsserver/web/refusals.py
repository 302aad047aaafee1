"""Callers who were turned away before any operation was reached, in the audit: who tried, from where, and why not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from rmsserver.soap.runtime import Runtime
from rmsserver.state import RequestContext
from rmsserver.web.exchange import HttpAnswer, HttpRequest, Refusal

_log = structlog.get_logger()

_BURST = 600
_PER_SECOND = 1.0
OPERATION = "SignOn"


class RefusalAudit:
    """Writes one record for each refusal, within a budget: whoever is refused is unknown, and must not fill the disk.

    What goes beyond 600 at once, refilled by one a second, is counted and told in the log and in the next record.
    """

    def __init__(self, runtime: Runtime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._monotonic = monotonic
        self._tokens = float(_BURST)
        self._refilled = monotonic()
        self._left_out = 0
        self._lock = threading.Lock()

    def record(self, request: HttpRequest, answer: HttpAnswer, refusal: Refusal) -> None:
        left_out = self._take()
        if left_out is None:
            return
        context = RequestContext(
            refusal.authentication, refusal.account, application=(request.header("user-agent") or "")[:200]
        )
        context.trail.note("refused", refusal.reason)
        if refusal.login:
            context.trail.note("login", refusal.login)
        if left_out:
            context.trail.alert(f"{left_out} refused sign-ons before this one were too many to record")
        self._runtime.audit(self._runtime.begin(), OPERATION, str(answer.status), request.client_address, context)

    def _take(self) -> int | None:
        """How many were left out since the last record, or None where this one is left out too."""
        with self._lock:
            now = self._monotonic()
            self._tokens = min(_BURST, self._tokens + (now - self._refilled) * _PER_SECOND)
            self._refilled = now
            if self._tokens < 1:
                if self._left_out == 0:
                    _log.warning("too many refused sign-ons to record each")
                self._left_out += 1
                return None
            self._tokens -= 1
            left_out, self._left_out = self._left_out, 0
            return left_out
