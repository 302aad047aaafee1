"""`rmsserver config` as an operator has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.rmsserver import program
from tests.homes import make_home

GROUP = "Rescue@example.com"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def run(home: Path, *words: str) -> Result:
    result = CliRunner().invoke(program, [*words, "--home", str(home)], prog_name="rmsserver")
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def test_a_group_of_super_users_that_is_not_there(home: Path) -> None:
    """It is set, and one line on standard error says how to make it."""
    result = run(home, "config", "set", "superusergroup", GROUP)
    assert result.stdout == "superUserGroup is set.\n"
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("hint: ")
    assert f"rmsserver group add {GROUP}" in result.stderr
    assert run(home, "config", "get", "superUserGroup").stdout.strip() == GROUP


def test_a_group_of_super_users_that_is_there(home: Path) -> None:
    """In whatever letter case; and no other key has a hint."""
    run(home, "group", "add", GROUP.lower())
    assert run(home, "config", "set", "superUserGroup", GROUP).stderr == ""
    assert run(home, "config", "set", "name", "HERE").stderr == ""


def test_a_domain_is_not_asked(tmp_path: Path) -> None:
    """Where the directory is a domain nothing is known of its groups here."""
    settings = (
        '[directory]\nkind = "ldap"\ncontrollers = ["ldaps://dc.rms.test"]\n'
        '[sign_on]\nmechanisms = ["ntlm"]\nbasic = "never"\n'
    )
    home = make_home(tmp_path / "home", settings)
    assert run(home, "config", "set", "superUserGroup", GROUP).stderr == ""
