"""What one check answers."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    """Works, or may work, but somebody should look at it."""
    FAILURE = "failure"


_EXIT_CODES = {Verdict.OK: 0, Verdict.WARNING: 1, Verdict.FAILURE: 2}


@dataclass(frozen=True)
class Finding:
    """One line: `check` names the check, `seen` says what was there, `remedy` what to do; "" where nothing is to be done."""

    check: str
    verdict: Verdict
    seen: str
    remedy: str = ""


def ok(check: str, seen: str) -> Finding:
    return Finding(check, Verdict.OK, seen)


def warning(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Verdict.WARNING, seen, remedy)


def failure(check: str, seen: str, remedy: str) -> Finding:
    return Finding(check, Verdict.FAILURE, seen, remedy)


def exit_code(findings: Iterable[Finding]) -> int:
    """For monitoring: 0 all well, 1 warnings, 2 at least one failure."""
    return max((_EXIT_CODES[finding.verdict] for finding in findings), default=0)
