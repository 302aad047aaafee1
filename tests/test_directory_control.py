"""rmsserver.directory_control and `rmsserver directory`, over a real control socket"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.directory import directory
from rmsserver.control import ControlSocket, NobodyServes
from rmsserver.directory.ldap.cache import AgingCache
from rmsserver.directory.memory import MemoryDirectory
from rmsserver.directory_control import FLUSH, STATUS, directory_verbs
from rmsserver.errors import OperatorError
from tests.homes import make_home

LDAP = """
[directory]
kind = "ldap"
controllers = ["ldaps://dc1.rms.test"]
[sign_on]
mechanisms = ["ntlm"]
basic = "never"
"""


class Caching(MemoryDirectory):
    """The real cache of the LDAP directory, without a domain behind it; tests/live has the domain."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 100.0
        self.accounts: AgingCache[str, str] = AgingCache(
            entries=10, lifetime=60, negative_lifetime=60, clock=lambda: self.seconds
        )

    def flush(self, who: str | None = None) -> int:
        return self.accounts.drop(None if who is None else lambda key, _value: key == who)

    def statistics(self) -> object:
        raise NotImplementedError


@pytest.fixture
def caching() -> Caching:
    made = Caching()
    for name in ("alice", "bob"):
        made.accounts.put(name, name, born=90.0)
    return made


@pytest.fixture
def home(tmp_path: Path, caching: Caching) -> Iterator[Path]:
    """A home whose serving process has `caching`."""
    made = make_home(tmp_path / "home", LDAP)
    control = ControlSocket(made, directory_verbs(caching))
    control.start()
    yield made
    control.stop()


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(directory, [*words, "--home", str(home)], catch_exceptions=True)


def test_flush_all(home: Path, caching: Caching) -> None:
    """Everything goes, and the answer says how much that was."""
    assert "2 entries forgotten" in run(home, "flush").output
    assert caching.accounts.get("alice") is None


def test_flush_one(home: Path, caching: Caching) -> None:
    """WHO alone goes."""
    assert json.loads(run(home, "flush", "alice", "--json").output) == {"kind": "ldap", "forgotten": 1}
    assert caching.accounts.get("bob") is not None


def test_no_serving_process(tmp_path: Path) -> None:
    """Without one there is no cache, and the line says that nobody serves."""
    result = run(make_home(tmp_path / "home", LDAP), "flush")
    assert isinstance(result.exception, NobodyServes)


def test_the_embedded_directory(tmp_path: Path) -> None:
    """Nothing is cached beyond a change there: both commands say so, with nobody serving."""
    home = make_home(tmp_path / "home")
    assert "Nothing to flush" in run(home, "flush", "alice").output
    assert "EXAMPLE: 0 users, 0 groups" in run(home, "status").output
    assert json.loads(run(home, "status", "--json").output)["kind"] == "embedded"


def test_verbs_of_a_directory_without_caches() -> None:
    """They answer, with nothing."""
    verbs = directory_verbs(MemoryDirectory())
    assert verbs[FLUSH]({}) == {"forgotten": 0}
    assert verbs[STATUS]({}) == {"caches": {}, "controllers": []}


@pytest.mark.parametrize("who", ["", "x" * 321, 7, ["alice"]])
def test_a_name_that_is_none(who: object) -> None:
    """Only a name of sensible length is looked for."""
    with pytest.raises(OperatorError):
        directory_verbs(MemoryDirectory())[FLUSH]({"who": who})
