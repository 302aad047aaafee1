"""Files under a password: round trip, wrong passwords, pieces altered, swapped and cut off."""

from __future__ import annotations

import io
import struct

import pytest

from rmsserver.errors import OperatorError
from rmsserver.stores import sealed_stream
from rmsserver.stores.sealed_stream import MAGIC, OpeningReader, SealingWriter, WrongPassword
from rmsserver.stores.wrapping import ScryptCost

CHEAP = ScryptCost(n=2**4)
PIECE = 2**20


def sealed(data: bytes, *, finish: bool = True) -> bytes:
    target = io.BytesIO()
    writer = SealingWriter(target, "password", CHEAP)
    for at in range(0, len(data), 300_000):
        writer.write(data[at : at + 300_000])
    if finish:
        writer.finish()
    return target.getvalue()


def opened(data: bytes, password: str = "password") -> bytes:
    return io.BufferedReader(OpeningReader(io.BytesIO(data), password)).read()


def pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """The header, and each piece with its length."""
    at = data.index(b"\n", len(MAGIC)) + 1
    header, found = data[:at], []
    while at < len(data):
        end = at + 4 + struct.unpack_from(">I", data, at)[0]
        found.append(data[at:end])
        at = end
    return header, found


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7])
def test_round_trip(size: int) -> None:
    """Any size, also around the size of a piece; nothing of it in the clear."""
    data = (b"plain text %08d" * (size // 19 + 1))[:size]
    found = sealed(data)
    assert opened(found) == data
    assert b"plain text" not in found


def test_a_wrong_password() -> None:
    """Refused before anything is read."""
    with pytest.raises(WrongPassword):
        opened(sealed(b"x"), "passwort")


def test_altered_pieces() -> None:
    """A turned bit, pieces swapped, repeated, left out or cut off, another header: none of them opens."""
    header, (one, two, three) = pieces(sealed(bytes(2 * PIECE + 5)))
    turned = two[:100] + bytes([two[100] ^ 1]) + two[101:]
    for wrong in (
        [one, turned, three],
        [two, one, three],
        [one, two, two, three],
        [one, three],
        [one, two],
        [one],
        [one, two, three, three],
        [one, two, three[:-1]],
        [one, two, three, b"\0"],
        [],
    ):
        with pytest.raises(OperatorError):
            opened(header + b"".join(wrong))
    with pytest.raises(OperatorError):
        opened(header.replace(b'"p": 1', b'"p":  1') + one + two + three)


def test_an_unfinished_file() -> None:
    """A file whose writer died does not open, however much of it is there."""
    with pytest.raises(OperatorError):
        opened(sealed(bytes(2 * PIECE + 5), finish=False))


@pytest.mark.parametrize(
    "header",
    [
        b"something else",
        b"",
        MAGIC,
        MAGIC + b"{}\n",
        MAGIC + b'{"kdf":"scrypt","n":1073741824,"r":8,"p":1,"salt":"00"}\n',
        MAGIC + b'{"kdf":"scrypt","n":3,"r":8,"p":1,"salt":"00"}\n',
        MAGIC + b'{"kdf":"scrypt","n":16,"r":8,"p":1,"salt":"zz"}\n',
        MAGIC + b'{"kdf":"none","n":16,"r":8,"p":1,"salt":"00"}\n',
        MAGIC + b"x" * 2000,
    ],
)
def test_headers_that_are_none(header: bytes) -> None:
    """One line, no gigabytes of memory."""
    with pytest.raises(OperatorError):
        opened(header + b"\0\0\0\x20" + bytes(32))


def test_memory_is_bounded() -> None:
    """A piece is all that is held of a file."""
    assert sealed_stream._PIECE == PIECE
    reader = OpeningReader(io.BytesIO(sealed(bytes(5 * PIECE))), "password")
    assert len(reader._plain) == PIECE
