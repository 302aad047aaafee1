"""Atomic output: the old file or the whole new one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rmsserver.client.errors import OutputError
from rmsserver.client.output import atomic_output, write_atomically


def test_the_name_appears_with_the_last_byte(tmp_path: Path) -> None:
    """Until the block ends nobody sees the file under its name."""
    target = tmp_path / "a.txt"
    with atomic_output(target) as stream:
        stream.write(b"abc")
        assert not target.exists()
    assert target.read_bytes() == b"abc"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    """A failure while writing removes the temporary file and keeps the old one."""
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic_output(target, overwrite=True) as stream:
            stream.write(b"new")
            raise EOFError

    with pytest.raises(EOFError):
        write_half()
    assert target.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_existing_file_stays(tmp_path: Path) -> None:
    """Without leave to overwrite an existing file is refused before anything is written."""
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"), atomic_output(target):
        pytest.fail("the block must not run")
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("links_work", [True, False])
def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, links_work: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program that takes the name while we write keeps it, also where there are no hard links."""
    if not links_work:

        def no_links(_source: object, _target: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", no_links)
    target = tmp_path / "a.txt"

    def write_slowly() -> None:
        with atomic_output(target) as stream:
            stream.write(b"new")
            target.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="exists already"):
        write_slowly()
    assert target.read_bytes() == b"theirs"


@pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
def test_private_files_are_the_owners_alone(tmp_path: Path) -> None:
    """`private` gives 0600 whatever the umask says; else the umask decides."""
    write_atomically(tmp_path / "secret", b"s")
    with atomic_output(tmp_path / "open") as stream:
        stream.write(b"o")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o666 & ~mask


def test_a_missing_directory_is_one_line(tmp_path: Path) -> None:
    """A place that cannot be written to is named."""
    with pytest.raises(OutputError, match="Cannot write in"):
        write_atomically(tmp_path / "none" / "a", b"")
