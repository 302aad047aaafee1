"""Threads that do what may hang, so that the caller never does.

Name resolution, TLS handshakes and Kerberos have time limits of their own making, or none. The caller waits until its
deadline and goes; the thread comes back when the library lets go of it. Threads and waiting jobs are bounded.
"""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from rmsserver.directory.ldap.deadline import Deadline

T = TypeVar("T")


class Busy(Exception):
    """Every thread is taken, and as many callers wait as may."""


class TooLate(Exception):
    """The deadline passed before the job was done."""

    def __init__(self, *, begun: bool) -> None:
        super().__init__("too late")
        self.begun = begun


class Workers:
    """At most `threads` jobs at once. The threads are daemons: one that hangs does not keep the process alive."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._jobs: queue.Queue[tuple[Future[Any], Callable[[], Any]] | None] = queue.Queue(threads * 8)
        self._threads = threads
        self._name = name
        self._started: list[threading.Thread] = []
        self._closed = False
        self._lock = threading.Lock()

    def do(self, job: Callable[[], T], deadline: Deadline) -> T:
        """The job's result or exception. Raises `Busy`, or `TooLate` at the deadline; a job not begun by then is not."""
        if self._closed:
            raise Busy
        future: Future[T] = Future()
        context = contextvars.copy_context()
        try:
            self._jobs.put_nowait((future, lambda: context.run(job)))
        except queue.Full:
            raise Busy from None
        self._start_one_more()
        try:
            return future.result(deadline.remaining)
        except FutureTimeout:
            if future.done():  # A TimeoutError of the job itself.
                raise
            raise TooLate(begun=not future.cancel()) from None

    def close(self) -> None:
        """Take no more jobs, and let the threads end after those that wait."""
        with self._lock:
            self._closed = True
            for _ in self._started:
                with contextlib.suppress(queue.Full):
                    self._jobs.put_nowait(None)

    def _start_one_more(self) -> None:
        with self._lock:
            if len(self._started) >= self._threads:
                return
            thread = threading.Thread(target=self._work, name=f"{self._name}-{len(self._started)}", daemon=True)
            self._started.append(thread)
            thread.start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            future, run = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(run())
            except BaseException as error:  # noqa: BLE001 - it is the caller's.
                future.set_exception(error)
