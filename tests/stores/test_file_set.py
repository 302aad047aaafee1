"""rmsserver.stores.file_set"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rmsserver.errors import OperatorError
from rmsserver.stores import file_set

_FILES = {"licensor.xrml": b"<XrML/>", "licensor.key": b"\x01\x02"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "certificates"
    file_set.create(path, _FILES)
    return path


def _refusal(directory: Path) -> str:
    with pytest.raises(OperatorError) as caught:
        file_set.read(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(directory: Path) -> None:
    """What was written is read, and nobody else can read it."""
    assert file_set.read(directory) == _FILES
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in directory.iterdir())


def test_there_is_one_already(directory: Path) -> None:
    """A store is never written over."""
    with pytest.raises(OperatorError, match="exists already"):
        file_set.create(directory, _FILES)
    assert file_set.read(directory) == _FILES


def test_change(directory: Path) -> None:
    """Files come and go in one step."""
    file_set.change(directory, add={"root.key": b"3"}, remove=frozenset({"licensor.key"}))
    assert file_set.read(directory) == {"licensor.xrml": b"<XrML/>", "root.key": b"3"}


def test_a_name_in_use_is_refused(directory: Path) -> None:
    """Files are never changed in place: a crash between file and manifest would leave neither set."""
    with pytest.raises(OperatorError, match="exists already"):
        file_set.change(directory, add={"licensor.key": b"other"})
    assert file_set.read(directory) == _FILES


@pytest.mark.parametrize("name", ["../x.key", "x", "X.key", "a.b.key", ".key", "a/b.key", "x-1.key"])
def test_N4_names_are_words_or_guids(directory: Path, name: str) -> None:
    """N4: no other name reaches the file system."""
    with pytest.raises(ValueError, match="not a file name"):
        file_set.change(directory, add={name: b""})


def test_open_to_others(directory: Path) -> None:
    """A key that others can read is refused with the chmod to run; so is the directory."""
    key = directory / "licensor.key"
    key.chmod(0o640)
    assert f"chmod 600 {key}" in _refusal(directory)
    key.chmod(0o600)
    directory.chmod(0o755)
    assert f"chmod 700 {directory}" in _refusal(directory)


def test_half_written(directory: Path) -> None:
    """Missing, changed, cut and stray files are refused by name, and nothing is repaired."""
    key = directory / "licensor.key"
    whole = key.read_bytes()
    for damaged in (b"", whole[:1], b"\x02\x01"):
        key.write_bytes(damaged)
        assert str(key) in _refusal(directory)
        assert key.read_bytes() == damaged
    key.write_bytes(whole)
    stray = directory / ".root.key.0123"
    stray.touch(0o600)
    assert str(stray) in _refusal(directory)
    stray.unlink()
    key.unlink()
    assert str(key) in _refusal(directory)


def test_damaged_manifest(directory: Path) -> None:
    """A manifest that is missing, cut, changed or newer is refused."""
    path = directory / file_set.MANIFEST
    whole = path.read_text()
    newer = json.dumps({**json.loads(whole), "format": 2})
    fewer = json.loads(whole)
    del fewer["files"]["licensor.key"]
    for damaged, line in (("", "damaged"), (whole[:-9], "damaged"), (newer, "newer"), (json.dumps(fewer), "damaged")):
        path.write_text(damaged)
        assert line in _refusal(directory)
    path.unlink()
    assert str(path) in _refusal(directory)


def test_two_writers(directory: Path) -> None:
    """While one command changes the store another is told to wait."""
    with (directory / file_set.LOCK).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OperatorError, match="another command"):
            file_set.change(directory, add={"root.key": b""})
    file_set.change(directory, add={"root.key": b""})


def test_what_another_writer_replaced(directory: Path) -> None:
    """Two commands that both read the old file: the second one is refused, and adds nothing."""
    file_set.change(directory, add={"root.key": b"mine"}, remove=frozenset({"licensor.key"}))
    before = file_set.read(directory)
    with pytest.raises(OperatorError, match="meanwhile"):
        file_set.change(directory, add={"ca.key": b"late"}, remove=frozenset({"licensor.key"}))
    assert file_set.read(directory) == before


_CHANGING = """
import sys, uuid
from pathlib import Path
from rmsserver.stores import file_set
directory, last = Path(sys.argv[1]), None
while True:
    name = f"master-{uuid.uuid4()}.json"
    file_set.change(directory, add={name: b"x" * 4096}, remove=frozenset([last] if last else []))
    last = name
    print(flush=True)
"""


def test_K5_killed_while_changing(directory: Path) -> None:
    """K5: after kill -9 at any point the old or the new set is there; at most a stray file is named for
    removal.
    """
    for attempt in range(8):
        process = subprocess.Popen([sys.executable, "-c", _CHANGING, str(directory)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        for _ in range(3):
            try:
                files = file_set.read(directory)
                break
            except OperatorError as error:
                assert "unfinished change" in str(error)  # noqa: PT017 - the line is what is tested
                Path(str(error).split(" is left")[0]).unlink()
        assert _FILES.items() <= files.items()
        assert 1 <= len(files) - len(_FILES) <= attempt + 1
