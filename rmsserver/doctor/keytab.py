"""Reading a keytab (MIT file format, versions 0x0501 and 0x0502): whose keys, of which version and type. Never the keys."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from rmsserver.errors import OperatorError

ENCRYPTION_TYPES = {1: "des-cbc-crc", 3: "des-cbc-md5", 23: "rc4-hmac", 17: "aes128-cts", 18: "aes256-cts",
                    19: "aes128-sha2", 20: "aes256-sha2"}  # fmt: skip
_LARGEST_BYTES = 1_000_000


@dataclass(frozen=True)
class KeytabEntry:
    """`name` without realm, `HTTP/rms.example.com`; `version` is the KVNO, `encryption` the number of its type."""

    name: str
    realm: str
    version: int
    encryption: int

    @property
    def encryption_name(self) -> str:
        return ENCRYPTION_TYPES.get(self.encryption, f"type {self.encryption}")


def read_keytab(path: Path) -> tuple[KeytabEntry, ...]:
    """Raises OperatorError where it cannot be read, or is none."""
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise OperatorError(f"{path} is too large for a keytab")
        data = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}") from None
    if data[:2] not in (b"\x05\x01", b"\x05\x02"):
        raise OperatorError(f"{path} is no keytab")
    # Version 1 was written in the byte order of the machine.
    order = ">" if data[1] == 2 or sys.byteorder == "big" else "<"
    try:
        return tuple(_entries(data, order))
    except (struct.error, UnicodeDecodeError, IndexError):
        raise OperatorError(f"{path} is a damaged keytab") from None


def _entries(data: bytes, order: str) -> list[KeytabEntry]:
    found, at = [], 2
    while at + 4 <= len(data):
        (size,) = struct.unpack_from(f"{order}i", data, at)
        at += 4
        if size > 0:  # a negative size is that of a hole
            if at + size > len(data):
                raise IndexError
            found.append(_entry(data[at : at + size], order, is_first_version=data[1] == 1))
        elif size == 0:
            break
        at += abs(size)
    return found


def _entry(record: bytes, order: str, *, is_first_version: bool) -> KeytabEntry:
    (count,) = struct.unpack_from(f"{order}H", record)
    at, texts = 2, []
    for _ in range(count if is_first_version else count + 1):
        (length,) = struct.unpack_from(f"{order}H", record, at)
        texts.append(record[at + 2 : at + 2 + length].decode())
        at += 2 + length
    at += 4 if is_first_version else 8  # type of name, where there is one, and timestamp
    version, encryption, length = struct.unpack_from(f"{order}BHH", record, at)
    at += 5 + length
    if at + 4 <= len(record):
        (wide,) = struct.unpack_from(f"{order}I", record, at)
        version = wide or version  # 32 bits where the file has them
    return KeytabEntry("/".join(texts[1:]), texts[0], version, encryption)
