"""`rmsserver group` with members of other forests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_program import line_of, run
from tests.homes import make_home

TEAM = "Team@example.net"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def test_a_group_of_another_forest_comes_and_goes(home: Path) -> None:
    """Only where its mail domain is configured; shown with the others."""
    at = ("--home", str(home))
    assert run("rmsserver", "group", "add", "friends@example.com", *at).returncode == 0
    adding = ("rmsserver", "group", "add-member", "friends@example.com", TEAM, *at)
    assert "there is no user" in line_of(run(*adding))
    url = "example.net=https://rms.example.net/_wmcs/groupexpansion/GroupExpansion.asmx"
    assert run("rmsserver", "config", "set", "forests", url, *at).returncode == 0
    done = run(*adding)
    assert (done.returncode, done.stdout) == (0, f"In friends@example.com now: {TEAM}.\n")
    showing = ("rmsserver", "group", "show", "friends@example.com", *at)
    assert run(*showing).stdout == f"other forest  {TEAM}\n"
    assert json.loads(run(*showing, "--json").stdout) == [{"kind": "other forest", "email": TEAM}]
    removing = ("rmsserver", "group", "remove-member", "friends@example.com", TEAM.lower(), *at)
    assert run(*removing).returncode == 0
    assert "has no members" in run(*showing).stdout
