"""The little DER that SPNEGO needs, strict."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.auth import der


@given(st.binary(max_size=1000))
def test_element_comes_back(content: bytes) -> None:
    """What is written is read."""
    assert der.read(der.write(der.OCTET_STRING, content) + b"rest", der.OCTET_STRING) == (content, b"rest")


@given(st.binary(max_size=60))
def test_any_octets_give_fields_or_an_error(noise: bytes) -> None:
    """Noise raises nothing but DerError."""
    for reader in (der.read_fields, der.oid_text, lambda d: der.read_many(d, der.OBJECT_IDENTIFIER, 3)):
        with contextlib.suppress(der.DerError):
            reader(noise)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x04", b"\x04\x05abc", b"\x04\x80abc\x00\x00", b"\x04\x81\x03abc", b"\x04\x82\x00\x03abc",
     b"\x04\x84\xff\xff\xff\xff", b"\x04\x82\x01", b"\x1f\x01a", b"\x05\x00"],
    ids=["empty", "tag only", "short", "indefinite", "long form", "leading zero", "huge", "cut length", "long tag", "other"],
)  # fmt: skip
def test_lax_encodings_are_refused(data: bytes) -> None:
    """Only the one shortest encoding of a length, and the tag asked for."""
    with pytest.raises(der.DerError):
        der.read(data, der.OCTET_STRING)


def test_fields_must_rise() -> None:
    """A field twice or out of order is refused."""
    one, two = der.write(der.context(1), b"a"), der.write(der.context(2), b"b")
    assert der.read_fields(one + two) == {1: b"a", 2: b"b"}
    for bad in (two + one, one + one, b"\x04\x00"):
        with pytest.raises(der.DerError):
            der.read_fields(bad)


def test_many_is_bounded() -> None:
    """A list longer than the limit, or empty, is refused."""
    with pytest.raises(der.DerError):
        der.read_many(b"\x06\x01\x2a" * 4, der.OBJECT_IDENTIFIER, 3)
    with pytest.raises(der.DerError):
        der.read_many(b"", der.OBJECT_IDENTIFIER, 3)


def test_behind_the_only_element_nothing_may_stand() -> None:
    """Trailing octets are refused."""
    with pytest.raises(der.DerError):
        der.read_all(b"\x04\x00\x00", der.OCTET_STRING)


@pytest.mark.parametrize(
    ("text", "octets"),
    [("1.3.6.1.5.5.2", "2b0601050502"), ("1.3.6.1.4.1.311.2.2.10", "2b06010401823702020a"), ("2.999.3", "883703")],
)
def test_object_identifiers(text: str, octets: str) -> None:
    """Both forms of an object identifier."""
    assert der.oid_octets(text).hex() == octets
    assert der.oid_text(bytes.fromhex(octets)) == text


@pytest.mark.parametrize("content", [b"", b"\x2b\x86", b"\x2b" * 65])
def test_malformed_object_identifiers_are_refused(content: bytes) -> None:
    """Empty, cut short, too long."""
    with pytest.raises(der.DerError):
        der.oid_text(content)
