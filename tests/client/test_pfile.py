"""PFile: wire structures against fixed bytes, round trips over versions and ciphers, damaged files."""

from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import ClientError, PFileError
from rmsserver.client.pfile import (
    DEFAULT_NOTICE,
    Extent,
    Header,
    PFileDraft,
    PFileVersion,
    Preamble,
    Span,
    decode_licenses,
    effective_cipher,
    read_pfile,
    write_pfile,
)

V = PFileVersion
LICENSES = '<XrML xmlns="" version="1.2"><BODY>\u00e4</BODY></XrML><XrML/>'

# A whole PFile 2.1 by hand: notice "Hi", extension ".txt", licence "<a/>" and NUL, metadata "M", 16 bytes
# of content.
V2_1_BYTES = bytes.fromhex(
    "2e7066696c65" "02000000" "01000000" "02000000" "4869"
    "28000000" "3c000000" "04000000" "40000000" "05000000" "46000000"
    "0300000000000000" "45000000" "01000000"
    "2e747874" "3c612f3e00" "4d"
)  # fmt: skip


def _written(
    draft: PFileDraft,
    cipher: ContentCipher = ContentCipher.CBC4K,
    data: bytes = b"abc",
    key: bytes = bytes(16),
) -> bytes:
    target = io.BytesIO()
    assert write_pfile(target, draft, cipher, key, [data]) == len(data)
    assert target.tell() == len(target.getvalue())
    return target.getvalue()


# --- wire structures ------------------------------------------------------------------------------


def test_preamble_packs_to_fixed_bytes() -> None:
    """Magic, two version words, length and notice."""
    preamble = Preamble(V.V3_0, b"Hi")
    assert preamble.pack().hex() == "2e7066696c65" + "03000000" + "00000000" + "02000000" + "4869"
    assert Preamble.unpack(preamble.pack()[:18]) == (Preamble(V.V3_0), 2)


def test_header_packs_to_fixed_bytes() -> None:
    """Six little-endian words."""
    header = Header(24, Span(42, 4), Span(46, 5), 51)
    assert header.pack() == struct.pack("<6I", 24, 42, 4, 46, 5, 51)
    assert Header.unpack(header.pack()) == header


def test_extent_packs_to_fixed_bytes() -> None:
    """A size of 64 bits, all ones where unknown, and the metadata's place."""
    extent = Extent(2**32 + 1, Span(7, 8))
    assert extent.pack().hex() == "0100000001000000" + "07000000" + "08000000"
    assert Extent.unpack(extent.pack()) == extent
    assert Extent(None, Span(0, 0)).pack().hex() == "ff" * 8 + "00" * 8
    assert Extent.unpack(bytes.fromhex("ff" * 8 + "00" * 8)).original_bytes is None


def test_a_whole_file_has_the_bytes_of_the_layout() -> None:
    """What stands before the content is byte for byte what the layout says."""
    draft = PFileDraft(V.V2_1, ".txt", "<a/>", notice="Hi", metadata=b"M")
    assert _written(draft)[:-16] == V2_1_BYTES


def test_a_file_made_by_hand_is_read() -> None:
    """Every field of the bytes above comes out."""
    pfile = read_pfile(io.BytesIO(V2_1_BYTES + bytes(16)))
    assert (pfile.version, pfile.notice, pfile.extension) == (V.V2_1, "Hi", ".txt")
    assert (pfile.license_text, pfile.original_bytes, pfile.metadata) == ("<a/>", 3, b"M")
    assert pfile.content == Span(70, 16)


# --- licences, ciphers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        LICENSES.encode(),
        b"\xef\xbb\xbf" + LICENSES.encode() + b"\0",
        LICENSES.encode("utf-16-le") + b"\0\0",
        b"\xff\xfe" + LICENSES.encode("utf-16-le"),
        b"\xfe\xff" + LICENSES.encode("utf-16-be"),
    ],
)
def test_licences_come_in_every_spelling(data: bytes) -> None:
    """UTF-8 and UTF-16, with or without a mark, with or without final NULs, give the same text."""
    assert decode_licenses(data) == LICENSES


def test_licence_text_is_not_touched_otherwise() -> None:
    """Line ends, blanks and a declaration inside the section stay as they stand."""
    text = '<?xml version="1.0"?>\r\n<a>\r\n</a> \n'
    assert read_pfile(io.BytesIO(_written(PFileDraft(V.V3_0, "", text)))).license_text == text


def test_ecb_means_cbc_in_version_2() -> None:
    """In 2.x a licence that says ECB means CBC over 4 KiB; in 3.0 it means ECB. The others mean
    themselves."""
    for version in (V.V2_0, V.V2_1):
        assert effective_cipher(version, ContentCipher.ECB) is ContentCipher.CBC4K
    assert effective_cipher(V.V3_0, ContentCipher.ECB) is ContentCipher.ECB
    assert effective_cipher(V.V2_1, ContentCipher.CBC512_NO_PADDING) is ContentCipher.CBC512_NO_PADDING


SIZES = st.sampled_from([0, 1, 15, 16, 17, 511, 512, 513, 4095, 4096, 4097, 8192]) | st.integers(0, 9000)


@given(
    st.sampled_from(PFileVersion),
    st.sampled_from(ContentCipher),
    st.sampled_from([16, 32]),
    SIZES,
    st.sampled_from(["", ".txt", ".tar.gz", ".\u6587"]),
    st.binary(max_size=50),
)
@settings(deadline=None)
def test_what_was_written_is_read(
    version: PFileVersion, cipher: ContentCipher, key_bytes: int, size: int, extension: str, metadata: bytes
) -> None:
    """All versions, ciphers, key lengths and sizes round trip; where 2.0 would lose the length it refuses."""
    assume(version.records_size or not metadata)
    data, key = bytes(i % 255 for i in range(size)), bytes(range(key_bytes))
    draft = PFileDraft(version, extension, LICENSES, metadata=metadata)
    loses_length = not version.records_size and not effective_cipher(version, cipher).is_padded and size % 16
    if loses_length:
        with pytest.raises(PFileError, match="cannot record the size"):
            write_pfile(io.BytesIO(), draft, cipher, key, [data])
        return
    stream = io.BytesIO(_written(draft, cipher, data, key))
    pfile = read_pfile(stream)
    assert (pfile.version, pfile.extension, pfile.metadata) == (version, extension, metadata)
    assert (pfile.notice, pfile.license_text) == (DEFAULT_NOTICE, LICENSES)
    assert pfile.original_bytes == (size if version.records_size else None)
    assert pfile.open_content(stream, cipher, key).read() == data


def test_an_unknown_size_opens_by_its_padding() -> None:
    """All ones in the size field: PKCS#7 alone says how long the content is."""
    data = bytearray(_written(PFileDraft(V.V2_1, ".txt", "<a/>", notice="Hi", metadata=b"M")))
    data[44:52] = b"\xff" * 8
    stream = io.BytesIO(data)
    pfile = read_pfile(stream)
    assert pfile.original_bytes is None
    assert pfile.open_content(stream, ContentCipher.CBC4K, bytes(16)).read() == b"abc"


def test_progress_counts_the_original() -> None:
    """The callback hears of every byte read, and a file is read as well as an iterable."""
    seen: list[int] = []
    draft = PFileDraft(V.V3_0, ".bin", LICENSES)
    source = io.BytesIO(bytes(3_000_000))
    assert write_pfile(io.BytesIO(), draft, ContentCipher.CBC4K, bytes(16), source, seen.append) == 3_000_000
    assert sum(seen) == 3_000_000
    assert len(seen) > 2


# --- damaged and hostile files --------------------------------------------------------------------


class _Watched(io.BytesIO):
    """Notes the largest read that was asked for."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, -1 if size is None else size)
        return super().read(size)


def test_every_shorter_file_is_refused_or_says_its_content_is_short() -> None:
    """Cut anywhere before the content: one line. Cut in the content: the header reads, the content does
    not."""
    whole = _written(PFileDraft(V.V2_1, ".txt", "<a/>", notice="Hi", metadata=b"M"))
    for length in range(len(whole)):
        stream = io.BytesIO(whole[:length])
        with pytest.raises(ClientError) as caught:
            read_pfile(stream).open_content(stream, ContentCipher.CBC4K, bytes(16)).read()
        assert "\n" not in str(caught.value)


@given(st.integers(0, 69), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), st.sampled_from([1, 2, 4]))
@settings(deadline=None, max_examples=400)
def test_a_changed_header_never_costs_more_than_a_line(place: int, value: int, width: int) -> None:
    """Any bytes changed before the content: the file reads, or a clean error; never a read beyond the
    limits."""
    data = bytearray(_written(PFileDraft(V.V2_1, ".txt", "<a/>", notice="Hi", metadata=b"M")))
    data[place : place + width] = bytes([value]) * len(data[place : place + width])
    stream = _Watched(data)
    with contextlib.suppress(ClientError):
        read_pfile(stream).open_content(stream, ContentCipher.CBC4K, bytes(16)).read()
    assert stream.largest <= len(data)


@pytest.mark.parametrize(
    ("offset", "value"),
    [
        (20, 23),  # header size below the header's
        (20, 5000),  # header size beyond any
        (24, 10),  # extension inside the notice
        (28, 4_000_000_000),  # extension longer than any
        (32, 62),  # licence inside the extension
        (36, 0xFFFFFFFF),  # licence longer than any
        (40, 65),  # content inside the licence
        (40, 0xFFFFFFFF),  # content behind the end
        (52, 20),  # metadata inside the header
        (56, 0x7FFFFFFF),  # metadata longer than any
    ],
)
def test_offsets_and_lengths_are_checked(offset: int, value: int) -> None:
    """Every offset and length that leads elsewhere is refused."""
    data = bytearray(V2_1_BYTES + bytes(16))
    struct.pack_into("<I", data, offset, value)
    with pytest.raises(PFileError):
        read_pfile(io.BytesIO(data))


@pytest.mark.parametrize("version", [(1, 0), (2, 2), (3, 1), (4, 0), (0xFFFFFFFF, 0)])
def test_other_versions_are_named(version: tuple[int, int]) -> None:
    """A version that is not supported is told with its number."""
    data = bytearray(V2_1_BYTES)
    struct.pack_into("<II", data, 6, *version)
    with pytest.raises(PFileError, match=f"{version[0]}\\.{version[1]} is not supported"):
        read_pfile(io.BytesIO(data))


@pytest.mark.parametrize("data", [b"", b".pfil", b"PK\x03\x04" * 10, b"\xd0\xcf\x11\xe0" * 10])
def test_other_files_are_not_pfiles(data: bytes) -> None:
    """Empty files, archives and compound files get a line that says what can be opened."""
    with pytest.raises(PFileError, match="not a PFile"):
        read_pfile(io.BytesIO(data))


@pytest.mark.parametrize("extension", [b"/../x", b".a\\b", b"\x00x", b".\n", b"\xff\xfe", ".\u202etxt.exe".encode()])
def test_N4_an_extension_cannot_lead_anywhere(extension: bytes) -> None:
    """Path separators, control and direction characters, and bytes that are no text are refused."""
    draft = PFileDraft(V.V2_1, "x" * len(extension), "<a/>")
    data = _written(draft).replace(b"x" * len(extension) + b"<a/>", extension + b"<a/>")
    with pytest.raises(PFileError, match="extension"):
        read_pfile(io.BytesIO(data))


def test_what_cannot_be_said_is_not_written() -> None:
    """Metadata in 2.0, and an extension with a separator, are refused before anything is written."""
    for draft in (PFileDraft(V.V2_0, ".txt", "<a/>", metadata=b"x"), PFileDraft(V.V3_0, "../x", "<a/>")):
        target = io.BytesIO()
        with pytest.raises(PFileError):
            write_pfile(target, draft, ContentCipher.CBC4K, bytes(16), [b"abc"])
        assert target.getvalue() == b""
