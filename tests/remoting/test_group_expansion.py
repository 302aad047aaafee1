"""The messages of binary group expansion: the example of [MS-RMPRS] 4.3 octet for octet, bounds, hostile octets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmsserver.remoting.group_expansion import (
    FoundPrincipal,
    MembershipCall,
    MembershipException,
    MembershipReturn,
    ProductVersion,
)
from rmsserver.remoting.octets import RecordType, RemotingFormatError, pack_int32, pack_string

_FOLDER = Path(__file__).parents[2] / "fixtures" / "remoting"
CALL = (_FOLDER / "call.bin").read_bytes()
RETURN = (_FOLDER / "return.bin").read_bytes()

EXAMPLE_CALL = MembershipCall(
    "mail=user1@contoso.com",
    "mail=user1@contoso.com",
    ("mail=group1_1@contoso.com", "mail=group2@contoso.com"),
    1,
)
EXAMPLE_RETURN = MembershipReturn(
    True,
    FoundPrincipal(
        ("id=s-1-5-21-878380243-1958209386-896679168-1340", "mail=user1@contoso.com"),
        "2992e4f5beebdd4bb10d827587aa775f",
        ("5b98d9f16720f3489899d8893795f3ae", "f2a0f0483745cb4ca23a4adcbd62f215"),
    ),
)


def test_the_example_call() -> None:
    """4.3, both ways, octet for octet."""
    assert EXAMPLE_CALL.pack() == CALL
    assert MembershipCall.unpack(CALL) == EXAMPLE_CALL


def test_the_example_return() -> None:
    """4.3, both ways, octet for octet."""
    assert EXAMPLE_RETURN.pack() == RETURN
    assert MembershipReturn.unpack(RETURN) == EXAMPLE_RETURN


@pytest.mark.parametrize("version", list(ProductVersion))
def test_each_version_has_its_own_names(version: ProductVersion) -> None:
    """A call names the asker's version, and the answer that version's library (section 7, note 4)."""
    call = MembershipCall("a@example.com", "b@example.com", ("g@example.com",), 0, version)
    assert MembershipCall.unpack(call.pack()) == call
    answer = MembershipReturn(False, FoundPrincipal(("mail=a@example.com",), exists=False), version).pack()
    others = [other for other in ProductVersion if other is not version]
    assert version.library.encode() in answer
    assert not any(other.library.encode() in answer for other in others)


@pytest.mark.parametrize("count", [0, 1, 16, 17, 40])
def test_lists_of_any_length(count: int) -> None:
    """An array list has room for sixteen and doubles; a dictionary of none has no head."""
    names = tuple(f"mail=user{n}@example.com" for n in range(count))
    answer = MembershipReturn(count > 0, FoundPrincipal(names, None, tuple(f"{n:032x}" for n in range(count))))
    assert MembershipReturn.unpack(answer.pack()) == answer


def test_an_exception_is_no_return() -> None:
    """2.3.6.9: told apart by the flags."""
    packed = MembershipException("System.UnauthorizedAccessException: no \u20ac").pack()
    assert MembershipException.unpack(packed).message == "System.UnauthorizedAccessException: no \u20ac"
    assert packed[17:22] == bytes.fromhex("1641220000")
    with pytest.raises(RemotingFormatError):
        MembershipReturn.unpack(packed)
    with pytest.raises(RemotingFormatError):
        MembershipException.unpack(RETURN)


# --- hostile octets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", range(len(CALL)))
def test_every_prefix_is_refused(cut: int) -> None:
    """Nothing is read beyond the end."""
    with pytest.raises(RemotingFormatError):
        MembershipCall.unpack(CALL[:cut])


@given(st.integers(0, len(RETURN) - 1), st.integers(0, 255))
@settings(max_examples=400, deadline=None)
def test_a_changed_octet_is_read_or_refused(at: int, octet: int) -> None:
    """Never another error."""
    for original, kind in ((CALL, MembershipCall), (RETURN, MembershipReturn)):
        if at < len(original):
            try:
                kind.unpack(original[:at] + bytes([octet]) + original[at + 1 :])
            except RemotingFormatError:
                continue


def _call_with(records: bytes) -> bytes:
    """The example's call up to its arguments, then these records."""
    return CALL[: CALL.index(bytes.fromhex("100100000005000000"))] + records


def _array(number: int, length: int) -> bytes:
    return bytes([RecordType.OBJECT_ARRAY]) + pack_int32(number) + pack_int32(length)


@pytest.mark.parametrize(
    "records",
    [
        _array(1, 0x7FFFFFFF),
        _array(1, -1),
        _array(1, 4096) + b"\x0e" + pack_int32(4096) + _array(2, 4096) + b"\x0e" + pack_int32(4096) + b"\x0b",
        _array(1, 5) + b"\x0e" + pack_int32(6),
        _array(1, 5) + b"\x0d\x00" * 5,
        _array(1, 1)
        + _array(2, 1)
        + _array(3, 1)
        + _array(4, 1)
        + _array(5, 1)
        + _array(6, 1)
        + _array(7, 0)
        + b"\x0b",
        b"\x06" + pack_int32(1) + b"\xff\xff\xff\xff\x0f",
        b"\x06" + pack_int32(1) + b"\xff\xff\xff\xff\x07",
        b"\x06" + pack_int32(1) + b"\x81\x00a",
        b"\x06" + pack_int32(1) + b"\x02\xc3\x28",
        b"\x01" + pack_int32(1) + pack_int32(9),
        b"\x05" + pack_int32(1) + pack_string("A") + pack_int32(0) + pack_int32(9) + b"\x0b",
        b"\x04" + pack_int32(1) + pack_string("A") + pack_int32(2) + pack_string("m") * 2 + b"\x01\x01\x0a\x0a\x0b",
        b"\x15" + pack_int32(1),
        _array(1, 0) + _array(1, 0) + b"\x0b",
        _array(1, 0) + b"\x0b\x00",
    ],
)
def test_what_a_reader_must_not_believe(records: bytes) -> None:
    """Lengths, counts, IDs and depths that lie, libraries and classes that nobody introduced, octets after the end."""
    begun = time.perf_counter()
    with pytest.raises(RemotingFormatError):
        MembershipCall.unpack(_call_with(records))
    assert time.perf_counter() - begun < 5


def test_a_circle_of_nodes_ends() -> None:
    """A dictionary whose second node is followed by its first."""
    node = bytes.fromhex("0111000000") + pack_int32(12)
    at = RETURN.index(node)
    end = RETURN.index(bytes.fromhex("0801010a10"), at)
    circular = RETURN[: end + 3] + b"\x09" + pack_int32(12) + RETURN[end + 4 :]
    with pytest.raises(RemotingFormatError, match="too many"):
        MembershipReturn.unpack(circular)


@pytest.mark.parametrize(
    ("found", "put"),
    [
        (b"\x12\x13IsPrincipalMemberOf", b"\x12\x13IsPrincipalMemberOg"),
        (b"5.2.3790.300", b"5.2.3790.301"),
        (b"\x15\x14\x00", b"\x15\x15\x00"),
        (b"\x00\x01\x00\x00\x00\xff", b"\x00\x02\x00\x00\x00\xff"),
        (b"\x01\x00\x00\x00\x00\x00\x00\x00\x15", b"\x02\x00\x00\x00\x00\x00\x00\x00\x15"),
        (b"\x08\x08\x01\x00\x00\x00", b"\x08\x01\x01\x09\x02\x00"),
    ],
)
def test_other_methods_types_and_versions(found: bytes, put: bytes) -> None:
    """Only this method of this interface, in the form of 2.3.1.2."""
    assert CALL.count(found) == 1
    with pytest.raises(RemotingFormatError):
        MembershipCall.unpack(CALL.replace(found, put))
