"""For every test: a run that could not try something says so at its end."""

from __future__ import annotations

import os

import pytest

# Serving processes that tests start would each fill a pool of 256 keys, for minutes of processor time: a few are enough.
os.environ.setdefault("RMSSERVER_KEY_POOL__KEYS", "4")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names what was skipped, by reason: skipped is not the same as passed."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            why = report.longrepr[2].removeprefix("Skipped: ")
            reasons[why] = reasons.get(why, 0) + 1
    for why, count in reasons.items():
        terminalreporter.write_line(f"NOT TESTED: {count} tests: {why}", red=True, bold=True)
