"""A bounded queue and the thread that writes it, in groups: for what a request must not wait for.

Putting never blocks: what does not fit is dropped and counted. Where the database is away the thread keeps
its group and tries again, while the queue fills.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import structlog

from rmsserver.ports import PortUnavailable

_log = structlog.get_logger()
_T = TypeVar("_T")


class WriteBehind(Generic[_T]):
    """`write` gets at most `group` items at a time, from one thread; it raises PortUnavailable to be called
    again.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[_T]], None],
        *,
        limit: int,
        group: int = 500,
        linger_seconds: float = 0.1,
        retry_seconds: float = 1.0,
        idle: Callable[[], None] | None = None,
        idle_seconds: float = 3600.0,
    ) -> None:
        self._name = name
        self._write = write
        self._group = group
        self._linger_seconds = linger_seconds
        self._retry_seconds = retry_seconds
        self._idle = idle
        self._idle_seconds = idle_seconds
        self._queue: queue.Queue[_T | None] = queue.Queue(limit)
        self._lost = 0
        self._lost_lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> int:
        """How many items were dropped since the start."""
        return self._lost

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def put(self, item: _T) -> None:
        """Queue `item`, or drop and count it. Never blocks."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self._drop(1)

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Write what is queued, for at most so long. What is left is counted as lost."""
        if self._thread is None:
            return
        self._stopping.set()
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=timeout_seconds)
        self._thread.join(timeout_seconds)
        self._thread = None

    def _run(self) -> None:
        if self._idle is not None:
            self._attempt(self._idle)
        ended = False
        while not ended:
            group, ended = self._next_group()
            if group:
                self._deliver(group)
            elif not ended and self._idle is not None:
                self._attempt(self._idle)

    def _next_group(self) -> tuple[list[_T], bool]:
        """Wait for one item, then a moment for others. The second value is True where `stop` was called."""
        group: list[_T] = []
        try:
            item = self._queue.get(timeout=self._idle_seconds)
            # A transaction for each item would cost more than the request that the item is about.
            self._stopping.wait(self._linger_seconds)
            while item is not None:
                group.append(item)
                if len(group) >= self._group:
                    return group, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return group, False
        return group, True

    def _deliver(self, group: list[_T]) -> None:
        try:
            while not self._attempt(lambda: self._write(group)):
                if self._stopping.wait(self._retry_seconds):
                    # One last attempt: a database that is still away does not hold up the end of the process.
                    if not self._attempt(lambda: self._write(group)):
                        self._drop(len(group))
                    return
        except Exception:  # noqa: BLE001 - a thread that dies would lose everything after it
            _log.exception("write_behind.failed", queue=self._name)
            self._drop(len(group))

    def _attempt(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except PortUnavailable as error:
            _log.warning("write_behind.unavailable", queue=self._name, detail=error.detail)
            return False
        return True

    def _drop(self, count: int) -> None:
        with self._lost_lock:
            first = self._lost == 0
            self._lost += count
        if first:
            _log.error("write_behind.lost", queue=self._name, count=count)
