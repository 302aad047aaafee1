"""rmsserver.doctor.bounded and finding"""

from __future__ import annotations

import time

import pytest

from rmsserver.doctor.bounded import run_bounded
from rmsserver.doctor.finding import Finding, Verdict, exit_code, failure, ok, warning
from rmsserver.errors import ADEntrySearchFailed, OperatorError
from rmsserver.ports import PortUnavailable


def test_what_a_check_finds_comes_back() -> None:
    """In order."""
    assert run_bounded("x", lambda: [ok("x", "a"), warning("x", "b", "c")]) == (ok("x", "a"), warning("x", "b", "c"))


def test_a_check_that_hangs() -> None:
    """It is left behind, and the line says how long was waited."""

    def hang() -> list[Finding]:
        time.sleep(60)
        return []

    started = time.monotonic()
    (found,) = run_bounded("x", hang, seconds=0.2)
    assert time.monotonic() - started < 5
    assert (found.verdict, found.seen) == (Verdict.FAILURE, "no answer within 0.2 seconds")


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (OperatorError("the disk is full: make room"), "the disk is full"),
        (PortUnavailable("dc1: refused"), "dc1: refused"),
        (ADEntrySearchFailed(), "Failed to find an entry in the directory."),
        (ZeroDivisionError("a secret"), "the check itself failed (ZeroDivisionError)"),
    ],
)
def test_a_check_that_breaks(error: Exception, seen: str) -> None:
    """Expected errors speak for themselves; what nobody expected may hold anything, and is only named."""

    def check() -> list[Finding]:
        raise error

    (found,) = run_bounded("x", check)
    assert (found.verdict, found.seen) == (Verdict.FAILURE, seen)
    assert found.remedy


def test_a_finding_is_one_printable_line() -> None:
    """X16: names of a directory may hold line ends and escapes, and have no end."""
    (found,) = run_bounded("x", lambda: [failure("x", "a\nb\x1b[31m" + "c" * 9_000, "d\r\ne")])
    assert found.seen.startswith("a b[31mccc")
    assert len(found.seen) == 500
    assert found.remedy == "d e"


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [((), 0), ((Verdict.OK,), 0), ((Verdict.OK, Verdict.WARNING), 1), ((Verdict.FAILURE, Verdict.WARNING), 2)],
)
def test_the_exit_code(verdicts: tuple[Verdict, ...], code: int) -> None:
    """The worst verdict decides."""
    assert exit_code(Finding("x", verdict, "") for verdict in verdicts) == code
