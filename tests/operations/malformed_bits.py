"""Enabling bits that must not open, one kind per way to be wrong (threat C1)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rmsserver.state import Licensor
from rmsserver.xrml.enabling_bits import RESERVED_ECB, key_header
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import Published

SESSION_KEY = bytes(range(16))
DES_KEY = bytes(range(1, 9))


def des_header() -> bytes:
    """A KeyHeader for a DES key: blob of 20 bytes, 8 bytes of key."""
    return struct.pack("<HHHHI", 12 + 8, 0xFFFF, 8, 8, 0x1002)


class Sealer:
    """Makes the bytes of enabling bits for a publishing licence, with any part replaced."""

    def __init__(self, published: Published, licensor: Licensor) -> None:
        self.mode = licensor.mode
        self.public = licensor.key.public
        self.hashed = published.license.hashed_texts[0].encode("utf-16-le")
        self.payload = published.content_key.payload

    def first(self, plain: bytes | None = None) -> bytes:
        return self.public.encrypt(plain or key_header(16, RESERVED_ECB) + SESSION_KEY, self.mode)

    def raw(self, encoded: bytes) -> bytes:
        """RSA without any padding: what only an attacker does."""
        number = pow(int.from_bytes(encoded), 65537, self.public.modulus)
        return number.to_bytes(self.public.bits // 8)

    def body(self, *, version: int | None = None, size: int = 0, digest: bytes | None = None, pad: int = 16) -> bytes:
        payload = self.payload + (digest or self.mode.digest(self.hashed))
        body = struct.pack("<IIII", version or self.mode, len(payload) + size, 0, 0) + payload
        return body + bytes(-len(body) % pad)

    def second(self, body: bytes, *, des: bool = False) -> bytes:
        algorithm = TripleDES(DES_KEY * 3) if des else algorithms.AES(SESSION_KEY)
        return Cipher(algorithm, modes.ECB()).encryptor().update(body)

    def whole(self, *, version: int | None = None, size: int = 0) -> bytes:
        return self.first() + self.second(self.body(version=version, size=size))


def _padding_block_type_1(s: Sealer) -> bytes:
    plain = key_header(16, RESERVED_ECB) + SESSION_KEY
    filler = b"\xaa" * (s.public.bits // 8 - 3 - len(plain))
    return s.raw(b"\x00\x01" + filler + b"\x00" + plain) + s.second(s.body())


def _leading_byte(s: Sealer) -> bytes:
    return s.raw(b"\x01" + b"\xaa" * (s.public.bits // 8 - 1)) + s.second(s.body())


def _without_separator(s: Sealer) -> bytes:
    return s.raw(b"\x00\x02" + b"\xaa" * (s.public.bits // 8 - 2)) + s.second(s.body())


def _key_header(s: Sealer) -> bytes:
    return s.first(b"\xff" + key_header(16, RESERVED_ECB)[1:] + SESSION_KEY) + s.second(s.body())


def _content_key_header(s: Sealer) -> bytes:
    s.payload = b"\xff" + s.payload[1:]
    return s.whole()


MALFORMED: Mapping[str, Callable[[Sealer], bytes]] = {
    "padding block type 1": _padding_block_type_1,
    "leading byte": _leading_byte,
    "no separator": _without_separator,
    "value zero": lambda s: bytes(s.public.bits // 8) + s.second(s.body()),
    "value at least n": lambda s: b"\xff" * (s.public.bits // 8) + s.second(s.body()),
    "another session key": lambda s: s.first(key_header(16, RESERVED_ECB) + bytes(16)) + s.second(s.body()),
    "session key too short": lambda s: s.first(key_header(16, RESERVED_ECB) + bytes(8)) + s.second(s.body()),
    "bad KeyHeader": _key_header,
    "bad content KeyHeader": _content_key_header,
    "DES header without a matching hash": lambda s: s.first(des_header() + DES_KEY) + s.second(s.body()),
    "bad hash": lambda s: s.first() + s.second(s.body(digest=bytes(s.mode.hash.digest_size))),
    "size too large": lambda s: s.whole(size=64),
    "size too small": lambda s: s.whole(size=-32),
    "bad version": lambda s: s.whole(version=7),
    "a block too few": lambda s: s.whole()[:-16],
    "a block too many": lambda s: s.whole() + bytes(16),
    "not whole blocks": lambda s: s.whole()[:-3],
    "first part alone": lambda s: s.first(),
    "nearly nothing": lambda _: b"\x01",
}


def des_session(s: Sealer) -> bytes:
    """A DES session key that opens the rest, hash and all: the one failure with a name of its own (rulings 15)."""
    return s.first(des_header() + DES_KEY) + s.second(s.body(), des=True)


def bits_xml(data: bytes, mode: CryptoMode) -> str:
    """The ENABLINGBITS element."""
    value = base64.b64encode(data).decode()
    return (
        f'<ENABLINGBITS type="{mode.seal_type}"><VALUE encoding="base64" size="{len(data) * 8}">{value}</VALUE>'
        "</ENABLINGBITS>"
    )
