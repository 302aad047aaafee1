"""The story of the README, with real processes over real HTTP."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_story_holds() -> None:
    """A cluster, three accounts, a protected file: the reader opens it, the outsider is refused, exit code 0."""
    done = subprocess.run(
        [sys.executable, "-m", "rmsserver.cli.demo", "--story"],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("All of it held.\n")
    assert "NoRightsForRequestedPrincipal" in done.stdout
