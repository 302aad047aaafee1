"""Messages of binary group expansion taken apart after [MS-RMPRS] 2.3, without the server's own reader.

Every record becomes its fields under the names of the specification, in the order of the octets; nothing is resolved and
nothing forgiven.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

HEADER, CLASS_WITH_ID, SYSTEM_CLASS, CLASS, STRING = 0x00, 0x01, 0x04, 0x05, 0x06
PRIMITIVE, REFERENCE, NULL, END, LIBRARY = 0x08, 0x09, 0x0A, 0x0B, 0x0C
NULLS_256, NULLS, OBJECT_ARRAY, STRING_ARRAY, CALL, RETURN = 0x0D, 0x0E, 0x10, 0x11, 0x15, 0x16


@dataclass(frozen=True)
class MemberShape:
    """A member as its class record describes it. `additional` is what stands under AdditionalInfo, None for nothing."""

    name: str
    binary_type: int
    additional: int | str | tuple[str, int] | None


@dataclass(frozen=True)
class Record:
    """`values`: items of an array, or members of an object; untyped primitives as they are, everything else as records."""

    kind: int
    id: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    shape: tuple[MemberShape, ...] = ()
    values: tuple[Any, ...] = ()
    libraries_before: frozenset[int] = frozenset()

    @property
    def class_name(self) -> str | None:
        return self.fields.get("ClassName")

    def member(self, name: str) -> Any:
        return self.values[[member.name for member in self.shape].index(name)]


def parts(records: list[Record]) -> Iterator[Record]:
    """Each record, and those inside it."""
    for record in records:
        yield record
        yield from parts([value for value in record.values if isinstance(value, Record)])


class RecordReader:
    """`records` has them up to the end; AssertionError where the octets are none."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        self._libraries: set[int] = set()
        self._shapes: dict[int, Record] = {}
        self.records = list(self._all())
        assert self._at == len(data), "octets after the end"

    def _all(self) -> Iterator[Record]:
        while True:
            record = self._record()
            yield record
            if record.kind == END:
                return

    def _take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        assert len(found) == count
        self._at += count
        return found

    def _byte(self) -> int:
        return self._take(1)[0]

    def _int32(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def _text(self) -> str:
        """LengthPrefixedString."""
        length = shift = 0
        while True:
            octet = self._byte()
            length |= (octet & 0x7F) << shift
            shift += 7
            if not octet & 0x80:
                return self._take(length).decode("utf-8")

    def _primitive(self, kind: int) -> Any:
        if kind in (0x01, 0x02):
            return self._byte()
        if kind == 0x08:
            return self._int32()
        assert kind == 0x0B
        return struct.unpack("<f", self._take(4))[0]

    def _record(self) -> Record:
        kind = self._byte()
        match kind:
            case 0x00:
                names = ("RootId", "Reserved0", "MajorVersion", "MinorVersion")
                return Record(kind, fields={name: self._int32() for name in names})
            case 0x16:
                return self._return()
            case 0x0C:
                return self._library()
            case 0x0A | 0x0B:
                return Record(kind)
            case 0x0D | 0x0E:
                return Record(kind, fields={"NullCount": self._byte() if kind == NULLS_256 else self._int32()})
            case 0x06:
                return Record(kind, self._int32(), {"Value": self._text()})
            case 0x08:
                primitive = self._byte()
                return Record(kind, fields={"PrimitiveTypeEnum": primitive, "Value": self._primitive(primitive)})
            case 0x09:
                return Record(kind, fields={"IdRef": self._int32()})
            case 0x10 | 0x11:
                return self._array(kind)
            case _:
                return self._object(kind)

    def _return(self) -> Record:
        fields = {"MessageEnum": self._int32()}
        if fields["MessageEnum"] & 0x800:
            fields |= {"ReturnValueCode": self._byte(), "ReturnValue": self._byte()}
        return Record(RETURN, fields=fields)

    def _library(self) -> Record:
        record = Record(LIBRARY, fields={"LibraryId": self._int32(), "LibraryName": self._text()})
        self._libraries.add(record.fields["LibraryId"])
        return record

    def _array(self, kind: int) -> Record:
        number, length = self._int32(), self._int32()
        values: list[Record] = []
        items = 0
        while items < length:
            value = self._record()
            values.append(value)
            items += value.fields.get("NullCount", 1)
        return Record(kind, number, {"Length": length}, values=tuple(values))

    def _object(self, kind: int) -> Record:
        assert kind in (CLASS_WITH_ID, SYSTEM_CLASS, CLASS)
        before = frozenset(self._libraries)
        number = self._int32()
        if kind == CLASS_WITH_ID:
            fields = {"MetadataID": self._int32()}
            shape = self._shapes[fields["MetadataID"]].shape
        else:
            fields, shape = self._description(kind)
            self._shapes[number] = Record(kind, number, fields, shape)
        values = tuple(
            self._primitive(int(member.additional)) if member.binary_type == 0 else self._record()  # type: ignore[arg-type]
            for member in shape
        )
        return Record(kind, number, fields, shape, values, before)

    def _description(self, kind: int) -> tuple[dict[str, Any], tuple[MemberShape, ...]]:
        fields: dict[str, Any] = {"ClassName": self._text(), "MemberCount": self._int32()}
        names = [self._text() for _ in range(fields["MemberCount"])]
        types = [self._byte() for _ in names]
        shape = tuple(
            MemberShape(name, type_, self._additional(type_)) for name, type_ in zip(names, types, strict=True)
        )
        if kind == CLASS:
            fields["LibraryId"] = self._int32()
        return fields, shape

    def _additional(self, binary_type: int) -> int | str | tuple[str, int] | None:
        match binary_type:
            case 0:
                return self._byte()
            case 3:
                return self._text()
            case 4:
                return self._text(), self._int32()
            case _:
                return None
