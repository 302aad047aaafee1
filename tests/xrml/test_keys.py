"""RSA keys on the wire, and keys too weak to be used (threat C8)."""

from __future__ import annotations

import base64
import hashlib
import math
import struct

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml.errors import SignatureError, UnsupportedCryptographyError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.keys import EXPONENT, CryptoMode, KeyId, PrivateKey, PublicKey, decode_base64
from tests.conformance import conforms
from tests.xrml.hierarchy import Hierarchy


def little_endian(modulus: int, bits: int) -> str:
    return base64.b64encode(modulus.to_bytes(bits // 8, "little")).decode()


def test_the_modulus_is_little_endian(mode1: Hierarchy) -> None:
    """Wire facts 2; the size is in bits."""
    key = mode1.keys.slc.public
    assert key.modulus_base64 == little_endian(key.modulus, 1024)
    assert PublicKey.from_wire(key.modulus_base64, "1024", "65537") == key
    data = base64.b64decode(key.modulus_base64)
    assert data[0] == key.modulus & 0xFF
    assert data[-1] & 0x80


def test_key_ids_tell_keys_apart(mode1: Hierarchy) -> None:
    """SHA-256 over size and modulus; its repr is short."""
    one, other = mode1.keys.slc.public, mode1.keys.account.public
    assert one.id != other.id
    expected = hashlib.sha256(struct.pack(">I", 1024) + one.modulus.to_bytes(128, "big")).digest()
    assert one.id == KeyId(expected)
    assert len(repr(one.id)) < 32


@conforms(
    "MS-RMPR 2.2.9.1.6",
    "The key's length stands in bits, and other lengths than those of RSA keys in use are refused.",
)
@pytest.mark.parametrize("bits", [512, 768, 1016, 1032, 1536, 8192])
def test_C8_other_lengths_are_refused(bits: int) -> None:
    """512 bits and what is not of the protocol."""
    modulus = (1 << (bits - 1)) | 1
    with pytest.raises(XrmlSyntaxError):
        PublicKey.from_wire(little_endian(modulus, bits), str(bits), "65537")


@conforms("MS-RMPR 2.2.9.1.6", "The modulus is that of the RSA key, and what cannot be a modulus is refused.")
@pytest.mark.parametrize("modulus", [0, 1, (1 << 1023) | 2, (1 << 1022) | 1, 1 << 1023])
def test_C8_even_or_short_moduli_are_refused(modulus: int) -> None:
    """Also with a leading zero byte or bit."""
    with pytest.raises(XrmlSyntaxError):
        PublicKey.from_wire(little_endian(modulus, 1024), "1024", "65537")


@pytest.mark.parametrize("exponent", ["1", "3", "17", "65539", "0x10001", "65537 "])
def test_C8_other_exponents_are_refused(mode1: Hierarchy, exponent: str) -> None:
    """On the wire."""
    with pytest.raises(XrmlSyntaxError):
        PublicKey.from_wire(mode1.keys.slc.public.modulus_base64, "1024", exponent)


def test_C8_a_private_key_with_another_exponent_or_length_is_refused() -> None:
    """In imports."""
    with pytest.raises(UnsupportedCryptographyError):
        PrivateKey.of(rsa.generate_private_key(3, 1024))
    with pytest.raises(UnsupportedCryptographyError):
        PrivateKey.of(rsa.generate_private_key(65537, 1032))


def _prime_near(number: int) -> int:
    number |= 1
    while pow(2, number - 1, number) != 1 or any(number % p == 0 for p in (3, 5, 7, 11, 13)):
        number += 2
    return number


def _weak(modulus: int) -> None:
    key = PublicKey(modulus, 1024)
    assert modulus.bit_length() == 1024
    with pytest.raises(UnsupportedCryptographyError):
        key.check_strength()


def test_C8_a_small_factor_is_weak() -> None:
    """A factor below a thousand."""
    _weak(997 * _prime_near((3 << 1022) // 997))


def test_C8_primes_too_close_are_weak() -> None:
    """Fermat's method finds them; also the square of one prime."""
    p = _prime_near(math.isqrt(3 << 1022))
    q = _prime_near(p + 2**200)
    _weak(p * q)
    _weak(p * p)


def test_C8_a_roca_key_is_weak() -> None:
    """Primes of the form k * M + 65537^a mod M, as CVE-2017-15361 has them: M the product of 71 primes, 512 bits."""
    primes = [n for n in range(2, 360) if all(n % d for d in range(2, math.isqrt(n) + 1))][:71]
    m = math.prod(primes)
    found: list[int] = []
    exponent = 12345
    while len(found) < 2:
        base, start = pow(65537, exponent, m), (3 << 510) // m
        for k in range(start, start + 4000):
            candidate = k * m + base
            if pow(2, candidate - 1, candidate) == 1:
                found.append(candidate)
                exponent += 987654321
                break
        else:
            exponent += 1
    _weak(found[0] * found[1])


def test_ordinary_keys_are_strong(hierarchy: Hierarchy) -> None:
    """No false alarm."""
    for key in (hierarchy.keys.root, hierarchy.keys.slc, hierarchy.keys.machine, hierarchy.keys.account):
        key.public.check_strength()


# --- signatures (threat C5) --------------------------------------------------------------------------------------------


DATA = b"what is signed"
_DIGEST_INFO = {
    CryptoMode.MODE_1: bytes.fromhex("3021300906052b0e03021a05000414"),
    CryptoMode.MODE_2: bytes.fromhex("3031300d060960864801650304020105000420"),
}
_NO_NULL = {
    CryptoMode.MODE_1: bytes.fromhex("301f300706052b0e03021a0414"),
    CryptoMode.MODE_2: bytes.fromhex("302f300b0609608648016503040201" + "0420"),
}


def _raw(key: PrivateKey, block: bytes) -> bytes:
    """RSA without padding rules: what a lax signer could make."""
    numbers = key._key.private_numbers()
    size = key.public.bits // 8
    return pow(int.from_bytes(block, "big"), numbers.d, key.public.modulus).to_bytes(size, "big")


def _padded(
    key: PrivateKey, info: bytes, *, trailing: bytes = b"", kind: bytes = b"\0\1", fill: bytes = b"\xff"
) -> bytes:
    size = key.public.bits // 8
    room = size - len(info) - len(trailing) - 3
    return kind + fill * room + b"\0" + info + trailing


def test_the_handmade_signature_is_the_genuine_one(hierarchy: Hierarchy) -> None:
    """So that what is refused below is refused for the one thing that differs."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    made = _raw(key, _padded(key, _DIGEST_INFO[mode] + mode.digest(DATA)))
    assert made == key.sign(DATA, mode)
    key.public.verify(made, DATA, mode)


@pytest.mark.parametrize(
    "flaw", ["trailing", "missing NULL", "short padding", "zeros", "kind 2", "bare hash", "no hash"]
)
def test_C5_lax_padding_is_refused(hierarchy: Hierarchy, flaw: str) -> None:
    """Every shape but the exact DigestInfo behind full padding."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    digest, size = mode.digest(DATA), key.public.bits // 8
    info = _DIGEST_INFO[mode] + digest
    block = {
        "trailing": _padded(key, info, trailing=b"x" * 16),
        "missing NULL": _padded(key, _NO_NULL[mode] + digest),
        "short padding": (b"\0\1" + b"\xff" * 8 + b"\0" + info).ljust(size, b"\0"),
        "zeros": _padded(key, info, fill=b"\0"),
        "kind 2": _padded(key, info, kind=b"\0\2"),
        "bare hash": _padded(key, digest),
        "no hash": _padded(key, b""),
    }[flaw]
    with pytest.raises(SignatureError):
        key.public.verify(_raw(key, block), DATA, mode)


@conforms("MS-RMPR 2.2.9.1.12", "A signature of another length than the issuer's public key is refused.")
def test_C5_a_signature_of_another_length_is_refused(hierarchy: Hierarchy) -> None:
    """A byte more or less, a leading zero, nothing, and the value plus the modulus."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    good = key.sign(DATA, mode)
    more = int.from_bytes(good, "big") + key.public.modulus
    for bad in (b"", good[1:], good[:-1], b"\0" + good, good + b"\0", more.to_bytes(len(good) + 1, "big")):
        with pytest.raises(SignatureError):
            key.public.verify(bad, DATA, mode)


def test_C5_another_hash_data_or_key_is_refused(hierarchy: Hierarchy) -> None:
    """Also byte order reversed, all zeros and all ones."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    good = key.sign(DATA, mode)
    other_mode = CryptoMode.MODE_1 if mode is CryptoMode.MODE_2 else CryptoMode.MODE_2
    for value, data, used in (
        (good, DATA + b"x", mode),
        (good, DATA, other_mode),
        (good[::-1], DATA, mode),
        (bytes(len(good)), DATA, mode),
        (b"\xff" * len(good), DATA, mode),
    ):
        with pytest.raises(SignatureError):
            key.public.verify(value, data, used)
    with pytest.raises(SignatureError):
        hierarchy.keys.account.public.verify(good, DATA, mode)


# --- private key blobs -------------------------------------------------------------------------------------------------


def test_the_layout_of_a_private_key_blob(hierarchy: Hierarchy) -> None:
    """PRIVATEKEYBLOB, CALG_RSA_SIGN, "RSA2", then n p q dp dq iq d, little-endian (wire facts 3)."""
    key = hierarchy.keys.account
    blob, bits = key.to_capi_blob(), key.public.bits
    assert len(blob) == {1024: 596, 2048: 1172}[bits]
    assert blob[:12] == bytes.fromhex("0702000000240000") + b"RSA2"
    assert struct.unpack_from("<II", blob, 12) == (bits, EXPONENT)
    numbers = key._key.private_numbers()
    at = 20
    for value, length in (
        (numbers.public_numbers.n, bits // 8),
        (numbers.p, bits // 16),
        (numbers.q, bits // 16),
        (numbers.dmp1, bits // 16),
        (numbers.dmq1, bits // 16),
        (numbers.iqmp, bits // 16),
        (numbers.d, bits // 8),
    ):
        assert int.from_bytes(blob[at : at + length], "little") == value
        at += length
    assert at == len(blob)


def test_a_private_key_blob_reads_back(hierarchy: Hierarchy) -> None:
    """Also with the algorithm identifier of key exchange, which other makers write."""
    key = hierarchy.keys.account
    blob = key.to_capi_blob()
    for found in (blob, blob[:5] + b"\xa4" + blob[6:]):
        again = PrivateKey.from_capi_blob(found)
        assert again == key
        again.public.verify(again.sign(DATA, hierarchy.mode), DATA, hierarchy.mode)


@given(st.data())
def test_a_spoilt_private_key_blob_is_an_xrml_error(mode1: Hierarchy, data: st.DataObject) -> None:
    """Never another exception, whatever is changed in it."""
    blob = bytearray(mode1.keys.account.to_capi_blob())
    at = data.draw(st.integers(0, len(blob) - 1))
    length = data.draw(st.sampled_from([1, 2, 64, 128]))
    fill = data.draw(st.sampled_from([b"\0", b"\xff", b"\1"]) | st.binary(min_size=1, max_size=1))
    blob[at : at + length] = fill * len(blob[at : at + length])
    cut = data.draw(st.sampled_from([len(blob), len(blob) - 1, 20, 19, 4, 0]))
    try:
        PrivateKey.from_capi_blob(bytes(blob[:cut]))
    except XrmlError:
        return
    assert cut == len(blob)


@given(st.binary(max_size=64))
def test_what_is_no_der_is_an_xrml_error(der: bytes) -> None:
    with pytest.raises(XrmlError):
        PrivateKey.from_der(der)


def test_der_reads_back(mode1: Hierarchy) -> None:
    assert PrivateKey.from_der(mode1.keys.slc.to_der()) == mode1.keys.slc


def test_a_private_key_shows_nothing_of_itself(mode1: Hierarchy) -> None:
    """Its repr names the public half alone."""
    private = mode1.keys.slc._key.private_numbers()
    assert str(private.d) not in repr(mode1.keys.slc)
    assert str(private.p) not in repr(mode1.keys.slc)


# --- modes and base64 --------------------------------------------------------------------------------------------------


def test_modes_have_their_sizes_and_names() -> None:
    """[MS-RMPR] 3.1.4.7."""
    assert [(m.rsa_bits, m.hash_name, m.seal_type) for m in CryptoMode] == [
        (1024, "SHA1", "sealed-key"),
        (2048, "SHA256", "sealed-key-v2"),
    ]
    assert [CryptoMode.of_key_bits(bits) for bits in (1024, 2048)] == list(CryptoMode)


@pytest.mark.parametrize("name", ["", "sha1", "SHA-1", "MD5", "SHA512", "SHA1 "])
def test_other_hashes_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedCryptographyError):
        CryptoMode.of_hash(name)


@pytest.mark.parametrize("bits", [0, 512, 4096])
def test_other_cluster_keys_are_refused(bits: int) -> None:
    with pytest.raises(UnsupportedCryptographyError):
        CryptoMode.of_key_bits(bits)


@given(st.binary(max_size=200))
def test_base64_has_one_spelling(data: bytes) -> None:
    """Whatever decodes is what encoding would have written."""
    assert decode_base64(base64.b64encode(data).decode(), str(len(data) * 8)) == data


@given(st.text(alphabet="AQRZgw==+/ \n\r-_é\ud800", max_size=12))
def test_XW10_other_spellings_are_refused(text: str) -> None:
    """Only XrmlSyntaxError, and only canonical text is accepted."""
    try:
        data = decode_base64(text, None)
    except XrmlSyntaxError:
        return
    assert base64.b64encode(data).decode() == text


def test_a_public_key_of_pkcs1_has_one_spelling() -> None:
    """As servers send theirs when they enroll ([MS-RMPRS] 3.3.4.1.3.2); other structures and exponents are refused."""
    public = PrivateKey.generate(1024).public
    assert PublicKey.from_pkcs1(public.pkcs1_der) == public
    spki = public.rsa.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    small = rsa.RSAPublicNumbers(3, public.modulus).public_key()
    cubic = small.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    for wrong in (b"", spki, cubic, public.pkcs1_der + b"\0", public.pkcs1_der[:-1]):
        with pytest.raises(XrmlSyntaxError):
            PublicKey.from_pkcs1(wrong)
