"""Objects to records ([MS-RMPRS] 2.3.4 to 2.3.6), in the order in which .NET writes them: breadth first.

An object gets its ID where it is first mentioned, and is written when everything before it has been. Strings and values
of enumerations stand where they are mentioned.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from rmsserver.remoting.octets import (
    BinaryType,
    Primitive,
    PrimitiveType,
    RecordType,
    pack_int32,
    pack_primitive,
    pack_string,
)


@dataclass(frozen=True)
class Member:
    """A member of a class: its name, and of what type its values are. `class_name` and `library` where it is a class."""

    name: str
    type: BinaryType
    primitive: PrimitiveType | None = None
    class_name: str = ""
    library: str = ""


@dataclass(frozen=True)
class ClassShape:
    """A class. `library` is "" for one of the system's. `is_enumeration`: values stand in place."""

    name: str
    members: tuple[Member, ...] = ()
    library: str = ""
    is_enumeration: bool = False


@dataclass(eq=False)
class Instance:
    shape: ClassShape
    values: Sequence[Value]


@dataclass(eq=False)
class ObjectArray:
    values: Sequence[Value]


@dataclass(eq=False)
class StringArray:
    values: Sequence[str]


Value = None | str | Primitive | Instance | ObjectArray | StringArray
_Reference = Instance | ObjectArray | StringArray


@dataclass
class GraphWriter:
    """Writes one graph. `write(root)` gives its records, without header and end."""

    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _ids: dict[int, int] = field(default_factory=dict)
    _strings: dict[str, int] = field(default_factory=dict)
    _libraries: dict[str, int] = field(default_factory=dict)
    _shapes: dict[str, int] = field(default_factory=dict)
    _waiting: deque[_Reference] = field(default_factory=deque)

    def write(self, root: _Reference) -> bytes:
        self._id(root)
        pieces = []
        while self._waiting:
            pieces.append(self._object(self._waiting.popleft()))
        return b"".join(pieces)

    def _id(self, item: _Reference) -> int:
        """The item's ID; one mentioned for the first time waits to be written."""
        found = self._ids.get(id(item))
        if found is None:
            found = self._ids[id(item)] = next(self._numbers)
            self._waiting.append(item)
        return found

    def _object(self, item: _Reference) -> bytes:
        number = self._id(item)
        if isinstance(item, Instance):
            return self._instance(item, number)
        kind = RecordType.STRING_ARRAY if isinstance(item, StringArray) else RecordType.OBJECT_ARRAY
        head = bytes([kind]) + pack_int32(number) + pack_int32(len(item.values))
        return head + self._items(item.values)

    def _items(self, values: Sequence[Value]) -> bytes:
        """The items of an array: nulls in a row as one record."""
        pieces = []
        for is_null, run in itertools.groupby(values, lambda value: value is None):
            items = list(run)
            pieces += [_nulls(len(items))] if is_null else [self._value(item) for item in items]
        return b"".join(pieces)

    def _value(self, value: Value) -> bytes:
        if value is None:
            return bytes([RecordType.NULL])
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, Instance) and value.shape.is_enumeration:
            return self._instance(value, -next(self._numbers))
        if isinstance(value, (Instance, ObjectArray, StringArray)):
            return bytes([RecordType.REFERENCE]) + pack_int32(self._id(value))
        type_ = PrimitiveType.BOOLEAN if isinstance(value, bool) else PrimitiveType.INT32
        return bytes([RecordType.PRIMITIVE, type_]) + pack_primitive(type_, value)

    def _string(self, text: str) -> bytes:
        if text in self._strings:
            return bytes([RecordType.REFERENCE]) + pack_int32(self._strings[text])
        self._strings[text] = next(self._numbers)
        return bytes([RecordType.STRING]) + pack_int32(self._strings[text]) + pack_string(text)

    def _instance(self, item: Instance, number: int) -> bytes:
        shape = item.shape
        if shape.name in self._shapes:
            head = bytes([RecordType.CLASS_WITH_ID]) + pack_int32(number) + pack_int32(self._shapes[shape.name])
        else:
            self._shapes[shape.name] = number
            head = self._class(shape, number)
        pairs = zip(shape.members, item.values, strict=True)
        return head + b"".join(self._member(member, value) for member, value in pairs)

    def _member(self, member: Member, value: Value) -> bytes:
        if member.primitive is None:
            return self._value(value)
        assert isinstance(value, (bool, int, float))  # noqa: S101 - a wrong shape is a bug of ours
        return pack_primitive(member.primitive, value)

    def _class(self, shape: ClassShape, number: int) -> bytes:
        """Libraries it needs, then the class record up to its values."""
        needed = [shape.library, *(member.library for member in shape.members)]
        libraries = b"".join(self._library(name) for name in dict.fromkeys(needed) if name)
        kind = RecordType.CLASS if shape.library else RecordType.SYSTEM_CLASS
        return (
            libraries
            + bytes([kind])
            + pack_int32(number)
            + pack_string(shape.name)
            + pack_int32(len(shape.members))
            + b"".join(pack_string(member.name) for member in shape.members)
            + bytes(member.type for member in shape.members)
            + b"".join(map(self._additional, shape.members))
            + (pack_int32(self._libraries[shape.library]) if shape.library else b"")
        )

    def _library(self, name: str) -> bytes:
        if name in self._libraries:
            return b""
        self._libraries[name] = next(self._numbers)
        return bytes([RecordType.LIBRARY]) + pack_int32(self._libraries[name]) + pack_string(name)

    def _additional(self, member: Member) -> bytes:
        if member.primitive is not None:
            return bytes([member.primitive])
        if member.type is BinaryType.CLASS:
            return pack_string(member.class_name) + pack_int32(self._libraries[member.library])
        return pack_string(member.class_name) if member.type is BinaryType.SYSTEM_CLASS else b""


def _nulls(count: int) -> bytes:
    if count == 1:
        return bytes([RecordType.NULL])
    if count < 256:
        return bytes([RecordType.NULLS_256, count])
    return bytes([RecordType.NULLS]) + pack_int32(count)
