"""A cluster whose database file is really damaged: one line that says so and what to do, and doing it works."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from rmsserver.cli.rmsserver import program
from tests.client.served_cluster import free_port
from tests.homes import make_home
from tests.stores.sql.test_database import overwrite

PASSWORD = "password of the backup"
REMEDY = "restore a backup: rmsserver restore FILE --home NEW-DIRECTORY"


def not_a_database(path: Path) -> None:
    """The first page is gone."""
    content = path.read_bytes()
    path.write_bytes(b"\xa5" * 4096 + content[4096:])


def cut_off(path: Path) -> None:
    """The file system lost all but the beginning."""
    with path.open("r+b") as file:
        file.truncate(5000)


def emptied(path: Path) -> None:
    """The file system kept the name alone."""
    path.write_bytes(b"")


DAMAGES = (not_a_database, overwrite, cut_off, emptied)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an account, and its backup beside it."""
    home = make_home(tmp_path_factory.mktemp("whole") / "home")
    for words in (("user", "add", "alice", "--email", "alice@example.com"), ("backup", str(home.parent / "backup"))):
        environment = {"RMS_USER_PASSWORD": PASSWORD, "RMS_FILE_PASSWORD": PASSWORD}
        assert CliRunner().invoke(program, [*words, "--home", str(home)], env=environment).exit_code == 0
    with contextlib.closing(sqlite3.connect(home / "state.db")) as connection:
        # What is in the journal would mend the damage.
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    return home


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "home"))


def rmsserver(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from rmsserver.cli.rmsserver import main; main()", *words, "--home", str(home)],
        env={"RMS_FILE_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("command", ["user list", "config set name X", "serve", "backup copy"])
def test_one_line_and_exit_code_2(home: Path, damage: Callable[[Path], None], command: str) -> None:
    """For whoever serves, and in commands that read and that change."""
    damage(home / "state.db")
    words = command.split()
    if words[0] == "serve":
        words += ["--listen", f"127.0.0.1:{free_port()}"]
    if words[0] == "backup":
        words[1] = str(home.parent / words[1])
    done = rmsserver(home, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rmsserver: the database is damaged (")
    assert done.stderr.endswith(f"): {REMEDY}\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_doctor_says_so(home: Path, damage: Callable[[Path], None]) -> None:
    """As a finding, with the same remedy."""
    damage(home / "state.db")
    [line] = [line for line in rmsserver(home, "doctor").stdout.splitlines() if line.startswith("FAIL database ")]
    assert "the database is damaged (" in line
    assert line.endswith("rmsserver restore FILE --home NEW-DIRECTORY")


def test_what_the_line_says_to_do_works(home: Path, original: Path) -> None:
    """The backup makes a home in which the account is."""
    not_a_database(home / "state.db")
    restored = home.parent / "restored"
    backup, passphrase = str(original.parent / "backup"), str(home.parent / "new-passphrase")
    assert rmsserver(restored, "restore", backup, "--passphrase-file", passphrase).returncode == 0
    assert "alice@example.com" in rmsserver(restored, "user", "list").stdout
