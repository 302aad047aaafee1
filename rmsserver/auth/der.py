"""As much of DER as SPNEGO needs: definite lengths in shortest form, low tag numbers, nothing recursive."""

from __future__ import annotations

OCTET_STRING = 0x04
OBJECT_IDENTIFIER = 0x06
ENUMERATED = 0x0A
SEQUENCE = 0x30
APPLICATION_0 = 0x60


class DerError(ValueError):
    """The octets are not the structure expected. The text quotes nothing of them."""


def context(number: int) -> int:
    """The tag [number], explicit."""
    return 0xA0 | number


def read(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, which must have this tag, and what follows it."""
    found, content, rest = _element(data)
    if found != tag:
        raise DerError("unexpected tag")
    return content, rest


def read_all(data: bytes, tag: int) -> bytes:
    """The content of the only element."""
    content, rest = read(data, tag)
    if rest:
        raise DerError("data behind the element")
    return content


def read_many(data: bytes, tag: int, limit: int) -> list[bytes]:
    """The contents of one to `limit` elements of one tag."""
    contents: list[bytes] = []
    while data:
        content, data = read(data, tag)
        contents.append(content)
        if len(contents) > limit:
            raise DerError("too many elements")
    if not contents:
        raise DerError("no element")
    return contents


def read_fields(data: bytes) -> dict[int, bytes]:
    """The members of a SEQUENCE by their context tags, which must rise."""
    fields: dict[int, bytes] = {}
    last = -1
    while data:
        tag, content, data = _element(data)
        number = tag - context(0)
        if not last < number < 16:
            raise DerError("unexpected field")
        fields[number] = content
        last = number
    return fields


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise DerError("element cut short or with a long tag")
    length, start = data[1], 2
    if length >= 0x80:
        count = length & 0x7F
        start += count
        octets = data[2:start]
        # No token has 64 KiB. BER's longer forms of a length are tolerated from no one.
        if not 1 <= count <= 2 or len(octets) < count or octets[0] == 0:
            raise DerError("length not in shortest form, or too long")
        length = int.from_bytes(octets, "big")
        if length < 0x80:
            raise DerError("length not in shortest form, or too long")
    if len(data) - start < length:
        raise DerError("element cut short")
    return data[0], data[start : start + length], data[start + length :]


def write(tag: int, content: bytes) -> bytes:
    """One element; content of less than 64 KiB."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    octets = length.to_bytes(1 if length < 0x100 else 2, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def oid_text(content: bytes) -> str:
    """The dotted form of an OBJECT IDENTIFIER's content."""
    if not content or len(content) > 64 or content[-1] & 0x80:
        raise DerError("object identifier cut short or too long")
    arcs: list[int] = []
    value = 0
    for octet in content:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def oid_octets(text: str) -> bytes:
    """The content of an OBJECT IDENTIFIER from its dotted form."""
    first, second, *others = map(int, text.split("."))
    out = bytearray()
    for arc in (40 * first + second, *others):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        out += bytes(reversed(groups))
    return bytes(out)
