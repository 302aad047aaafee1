"""`rmsserver spc` as an operator has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.opening import open_home
from rmsserver.cli.rmsserver import program
from rmsserver.errors import OperatorError
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.homes import make_home

PARTNER = make_cluster(CryptoMode.MODE_2, "stranger")
KEY = PARTNER.machines.licensor.key.public.id


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture
def issuer(tmp_path: Path) -> Path:
    path = tmp_path / "issuer.xml"
    path.write_text("".join(PARTNER.machines.licensor.chain))
    return path


def invoke(home: Path, *words: object) -> Result:
    return CliRunner().invoke(program, ["spc", *map(str, words), "--home", str(home)], prog_name="rmsserver")


def run(home: Path, *words: object) -> str:
    result = invoke(home, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def refused(home: Path, *words: object) -> str:
    error = invoke(home, *words).exception
    assert isinstance(error, OperatorError)
    return str(error)


def is_trusted(home: Path) -> bool:
    return KEY in open_home(home).state.trusted_machine_issuers


@pytest.mark.parametrize("as_json", [False, True])
def test_an_added_issuer_is_removed_as_the_list_shows_it(home: Path, issuer: Path, as_json: bool) -> None:
    """By the first column for people, and by the whole key id of the JSON; running servers are told."""
    run(home, "trust", issuer)
    assert is_trusted(home)
    before = open_home(home).configuration.read().version
    if as_json:
        shown = next(row["key"] for row in json.loads(run(home, "list", "--json")) if row["from"] == "added")
    else:
        shown = next(line for line in run(home, "list").splitlines() if "(added)" in line).split()[0]
    run(home, "remove", shown)
    assert not is_trusted(home)
    assert len(json.loads(run(home, "list", "--json"))) == 1
    assert open_home(home).configuration.read().version > before
    run(home, "trust", issuer)
    assert is_trusted(home)


def test_the_own_issuer_stays(home: Path) -> None:
    """It signs the certificates of the cluster's own machines."""
    (own,) = json.loads(run(home, "list", "--json"))
    assert "own issuer" in refused(home, "remove", own["key"])
    assert "own issuer" in refused(home, "remove", run(home, "list").split()[0])
    assert json.loads(run(home, "list", "--json")) == [own]


@pytest.mark.parametrize(
    "wanted",
    ["", "0", "ab" * 8, "ab" * 32, KEY.hex()[:15], KEY.hex()[:17]],
    ids=["nothing", "one digit", "another in short", "another", "a digit too few", "a digit too many"],
)
def test_what_the_list_does_not_show(home: Path, issuer: Path, wanted: str) -> None:
    """No other beginning of a key id finds one."""
    run(home, "trust", issuer)
    assert "spc list" in refused(home, "remove", wanted)
    assert is_trusted(home)


@pytest.mark.parametrize("number", [0, 1, 3], ids=["licensor", "enrollment service", "CA"])
def test_a_server_is_no_issuer_of_machines(home: Path, tmp_path: Path, number: int) -> None:
    """A server licensor chain would let every holder of a server's key make machines."""
    file = tmp_path / "server.xml"
    file.write_text("".join(PARTNER.state.licensor.chain[number:]))
    said = refused(home, "trust", file)
    assert "is no issuer of machine certificates" in said
    assert "\n" not in said
    assert len(json.loads(run(home, "list", "--json"))) == 1
