"""Writing files so that a reader sees the old one or the whole new one, never a half. Touches the disk."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rmsserver.client.errors import OutputError


@contextlib.contextmanager
def atomic_output(path: Path, *, overwrite: bool = False, private: bool = False) -> Iterator[BinaryIO]:
    """A temporary file beside `path`, opened for writing and reading, that takes its name when the block
    ends.

    An error inside leaves nothing behind. `private` keeps mode 0600, else the file gets what the umask
    allows. An existing file is replaced only with `overwrite`, also where it appears while we write. Raises
    OutputError.
    """
    if not overwrite and path.exists():
        raise OutputError(f"{path} exists already; name another file or allow overwriting.")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(f"Cannot write in {path.parent}: {error.strerror}.") from None
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            try:
                _finish(stream, private=private)
            except OSError as error:
                raise OutputError(f"Cannot write {path}: {error.strerror}.") from None
        _take_name(temporary, path, overwrite=overwrite)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes, *, overwrite: bool = True, private: bool = True) -> None:
    """Write a small file whole. Raises OutputError."""
    with atomic_output(path, overwrite=overwrite, private=private) as stream:
        stream.write(data)


def _finish(stream: BinaryIO, *, private: bool) -> None:
    stream.flush()
    if not private and hasattr(os, "fchmod"):
        os.fchmod(stream.fileno(), 0o666 & ~_umask())
    os.fsync(stream.fileno())


def _umask() -> int:
    # There is no way to read it without setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _take_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    try:
        if overwrite:
            temporary.replace(path)
        else:
            _link_or_rename(temporary, path)
        _sync_directory(path.parent)
    except FileExistsError:
        raise OutputError(f"{path} exists already; name another file or allow overwriting.") from None
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from None


def _link_or_rename(temporary: Path, path: Path) -> None:
    # A hard link fails where the name is taken, in one step; rename would replace. Some file systems have
    # no links.
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        if path.exists():
            raise FileExistsError from None
        temporary.rename(path)


def _sync_directory(directory: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
