"""Files that commands read and write for an operator: bounded, never over another file, never open to others."""

from __future__ import annotations

import os
from pathlib import Path

from rmsserver.errors import OperatorError

MAX_BYTES = 64 * 2**20


def read_limited(path: Path) -> bytes:
    """The file's content, up to 64 MiB. Raises OperatorError."""
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OperatorError(f"{path} is larger than {MAX_BYTES // 2**20} MiB: it is not the right file")
    return data


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, readable by its owner alone. Raises OperatorError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OperatorError(f"{path} exists already: name another file") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
