"""Files that commands read and write for an operator: bounded, never over another file, never open to others."""

from __future__ import annotations

import os
from pathlib import Path

from rmsserver.errors import OperatorError

MAX_BYTES = 64 * 2**20


def read_limited(path: Path, limit_bytes: int = MAX_BYTES) -> bytes:
    """The file's content, up to 64 MiB or `limit_bytes`. Raises OperatorError."""
    with path.open("rb") as stream:
        data = stream.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise OperatorError(f"{path} is larger than {limit_bytes // 2**20} MiB: it is not the right file")
    return data


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, readable by its owner alone. Raises OperatorError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OperatorError(f"{path} exists already: name another file") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
