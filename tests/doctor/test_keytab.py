"""rmsserver.doctor.keytab: the file format octet by octet"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from rmsserver.doctor.keytab import KeytabEntry, read_keytab
from rmsserver.errors import OperatorError

KEY = b"\xaa" * 32


def entry(version: int = 3, encryption: int = 18, *, wide: int | None = None, key: bytes = KEY) -> bytes:
    """HTTP/rms.example.com@EXAMPLE.COM as format 0x0502 has it."""
    counted = [b"EXAMPLE.COM", b"HTTP", b"rms.example.com"]
    record = struct.pack(">H", 2) + b"".join(struct.pack(">H", len(text)) + text for text in counted)
    record += struct.pack(">II", 1, 1_700_000_000) + struct.pack(">BHH", version & 0xFF, encryption, len(key)) + key
    return record if wide is None else record + struct.pack(">I", wide)


def sized(record: bytes) -> bytes:
    return struct.pack(">i", len(record)) + record


def keytab(folder: Path, content: bytes) -> Path:
    path = folder / "service.keytab"
    path.write_bytes(content)
    return path


def test_entries(tmp_path: Path) -> None:
    """Name, realm, version and type of each; a version above 255 is in the four octets behind the key."""
    path = keytab(
        tmp_path, b"\x05\x02" + sized(entry(3)) + sized(entry(4, 17, key=KEY[:16])) + sized(entry(0x104, wide=260))
    )
    assert read_keytab(path) == (
        KeytabEntry("HTTP/rms.example.com", "EXAMPLE.COM", 3, 18),
        KeytabEntry("HTTP/rms.example.com", "EXAMPLE.COM", 4, 17),
        KeytabEntry("HTTP/rms.example.com", "EXAMPLE.COM", 260, 18),
    )
    assert [one.encryption_name for one in read_keytab(path)] == ["aes256-cts", "aes128-cts", "aes256-cts"]


def test_holes(tmp_path: Path) -> None:
    """Where an entry was removed its room stays, with a negative size."""
    hole = struct.pack(">i", -20) + bytes(20)
    assert len(read_keytab(keytab(tmp_path, b"\x05\x02" + hole + sized(entry()) + hole))) == 1


def test_an_empty_keytab(tmp_path: Path) -> None:
    """It has no keys, and is one."""
    assert read_keytab(keytab(tmp_path, b"\x05\x02")) == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no keytab"),
        (b"-----BEGIN", "no keytab"),
        (b"\x05\x03", "no keytab"),
        (b"\x05\x02" + sized(entry())[:-1], "damaged"),
        (b"\x05\x02\x00\x00\x00\x04\xff\xff\xff\xff", "damaged"),
        (b"\x05\x02" + struct.pack(">i", 2**31 - 1), "damaged"),
        (b"\x05\x02" + sized(entry().replace(b"HTTP", b"\xff\xfe\xff\xfe")), "damaged"),
        (bytes(1_000_001), "too large"),
    ],
)
def test_what_is_none(tmp_path: Path, content: bytes, told: str) -> None:
    """Refused in one line, whatever it holds."""
    with pytest.raises(OperatorError, match=told):
        read_keytab(keytab(tmp_path, content))


def test_a_keytab_that_is_away(tmp_path: Path) -> None:
    """Said so."""
    with pytest.raises(OperatorError, match="No such file"):
        read_keytab(tmp_path / "nosuch")


def test_no_key_is_kept(tmp_path: Path) -> None:
    """What is read can be printed: the key is not in it."""
    assert "aa" * 4 not in repr(read_keytab(keytab(tmp_path, b"\x05\x02" + sized(entry()))))
