"""Primitive values and the numbers of records and types ([MS-RMPRS] 2.3.2, 2.3.3): little-endian, bounded, strict."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass


class RemotingFormatError(Exception):
    """The octets are no message of this interface. Its text never quotes them."""


class RecordType(enum.IntEnum):
    """2.3.2.1."""

    HEADER = 0x00
    CLASS_WITH_ID = 0x01
    SYSTEM_CLASS = 0x04
    CLASS = 0x05
    STRING = 0x06
    PRIMITIVE = 0x08
    REFERENCE = 0x09
    NULL = 0x0A
    END = 0x0B
    LIBRARY = 0x0C
    NULLS_256 = 0x0D
    NULLS = 0x0E
    OBJECT_ARRAY = 0x10
    STRING_ARRAY = 0x11
    CALL = 0x15
    RETURN = 0x16


class BinaryType(enum.IntEnum):
    """2.3.2.2: of what kind a member of a class is."""

    PRIMITIVE = 0
    STRING = 1
    OBJECT = 2
    SYSTEM_CLASS = 3
    CLASS = 4
    OBJECT_ARRAY = 5
    STRING_ARRAY = 6


class PrimitiveType(enum.IntEnum):
    """2.3.2.3."""

    BOOLEAN = 0x01
    BYTE = 0x02
    INT32 = 0x08
    SINGLE = 0x0B
    NULL = 0x11
    STRING = 0x12


Primitive = bool | int | float
_FORMATS = {PrimitiveType.BYTE: "<B", PrimitiveType.INT32: "<i", PrimitiveType.SINGLE: "<f"}


def pack_primitive(type_: PrimitiveType, value: Primitive) -> bytes:
    if type_ is PrimitiveType.BOOLEAN:
        return b"\x01" if value else b"\x00"
    return struct.pack(_FORMATS[type_], value)


def pack_int32(value: int) -> bytes:
    return struct.pack("<i", value)


def pack_length(length: int) -> bytes:
    """Seven bits an octet, the lowest first; the high bit says that more follow (2.3.3.4)."""
    packed = bytearray()
    while length > 0x7F:
        packed.append(length & 0x7F | 0x80)
        length >>= 7
    packed.append(length)
    return bytes(packed)


def pack_string(text: str) -> bytes:
    """A LengthPrefixedString (2.3.3.4)."""
    data = text.encode()
    return pack_length(len(data)) + data


@dataclass
class Octets:
    """A message being read, from front to back. Every method raises RemotingFormatError."""

    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise RemotingFormatError("the message ends in the middle of a record")
        found = self.data[self.at : self.at + count]
        self.at += count
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def int32(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def positive(self) -> int:
        """An ID, or a count that is at least one."""
        value = self.int32()
        if value <= 0:
            raise RemotingFormatError("an ID or a count is not positive")
        return value

    def count(self, limit: int) -> int:
        value = self.int32()
        if not 0 <= value <= limit:
            raise RemotingFormatError("a count is out of range")
        return value

    def record_type(self) -> RecordType:
        try:
            return RecordType(self.byte())
        except ValueError:
            raise RemotingFormatError("a record of unknown type") from None

    def primitive(self, type_: PrimitiveType) -> Primitive:
        if type_ is PrimitiveType.BOOLEAN:
            value = self.byte()
            if value > 1:
                raise RemotingFormatError("a truth value is neither")
            return value == 1
        if type_ not in _FORMATS:
            raise RemotingFormatError("a primitive of a type that is none")
        size = struct.calcsize(_FORMATS[type_])
        (number,) = struct.unpack(_FORMATS[type_], self.take(size))
        return float(number) if type_ is PrimitiveType.SINGLE else int(number)

    def primitive_type(self) -> PrimitiveType:
        try:
            return PrimitiveType(self.byte())
        except ValueError:
            raise RemotingFormatError("a primitive of unknown type") from None

    def binary_type(self) -> BinaryType:
        try:
            return BinaryType(self.byte())
        except ValueError:
            raise RemotingFormatError("a member of unknown type") from None

    def string(self) -> str:
        """A LengthPrefixedString in its one shortest spelling."""
        try:
            return self.take(self.length()).decode()
        except UnicodeDecodeError:
            raise RemotingFormatError("a string is not UTF-8") from None

    def length(self) -> int:
        """Of a string, in octets."""
        length = 0
        for position in range(5):
            octet = self.byte()
            length |= (octet & 0x7F) << (7 * position)
            if octet < 0x80:
                if length > 0x7FFFFFFF or (octet == 0 and position):
                    break
                return length
        raise RemotingFormatError("the length of a string is not valid")
