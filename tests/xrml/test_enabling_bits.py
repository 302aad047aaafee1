"""Sealed keys: sizes as genuine ones have them, and one outcome for everything that is wrong with them (threat C1)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml import enabling_bits
from rmsserver.xrml.enabling_bits import (
    RESERVED_CBC_4K,
    RESERVED_CBC_4K_PADDED,
    RESERVED_CBC_512,
    RESERVED_ECB,
    RESERVED_WORDS,
    ContentKey,
    DesSessionKeyError,
    EnablingBits,
    key_header,
    open_enabling_bits,
    private_key_of_payload,
    seal_enabling_bits,
)
from rmsserver.xrml.errors import SealError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.surface import parse
from tests.conformance import conforms
from tests.xrml.hierarchy import SESSION_KEY, STAND_IN, Hierarchy

HASHED = "<ISSUER>é</ISSUER>"
OTHER = "<ISSUER>other</ISSUER>"


def read(text: str) -> EnablingBits:
    return EnablingBits.read(parse(text))


def digest(mode: CryptoMode, text: str) -> bytes:
    new = hashlib.sha1 if mode is CryptoMode.MODE_1 else hashlib.sha256
    return new(text.encode("utf-16-le")).digest()


def aes(key: bytes, data: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(data)


def header_and_hash(mode: CryptoMode, payload: bytes, hashed: str = HASHED, block: int = 16) -> bytes:
    """The second part in the clear, made by hand after [MS-RMPR] 2.2.9.1.13."""
    body = payload + digest(mode, hashed)
    body = struct.pack("<IIII", mode.value, len(body), 0, 0) + body
    return body + bytes(-len(body) % block)


# --- sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key_bytes", "extra"), [(16, (64, 80)), (24, (80, 96)), (32, (80, 96))])
def test_sizes_of_sealed_content_keys(hierarchy: Hierarchy, key_bytes: int, extra: tuple[int, int]) -> None:
    """128 + 64 and 128 + 80 bytes in mode 1, 256 + 80 and 256 + 96 in mode 2 (wire facts 3)."""
    mode, key = hierarchy.mode, hierarchy.keys.slc
    content = ContentKey.build(bytes(key_bytes), RESERVED_ECB)
    bits = read(seal_enabling_bits(content.payload, HASHED, key.public, mode, SESSION_KEY))
    assert len(bits.data) == key.public.bits // 8 + extra[mode.value - 1]
    assert bits.mode is mode
    assert f'size="{len(bits.data) * 8}"' in bits.surface


def test_sizes_of_sealed_private_keys(hierarchy: Hierarchy) -> None:
    """128 + 640 and 256 + 1232 bytes."""
    mode, key = hierarchy.mode, hierarchy.keys.machine
    sealed = seal_enabling_bits(hierarchy.keys.account.to_capi_blob(), HASHED, key.public, mode, SESSION_KEY)
    assert len(read(sealed).data) == {1: 128 + 640, 2: 256 + 1232}[mode.value]


def test_a_mode_1_seal_may_have_a_longer_first_part(hierarchies: dict[CryptoMode, Hierarchy]) -> None:
    """As long as the sealing key's modulus: a mode 1 SPC may have 2048 bits."""
    key = hierarchies[CryptoMode.MODE_2].keys.machine
    sealed = read(seal_enabling_bits(b"payload", HASHED, key.public, CryptoMode.MODE_1, SESSION_KEY))
    assert open_enabling_bits(sealed, key, [HASHED], STAND_IN).payload == b"payload"


@pytest.mark.parametrize("mode", list(CryptoMode))
@pytest.mark.parametrize(
    ("key_bytes", "expected"), [(16, "1c00{}10001000"), (24, "2400{}18001000"), (32, "2c00{}20001000")]
)
def test_the_layout_of_a_key_header(mode: CryptoMode, key_bytes: int, expected: str) -> None:
    """BlobSize, Reserved, sizes in bytes, all little-endian."""
    for reserved in RESERVED_WORDS:
        word = reserved.to_bytes(2, "little").hex()
        assert key_header(key_bytes, reserved)[:8].hex() == expected.format(word)
        assert ContentKey.build(bytes(key_bytes), reserved).reserved == reserved


@conforms(
    "MS-RMPR 2.2.9.1.13",
    "The session key is an AES key of 128 bits; AES keys of other lengths and DES keys are recognised.",
)
@conforms("MS-RMPR 2.2.9.1.13.1", "BlobSize counts header and key, and what has another size does not open.")
@conforms("MS-RMPR 2.2.9.1.13.1", "The reserved word names the cipher.")
@conforms("MS-RMPR 2.2.9.1.13.1", "The size of the key stands in bytes; sizes in bits are read.")
@conforms("MS-RMPR 2.2.9.1.13.1", "The flag of ECB is set in a session key's header.")
@conforms("MS-RMPR 2.2.9.1.13.1", "The flag of CBC is not set in a session key's header.")
@conforms("MS-RMPR 2.2.9.1.13.1", "The flag of AES is set.")
def test_the_header_of_a_session_key_octet_by_octet(hierarchy: Hierarchy) -> None:
    """28 octets in all; ECB; 16 octets of key; blocks of 16; flags of AES and ECB alone. Then the key."""
    key = hierarchy.keys.slc
    bits = read(seal_enabling_bits(b"payload", HASHED, key.public, hierarchy.mode, SESSION_KEY))
    opened = key.decrypt(bits.data[: key.public.bits // 8], hierarchy.mode)
    assert opened == bytes.fromhex("1c00 ffff 1000 1000 01100000") + SESSION_KEY


@conforms("MS-RMPR 2.2.9.1.13.1", "The reserved word names the cipher.")
@conforms("MS-RMPR 2.2.9.1.13.1", "The flag of ECB is not set where the cipher is CBC.")
@pytest.mark.parametrize(
    ("reserved", "expected"),
    [
        (RESERVED_ECB, "2c00 ffff 2000 1000 01100000"),
        (RESERVED_CBC_4K, "2c00 feff 2000 1000 01200000"),
        (RESERVED_CBC_4K_PADDED, "2c00 fdff 2000 1000 01200000"),
        (RESERVED_CBC_512, "2c00 fcff 2000 1000 01200000"),
    ],
)
def test_the_header_of_a_content_key_octet_by_octet(reserved: int, expected: str) -> None:
    """The cipher in the reserved word and in one flag of two."""
    assert ContentKey.build(bytes(32), reserved).payload[:12] == bytes.fromhex(expected)


@conforms("MS-RMPR 2.2.9.1.13", "The reserved words of the header are zero.")
def test_a_seal_can_be_undone_by_hand(hierarchy: Hierarchy) -> None:
    """RSA of KeyHeader and session key, then AES-ECB of header, payload and hash, zero padded."""
    mode, key = hierarchy.mode, hierarchy.keys.slc
    bits = read(seal_enabling_bits(b"the payload", HASHED, key.public, mode, SESSION_KEY))
    size = key.public.bits // 8
    assert key.decrypt(bits.data[:size], mode) == key_header(16, RESERVED_ECB) + SESSION_KEY
    plain = Cipher(algorithms.AES(SESSION_KEY), modes.ECB()).decryptor().update(bits.data[size:])
    assert plain == header_and_hash(mode, b"the payload")


# --- readings that wire facts leave open ---------------------------------------------------------------------------------


def test_which_hashed_text_fitted_is_told(hierarchy: Hierarchy) -> None:
    """For the audit: with or without ENABLINGBITS."""
    mode, key = hierarchy.mode, hierarchy.keys.slc
    bits = read(seal_enabling_bits(b"payload", HASHED, key.public, mode, SESSION_KEY))
    assert open_enabling_bits(bits, key, [HASHED, OTHER], STAND_IN).hash_reading == 0
    assert open_enabling_bits(bits, key, [OTHER, HASHED], STAND_IN).hash_reading == 1


def _sealed(hierarchy: Hierarchy, session_blob: bytes, second: bytes) -> EnablingBits:
    """Bits of a first part of our own and a second part as given."""
    first = hierarchy.keys.slc.public.encrypt(session_blob, hierarchy.mode)
    return EnablingBits(hierarchy.mode, first + second, "")


def test_a_session_key_header_in_bits_is_read_and_told(hierarchy: Hierarchy) -> None:
    """The specification words it so; wire facts say bytes."""
    in_bits = struct.pack("<HHHHI", 28, 0xFFFF, 128, 128, 0x1001) + SESSION_KEY
    second = aes(SESSION_KEY, header_and_hash(hierarchy.mode, b"payload"))
    opened = open_enabling_bits(_sealed(hierarchy, in_bits, second), hierarchy.keys.slc, [HASHED], STAND_IN)
    assert (opened.payload, opened.header_in_bits) == (b"payload", True)


@conforms(
    "MS-RMPR 2.2.9.1.13",
    "The session key is an AES key of 128 bits; AES keys of other lengths and DES keys are recognised.",
)
@conforms("MS-RMPR 2.2.9.1.13.1", "BlobSize counts header and key, and what has another size does not open.")
@conforms("MS-RMPR 2.2.9.1.13.1", "AES keys have 128, 192 or 256 bits, and others do not open.")
@pytest.mark.parametrize(
    ("length", "blob_size", "opens"),
    [
        (16, 28, True),
        (24, 36, True),
        (32, 44, True),
        (16, 29, False),
        (16, 27, False),
        (20, 32, False),
        (40, 52, False),
    ],
)
def test_session_keys_of_every_length(hierarchy: Hierarchy, length: int, blob_size: int, opens: bool) -> None:
    """AES-128, 192 and 256, with the size that they have, in octets or bits."""
    key = (SESSION_KEY * 3)[:length]
    second = aes((SESSION_KEY * 3)[: length if opens else 16], header_and_hash(hierarchy.mode, b"payload"))
    for size in (length, length * 8):
        blob = struct.pack("<HHHHI", blob_size, 0xFFFF, size, 16, 0x1001) + key
        bits = _sealed(hierarchy, blob, second)
        if opens:
            assert open_enabling_bits(bits, hierarchy.keys.slc, [HASHED], STAND_IN).payload == b"payload"
        else:
            with pytest.raises(SealError):
                open_enabling_bits(bits, hierarchy.keys.slc, [HASHED], STAND_IN)


def test_padding_is_not_looked_at(hierarchy: Hierarchy) -> None:
    """dwcbSize says where payload and hash end (wire facts 3)."""
    body = header_and_hash(hierarchy.mode, b"payload")
    used = 16 + len(b"payload") + hierarchy.mode.hash.digest_size
    body = body[:used] + secrets.token_bytes(len(body) - used)
    blob = key_header(16, RESERVED_ECB) + SESSION_KEY
    opened = open_enabling_bits(
        _sealed(hierarchy, blob, aes(SESSION_KEY, body)), hierarchy.keys.slc, [HASHED], STAND_IN
    )
    assert opened.payload == b"payload"
    assert not opened.header_in_bits


def test_a_private_key_after_a_key_header_is_read(hierarchy: Hierarchy) -> None:
    """At offset 0, or 12 (wire facts 3)."""
    key = hierarchy.keys.account
    assert private_key_of_payload(key.to_capi_blob()) == key
    assert private_key_of_payload(bytes(12) + key.to_capi_blob()) == key
    for broken in (b"", bytes(600), bytes(11) + key.to_capi_blob(), key.to_capi_blob()[:-1]):
        with pytest.raises(SealError):
            private_key_of_payload(broken)


# --- one outcome (threat C1) ----------------------------------------------------------------------------------------------


def _raw(key: PrivateKey, block: bytes) -> bytes:
    size = key.public.bits // 8
    return pow(int.from_bytes(block, "big"), 65537, key.public.modulus).to_bytes(size, "big")


def _malformed(hierarchy: Hierarchy) -> dict[str, bytes]:
    """Twenty-two kinds of wrong, the eleven of the threat list among them."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    size = key.public.bits // 8
    blob = key_header(16, RESERVED_ECB) + SESSION_KEY
    first = key.public.encrypt(blob, mode)
    clear = header_and_hash(mode, b"payload")
    second = aes(SESSION_KEY, clear)

    def block(kind: bytes, fill: int) -> bytes:
        return (kind + b"\x11" * fill + b"\0" + blob).ljust(size, b"\x22")

    def with_body(body: bytes) -> bytes:
        return first + aes(SESSION_KEY, body)

    des = struct.pack("<HHHHI", 20, 0xFFFF, 8, 8, 0x1002) + SESSION_KEY[:8]
    bad_header = struct.pack("<HHHHI", 29, 0xFFFF, 16, 16, 0x1001) + SESSION_KEY
    n = key.public.modulus
    return {
        "PKCS#1 kind 1": _raw(key, block(b"\0\1", size - 3 - len(blob))) + second,
        "PKCS#1 without a separator": _raw(key, b"\0\2" + b"\x11" * (size - 2)) + second,
        "PKCS#1 with short padding": _raw(key, block(b"\0\2", 4)) + second,
        "leading byte": _raw(key, b"\1" + bytes(size - 1)) + second,
        "zero": bytes(size) + second,
        "value above the modulus": b"\xff" * size + second,
        "value of the modulus": n.to_bytes(size, "big") + second,
        "too short": first[: size // 2],
        "empty": b"",
        "bad key header": key.public.encrypt(bad_header, mode) + second,
        "no key header": key.public.encrypt(SESSION_KEY, mode) + second,
        "DES without the hash": key.public.encrypt(des, mode) + second,
        "bad hash": with_body(header_and_hash(mode, b"payload", "<ISSUER></ISSUER>")),
        "bad version": with_body(struct.pack("<I", 3 - mode.value) + clear[4:]),
        "bad block count": with_body(clear[:4] + struct.pack("<I", len(clear)) + clear[8:]),
        "huge block count": with_body(clear[:4] + b"\xff\xff\xff\xff" + clear[8:]),
        "no block count": with_body(clear[:4] + bytes(4) + clear[8:]),
        "a block too many": with_body(clear + bytes(16)),
        "half a block": first + second[:-8],
        "no second part": first,
        "one block": first + second[:16],
        "another session key": first + aes(STAND_IN[::-1], clear),
    }


def _trace(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> tuple[list[str], str]:
    """The cryptographic steps `work` took, and its outcome."""
    steps: list[str] = []

    class SpyCipher(Cipher[modes.ECB]):
        def __init__(self, algorithm: algorithms.AES | TripleDES, mode: modes.ECB) -> None:
            steps.append(type(algorithm).__name__)
            super().__init__(algorithm, mode)

    genuine_digest, genuine_decrypt, genuine_compare = CryptoMode.digest, PrivateKey.decrypt, hmac.compare_digest

    def spy_digest(self: CryptoMode, data: bytes) -> bytes:
        steps.append("hash")
        return genuine_digest(self, data)

    def spy_decrypt(self: PrivateKey, data: bytes, mode: CryptoMode) -> bytes | None:
        steps.append(f"RSA {len(data)}")
        return genuine_decrypt(self, data, mode)

    def spy_compare(one: bytes, other: bytes) -> bool:
        steps.append("compare")
        return genuine_compare(one, other)

    with monkeypatch.context() as patch:
        patch.setattr(enabling_bits, "Cipher", SpyCipher)
        patch.setattr(CryptoMode, "digest", spy_digest)
        patch.setattr(PrivateKey, "decrypt", spy_decrypt)
        patch.setattr(hmac, "compare_digest", spy_compare)
        try:
            work()
        except SealError as error:
            return steps, f"{type(error).__name__}: {error}"
        return steps, "opened"


def test_C1_every_malformed_kind_has_one_outcome_and_one_path(
    hierarchy: Hierarchy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same error, the same text, and the same cryptographic steps as bits that open."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    good = read(seal_enabling_bits(b"payload", HASHED, key.public, mode, SESSION_KEY))
    expected, outcome = _trace(monkeypatch, lambda: open_enabling_bits(good, key, [OTHER, HASHED], STAND_IN))
    assert outcome == "opened"
    assert expected == [f"RSA {key.public.bits // 8}", "TripleDES", "AES", *["hash", "compare"] * 2]
    kinds = _malformed(hierarchy)
    assert len(kinds) >= 11
    outcomes = set()
    for name, data in kinds.items():
        bits = EnablingBits(mode, data, "")

        def work(bits: EnablingBits = bits) -> object:
            return open_enabling_bits(bits, key, [OTHER, HASHED], STAND_IN)

        steps, outcome = _trace(monkeypatch, work)
        assert steps == expected, name
        outcomes.add(outcome)
    assert outcomes == {"SealError: the enabling bits could not be opened"}


def test_C1_bits_of_the_other_mode_or_key_have_that_outcome(
    hierarchy: Hierarchy, hierarchies: dict[CryptoMode, Hierarchy]
) -> None:
    """Sealed to another key, or read as the other mode."""
    mode, key = hierarchy.mode, hierarchy.keys.slc
    bits = read(seal_enabling_bits(b"payload", HASHED, key.public, mode, SESSION_KEY))
    other = next(m for m in CryptoMode if m is not mode)
    for found, used in (
        (bits, hierarchy.keys.account),
        (bits, hierarchies[other].keys.slc),
        (EnablingBits(other, bits.data, ""), key),
    ):
        with pytest.raises(SealError, match=r"^the enabling bits could not be opened$"):
            open_enabling_bits(found, used, [HASHED], STAND_IN)
    with pytest.raises(SealError, match=r"^the enabling bits could not be opened$"):
        open_enabling_bits(bits, key, [], STAND_IN)


@conforms(
    "MS-RMPR 2.2.9.1.13",
    "The session key is an AES key of 128 bits; AES keys of other lengths and DES keys are recognised.",
)
@conforms("MS-RMPR 2.2.9.1.13.1", "A DES key is recognised by a size of 56.")
@pytest.mark.parametrize("size", [8, 7, 64, 56])
def test_L11_a_des_key_has_a_name_of_its_own_only_where_the_hash_matches(hierarchy: Hierarchy, size: int) -> None:
    """Rulings 15; the second part is then padded to blocks of eight."""
    des_key = SESSION_KEY[:8]
    blob = struct.pack("<HHHHI", 20, 0xFFFF, size, 8, 0x1002) + des_key
    encryptor = Cipher(TripleDES(des_key * 3), modes.ECB()).encryptor()
    second = encryptor.update(header_and_hash(hierarchy.mode, b"payload", block=8))
    bits = _sealed(hierarchy, blob, second)
    with pytest.raises(DesSessionKeyError):
        open_enabling_bits(bits, hierarchy.keys.slc, [HASHED], STAND_IN)
    with pytest.raises(SealError) as caught:
        open_enabling_bits(bits, hierarchy.keys.slc, [OTHER], STAND_IN)
    assert type(caught.value) is SealError


@given(st.binary(max_size=400))
def test_C1_random_bits_never_open(mode1: Hierarchy, data: bytes) -> None:
    """And raise nothing but SealError."""
    with pytest.raises(SealError):
        open_enabling_bits(EnablingBits(CryptoMode.MODE_1, data, ""), mode1.keys.slc, [HASHED], STAND_IN)


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_C1_random_bits_behind_a_good_first_part_never_open(mode1: Hierarchy, blob: bytes, second: bytes) -> None:
    """Whatever the session key's blob and the rest are."""
    with pytest.raises(SealError):
        open_enabling_bits(_sealed(mode1, blob, second), mode1.keys.slc, [HASHED], STAND_IN)


@given(st.binary(max_size=100), st.sampled_from(list(CryptoMode)))
def test_what_is_sealed_opens_octet_for_octet(
    hierarchies: dict[CryptoMode, Hierarchy], payload: bytes, mode: CryptoMode
) -> None:
    """Any payload but the empty one, whose size field is not above the hash's."""
    key = hierarchies[mode].keys.slc
    bits = read(seal_enabling_bits(b"x" + payload, HASHED, key.public, mode, SESSION_KEY))
    assert open_enabling_bits(bits, key, [HASHED], STAND_IN).payload == b"x" + payload


# --- the element -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '<ENABLINGBITS><VALUE encoding="base64" size="8">QQ==</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key-v3"><VALUE encoding="base64" size="8">QQ==</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"><VALUE encoding="hex" size="8">41</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"><VALUE encoding="base64" size="16">QQ==</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"><VALUE encoding="base64">QQ==</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"><VALUE encoding="base64" size="8">QR==</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"><VALUE encoding="base64" size="8">QQ==\n</VALUE></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"><VALUE encoding="base64" size="8">QQ==</VALUE><X /></ENABLINGBITS>',
        '<ENABLINGBITS type="sealed-key"></ENABLINGBITS>',
    ],
)
def test_XW10_an_element_of_another_form_is_refused(text: str) -> None:
    """Type, encoding, size and base64 to the letter."""
    with pytest.raises(XrmlSyntaxError):
        read(text)


def test_an_element_too_large_is_refused() -> None:
    """Nothing genuine has more than 4096 bytes."""

    def element(size: int) -> str:
        data = base64.b64encode(bytes(size)).decode()
        return (
            f'<ENABLINGBITS type="sealed-key"><VALUE encoding="base64" size="{size * 8}">{data}</VALUE></ENABLINGBITS>'
        )

    assert len(read(element(4096)).data) == 4096
    with pytest.raises(XrmlSyntaxError):
        read(element(4097))


# --- content keys and rights data ------------------------------------------------------------------------------------------


@given(st.binary(max_size=48))
def test_only_a_key_header_and_key_are_a_content_key(payload: bytes) -> None:
    """Anything else is a SealError."""
    for data in (payload, key_header(16, RESERVED_CBC_4K)[:12] + payload):
        try:
            content = ContentKey.of_payload(data)
        except SealError:
            continue
        assert content.payload == data
        assert len(content.key) in (16, 24, 32)


@given(st.text())
def test_rights_data_comes_back(text: str) -> None:
    """Any text up to `</XrML>`."""
    key = ContentKey.build(bytes(32), RESERVED_CBC_4K)
    try:
        document = f"<XrML>{text}</XrML>"
        data = key.encrypt_text(document)
    except UnicodeEncodeError:
        return
    assert len(data) % 16 == 0
    if "</XrML>" not in text:
        assert key.decrypt_text(data) == document


@pytest.mark.parametrize("padding", ["", "\0" * 7, "\x10" * 3, "\ud800", "</XrML>"[:5]])
def test_what_stands_in_the_padding_is_cut(padding: str) -> None:
    """Wire facts 4: cut after `</XrML>`."""
    key = ContentKey.build(bytes(16), RESERVED_ECB)
    data = ("<XrML>één</XrML>" + padding).encode("utf-16-le", "surrogatepass")
    assert key.decrypt_text(aes(bytes(16), data + bytes(-len(data) % 16))) == "<XrML>één</XrML>"


@given(st.binary(max_size=300))
def test_L12_random_rights_data_is_an_xrml_error(data: bytes) -> None:
    """Never another exception, never a text."""
    with pytest.raises(XrmlError):
        ContentKey.build(bytes(16), RESERVED_ECB).decrypt_text(data)


def test_L12_blocks_after_the_end_are_refused() -> None:
    """More than padding may not follow."""
    key = ContentKey.build(bytes(16), RESERVED_ECB)
    data = key.encrypt_text("<XrML></XrML>")
    with pytest.raises(SealError):
        key.decrypt_text(data + data)
    with pytest.raises(SealError):
        key.decrypt_text(data[:-1])
    with pytest.raises(SealError):
        key.decrypt_text(b"")


@pytest.mark.parametrize(("key", "reserved"), [(b"", RESERVED_ECB), (bytes(8), RESERVED_ECB), (bytes(16), 0)])
def test_only_aes_content_keys_are_built(key: bytes, reserved: int) -> None:
    """A mistake of the caller, not of a document."""
    with pytest.raises(ValueError, match="AES"):
        ContentKey.build(key, reserved)


def test_keys_are_not_shown(mode1: Hierarchy) -> None:
    """Neither content keys nor opened payloads in a repr."""
    assert "01" not in repr(mode1.content_key)
    bits = read(seal_enabling_bits(b"payload", HASHED, mode1.keys.slc.public, mode1.mode, SESSION_KEY))
    assert "payload=" not in repr(open_enabling_bits(bits, mode1.keys.slc, [HASHED], STAND_IN))
