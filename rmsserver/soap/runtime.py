"""What every request needs besides itself: the state of the server, its ports and the time; and the audit of requests."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from rmsserver.ports import AuditRecord, Ports
from rmsserver.soap.faults import trace_of
from rmsserver.state import DomainAccount, RequestContext, ServerState

_log = structlog.get_logger()


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Runtime:
    """`state` answers the current state, `clock` the time as aware UTC."""

    state: Callable[[], ServerState]
    ports: Ports
    clock: Callable[[], dt.datetime] = field(default=utc_now)

    def begin(self) -> Stopwatch:
        return Stopwatch(self.clock(), time.perf_counter())

    def audit(
        self, begun: Stopwatch, operation: str, outcome: str, client_address: str, caller: RequestContext
    ) -> None:
        """Write the one audit record of a request. Never raises: the answer is worth more than its record."""
        account = caller.account
        record = AuditRecord(
            time=begun.time,
            operation=operation,
            outcome=outcome,
            client_address=client_address,
            authentication=caller.authentication,
            account=(account.name if isinstance(account, DomainAccount) else account.email) if account else "",
            application=caller.application,
            duration_ms=begun.milliseconds(),
            trail=caller.trail,
        )
        try:
            self.ports.audit.record(record)
        except Exception as error:  # noqa: BLE001 - see the docstring
            _log.error("audit record lost", operation=operation, trace=trace_of(error))


@dataclass(frozen=True)
class Stopwatch:
    time: dt.datetime
    counter: float

    def milliseconds(self) -> float:
        return (time.perf_counter() - self.counter) * 1000
