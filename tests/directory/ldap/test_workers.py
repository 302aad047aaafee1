"""rmsserver.directory.ldap.workers"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.workers import Busy, TooLate, Workers


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2, name="test")
    yield made
    made.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs until it is opened; opened at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def test_result_and_error(workers: Workers) -> None:
    """The caller gets the result, or the exception, a TimeoutError of the job's own among them."""
    assert workers.do(lambda: 42, Deadline.after(5)) == 42

    def failing() -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        workers.do(failing, Deadline.after(5))


def test_caller_goes_at_the_deadline(workers: Workers, gate: threading.Event) -> None:
    """A job that hangs costs its caller no more than the deadline."""
    start = time.monotonic()
    with pytest.raises(TooLate) as caught:
        workers.do(gate.wait, Deadline.after(0.1))
    assert caught.value.begun
    assert time.monotonic() - start < 2


def test_job_not_begun_is_never_done(workers: Workers, gate: threading.Event) -> None:
    """A job that had to wait until its deadline is dropped."""
    done = threading.Event()
    for _ in range(2):
        with pytest.raises(TooLate):
            workers.do(gate.wait, Deadline.after(0.05))
    with pytest.raises(TooLate) as caught:
        workers.do(done.set, Deadline.after(0.05))
    assert not caught.value.begun
    gate.set()
    assert workers.do(lambda: "next", Deadline.after(5)) == "next"
    assert not done.is_set()


def test_waiting_jobs_are_bounded(workers: Workers, gate: threading.Event) -> None:
    """Where too many wait already, the next one is told at once."""

    def ask(_: int) -> str:
        start = time.monotonic()
        try:
            workers.do(gate.wait, Deadline.after(1.0))
        except TooLate:
            return "late"
        except Busy:
            assert time.monotonic() - start < 0.9
            return "busy"
        return "done"

    with ThreadPoolExecutor(40) as callers:
        told = list(callers.map(ask, range(40)))
    assert told.count("late") >= 16
    assert told.count("busy") >= 40 - 2 - 16 - 2


def test_closed(workers: Workers) -> None:
    """Closed workers do nothing more."""
    workers.do(lambda: None, Deadline.after(5))
    workers.close()
    with pytest.raises(Busy):
        workers.do(lambda: None, Deadline.after(5))
