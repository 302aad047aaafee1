"""Records to values ([MS-RMPRS] 2.3.4 to 2.3.6), within bounds. References stay references until somebody asks.

Whatever the octets say, reading costs time and memory in proportion to their number: arrays and nulls are counted against
one budget, classes nest to a small depth, and no ID is defined twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rmsserver.remoting.octets import BinaryType, Octets, Primitive, PrimitiveType, RecordType, RemotingFormatError

_ITEMS = 4096
_MEMBERS = 64
_DEPTH = 4


@dataclass(frozen=True)
class Reference:
    id: int


@dataclass(frozen=True)
class ReadInstance:
    class_name: str
    members: Mapping[str, ReadValue]


@dataclass(frozen=True)
class ReadArray:
    values: tuple[ReadValue, ...]


@dataclass(frozen=True)
class ReadStrings:
    """An array of strings; .NET writes one that was mentioned before as a reference."""

    values: tuple[ReadValue, ...]


ReadValue = None | str | Primitive | Reference | ReadInstance | ReadArray | ReadStrings


@dataclass(frozen=True)
class _Shape:
    name: str
    members: tuple[tuple[str, PrimitiveType | None], ...]


@dataclass
class GraphReader:
    """Reads records up to the end of the message; `resolve` then follows references."""

    octets: Octets
    _objects: dict[int, ReadValue] = field(default_factory=dict)
    _shapes: dict[int, _Shape] = field(default_factory=dict)
    _libraries: set[int] = field(default_factory=set)
    _items: int = 0

    def read(self) -> None:
        """Raises RemotingFormatError."""
        while (kind := self.octets.record_type()) is not RecordType.END:
            if kind is RecordType.LIBRARY:
                self._library()
            elif kind in _REFERABLE:
                self._record(kind, 0)
            else:
                raise RemotingFormatError("a record stands where none of its type may")
        if self.octets.at != len(self.octets.data):
            raise RemotingFormatError("there are octets after the end of the message")

    def resolve(self, value: ReadValue) -> ReadValue:
        """The object that a reference means, anything else as it is."""
        if not isinstance(value, Reference):
            return value
        if value.id not in self._objects:
            raise RemotingFormatError("a reference to nothing")
        return self._objects[value.id]

    def object(self, number: int) -> ReadValue:
        return self.resolve(Reference(number))

    # --- inside -------------------------------------------------------------------------------------------------------

    def _library(self) -> None:
        number = self.octets.positive()
        self.octets.string()
        if number in self._libraries:
            raise RemotingFormatError("an ID stands for two libraries")
        self._libraries.add(number)

    def _define(self, number: int, value: ReadValue) -> ReadValue:
        if number == 0 or number in self._objects:
            raise RemotingFormatError("an ID stands for two objects, or is zero")
        self._objects[number] = value
        return value

    def _spend(self, count: int) -> None:
        self._items += count
        if self._items > _ITEMS:
            raise RemotingFormatError("the message has too many values")

    def _value(self, depth: int) -> ReadValue:
        """One value of a member; a library may be introduced before it."""
        kind = self.octets.record_type()
        while kind is RecordType.LIBRARY:
            self._library()
            kind = self.octets.record_type()
        return self._record(kind, depth)

    def _record(self, kind: RecordType, depth: int) -> ReadValue:
        self._spend(1)
        if depth > _DEPTH:
            raise RemotingFormatError("classes are nested too deeply")
        match kind:
            case RecordType.NULL:
                return None
            case RecordType.REFERENCE:
                return Reference(self.octets.positive())
            case RecordType.PRIMITIVE:
                return self.octets.primitive(self.octets.primitive_type())
            case RecordType.STRING:
                return self._define(self.octets.positive(), self.octets.string())
            case RecordType.OBJECT_ARRAY | RecordType.STRING_ARRAY:
                return self._array(kind, depth)
            case RecordType.CLASS | RecordType.SYSTEM_CLASS:
                number = self.octets.int32()
                return self._instance(number, self._shape(kind, number), depth)
            case RecordType.CLASS_WITH_ID:
                number, shape = self.octets.int32(), self._shapes.get(self.octets.int32())
                if shape is None:
                    raise RemotingFormatError("an object of a class that was not described")
                return self._instance(number, shape, depth)
            case _:
                raise RemotingFormatError("a record stands where a value should")

    def _array(self, kind: RecordType, depth: int) -> ReadValue:
        number, length = self.octets.positive(), self.octets.count(_ITEMS)
        values: list[ReadValue] = []
        while len(values) < length:
            item = self.octets.record_type()
            if item in (RecordType.NULLS, RecordType.NULLS_256):
                count = self.octets.byte() if item is RecordType.NULLS_256 else self.octets.positive()
                if count > length - len(values):
                    raise RemotingFormatError("an array has more values than its length")
                self._spend(count)
                values += [None] * count
            else:
                values.append(self._record(item, depth + 1))
        shape = ReadStrings if kind is RecordType.STRING_ARRAY else ReadArray
        return self._define(number, shape(tuple(values)))

    def _shape(self, kind: RecordType, number: int) -> _Shape:
        name, count = self.octets.string(), self.octets.count(_MEMBERS)
        names = [self.octets.string() for _ in range(count)]
        types = [self.octets.binary_type() for _ in range(count)]
        shape = _Shape(name, tuple(zip(names, [self._additional(type_) for type_ in types], strict=True)))
        if len(set(names)) != count:
            raise RemotingFormatError("two members of one name")
        if kind is RecordType.CLASS:
            self._known_library()
        self._shapes[number] = shape
        return shape

    def _additional(self, type_: BinaryType) -> PrimitiveType | None:
        if type_ is BinaryType.PRIMITIVE:
            return self.octets.primitive_type()
        if type_ in (BinaryType.CLASS, BinaryType.SYSTEM_CLASS):
            self.octets.string()
        if type_ is BinaryType.CLASS:
            self._known_library()
        return None

    def _known_library(self) -> None:
        if self.octets.int32() not in self._libraries:
            raise RemotingFormatError("a library that was not introduced")

    def _instance(self, number: int, shape: _Shape, depth: int) -> ReadValue:
        members = {
            name: self._value(depth + 1) if primitive is None else self.octets.primitive(primitive)
            for name, primitive in shape.members
        }
        self._spend(len(members))
        return self._define(number, ReadInstance(shape.name, members))


_REFERABLE = frozenset(
    {
        RecordType.CLASS,
        RecordType.SYSTEM_CLASS,
        RecordType.CLASS_WITH_ID,
        RecordType.STRING,
        RecordType.OBJECT_ARRAY,
        RecordType.STRING_ARRAY,
    }
)
