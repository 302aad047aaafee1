"""RSA keys as the protocol writes them, and the cryptographic modes ([MS-RMPR] 2.2.9.1.6, 3.1.4.7).

Private keys are held as `cryptography` objects inside `PrivateKey`, whose `repr` shows nothing; a hardware module later
is another class with the same three methods.
"""

from __future__ import annotations

import base64
import binascii
import enum
import functools
import hashlib
import itertools
import math
import struct
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from rmsserver.xrml.errors import SignatureError, UnsupportedCryptographyError, XrmlSyntaxError

EXPONENT = 65537
_KEY_BITS = (1024, 2048, 3072, 4096)


class KeyId(bytes):
    """SHA-256 over size and modulus: what keys are compared and looked up by."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"KeyId({self.hex()[:16]})"


class CryptoMode(enum.IntEnum):
    """The two modes of [MS-RMPR] 3.1.4.7."""

    MODE_1 = 1
    MODE_2 = 2

    @property
    def rsa_bits(self) -> int:
        """The key length of SLC, RAC and CLC."""
        return 1024 if self is CryptoMode.MODE_1 else 2048

    @property
    def hash_name(self) -> str:
        """As it stands in DIGEST/ALGORITHM (wire facts 2)."""
        return "SHA1" if self is CryptoMode.MODE_1 else "SHA256"

    @property
    def seal_type(self) -> str:
        """The type attribute of ENABLINGBITS."""
        return "sealed-key" if self is CryptoMode.MODE_1 else "sealed-key-v2"

    def digest(self, data: bytes) -> bytes:
        # SHA-1 is what mode 1 is; nothing here relies on its collision resistance beyond what the protocol does.
        return (
            hashlib.sha1(data, usedforsecurity=False) if self is CryptoMode.MODE_1 else hashlib.sha256(data)
        ).digest()

    @property
    def hash(self) -> hashes.HashAlgorithm:
        return hashes.SHA1() if self is CryptoMode.MODE_1 else hashes.SHA256()  # noqa: S303 - mode 1 is SHA-1

    @classmethod
    def of_key_bits(cls, bits: int) -> CryptoMode:
        """The mode a cluster key of this length belongs to. Raises UnsupportedCryptographyError."""
        if bits not in (1024, 2048):
            raise UnsupportedCryptographyError("keys have 1024 or 2048 bits")
        return cls.MODE_1 if bits == 1024 else cls.MODE_2

    @classmethod
    def of_hash(cls, name: str) -> CryptoMode:
        """The mode that uses this hash. Raises UnsupportedCryptographyError."""
        for mode in cls:
            if mode.hash_name == name:
                return mode
        raise UnsupportedCryptographyError("the hash algorithm is neither SHA1 nor SHA256")


@dataclass(frozen=True)
class PublicKey:
    """An RSA public key: modulus as a number, length in bits; the exponent is always 65537."""

    modulus: int
    bits: int

    @classmethod
    @functools.lru_cache(maxsize=4096)
    def from_wire(cls, modulus_base64: str, size: str, exponent: str) -> PublicKey:
        """Read the texts of a PUBLICKEY element: little-endian modulus, sizes that agree, exponent 65537.

        Raises XrmlSyntaxError.
        """
        if exponent != "65537":
            raise XrmlSyntaxError("the public exponent is not 65537")
        data = decode_base64(modulus_base64, size)
        bits = len(data) * 8
        if bits not in _KEY_BITS:
            raise XrmlSyntaxError("the modulus has an unsupported length")
        modulus = int.from_bytes(data, "little")
        if modulus.bit_length() != bits or modulus % 2 == 0:
            raise XrmlSyntaxError("the modulus is not one of an RSA key")
        return cls(modulus, bits)

    @classmethod
    def from_pkcs1(cls, der: bytes) -> PublicKey:
        """Read an RSAPublicKey of PKCS#1 in DER, in its one spelling; exponent 65537.

        Raises XrmlSyntaxError.
        """
        try:
            key = serialization.load_der_public_key(der)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise XrmlSyntaxError("not a public key of PKCS#1") from None
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in _KEY_BITS:
            raise XrmlSyntaxError("not an RSA key of a length in use")
        public = cls(key.public_numbers().n, key.key_size)
        if public.pkcs1_der != der:
            raise XrmlSyntaxError("not the DER of an RSA key with exponent 65537")
        return public

    @functools.cached_property
    def id(self) -> KeyId:
        return KeyId(hashlib.sha256(struct.pack(">I", self.bits) + self.modulus.to_bytes(self.bits // 8)).digest())

    @functools.cached_property
    def modulus_base64(self) -> str:
        return base64.b64encode(self.modulus.to_bytes(self.bits // 8, "little")).decode()

    @functools.cached_property
    def rsa(self) -> rsa.RSAPublicKey:
        return rsa.RSAPublicNumbers(EXPONENT, self.modulus).public_key()

    @functools.cached_property
    def pkcs1_der(self) -> bytes:
        return self.rsa.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)

    def verify(self, signature: bytes, data: bytes, mode: CryptoMode) -> None:
        """PKCS#1 v1.5 over the DigestInfo of the mode's hash; the signature is exactly as long as the key.

        Raises SignatureError.
        """
        if len(signature) * 8 != self.bits:
            raise SignatureError("the signature is not as long as the key")
        try:
            self.rsa.verify(signature, data, padding.PKCS1v15(), mode.hash)
        except InvalidSignature:
            raise SignatureError("the signature does not match the key") from None

    def encrypt(self, data: bytes, mode: CryptoMode) -> bytes:
        """Seal a few bytes: PKCS#1 v1.5 in mode 1, OAEP (SHA-1) in mode 2; big-endian, as long as the modulus."""
        return self.rsa.encrypt(data, _encryption_padding(mode))

    def check_strength(self) -> None:
        """Refuse keys that others can factor: too short, ROCA, primes too close (threat C8).

        Raises UnsupportedCryptographyError.
        """
        if self.bits < 1024 or self.modulus.bit_length() != self.bits or self.modulus % 2 == 0:
            raise UnsupportedCryptographyError("the public key is not acceptable")
        if _has_small_factor(self.modulus) or _looks_like_roca(self.modulus) or _is_fermat_close(self.modulus):
            raise UnsupportedCryptographyError("the public key is weak")


@dataclass(frozen=True)
class PrivateKey:
    """An RSA private key. Sign, decrypt, and export for sealing into a certificate; nothing else."""

    public: PublicKey
    _key: rsa.RSAPrivateKey = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: rsa.RSAPrivateKey) -> PrivateKey:
        numbers = key.public_key().public_numbers()
        if numbers.e != EXPONENT or key.key_size not in _KEY_BITS:
            raise UnsupportedCryptographyError("the key has another length or exponent than the protocol's")
        return cls(PublicKey(numbers.n, key.key_size), key)

    @classmethod
    def generate(cls, bits: int) -> PrivateKey:
        """A fresh key pair. The one place where keys are made; callers outside the engine use a key pool."""
        return cls.of(rsa.generate_private_key(EXPONENT, bits))

    @classmethod
    def from_der(cls, der: bytes) -> PrivateKey:
        """PKCS#8 DER that this project wrote itself; skips the slow primality check of foreign keys.

        Raises XrmlSyntaxError or UnsupportedCryptographyError.
        """
        try:
            key = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
        except (ValueError, TypeError):
            raise XrmlSyntaxError("not a private key") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise UnsupportedCryptographyError("not an RSA key")
        return cls.of(key)

    def to_der(self) -> bytes:
        """PKCS#8 DER, for wrapping. Never written in the clear."""
        return self._key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def sign(self, data: bytes, mode: CryptoMode) -> bytes:
        """PKCS#1 v1.5 with DigestInfo, big-endian, as long as the key."""
        return self._key.sign(data, padding.PKCS1v15(), mode.hash)

    def decrypt(self, data: bytes, mode: CryptoMode) -> bytes | None:
        """Undo `PublicKey.encrypt`; None where the padding is wrong.

        In mode 1 OpenSSL's implicit rejection answers wrong padding with random bytes instead (threat C2); callers
        must treat both alike.
        """
        if len(data) * 8 != self.public.bits:
            return None
        try:
            return self._key.decrypt(data, _encryption_padding(mode))
        except ValueError:
            return None

    def to_capi_blob(self) -> bytes:
        """PRIVATEKEYBLOB: 596 bytes for 1024 bits, 1172 for 2048 (wire facts 3)."""
        numbers = self._key.private_numbers()
        size, half = self.public.bits // 8, self.public.bits // 16
        halves = (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
        return (
            _CAPI_HEADER
            + struct.pack("<4sII", b"RSA2", self.public.bits, EXPONENT)
            + self.public.modulus.to_bytes(size, "little")
            + b"".join(value.to_bytes(half, "little") for value in halves)
            + numbers.d.to_bytes(size, "little")
        )

    @classmethod
    def from_capi_blob(cls, blob: bytes) -> PrivateKey:
        """The inverse of `to_capi_blob`; trailing bytes are refused.

        Raises XrmlSyntaxError or UnsupportedCryptographyError.
        """
        if len(blob) < 20 or blob[:4] != _CAPI_HEADER[:4] or blob[8:12] != b"RSA2":
            raise XrmlSyntaxError("not a private key blob")
        bits, exponent = struct.unpack_from("<II", blob, 12)
        if bits not in _KEY_BITS or exponent != EXPONENT or len(blob) != 20 + bits // 16 * 9:
            raise XrmlSyntaxError("not a private key blob")
        sizes = [bits // 8, *[bits // 16] * 5, bits // 8]
        ends = list(itertools.accumulate(sizes, initial=20))
        n, p, q, dp, dq, iq, d = (int.from_bytes(blob[start:end], "little") for start, end in itertools.pairwise(ends))
        try:
            return cls.of(rsa.RSAPrivateNumbers(p, q, d, dp, dq, iq, rsa.RSAPublicNumbers(exponent, n)).private_key())
        except ValueError:
            raise XrmlSyntaxError("not a private key blob") from None


_CAPI_HEADER = struct.pack("<BBHI", 7, 2, 0, 0x00002400)
"""PRIVATEKEYBLOB, version 2, CALG_RSA_SIGN, in RACs and CLCs alike."""


def _encryption_padding(mode: CryptoMode) -> padding.AsymmetricPadding:
    if mode is CryptoMode.MODE_1:
        return padding.PKCS1v15()
    sha1 = hashes.SHA1()  # noqa: S303 - what mode 2 clients use inside OAEP (wire facts 3)
    return padding.OAEP(padding.MGF1(sha1), sha1, None)


def decode_base64(text: str, size: str | None) -> bytes:
    """Strict base64 without blanks or line breaks, in its one canonical spelling (threat XW9: no two texts, one value);
    `size` is the attribute that gives the length in bits.

    Raises XrmlSyntaxError.
    """
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise XrmlSyntaxError("not base64") from None
    if binascii.b2a_base64(data, newline=False) != text.encode():
        raise XrmlSyntaxError("not the canonical base64 of its data")
    if size is not None and size != str(len(data) * 8):
        raise XrmlSyntaxError("the size attribute does not agree with the data")
    return data


# --- weak keys (threat C8) ---------------------------------------------------------------------------------------------


_SMALL_PRIMES = [n for n in range(2, 1000) if all(n % d for d in range(2, math.isqrt(n) + 1))]
_SMALL_PRODUCT = math.prod(_SMALL_PRIMES)
_ROCA_PRIMES = [p for p in _SMALL_PRIMES if 2 < p <= 167]
_ROCA_RESIDUES = {p: frozenset(pow(65537, k, p) for k in range(p)) for p in _ROCA_PRIMES}


def _has_small_factor(modulus: int) -> bool:
    return math.gcd(modulus, _SMALL_PRODUCT) != 1


def _looks_like_roca(modulus: int) -> bool:
    """CVE-2017-15361: the modulus is a power of 65537 modulo every small prime."""
    return all(modulus % p in _ROCA_RESIDUES[p] for p in _ROCA_PRIMES)


def _is_fermat_close(modulus: int, rounds: int = 100) -> bool:
    """True where Fermat's method factors the modulus in a few rounds: its primes are too close."""
    a = math.isqrt(modulus - 1) + 1  # the root rounded up, so that the square of a prime is found at once
    for _ in range(rounds):
        rest = a * a - modulus
        root = math.isqrt(rest)
        if root * root == rest:
            return True
        a += 1
    return False
