"""Primitive values of the remoting format."""

from __future__ import annotations

import pytest

from rmsserver.remoting.octets import (
    Octets,
    PrimitiveType,
    RemotingFormatError,
    pack_length,
    pack_primitive,
    pack_string,
)
from tests.conformance import conforms

LENGTHS = [
    (0, "00"),
    (127, "7f"),
    (128, "8001"),
    (16383, "ff7f"),
    (16384, "808001"),
    (2097151, "ffff7f"),
    (2097152, "80808001"),
    (268435455, "ffffff7f"),
    (268435456, "8080808001"),
    (2147483647, "ffffffff07"),
]
"""At the edges of one to five octets."""


@conforms("MS-RMPRS 2.3.3.4", "The length of a string is one octet long at least.")
@conforms(
    "MS-RMPRS 2.3.3.4",
    "Of a length, each octet holds seven bits, the lowest first; in all octets but the last the high bit is set.",
)
@pytest.mark.parametrize(("length", "octets"), LENGTHS)
def test_lengths(length: int, octets: str) -> None:
    """2.3.3.4: written and read, in the fewest octets."""
    assert pack_length(length) == bytes.fromhex(octets)
    assert Octets(bytes.fromhex(octets)).length() == length


@conforms("MS-RMPRS 2.3.3.4", "A string has as many octets in UTF-8 as its length says.")
@pytest.mark.parametrize(
    ("text", "packed"), [("", "00"), ("a", "0161"), ("\u20ac", "03e282ac"), ("x" * 128, "8001" + "78" * 128)]
)
def test_strings(text: str, packed: str) -> None:
    """2.3.3.4: the length counts octets, not characters."""
    assert pack_string(text) == bytes.fromhex(packed)
    assert Octets(bytes.fromhex(packed)).string() == text


@conforms("MS-RMPRS 2.3.3.4", "A length of more than five octets is refused.")
@pytest.mark.parametrize("octets", ["808080808001", "ffffffffff07"])
def test_a_length_of_six_octets(octets: str) -> None:
    """2.3.3.4: the fifth octet is the last."""
    with pytest.raises(RemotingFormatError):
        Octets(bytes.fromhex(octets)).length()


@conforms("MS-RMPRS 2.3.3.4", "A length whose fifth octet has one of its five high bits set is refused.")
@pytest.mark.parametrize("last", ["08", "10", "20", "40", "80"])
def test_a_fifth_octet_that_is_too_large(last: str) -> None:
    """2.3.3.4: no length is greater than 2147483647."""
    with pytest.raises(RemotingFormatError):
        Octets(bytes.fromhex("ffffffff" + last)).length()


def test_primitives() -> None:
    """Little-endian; the load factor of a hash table is the one of the example."""
    assert pack_primitive(PrimitiveType.SINGLE, 0.72) == bytes.fromhex("ec51383f")
    assert Octets(pack_primitive(PrimitiveType.INT32, -11)).primitive(PrimitiveType.INT32) == -11
    assert Octets(b"\x01").primitive(PrimitiveType.BOOLEAN) is True


@pytest.mark.parametrize("type_", [PrimitiveType.NULL, PrimitiveType.STRING])
def test_what_is_no_primitive(type_: PrimitiveType) -> None:
    """2.3.5.1."""
    with pytest.raises(RemotingFormatError):
        Octets(bytes(8)).primitive(type_)
    with pytest.raises(RemotingFormatError):
        Octets(b"\x02").primitive(PrimitiveType.BOOLEAN)
