"""Primitive values of the remoting format."""

from __future__ import annotations

import pytest

from rmsserver.remoting.octets import Octets, PrimitiveType, RemotingFormatError, pack_primitive, pack_string


@pytest.mark.parametrize(
    ("length", "prefix"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16383, "ff7f"), (16384, "808001"), (2097152, "80808001")],
)
def test_lengths_of_strings(length: int, prefix: str) -> None:
    """2.3.3.4: seven bits an octet, at the edges of each length."""
    packed = pack_string("x" * length)
    assert packed.startswith(bytes.fromhex(prefix))
    assert Octets(packed).string() == "x" * length


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
