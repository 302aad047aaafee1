"""DIME, the framing of answers with an attachment ([MS-RMPR] 3.2.4.1, 4.3): records, chunks, payloads.

Two layouts of a record's head are about: that of the example in 4.3, an early draft of eight octets, and that of the last
draft, of twelve octets, with a version. Their first octets tell them apart. The example itself is not well-formed (one of
its lengths has 33 bits, and its data lengths do not add up), so what is kept to is the structure of its records.
"""

from __future__ import annotations

import enum
import itertools
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_RECORDS = 4096
_THIRTEEN_BITS = 0x1FFF


class DimeError(Exception):
    """The octets are no DIME message. Its text never quotes them."""


class Layout(enum.Enum):
    EARLY = "8 octets"
    """MB ME CF, 13 bits length of ID; 3 bits format of type, 13 bits length of type; length of data."""
    VERSION_1 = "12 octets"
    """Version, MB ME CF, format of type; lengths of options, ID, type, data."""


class TypeFormat(enum.IntEnum):
    UNCHANGED = 0
    """That of the record before: a chunk that is not the first."""
    MEDIA_TYPE = 1
    URI = 2
    UNKNOWN = 3
    NONE = 4


@dataclass(frozen=True)
class DimeRecord:
    """One record; `is_chunk` where another follows that goes on with the same payload."""

    type_format: TypeFormat
    type: bytes
    id: bytes
    data: bytes = field(repr=False)
    is_chunk: bool = False
    options: bytes = b""


@dataclass(frozen=True)
class Payload:
    """What the records of one payload carry together."""

    type_format: TypeFormat
    type: bytes
    id: bytes
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class DimeMessage:
    """`pack` and `unpack` are inverse, padding aside, which is zeros."""

    layout: Layout
    records: tuple[DimeRecord, ...]

    def pack(self) -> bytes:
        last = len(self.records) - 1
        return b"".join(
            _pack(record, self.layout, first=index == 0, last=index == last)
            for index, record in enumerate(self.records)
        )

    @classmethod
    def unpack(cls, data: bytes) -> DimeMessage:
        """Read a whole message. Raises DimeError: beginning, end and chunks must be where the flags say."""
        layout = _layout(data)
        reader, records = _Reader(data, layout), []
        for index in itertools.count():
            record, is_first, is_last = reader.record()
            records.append(record)
            if is_first != (index == 0) or index >= _RECORDS:
                raise DimeError("the message begins twice, not at all, or has too many records")
            if is_last:
                break
        if reader.at != len(data):
            raise DimeError("there are octets after the end of the message")
        _check_chunks(records)
        return cls(layout, tuple(records))

    def payloads(self) -> tuple[Payload, ...]:
        """The payloads, chunks put together."""
        return tuple(
            Payload(chunks[0].type_format, chunks[0].type, chunks[0].id, b"".join(chunk.data for chunk in chunks))
            for chunks in _grouped(self.records)
        )


def _check_chunks(records: Sequence[DimeRecord]) -> None:
    """A chunk that is not the first has neither type nor ID of its own; the last record ends its payload."""
    goes_on = False
    for record in records:
        inherits = record.type_format is TypeFormat.UNCHANGED
        if inherits != goes_on or (inherits and (record.type or record.id)):
            raise DimeError("a chunk does not go on with the one before it")
        goes_on = record.is_chunk
    if goes_on:
        raise DimeError("the message ends in the middle of a payload")


def _grouped(records: Sequence[DimeRecord]) -> Iterator[list[DimeRecord]]:
    chunks: list[DimeRecord] = []
    for record in records:
        chunks.append(record)
        if not record.is_chunk:
            yield chunks
            chunks = []


def _layout(data: bytes) -> Layout:
    """The first record has MB: the highest bit in the early layout, behind a version of five bits in the last."""
    if data[:1] >= b"\x80":
        return Layout.EARLY
    if data[:1] and data[0] >> 3 == 1:
        return Layout.VERSION_1
    raise DimeError("the message does not begin as DIME does")


@dataclass
class _Reader:
    data: bytes
    layout: Layout
    at: int = 0

    def record(self) -> tuple[DimeRecord, bool, bool]:
        """A record, and whether it is the first and the last one."""
        if self.layout is Layout.EARLY:
            first, second, size = struct.unpack(">HHI", self._take(8))
            flags, format_, options = first >> 13, second >> 13, 0
            ids, types = first & _THIRTEEN_BITS, second & _THIRTEEN_BITS
        else:
            head, kind, options, ids, types, size = struct.unpack(">BBHHHI", self._take(12))
            if head >> 3 != 1 or kind & 0x0F:
                raise DimeError("a record of another version, or with a reserved bit")
            flags, format_ = head & 7, kind >> 4
        return (self._fields(format_, options, ids, types, size, flags), bool(flags & 4), bool(flags & 2))

    def _fields(self, format_: int, options: int, ids: int, types: int, size: int, flags: int) -> DimeRecord:
        try:
            kind = TypeFormat(format_)
        except ValueError:
            raise DimeError("a type of unknown format") from None
        read_options, id_, type_, data = (self._padded(count) for count in (options, ids, types, size))
        return DimeRecord(kind, type_, id_, data, bool(flags & 1), read_options)

    def _take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise DimeError("the message ends in the middle of a record")
        self.at += count
        return self.data[self.at - count : self.at]

    def _padded(self, count: int) -> bytes:
        found = self._take(count)
        self._take(-count % 4)
        return found


def _pack(record: DimeRecord, layout: Layout, *, first: bool, last: bool) -> bytes:
    flags = first << 2 | last << 1 | record.is_chunk
    if layout is Layout.EARLY:
        if record.options or max(len(record.id), len(record.type)) > _THIRTEEN_BITS:
            raise ValueError("the early layout has no room for this")
        ids, types = flags << 13 | len(record.id), record.type_format << 13 | len(record.type)
        head = struct.pack(">HHI", ids, types, len(record.data))
    else:
        lengths = map(len, (record.options, record.id, record.type, record.data))
        head = struct.pack(">BBHHHI", 1 << 3 | flags, record.type_format << 4, *lengths)
    return head + b"".join(map(_pad, (record.options, record.id, record.type, record.data)))


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
