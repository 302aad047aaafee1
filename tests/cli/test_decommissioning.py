"""`rmsserver decommission` as an operator has it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.opening import open_home
from rmsserver.cli.rmsserver import program
from rmsserver.errors import OperatorError


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decommissioning")
    words = ["--home", str(folder / "cluster"), "--base-url", "http://127.0.0.1:1/_wmcs"]
    done = CliRunner().invoke(program, ["init", *words, "--passphrase-file", str(folder / "passphrase")])
    assert done.exit_code == 0, done.output
    return folder / "cluster"


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(program, ["decommission", *words, "--home", str(home)], prog_name="rmsserver")


def is_decommissioned(home: Path) -> bool:
    shown: dict[str, bool] = json.loads(run(home, "status", "--json").output)
    return shown["decommissioned"]


def test_the_whole_way(home: Path) -> None:
    """Prepare says what it means and prints the next command; confirm and undo work; each step is an alert in the audit."""
    assert run(home, "status").output == "In service.\n"
    prepared = run(home, "prepare").output
    assert "content key of any document to nobody yet" in prepared
    [code] = re.findall(r"rmsserver decommission confirm (\S+) --home", prepared)
    assert not is_decommissioned(home)
    assert run(home, "confirm", code).exit_code == 0
    assert is_decommissioned(home)
    assert run(home, "status").output == "DECOMMISSIONED: content keys go to nobody yet.\n"
    assert "in service again" in run(home, "undo").output
    assert not is_decommissioned(home)
    assert "is in service" in run(home, "undo").output
    records = open_home(home).audit.read(limit=3)
    assert [record.operation for record in records] == [
        "decommission undo", "decommission confirm", "decommission prepare"]  # fmt: skip
    assert all(record.trail.alerts and record.account.startswith("operator ") for record in records)


def test_a_wrong_code_is_one_line(home: Path) -> None:
    result = run(home, "confirm", "ABCD-2345")
    assert isinstance(result.exception, OperatorError)
    assert not is_decommissioned(home)


def test_who_gets_the_keys_is_said(home: Path) -> None:
    """From the endpoints' table, so that the second step is taken knowingly."""
    settings = home / "rmsserver.toml"
    before = settings.read_text()
    settings.write_text(
        before
        + '\n[endpoints."decommission/decommission.asmx"]\naccess = "listed"\naccounts = ["rescue@example.com"]\n'
    )
    try:
        assert "any document to rescue@example.com." in run(home, "prepare").output
    finally:
        settings.write_text(before)
        run(home, "undo")
