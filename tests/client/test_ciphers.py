"""Content ciphers: fixed vectors made with the openssl command line, and properties over sizes and
batches."""

from __future__ import annotations

import hashlib
import io
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmsserver.client.ciphers import (
    BATCH_BYTES,
    ContentCipher,
    DecryptedContent,
    UnitCodec,
    decrypt_stream,
    encrypt_stream,
)
from rmsserver.client.errors import ContentError

C = ContentCipher

# `openssl enc -aes-{128,256}-{ecb,cbc} -nopad` for each unit, with the IV from `-ecb` over the counter
# block; the last unit of CBC4K without `-nopad`. Key 00 01 02 .., plain text byte i = 7 i mod 251; first 16
# bytes of the SHA-256.
VECTORS = [
    (C.ECB, 16, 0, "e3b0c44298fc1c149afbf4c8996fb924"),
    (C.ECB, 16, 20, "36b19ba1468e7f927a2d71923333bca9"),
    (C.ECB, 16, 4096, "b6d8b629e2817e6c75b03afe46f99769"),
    (C.ECB, 16, 8205, "ecf0ce5c9979e02d8ceb602226a84132"),
    (C.CBC4K_NO_PADDING, 16, 20, "2889f83dc8867cdc9935c9d4f3d3052e"),
    (C.CBC4K_NO_PADDING, 16, 4096, "364052e35a78048009911e5b0ab51e4f"),
    (C.CBC4K_NO_PADDING, 16, 8205, "895e87ea91e11b6a011967981396320f"),
    (C.CBC4K, 16, 0, "a1cb64ffe73285d8bc82310fda0d7bb9"),
    (C.CBC4K, 16, 20, "998df82ef4abe3ae6077925447c19a3f"),
    (C.CBC4K, 16, 4096, "39561473e85d6dca67cb8830e63ed3f6"),
    (C.CBC4K, 16, 8205, "7cb2bfaccac0d5df471bd4bfaee1e9a6"),
    (C.CBC512_NO_PADDING, 16, 20, "2889f83dc8867cdc9935c9d4f3d3052e"),
    (C.CBC512_NO_PADDING, 16, 4096, "6188d8e71afaae616307612c655304b6"),
    (C.CBC512_NO_PADDING, 16, 8205, "dffca5eeecd1f516cff531d2467da099"),
    (C.ECB, 32, 20, "6471c12078017ba5d60fe365adf86f5f"),
    (C.ECB, 32, 8205, "b129f98a0644321639810da775197980"),
    (C.CBC4K_NO_PADDING, 32, 20, "d56eaeb52962cc45447d9b8123c7949e"),
    (C.CBC4K_NO_PADDING, 32, 8205, "0606bffa4759481210102062a260d73f"),
    (C.CBC4K, 32, 0, "51c23c6e18c3f4d4a6e77f063bec6ed7"),
    (C.CBC4K, 32, 4096, "9b92548bc3df685077cd222b7f9ed43e"),
    (C.CBC4K, 32, 8205, "4dff49814d42491e3926cef8a5e438d2"),
    (C.CBC512_NO_PADDING, 32, 4096, "7effc253012bc30dbb8837cca9c0d410"),
    (C.CBC512_NO_PADDING, 32, 8205, "1e459df2048a91f5386ded12f2358b3f"),
]


def _plain(length: int) -> bytes:
    return (bytes(i * 7 % 251 for i in range(251)) * (length // 251 + 1))[:length]


def _encrypt(cipher: ContentCipher, key: bytes, data: bytes) -> bytes:
    return b"".join(encrypt_stream(cipher, key, [data]))


@pytest.mark.parametrize(("cipher", "key_bytes", "length", "digest"), VECTORS)
def test_ciphertext_is_what_openssl_makes(cipher: ContentCipher, key_bytes: int, length: int, digest: str) -> None:
    """Each cipher, key length and size gives the bytes that openssl gives unit by unit."""
    encrypted = _encrypt(cipher, bytes(range(key_bytes)), _plain(length))
    assert hashlib.sha256(encrypted).hexdigest().startswith(digest)


@pytest.mark.parametrize(
    ("cipher", "key_bytes", "iv"),
    [
        (C.CBC4K_NO_PADDING, 16, "e37cd363dd7c87a09aff0e3e60e09c82"),
        (C.CBC512_NO_PADDING, 16, "6fa7bcfefed6668273a24904694d7264"),
        (C.CBC4K_NO_PADDING, 32, "c7b519846a11411cd6ac07cb03f801a8"),
        (C.CBC512_NO_PADDING, 32, "4c8e276c12f709bb95af22c72f0eb1e5"),
    ],
)
def test_the_iv_counts_units_or_bytes(cipher: ContentCipher, key_bytes: int, iv: str) -> None:
    """The second unit's IV is AES-ECB of 1 (4 KiB) or 512: encrypting the IV itself equals encrypting
    zeros."""
    codec = UnitCodec(cipher, bytes(range(key_bytes)))
    zeros = UnitCodec(C.ECB, bytes(range(key_bytes))).encrypt(bytes(16), 0)
    assert codec.encrypt(bytes.fromhex(iv), cipher.unit_bytes) == zeros


def test_values_are_those_of_the_key_header() -> None:
    """The Reserved words of [MS-RMPR] 2.2.9.1.13.1."""
    assert [C.ECB, C.CBC4K_NO_PADDING, C.CBC4K, C.CBC512_NO_PADDING] == [0xFFFF, 0xFFFE, 0xFFFD, 0xFFFC]


def test_padding_adds_a_block_where_the_input_ends_on_one() -> None:
    """CBC over 4 KiB with padding grows by 16 bytes on a block boundary, the others do not."""
    for length in (0, 16, 4096, BATCH_BYTES):
        assert len(_encrypt(C.CBC4K, bytes(16), _plain(length))) == length + 16
        assert len(_encrypt(C.CBC4K_NO_PADDING, bytes(16), _plain(length))) == length


SIZES = st.sampled_from([0, 1, 15, 16, 17, 511, 512, 513, 1024, 4080, 4095, 4096, 4097, 8192, 8200]) | st.integers(
    0, 20_000
)


@given(
    st.sampled_from(ContentCipher),
    st.sampled_from([16, 32]),
    SIZES,
    st.lists(st.integers(1, 7000), max_size=5),
)
def test_what_was_encrypted_decrypts(cipher: ContentCipher, key_bytes: int, length: int, cuts: list[int]) -> None:
    """However the input is cut into pieces, the round trip gives it back, and the length is as foretold."""
    data, key = _plain(length), bytes(range(key_bytes))
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    encrypted = b"".join(encrypt_stream(cipher, key, [*pieces, data[at:]]))
    assert len(encrypted) == cipher.encrypted_bytes(length)
    assert encrypted == _encrypt(cipher, key, data)
    assert b"".join(decrypt_stream(cipher, key, io.BytesIO(encrypted), length)) == data


@pytest.mark.parametrize("cipher", ContentCipher)
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_batches_join_without_a_seam(cipher: ContentCipher, extra: int) -> None:
    """Content a little shorter and longer than two batches comes back, and equals the encryption in one
    call."""
    data, key = _plain(2 * BATCH_BYTES + extra), bytes(range(32))
    encrypted = _encrypt(cipher, key, data)
    assert b"".join(decrypt_stream(cipher, key, [encrypted], len(data))) == data
    whole = UnitCodec(cipher, key).encrypt(data[: 2 * BATCH_BYTES - 4096], 0)
    assert encrypted.startswith(whole)


@given(st.sampled_from(ContentCipher), SIZES, st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 9000))))
@settings(deadline=None)
def test_any_place_can_be_read_alone(cipher: ContentCipher, length: int, reads: list[tuple[int, int]]) -> None:
    """Seeking and reading gives the same slice as the plain text has there."""
    data, key = _plain(length), bytes(range(16))
    encrypted = b"junk" + _encrypt(cipher, key, data)
    content = DecryptedContent(
        cipher,
        key,
        io.BytesIO(encrypted),
        offset=4,
        encrypted_bytes=len(encrypted) - 4,
        original_bytes=length,
    )
    assert content.seek(0, io.SEEK_END) == length
    for position, count in reads:
        content.seek(position)
        assert content.read(count) == data[position : position + count]


def test_without_a_size_zeros_stay() -> None:
    """Where the container has no size, what no padding filled up with zeros keeps them."""
    encrypted = _encrypt(C.CBC512_NO_PADDING, bytes(16), b"abc")
    assert b"".join(decrypt_stream(C.CBC512_NO_PADDING, bytes(16), [encrypted], None)) == b"abc" + bytes(13)


def test_an_application_may_have_padded_to_its_unit() -> None:
    """A size that leaves out less than a unit is the application's own padding."""
    encrypted = _encrypt(C.CBC4K_NO_PADDING, bytes(16), b"abc".ljust(4096, b"\xff"))
    assert b"".join(decrypt_stream(C.CBC4K_NO_PADDING, bytes(16), [encrypted], 3)) == b"abc"


def test_an_empty_file_needs_no_padding_block() -> None:
    """Content of no bytes opens as nothing also under the padded cipher."""
    assert b"".join(decrypt_stream(C.CBC4K, bytes(16), [], 0)) == b""


@pytest.mark.parametrize(
    ("cipher", "cut", "size"),
    [
        (C.CBC4K, 1, 100),
        (C.CBC4K, 16, 100),
        (C.CBC4K, 0, 99),
        (C.CBC4K, 0, 101),
        (C.ECB, 0, 96),
        (C.ECB, 16, 100),
        (C.CBC512_NO_PADDING, 3, None),
        (C.CBC4K, 112, 100),
    ],
)
def test_sizes_that_do_not_agree_are_refused(cipher: ContentCipher, cut: int, size: int | None) -> None:
    """Content cut short, or with another size than the container says, is a clean error."""
    encrypted = _encrypt(cipher, bytes(16), _plain(100))
    with pytest.raises(ContentError):
        b"".join(decrypt_stream(cipher, bytes(16), [encrypted[: len(encrypted) - cut]], size))


def test_another_key_is_noticed_by_the_padding() -> None:
    """Where there is PKCS#7, a wrong key is one line and not garbage."""
    encrypted = _encrypt(C.CBC4K, bytes(16), _plain(100))
    with pytest.raises(ContentError, match="key"):
        b"".join(decrypt_stream(C.CBC4K, bytes(range(16)), [encrypted], 100))


@pytest.mark.parametrize("key_bytes", [0, 8, 24, 33])
def test_other_key_lengths_are_refused(key_bytes: int) -> None:
    """Content keys have 128 or 256 bits."""
    with pytest.raises(ContentError):
        UnitCodec(C.CBC4K, bytes(key_bytes))


def test_a_counter_that_would_wrap_is_refused() -> None:
    """The 4 KiB counter has 32 bits: above 16 TiB IVs would repeat."""
    with pytest.raises(ContentError):
        UnitCodec(C.CBC4K, bytes(16)).encrypt(bytes(8192), (2**32 - 1) * 4096)


@pytest.mark.parametrize("cipher", [C.CBC4K, C.CBC512_NO_PADDING])
def test_memory_stays_bounded(cipher: ContentCipher) -> None:
    """64 MiB through both directions never holds more than a dozen batches."""
    piece = bytes(BATCH_BYTES)
    tracemalloc.start()
    try:
        encrypted = encrypt_stream(cipher, bytes(32), (piece for _ in range(64)))
        total = sum(len(p) for p in decrypt_stream(cipher, bytes(32), encrypted, 64 * BATCH_BYTES))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 64 * BATCH_BYTES
    assert peak < 12 * BATCH_BYTES
