"""DIME: the record structure of [MS-RMPR] 4.3, both layouts, hostile octets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmsserver.soap.dime import DimeError, DimeMessage, DimeRecord, Layout, TypeFormat

SOAP_TYPE = b"http://schemas.xmlsoap.org/soap/envelope/"
BINARY = bytes(range(256)) * 600
SOAP = DimeRecord(TypeFormat.URI, SOAP_TYPE, b"", b"<soap:Envelope/>")
FIRST = DimeRecord(
    TypeFormat.MEDIA_TYPE, b"application/octet-stream", b"SecureRepository", BINARY[: 128 * 1024], is_chunk=True
)
LAST = DimeRecord(TypeFormat.UNCHANGED, b"", b"", BINARY[128 * 1024 :])


def activation_answer(layout: Layout) -> DimeMessage:
    """Three records as in the example: the SOAP message, and a binary in two chunks."""
    return DimeMessage(layout, (SOAP, FIRST, LAST))


@pytest.mark.parametrize("layout", list(Layout))
def test_the_records_of_the_example(layout: Layout) -> None:
    """Flags, formats and lengths; chunks inherit ID and type, and go together into one payload."""
    message = activation_answer(layout)
    read = DimeMessage.unpack(message.pack())
    assert read == message
    soap, binary = read.payloads()
    assert (soap.type, soap.data) == (SOAP_TYPE, b"<soap:Envelope/>")
    assert (binary.id, binary.type, binary.data) == (b"SecureRepository", b"application/octet-stream", BINARY)


def test_the_heads_of_the_example_bit_for_bit() -> None:
    """As the tables of 4.3 have them, with data lengths that are true."""
    packed = activation_answer(Layout.EARLY).pack()
    assert packed[:8] == int("10000000000000000100000000101001", 2).to_bytes(4, "big") + (16).to_bytes(4, "big")
    second = 8 + 44 + 16
    head = int("00100000000100000010000000011000", 2).to_bytes(4, "big")
    assert packed[second : second + 8] == head + (128 * 1024).to_bytes(4, "big")
    third = second + 8 + 16 + 24 + 128 * 1024
    assert packed[third : third + 4] == int("01000000000000000000000000000000", 2).to_bytes(4, "big")


def test_the_head_of_version_1() -> None:
    """Twelve octets: version 1, MB, URI; no options."""
    packed = activation_answer(Layout.VERSION_1).pack()
    assert packed[:12] == bytes.fromhex("0c2000000000002900000010")
    one = DimeMessage(Layout.VERSION_1, (DimeRecord(TypeFormat.NONE, b"", b"", b"", options=b"abc"),))
    assert one.pack() == bytes.fromhex("0e400003000000000000000061626300")
    assert DimeMessage.unpack(one.pack()) == one


@pytest.mark.parametrize("layout", list(Layout))
def test_every_prefix_is_refused(layout: Layout) -> None:
    """Nothing is read beyond the end; nothing stands after it."""
    short = DimeMessage(layout, (SOAP, DimeRecord(TypeFormat.MEDIA_TYPE, b"a/b", b"id", b"12345")))
    packed = short.pack()
    for cut in range(len(packed)):
        with pytest.raises(DimeError):
            DimeMessage.unpack(packed[:cut])
    with pytest.raises(DimeError):
        DimeMessage.unpack(packed + b"\0")


@pytest.mark.parametrize(
    "records",
    [
        (SOAP, LAST),
        (SOAP, FIRST),
        (SOAP, FIRST, DimeRecord(TypeFormat.MEDIA_TYPE, b"a/b", b"", b"")),
        (SOAP, FIRST, DimeRecord(TypeFormat.UNCHANGED, b"", b"id", b"")),
        (LAST,),
        tuple([SOAP] * 4098),
    ],
)
def test_chunks_that_do_not_follow(records: tuple[DimeRecord, ...]) -> None:
    """A chunk goes on with the one before it, and the last ends; not endlessly many records."""
    with pytest.raises(DimeError):
        DimeMessage.unpack(DimeMessage(Layout.VERSION_1, records).pack())


def test_flags_that_lie() -> None:
    """Two beginnings, another version, a reserved bit, a format that is none."""
    packed = DimeMessage(Layout.VERSION_1, (SOAP, SOAP)).pack()
    for at, octet in ((len(packed) // 2, 0x0E), (0, 0x14), (0, 0x00), (1, 0x21), (1, 0x50)):
        with pytest.raises(DimeError):
            DimeMessage.unpack(packed[:at] + bytes([octet]) + packed[at + 1 :])
    with pytest.raises(DimeError):
        DimeMessage.unpack(b"<soap")


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_octets(data: bytes) -> None:
    """A message or DimeError."""
    for start in (b"\x0c", b"\x80", b""):
        try:
            DimeMessage.unpack(start + data)
        except DimeError:
            continue
