"""Content ciphers: AES-128 and AES-256 in the four modes a licence can name ([MS-RMPR] 2.2.9.1.13.1).

Content is a run of units, 16, 512 or 4096 bytes long, that can each be encrypted and decrypted alone: so any
place of a large file can be read without what stands before it, and memory stays at a few `BATCH_BYTES`.

- ECB: the last block is filled up with zeros.
- CBC over 4 KiB or 512 bytes: each unit is its own CBC run. The IV of a unit is AES-ECB of a little-endian
  number in 16 bytes: the unit's index (4 KiB) or the byte offset of its start (512).
- "With padding" (4 KiB only): PKCS#7 closes the content, so an input that ends on a block boundary gains
  16 bytes, and after a full unit these stand in a unit of their own.
- "Without padding" means that the application pads. This client fills the last block up to 16 bytes with
  zeros, as in ECB, and relies on the container for the original size; where it has none, the zeros stay.

None of the modes protects against changes. That is the format; what is checked is lengths and PKCS#7.
"""

from __future__ import annotations

import enum
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from rmsserver.client.errors import ContentError
from rmsserver.xrml.enabling_bits import (
    RESERVED_CBC_4K,
    RESERVED_CBC_4K_PADDED,
    RESERVED_CBC_512,
    RESERVED_ECB,
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK_BYTES = 16
BATCH_BYTES = 1 << 20
"""What is encrypted in one go: a multiple of every unit."""

_SIZE_DISAGREES = "The file's size field does not agree with its content; get the file again."


class ContentCipher(enum.IntEnum):
    """The cipher of a document's content. The value is the Reserved field of the content key's KeyHeader."""

    ECB = RESERVED_ECB
    CBC4K_NO_PADDING = RESERVED_CBC_4K
    CBC4K = RESERVED_CBC_4K_PADDED
    """The default of current Windows clients."""
    CBC512_NO_PADDING = RESERVED_CBC_512

    @property
    def unit_bytes(self) -> int:
        """How many bytes stand under one IV."""
        return {ContentCipher.ECB: BLOCK_BYTES, ContentCipher.CBC512_NO_PADDING: 512}.get(self, 4096)

    @property
    def is_padded(self) -> bool:
        """True where PKCS#7 says how long the content is; else the container has to."""
        return self is ContentCipher.CBC4K

    def encrypted_bytes(self, plain_bytes: int) -> int:
        """The length of `plain_bytes` of content once encrypted."""
        spare = BLOCK_BYTES if self.is_padded else BLOCK_BYTES - 1
        return (plain_bytes + spare) // BLOCK_BYTES * BLOCK_BYTES


class UnitCodec:
    """Encrypts and decrypts runs of whole units under one content key. `key` is 16 or 32 bytes."""

    def __init__(self, cipher: ContentCipher, key: bytes) -> None:
        if len(key) not in (16, 32):
            raise ContentError("The content key has neither 128 nor 256 bits; this client cannot use it.")
        self.cipher = cipher
        self._aes = algorithms.AES(key)

    def encrypt(self, data: bytes, position: int) -> bytes:
        """Encrypt what starts at `position`, a multiple of the unit. Whole blocks; a last unit may be
        short."""
        self._check(data, position)
        if self.cipher is ContentCipher.ECB:
            return self._ecb(data)
        return self._encrypt_chained(data, self._ivs(position, len(data)))

    def decrypt(self, data: bytes, position: int) -> bytes:
        """The inverse of `encrypt`. Padding is left in place."""
        self._check(data, position)
        if self.cipher is ContentCipher.ECB or not data:
            return Cipher(self._aes, modes.ECB()).decryptor().update(data)  # noqa: S305 - what the format says
        return self._decrypt_chained(data, self._ivs(position, len(data)))

    def _check(self, data: bytes, position: int) -> None:
        if len(data) % BLOCK_BYTES or position % self.cipher.unit_bytes:
            raise ContentError("The encrypted content is cut short; get the file again.")

    def _ecb(self, data: bytes) -> bytes:
        return Cipher(self._aes, modes.ECB()).encryptor().update(data)  # noqa: S305 - what the format says

    def _ivs(self, position: int, length: int) -> bytes:
        """The IVs of all units that `length` bytes from `position` touch, one after the other."""
        unit = self.cipher.unit_bytes
        step = unit if self.cipher is ContentCipher.CBC512_NO_PADDING else 1
        first, count = position // unit, -(-length // unit)
        if unit == 4096 and first + count > 1 << 32:
            raise ContentError("Content above 16 TiB cannot be encrypted with this cipher.")
        numbers = range(first * step, (first + count) * step, step)
        return self._ecb(b"".join(n.to_bytes(BLOCK_BYTES, "little") for n in numbers))

    def _encrypt_chained(self, data: bytes, ivs: bytes) -> bytes:
        # One CBC context for all units, because setting one up costs as much as half a unit: a unit's first
        # block is XORed with its IV and with the ciphertext block before it, which undoes the chaining there.
        unit, number = self.cipher.unit_bytes, int.from_bytes
        encryptor = Cipher(self._aes, modes.CBC(bytes(BLOCK_BYTES))).encryptor()
        source, result = memoryview(data), bytearray(len(data) + BLOCK_BYTES)
        target, previous = memoryview(result), 0
        for i, start in enumerate(range(0, len(data), unit)):
            body, end = start + BLOCK_BYTES, min(start + unit, len(data))
            iv = number(ivs[i * BLOCK_BYTES : (i + 1) * BLOCK_BYTES])
            first = number(source[start:body]) ^ iv ^ previous
            encryptor.update_into(first.to_bytes(BLOCK_BYTES), target[start : body + BLOCK_BYTES - 1])
            encryptor.update_into(source[body:end], target[body : end + BLOCK_BYTES - 1])
            previous = number(target[end - BLOCK_BYTES : end])
        return bytes(target[: len(data)])

    def _decrypt_chained(self, data: bytes, ivs: bytes) -> bytes:
        # One CBC run over everything is right but for the first block of each unit, which came out XORed with
        # the ciphertext block before it instead of its IV. All are put right at once, as long numbers.
        decryptor = Cipher(self._aes, modes.CBC(ivs[:BLOCK_BYTES])).decryptor()
        result = bytearray(decryptor.update(data))
        words = self.cipher.unit_bytes // 8
        for half in (0, 1):
            heads = memoryview(result).cast("Q")[words + half :: words]
            if not heads:
                break
            chained = memoryview(data).cast("Q")[words - 2 + half :: words][: len(heads)]
            wanted = memoryview(ivs).cast("Q")[2 + half :: 2]
            heads[:] = memoryview(_xor(heads, chained, wanted)).cast("Q")
        return bytes(result)


def _xor(*parts: memoryview) -> bytes:
    result = 0
    for part in parts:
        result ^= int.from_bytes(part.tobytes())
    return result.to_bytes(parts[0].nbytes)


def encrypt_stream(cipher: ContentCipher, key: bytes, source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """Encrypt a file or an iterable of byte strings of any length, in bounded memory."""
    codec, position = UnitCodec(cipher, key), 0
    for piece in _pieces(source):
        padded = piece if len(piece) == BATCH_BYTES else _pad(cipher, piece)
        yield codec.encrypt(padded, position)
        position += len(padded)


def decrypt_stream(
    cipher: ContentCipher, key: bytes, source: BinaryIO | Iterable[bytes], original_bytes: int | None
) -> Iterator[bytes]:
    """Decrypt a whole content. `original_bytes` is the size the container gives, None where it has none.

    Pieces that were yielded before an error are to be thrown away with it. Raises ContentError.
    """
    codec, position, held = UnitCodec(cipher, key), 0, b""
    for piece in _pieces(source):
        if piece:
            if held:
                yield held
            held = codec.decrypt(piece, position)
            position += len(piece)
    plain_bytes = plain_bytes_of(cipher, held[-BLOCK_BYTES:], position, original_bytes)
    last_bytes = plain_bytes - (position - len(held))
    if last_bytes < 0:  # an application's own padding that does not end with a unit: no format of ours
        raise ContentError(_SIZE_DISAGREES)
    yield held[:last_bytes]


def plain_bytes_of(cipher: ContentCipher, last_block: bytes, encrypted_bytes: int, original_bytes: int | None) -> int:
    """How long the content is. `last_block` is its last block, decrypted.

    The size in the container must agree with PKCS#7 where there is PKCS#7; else it may leave out less than a
    unit, the application's own padding. Content of no bytes may have no padding block: other clients write
    empty files so. Raises ContentError.
    """
    if encrypted_bytes == 0:
        length = 0
    elif cipher.is_padded:
        length = encrypted_bytes - BLOCK_BYTES + len(_unpad(last_block))
    else:
        length = encrypted_bytes
    if original_bytes is None or original_bytes == length:
        return length
    if cipher.is_padded or not length - cipher.unit_bytes < original_bytes < length:
        raise ContentError(_SIZE_DISAGREES)
    return original_bytes


def _pad(cipher: ContentCipher, tail: bytes) -> bytes:
    if not cipher.is_padded:
        return tail + bytes(-len(tail) % BLOCK_BYTES)
    padder = padding.PKCS7(BLOCK_BYTES * 8).padder()
    return padder.update(tail) + padder.finalize()


def _unpad(block: bytes) -> bytes:
    unpadder = padding.PKCS7(BLOCK_BYTES * 8).unpadder()
    try:
        return unpadder.update(block) + unpadder.finalize()
    except ValueError:
        raise ContentError("The content does not open with this key, or the file is damaged.") from None


def _pieces(source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """Regroup: pieces of exactly BATCH_BYTES, then one shorter one, which may be empty."""
    held = bytearray()
    for chunk in chunks_of(source):
        held += chunk
        while len(held) >= BATCH_BYTES:
            yield bytes(memoryview(held)[:BATCH_BYTES])
            del held[:BATCH_BYTES]
    yield bytes(held)


def chunks_of(source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    """The byte strings of an iterable as they come, or those of a file by the batch."""
    if isinstance(source, Iterable) and not hasattr(source, "read"):
        yield from source
    else:
        while chunk := source.read(BATCH_BYTES):
            yield chunk


class DecryptedContent(io.RawIOBase):
    """Decrypted content as a seekable file: reads only what is asked for, a batch at a time."""

    def __init__(
        self,
        cipher: ContentCipher,
        key: bytes,
        source: BinaryIO,
        *,
        offset: int,
        encrypted_bytes: int,
        original_bytes: int | None,
    ) -> None:
        """`offset` and `encrypted_bytes` say where the content stands in `source`, which the caller closes.

        Reads the last block at once, for the length. Raises ContentError.
        """
        super().__init__()
        self._codec = UnitCodec(cipher, key)
        self._source, self._offset, self._encrypted_bytes = source, offset, encrypted_bytes
        self._position = 0
        self._batch_start, self._batch = -1, b""
        self.length = encrypted_bytes
        last_block = self._load(max(encrypted_bytes - 1, 0))[-BLOCK_BYTES:]
        self.length = plain_bytes_of(cipher, last_block, encrypted_bytes, original_bytes)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.length}[whence]
        if base + offset < 0:
            raise ValueError("negative seek position")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._position >= self.length:
            return 0
        batch = self._load(self._position)
        start = self._position - self._batch_start
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(batch) - start, self.length - self._position)
        target[:count] = batch[start : start + count]
        self._position += count
        return count

    def _load(self, position: int) -> bytes:
        start = position // BATCH_BYTES * BATCH_BYTES
        if start != self._batch_start:
            wanted = min(BATCH_BYTES, self._encrypted_bytes - start)
            self._source.seek(self._offset + start)
            data = self._source.read(wanted)
            if len(data) != wanted:
                raise ContentError("The encrypted content is cut short; get the file again.")
            self._batch, self._batch_start = self._codec.decrypt(data, start), start
        return self._batch
