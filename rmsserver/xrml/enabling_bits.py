"""ENABLINGBITS: a key sealed to a public key, bound to a piece of XrML by its hash ([MS-RMPR] 2.2.9.1.13).

    RSA(KeyHeader, session key)  AES-ECB(session key: UDEBHeader, payload, hash of XrML)

The payload of publishing and use licences is a KeyHeader and the content key, passed on octet for octet (wire facts 3);
that of RACs and CLCs is a CAPI private key blob.

Opening has ONE outcome for every failure after the RSA step (rulings 15, threat C1): the same error, one path with a
stand-in session key, nothing that ends early.
"""

from __future__ import annotations

import base64
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rmsserver.xrml.errors import SealError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey, decode_base64
from rmsserver.xrml.surface import Element

SESSION_KEY_BYTES = 16
MAX_SEALED_BYTES = 4096
_HEADER = struct.Struct("<IIII")
_KEY_HEADER = struct.Struct("<HHHHI")
_BLOCK, _DES_BLOCK = 16, 8
_FLAG_AES, _FLAG_ECB, _FLAG_CBC = 0x0001, 0x1000, 0x2000
RESERVED_ECB = 0xFFFF
RESERVED_CBC_4K = 0xFFFE
RESERVED_CBC_4K_PADDED = 0xFFFD
RESERVED_CBC_512 = 0xFFFC
RESERVED_WORDS = frozenset({RESERVED_ECB, RESERVED_CBC_4K, RESERVED_CBC_4K_PADDED, RESERVED_CBC_512})


class DesSessionKeyError(SealError):
    """A DES session key opened the rest and the hash matched: the one failure with a name of its own (rulings 15)."""


@dataclass(frozen=True)
class EnablingBits:
    """The element as read: mode by its type attribute, raw bytes, surface text."""

    mode: CryptoMode
    data: bytes = field(repr=False)
    surface: str = field(repr=False)

    @classmethod
    def read(cls, element: Element) -> EnablingBits:
        """Raises XrmlSyntaxError."""
        kind, value = element.attribute("type"), element.one("VALUE")
        mode = next((mode for mode in CryptoMode if mode.seal_type == kind), None)
        if mode is None or value.attribute("encoding") != "base64" or len(element.children) != 1:
            raise XrmlSyntaxError("ENABLINGBITS has an unknown type")
        data = decode_base64(value.leaf_text(), value.attribute("size"))
        if len(data) > MAX_SEALED_BYTES:
            raise XrmlSyntaxError("ENABLINGBITS is too large")
        return cls(mode, data, element.surface)


@dataclass(frozen=True)
class Opened:
    """What enabling bits held, and which of the open readings (wire facts 3) fitted."""

    payload: bytes = field(repr=False)
    hash_reading: int
    """Index of the hashed text that matched."""
    header_in_bits: bool
    """The session key's header gives its size in bits, as the specification words it, not in bytes."""


def open_enabling_bits(bits: EnablingBits, key: PrivateKey, hashed: Sequence[str], stand_in: bytes) -> Opened:
    """Open with `key`; the hash must be that of one of the `hashed` surface texts.

    `stand_in` is 16 random bytes that replace a session key that could not be had, so that every failure takes the same
    path. Raises SealError, for every cause alike; DesSessionKeyError as rulings 15 say.
    """
    first, digest_size = key.public.bits // 8, bits.mode.hash.digest_size
    plain = key.decrypt(bits.data[:first].ljust(first, b"\0"), bits.mode)
    session, is_des, in_bits, good = _session_key(plain, stand_in)
    block = _DES_BLOCK if is_des else _BLOCK
    sealed = bits.data[first:]
    whole = (len(sealed) % block == 0) & (len(sealed) >= _HEADER.size + digest_size)
    body = _decrypt_session(session, is_des, sealed.ljust(_HEADER.size + digest_size, b"\0"))
    version, size, _, _ = _HEADER.unpack_from(body)
    room = len(body) - _HEADER.size
    fits = whole & (digest_size < size <= room < size + block)
    size = size if fits else room
    payload = body[_HEADER.size : _HEADER.size + size - digest_size]
    found = body[_HEADER.size + size - digest_size : _HEADER.size + size]
    matches = [hmac.compare_digest(found, bits.mode.digest(text.encode("utf-16-le"))) for text in hashed]
    if not (good & fits & (version == bits.mode) & any(matches)):
        raise SealError("the enabling bits could not be opened")
    if is_des:
        raise DesSessionKeyError("the enabling bits have a DES session key")
    return Opened(payload, matches.index(True), in_bits)


def seal_enabling_bits(payload: bytes, hashed: str, key: PublicKey, mode: CryptoMode, session_key: bytes) -> str:
    """The ENABLINGBITS element for `payload`, bound to the surface text `hashed`. `session_key` is fresh, 16 bytes."""
    if len(session_key) != SESSION_KEY_BYTES:
        raise ValueError("a session key has 16 bytes")
    first = key.encrypt(key_header(SESSION_KEY_BYTES, RESERVED_ECB) + session_key, mode)
    body = payload + mode.digest(hashed.encode("utf-16-le"))
    body = _HEADER.pack(mode, len(body), 0, 0) + body
    body += bytes(-len(body) % _BLOCK)
    data = first + _aes_ecb(session_key).encryptor().update(body)
    return (
        f'<ENABLINGBITS type="{mode.seal_type}"><VALUE encoding="base64" size="{len(data) * 8}">'
        f"{base64.b64encode(data).decode()}</VALUE></ENABLINGBITS>"
    )


def key_header(key_bytes: int, reserved: int) -> bytes:
    """KeyHeader for an AES key (2.2.9.1.13.1): sizes in bytes, in spite of the wording (wire facts 3)."""
    flags = _FLAG_AES | (_FLAG_ECB if reserved == RESERVED_ECB else _FLAG_CBC)
    return _KEY_HEADER.pack(_KEY_HEADER.size + key_bytes, reserved, key_bytes, _BLOCK, flags)


@dataclass(frozen=True)
class ContentKey:
    """A content key with its KeyHeader. `payload` is what travels, octet for octet."""

    payload: bytes = field(repr=False)

    @classmethod
    def build(cls, key: bytes, reserved: int) -> ContentKey:
        """A new key of 16 or 32 bytes; `reserved` names the content cipher."""
        if len(key) not in (16, 24, 32) or reserved not in RESERVED_WORDS:
            raise ValueError("not an AES content key")
        return cls(key_header(len(key), reserved) + key)

    @classmethod
    def of_payload(cls, payload: bytes) -> ContentKey:
        """Check the KeyHeader of an opened payload. Raises SealError."""
        if _parse_key_header(payload) is None or len(payload) not in (28, 36, 44):
            raise SealError("the enabling bits could not be opened")
        return cls(payload)

    @property
    def key(self) -> bytes:
        return self.payload[_KEY_HEADER.size :]

    @property
    def reserved(self) -> int:
        """The word that names the content cipher."""
        return int.from_bytes(self.payload[2:4], "little")

    def encrypt_text(self, text: str) -> bytes:
        """Rights data: UTF-16LE, zero padded, AES-ECB whatever the content's cipher (wire facts 4)."""
        data = text.encode("utf-16-le")
        return _aes_ecb(self.key).encryptor().update(data + bytes(-len(data) % _BLOCK))

    def decrypt_text(self, data: bytes) -> str:
        """The inverse; the padding after `</XrML>` is cut, whatever stands in it (wire facts 4). Raises SealError."""
        if len(data) % _BLOCK:
            raise SealError("the rights data could not be decrypted")
        # Unpaired surrogates pass here: in the padding they mean nothing, and in the text `parse` refuses them.
        text = _aes_ecb(self.key).decryptor().update(data).decode("utf-16-le", "surrogatepass")
        head, end, padding = text.partition("</XrML>")
        if not end or len(padding) > _BLOCK // 2:
            raise SealError("the rights data could not be decrypted")
        return head + end


def private_key_of_payload(payload: bytes) -> PrivateKey:
    """The RSA key of a RAC or CLC: a blob at offset 0, or 12 after a KeyHeader (wire facts 3). Raises SealError."""
    for offset in (0, _KEY_HEADER.size):
        if payload[offset : offset + 4] == b"\x07\x02\x00\x00":
            try:
                return PrivateKey.from_capi_blob(payload[offset:])
            except XrmlError:
                break
    raise SealError("the enabling bits could not be opened")


def _parse_key_header(data: bytes) -> tuple[bytes, bool, bool] | None:
    """(key, is DES, sizes in bits) of KeyHeader and key; None where they do not agree."""
    if len(data) <= _KEY_HEADER.size:
        return None
    blob, _reserved, size, _block, _flags = _KEY_HEADER.unpack_from(data)
    key = data[_KEY_HEADER.size :]
    if blob != len(data):
        return None
    if len(key) == 8 and size in (7, 8, 56, 64):
        return key, True, size > 8
    if len(key) in (16, 24, 32) and size in (len(key), len(key) * 8):
        return key, False, size != len(key)
    return None


def _session_key(plain: bytes | None, stand_in: bytes) -> tuple[bytes, bool, bool, bool]:
    parsed = _parse_key_header(plain or b"")
    key, is_des, in_bits = parsed or (stand_in, False, False)
    return key, is_des, in_bits, parsed is not None


def _decrypt_session(key: bytes, is_des: bool, data: bytes) -> bytes:
    """Both ciphers always run, so that a DES header alone takes no other time than an AES one (threat C1)."""
    # Three times the same key makes triple DES single DES; only to tell a well-made DES request from a broken one.
    des = Cipher(TripleDES(key[:_DES_BLOCK] * 3), modes.ECB())  # noqa: S305 - the protocol's
    aes = _aes_ecb(key * 2 if is_des else key)
    by_des = des.decryptor().update(data + bytes(-len(data) % _DES_BLOCK))
    by_aes = aes.decryptor().update(data + bytes(-len(data) % _BLOCK))
    return by_des if is_des else by_aes


def _aes_ecb(key: bytes) -> Cipher[modes.ECB]:
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - the protocol's
