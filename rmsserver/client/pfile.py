"""The PFile container, versions 2.0, 2.1 and 3.0: reading and writing (wire facts 10).

Preamble, header, then extension, licences, metadata and the encrypted content. Everything is little-endian;
offsets count from the start of the file. This module knows nothing of licences: it hands out their text and
takes it. Nothing in a header is believed before it was compared with the length of the file, so a bad file
costs one line.
"""

from __future__ import annotations

import codecs
import enum
import io
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from rmsserver.client.ciphers import BLOCK_BYTES, ContentCipher, DecryptedContent, chunks_of, encrypt_stream
from rmsserver.client.errors import PFileError

MAGIC = b".pfile"
NOTICE_LIMIT_BYTES = 65_536
EXTENSION_LIMIT_BYTES = 255
LICENSE_LIMIT_BYTES = 32 * 1024 * 1024
"""A publishing licence may have 8 MiB, a use licence repeats it, and both may stand in UTF-16."""
METADATA_LIMIT_BYTES = 4 * 1024 * 1024
HEADER_LIMIT_BYTES = 4096

DEFAULT_NOTICE = (
    "\r\nThis file is protected with Rights Management Services.\r\n"
    "Open it with a program that supports protected files, for example: rmsclient open FILE\r\n\r\n"
)

_UNKNOWN_SIZE = 0xFFFF_FFFF_FFFF_FFFF
_FORBIDDEN_IN_EXTENSION = set('/\\:*?"<>|')


class PFileVersion(enum.Enum):
    """The versions that exist in the wild. The value is (major, minor)."""

    V2_0 = (2, 0)
    V2_1 = (2, 1)
    V3_0 = (3, 0)

    def __str__(self) -> str:
        return "{}.{}".format(*self.value)

    @classmethod
    def parse(cls, text: str) -> PFileVersion:
        """From "2.0", "2.1" or "3.0". Raises PFileError."""
        for version in cls:
            if str(version) == text:
                return version
        raise PFileError("PFile versions are 2.0, 2.1 and 3.0; choose one of these.")

    @property
    def records_size(self) -> bool:
        """True where the header has the long form, with the original size and metadata."""
        return self is not PFileVersion.V2_0

    @property
    def header_bytes(self) -> int:
        """The length of the header that this version has."""
        return Header.LAYOUT.size + (Extent.LAYOUT.size if self.records_size else 0)


def effective_cipher(version: PFileVersion, licensed: ContentCipher) -> ContentCipher:
    """The cipher the content is really in: where a licence says ECB, 2.x used CBC over 4 KiB with padding."""
    if version is not PFileVersion.V3_0 and licensed is ContentCipher.ECB:
        return ContentCipher.CBC4K
    return licensed


# --- wire structures ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Preamble:
    """`.pfile`, version, and a notice in clear text for whoever opens the file in an editor."""

    version: PFileVersion
    notice: bytes = b""

    FIXED_BYTES = 18

    def pack(self) -> bytes:
        return MAGIC + struct.pack("<III", *self.version.value, len(self.notice)) + self.notice

    @classmethod
    def unpack(cls, fixed: bytes) -> tuple[Self, int]:
        """Read the first 18 bytes; the number is how long the notice behind them is. Raises PFileError."""
        if not fixed.startswith(MAGIC):
            raise PFileError("The file is not a PFile; only protected files in PFile form can be opened.")
        if len(fixed) < cls.FIXED_BYTES:
            raise PFileError(_CUT_SHORT)
        major, minor, notice_bytes = struct.unpack_from("<III", fixed, len(MAGIC))
        try:
            version = PFileVersion((major, minor))
        except ValueError:
            raise PFileError(f"PFile version {major}.{minor} is not supported, only 2.0, 2.1, 3.0.") from None
        if notice_bytes > NOTICE_LIMIT_BYTES:
            raise PFileError("The PFile's notice is longer than any; the file is damaged.")
        return cls(version), notice_bytes


@dataclass(frozen=True)
class Span:
    """A section: where it starts and how long it is, in bytes."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


@dataclass(frozen=True)
class Header:
    """The header of 24 bytes that every version has. `size` is its own length, `Extent` included."""

    size: int
    extension: Span
    license: Span
    content_offset: int

    LAYOUT = struct.Struct("<6I")

    def pack(self) -> bytes:
        ext, lic = self.extension, self.license
        return self.LAYOUT.pack(self.size, ext.offset, ext.length, lic.offset, lic.length, self.content_offset)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        size, ext_offset, ext_length, lic_offset, lic_length, content = cls.LAYOUT.unpack(data)
        return cls(size, Span(ext_offset, ext_length), Span(lic_offset, lic_length), content)


@dataclass(frozen=True)
class Extent:
    """The 16 bytes that versions from 2.1 up add: original size (None: unknown) and metadata."""

    original_bytes: int | None
    metadata: Span

    LAYOUT = struct.Struct("<QII")

    def pack(self) -> bytes:
        size = _UNKNOWN_SIZE if self.original_bytes is None else self.original_bytes
        return self.LAYOUT.pack(size, self.metadata.offset, self.metadata.length)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        size, offset, length = cls.LAYOUT.unpack(data)
        return cls(None if size == _UNKNOWN_SIZE else size, Span(offset, length))


# --- reading --------------------------------------------------------------------------------------

_CUT_SHORT = "The PFile is cut short; get the file again."
_DOES_NOT_FIT = "The PFile's header does not fit the file; it is damaged or cut short."


@dataclass(frozen=True)
class PFile:
    """What stands in a PFile before its content, and where the content is."""

    version: PFileVersion
    notice: str
    extension: str
    """With its dot, `.txt`; what the original file was called by. Never has a path separator in it."""
    license_text: str = field(repr=False)
    """All documents one after the other, byte-order mark and final NULs taken off."""
    original_bytes: int | None
    """None where the container does not say: always in 2.0, and where its writer did not know."""
    metadata: bytes = field(repr=False)
    content: Span

    def open_content(self, stream: BinaryIO, licensed: ContentCipher, key: bytes) -> DecryptedContent:
        """The decrypted content as a seekable file. `licensed` is the cipher the licence names.

        Raises ContentError where the key or the sizes are wrong.
        """
        return DecryptedContent(
            effective_cipher(self.version, licensed),
            key,
            stream,
            offset=self.content.offset,
            encrypted_bytes=self.content.length,
            original_bytes=self.original_bytes,
        )


def read_pfile(stream: BinaryIO) -> PFile:
    """Read everything but the content. `stream` is seekable. Raises PFileError."""
    file_bytes = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    preamble, notice_bytes = Preamble.unpack(stream.read(Preamble.FIXED_BYTES))
    notice = _read_span(stream, Span(Preamble.FIXED_BYTES, notice_bytes), file_bytes)
    start = Preamble.FIXED_BYTES + notice_bytes
    header, extent = _read_header(stream, preamble.version, start, file_bytes)
    _check_layout(preamble.version, header, extent, start, file_bytes)
    return PFile(
        preamble.version,
        notice.decode("utf-8", "replace"),
        _decode_extension(_read_span(stream, header.extension, file_bytes)),
        decode_licenses(_read_span(stream, header.license, file_bytes)),
        extent.original_bytes,
        _read_span(stream, extent.metadata, file_bytes),
        Span(header.content_offset, file_bytes - header.content_offset),
    )


def _read_header(stream: BinaryIO, version: PFileVersion, start: int, file_bytes: int) -> tuple[Header, Extent]:
    header = Header.unpack(_read_span(stream, Span(start, Header.LAYOUT.size), file_bytes))
    if not version.records_size:
        return header, Extent(None, Span(0, 0))
    place = Span(start + Header.LAYOUT.size, Extent.LAYOUT.size)
    return header, Extent.unpack(_read_span(stream, place, file_bytes))


def _read_span(stream: BinaryIO, span: Span, file_bytes: int) -> bytes:
    if span.length and span.end > file_bytes:
        raise PFileError(_CUT_SHORT)
    stream.seek(span.offset)
    data = stream.read(span.length) if span.length else b""
    if len(data) != span.length:
        raise PFileError(_CUT_SHORT)
    return data


def _check_layout(version: PFileVersion, header: Header, extent: Extent, start: int, file_bytes: int) -> None:
    if not version.header_bytes <= header.size <= HEADER_LIMIT_BYTES:
        raise PFileError(_DOES_NOT_FIT)
    if (
        header.extension.length > EXTENSION_LIMIT_BYTES
        or header.license.length > LICENSE_LIMIT_BYTES
        or extent.metadata.length > METADATA_LIMIT_BYTES
    ):
        raise PFileError("A section of the PFile is larger than any can be; the file is damaged.")
    previous_end = start + header.size
    sections = [s for s in (header.extension, header.license, extent.metadata) if s.length]
    for section in sorted(sections, key=lambda s: s.offset):
        if section.offset < previous_end:
            raise PFileError(_DOES_NOT_FIT)
        previous_end = section.end
    if not previous_end <= header.content_offset <= file_bytes:
        raise PFileError(_DOES_NOT_FIT)


def _decode_extension(data: bytes) -> str:
    try:
        extension = data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise PFileError("The PFile's file name extension is not text; the file is damaged.") from None
    _check_extension(extension)
    return extension


def _check_extension(extension: str) -> None:
    # The extension names the file that is written when this one is opened: it must not lead anywhere else.
    too_long = len(extension.encode()) > EXTENSION_LIMIT_BYTES
    if too_long or not extension.isprintable() or _FORBIDDEN_IN_EXTENSION & set(extension):
        raise PFileError("The PFile's file name extension cannot be one; the file is damaged or hostile.")


def decode_licenses(data: bytes) -> str:
    """The text of a licence section: UTF-8 or UTF-16 with or without its mark, final NULs taken off.

    Raises PFileError.
    """
    if data.startswith((codecs.BOM_UTF16_LE, b"<\0")):
        encoding = "utf-16-le"
    elif data.startswith(codecs.BOM_UTF16_BE):
        encoding = "utf-16-be"
    else:
        encoding = "utf-8"
    try:
        return data.decode(encoding).removeprefix("\ufeff").rstrip("\0")
    except UnicodeDecodeError:
        raise PFileError("The PFile's licences are not text; the file is damaged.") from None


# --- writing --------------------------------------------------------------------------------------

Progress = Callable[[int], None]
"""Called with the number of bytes of the original that were read since the last call."""


@dataclass(frozen=True)
class PFileDraft:
    """What a new PFile shall say before its content. `extension` has its dot and may be empty."""

    version: PFileVersion
    extension: str
    license_text: str = field(repr=False)
    notice: str = DEFAULT_NOTICE
    metadata: bytes = field(default=b"", repr=False)

    def pack(self, original_bytes: int | None) -> bytes:
        """Everything before the content. Raises PFileError where something is too large or cannot be said."""
        preamble = Preamble(self.version, self.notice.encode())
        extension, licenses = self.extension.encode(), self._license_bytes()
        self._check(preamble, licenses)
        start = len(preamble.pack())
        size = self.version.header_bytes
        extension_span = Span(start + size, len(extension))
        license_span = Span(extension_span.end, len(licenses))
        extent = Extent(original_bytes, Span(license_span.end, len(self.metadata)))
        header = Header(size, extension_span, license_span, extent.metadata.end)
        tail = extent.pack() if self.version.records_size else b""
        return preamble.pack() + header.pack() + tail + extension + licenses + self.metadata

    def _license_bytes(self) -> bytes:
        # The one genuine writer of 2.1 that was seen ends its licences in a NUL.
        return self.license_text.encode() + (b"\0" if self.version is PFileVersion.V2_1 else b"")

    def _check(self, preamble: Preamble, licenses: bytes) -> None:
        _check_extension(self.extension)
        if self.metadata and not self.version.records_size:
            raise PFileError("PFile 2.0 has no place for metadata; use version 2.1 or 3.0.")
        if (
            len(preamble.notice) > NOTICE_LIMIT_BYTES
            or len(licenses) > LICENSE_LIMIT_BYTES
            or len(self.metadata) > METADATA_LIMIT_BYTES
        ):
            raise PFileError("The licence, notice or metadata is too large for a PFile.")


def write_pfile(
    target: BinaryIO,
    draft: PFileDraft,
    licensed: ContentCipher,
    key: bytes,
    source: BinaryIO | Iterable[bytes],
    progress: Progress = lambda _bytes: None,
) -> int:
    """Encrypt `source` into a PFile on `target`, which is empty and seekable. Returns the original size in
    bytes.

    Memory stays bounded. Raises PFileError where 2.0, which records no size, would have to lose the exact
    length of the content to a cipher without padding.
    """
    cipher = effective_cipher(draft.version, licensed)
    head = draft.pack(None)
    target.write(head)
    counted = _Counted(source, progress)
    for piece in encrypt_stream(cipher, key, counted):
        target.write(piece)
    if draft.version.records_size:
        sized = draft.pack(counted.total)
        target.seek(0)
        target.write(sized)
        target.seek(0, io.SEEK_END)
    elif not cipher.is_padded and counted.total % BLOCK_BYTES:
        raise PFileError("PFile 2.0 cannot record the size this cipher needs; use CBC4K or version 2.1 or 3.0.")
    return counted.total


class _Counted:
    """Passes byte strings on, counts them, and reports each."""

    def __init__(self, source: BinaryIO | Iterable[bytes], progress: Progress) -> None:
        self._source, self._progress = source, progress
        self.total = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in chunks_of(self._source):
            self.total += len(chunk)
            yield chunk
            self._progress(len(chunk))
