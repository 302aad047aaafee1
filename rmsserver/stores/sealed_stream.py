"""A file under a password: scrypt, then AES-256-GCM piece by piece, so that any size fits into little memory.

    magic line · header (one line of JSON: scrypt's parameters and salt) · pieces (4 bytes of length, big-endian, and
    ciphertext with tag)

The nonce of a piece is its number and whether it is the last one, and the header is associated data: pieces that are
swapped, repeated, left out or cut off do not open ([RFC5116]; the construction is STREAM). The salt is fresh for each
file, and with it the key, so no nonce is used twice.
"""

from __future__ import annotations

import io
import json
import secrets
import struct
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rmsserver.errors import OperatorError
from rmsserver.stores.wrapping import MAX_COST, ScryptCost, stretch

MAGIC = b"rmsserver backup 1\n"
_PIECE = 2**20
_TAG = 16
_LENGTH = struct.Struct(">I")
_MAX_HEADER = 1_000
_DAMAGED = "the backup is damaged or incomplete: use another copy of it"


class WrongPassword(OperatorError):
    """The first piece did not open."""


class SealingWriter(io.RawIOBase):
    """Encrypts what is written. `finish` must be called at the end: a file without it does not open."""

    def __init__(self, target: IO[bytes], password: str, cost: ScryptCost | None = None) -> None:
        cost = cost or ScryptCost()
        salt = secrets.token_bytes(16)
        fields = {"kdf": "scrypt", "n": cost.n, "r": cost.r, "p": cost.p, "salt": salt.hex()}
        self._header = MAGIC + json.dumps(fields).encode() + b"\n"
        self._cipher = AESGCM(stretch(password, salt, cost))
        self._target = target
        self._pending = bytearray()
        self._number = 0
        target.write(self._header)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # whatever io hands over
        self._pending += view
        # One piece is always kept back: it may be the last.
        while len(self._pending) > _PIECE:
            self._write_piece(bytes(self._pending[:_PIECE]), last=False)
            del self._pending[:_PIECE]
        return len(view)

    def finish(self) -> None:
        self._write_piece(bytes(self._pending), last=True)
        self._pending.clear()

    def _write_piece(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._number, last), plain, self._header)
        self._target.write(_LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


class OpeningReader(io.RawIOBase):
    """The inverse. Raises WrongPassword when made, OperatorError while reading; the end is only reported once it is
    proven to be the end.
    """

    def __init__(self, source: IO[bytes], password: str) -> None:
        self._source = source
        line = source.readline(len(MAGIC))
        header = source.readline(_MAX_HEADER)
        try:
            if line != MAGIC or not header.endswith(b"\n"):
                raise ValueError
            fields = json.loads(header)
            cost = ScryptCost(int(fields["n"]), int(fields["r"]), int(fields["p"]))
            if fields["kdf"] != "scrypt" or not 2 <= cost.n <= MAX_COST or not (0 < cost.r <= 8 and 0 < cost.p <= 4):
                raise ValueError
            self._cipher = AESGCM(stretch(password, bytes.fromhex(fields["salt"]), cost))
        except (ValueError, KeyError, TypeError):
            raise OperatorError("this is not a backup that rmsserver made: check that it is the right file") from None
        self._header = line + header
        self._number = 0
        self._ended = False
        try:
            self._plain = self._next_piece()
        except InvalidTag:
            raise WrongPassword("the password is wrong, or the backup is damaged: try again") from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]  # whatever io hands over
        while not self._plain and not self._ended:
            try:
                self._plain = self._next_piece()
            except InvalidTag:
                raise OperatorError(_DAMAGED) from None
        count = min(len(view), len(self._plain))
        view[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next_piece(self) -> memoryview:
        """Raises InvalidTag, OperatorError."""
        head = self._source.read(_LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        if not _TAG <= length <= _PIECE + _TAG:
            raise OperatorError(_DAMAGED)
        sealed = self._source.read(length)
        last = not self._source.read(1)
        if not last:
            self._source.seek(-1, io.SEEK_CUR)
        plain = self._cipher.decrypt(_nonce(self._number, last), sealed, self._header)
        self._number += 1
        self._ended = last
        return memoryview(plain)


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11) + (b"\1" if last else b"\0")
