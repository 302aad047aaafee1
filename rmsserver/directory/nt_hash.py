"""The NT hash of a password ([MS-NLMP] 3.3.1, NTOWFv1): MD4 over its UTF-16LE form.

MD4 is broken and gone from current OpenSSL; NTLM has no other. The hash is as good as the password (threat
K1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_MASK = 0xFFFFFFFF
_Mix = Callable[[int, int, int], int]


def nt_hash(password: str) -> bytes:
    """16 bytes. Raises UnicodeEncodeError for half characters."""
    return md4(password.encode("utf-16-le"))


def md4(message: bytes) -> bytes:
    """[RFC1320]."""
    padded = message + b"\x80" + b"\0" * ((55 - len(message)) % 64) + struct.pack("<Q", len(message) * 8)
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for at in range(0, len(padded), 64):
        mixed = _block(state, struct.unpack("<16I", padded[at : at + 64]))
        state = tuple((old + new) & _MASK for old, new in zip(state, mixed, strict=True))  # type: ignore[assignment]
    return struct.pack("<4I", *state)


_ROUNDS: tuple[tuple[_Mix, int, tuple[int, ...], tuple[int, ...]], ...] = (
    (lambda x, y, z: (x & y) | (~x & z), 0, tuple(range(16)), (3, 7, 11, 19)),
    (
        lambda x, y, z: (x & y) | (x & z) | (y & z),
        0x5A827999,
        tuple(4 * (i % 4) + i // 4 for i in range(16)),
        (3, 5, 9, 13),
    ),
    (
        lambda x, y, z: x ^ y ^ z,
        0x6ED9EBA1,
        (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
        (3, 9, 11, 15),
    ),
)
"""For each round: the function, the constant, the order of words, the shifts."""


def _block(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for mix, constant, order, shifts in _ROUNDS:
        for step, index in enumerate(order):
            total = (a + (mix(b, c, d) & _MASK) + words[index] + constant) & _MASK
            shift = shifts[step % 4]
            a, b, c, d = d, ((total << shift) | (total >> (32 - shift))) & _MASK, b, c
    return a, b, c, d
