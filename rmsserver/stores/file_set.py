"""A directory of files that change together: immutable files and one manifest that names them with their
digests.

A change writes new files under new names, then replaces the manifest (the moment it happens), then removes
what the manifest no longer names. A crash at any point leaves the old set or the new one, and perhaps a file
that belongs to neither; that is refused with a line that names it, never repaired by guess. Readers share a
lock, a writer holds it alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rmsserver.errors import OperatorError

MANIFEST = "manifest.json"
LOCK = "lock"
FORMAT = 1
_NAME = re.compile(r"[a-z]+(-[a-z]+)*(-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?\.(xrml|key|json|pem)")
"""Fixed words, then perhaps a GUID: nothing a caller chose ends up in a path (threat N4)."""


def create(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make the whole directory at once. Raises OperatorError where it is there already."""
    if directory.exists():
        raise OperatorError(f"{directory} exists already: choose another home, or use the cluster that is there")
    building = directory.with_name(f".{directory.name}.{secrets.token_hex(8)}")
    building.mkdir(mode=0o700)
    try:
        for name, data in files.items():
            _write(building, name, data)
        _write_raw(building / LOCK, b"")
        _write_manifest(building, {name: _digest(data) for name, data in files.items()})
        building.rename(directory)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    _sync(directory.parent)


def read(directory: Path) -> dict[str, bytes]:
    """Every file of the set. Raises OperatorError where it is open to others, incomplete or changed."""
    check_private(directory)
    with _locked(directory, fcntl.LOCK_SH):
        return _read(directory)


def change(
    directory: Path,
    *,
    add: Mapping[str, bytes],
    remove: frozenset[str] = frozenset(),
    absent: re.Pattern[str] | None = None,
) -> None:
    """Add files under names that are not in use, and remove others, which are there, in one step. Raises OperatorError.

    Who replaces a file that another command replaced meanwhile would leave two in its place, and so would who adds what there
    is once: `absent` is what such files are called.
    """
    check_private(directory)
    with _locked(directory, fcntl.LOCK_EX | fcntl.LOCK_NB):
        present = _read(directory)
        if clash := add.keys() & present.keys():
            raise OperatorError(f"{directory / min(clash)} exists already")
        if gone := remove - present.keys():
            raise OperatorError(f"{directory / min(gone)} was replaced by another command meanwhile: try again")
        if absent is not None and any(map(absent.fullmatch, present)):
            raise OperatorError(f"{directory}: another command has made the same thing meanwhile: try again")
        for name, data in add.items():
            _write(directory, name, data)
        kept = {name: data for name, data in {**present, **add}.items() if name not in remove}
        _write_manifest(directory, {name: _digest(data) for name, data in kept.items()})
        for name in remove:
            (directory / name).unlink()
        _sync(directory)


def is_name(name: str) -> bool:
    """May a file of the set be called so?"""
    return _NAME.fullmatch(name) is not None


def check_private(path: Path) -> None:
    """Raise OperatorError where others than the owner have access to a file or directory."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise OperatorError(f"{path} cannot be read ({error.strerror}): check --home") from None
    if mode & 0o077:
        wanted = "700" if stat.S_ISDIR(mode) else "600"
        raise OperatorError(f"{path} is open to other users: run `chmod {wanted} {path}`")


def _read(directory: Path) -> dict[str, bytes]:
    listed = _read_manifest(directory)
    for stray in sorted({entry.name for entry in directory.iterdir()} - listed.keys() - {MANIFEST, LOCK}):
        raise OperatorError(f"{directory / stray} is left from an unfinished change: move it out of the directory")
    files = {}
    for name, digest in listed.items():
        path = directory / name
        check_private(path)
        try:
            files[name] = path.read_bytes()
        except OSError as error:
            raise OperatorError(f"{path} cannot be read ({error.strerror}): restore it from a backup") from None
        if _digest(files[name]) != digest:
            raise OperatorError(f"{path} is not what the manifest says: restore the directory from a backup")
    return files


def _read_manifest(directory: Path) -> dict[str, str]:
    path = directory / MANIFEST
    check_private(path)
    try:
        manifest = json.loads(path.read_bytes())
        files, digest, version = dict(manifest["files"]), manifest["digest"], manifest["format"]
    except (ValueError, KeyError, TypeError):
        raise OperatorError(f"{path} is damaged: restore the directory from a backup") from None
    except OSError as error:
        raise OperatorError(f"{path} cannot be read ({error.strerror}): restore it from a backup") from None
    if version != FORMAT:
        raise OperatorError(f"{path} has format {version}, this version knows {FORMAT}: install a newer version")
    if digest != _files_digest(files) or not all(_NAME.fullmatch(name) for name in files):
        raise OperatorError(f"{path} is damaged: restore the directory from a backup")
    return files


def _write_manifest(directory: Path, files: Mapping[str, str]) -> None:
    manifest = {"format": FORMAT, "files": dict(sorted(files.items())), "digest": _files_digest(files)}
    temporary = directory / f".manifest.{secrets.token_hex(8)}"
    _write_raw(temporary, json.dumps(manifest, indent=1).encode() + b"\n")
    temporary.rename(directory / MANIFEST)
    _sync(directory)


def _write(directory: Path, name: str, data: bytes) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("not a file name of a file set")
    temporary = directory / f".{name}.{secrets.token_hex(8)}"
    _write_raw(temporary, data)
    temporary.rename(directory / name)
    _sync(directory)


def _write_raw(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(directory: Path, operation: int) -> Iterator[None]:
    try:
        with (directory / LOCK).open("rb") as file:
            fcntl.flock(file, operation)
            yield
    except BlockingIOError:
        raise OperatorError(f"{directory} is being changed by another command: wait for it and try again") from None
    except FileNotFoundError as error:
        raise OperatorError(f"{error.filename} is missing: restore the directory from a backup") from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _files_digest(files: Mapping[str, str]) -> str:
    return _digest(json.dumps(sorted(files.items())).encode())
