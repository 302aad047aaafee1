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
from tests.conformance import conforms

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


# --- the form of a call -------------------------------------------------------------------------------------------------


def _changed(*changes: tuple[bytes, bytes]) -> bytes:
    """The example's call with each of these octets, which stand in it once, replaced."""
    data = CALL
    for found, put in changes:
        assert data.count(found) == 1, found
        data = data.replace(found, put)
    return data


_NAME = pack_string("mail=user1@contoso.com")
_GROUPS = bytes.fromhex("110300000002000000")
_LAST_ARGUMENT = bytes.fromhex("0a11030000000200")


@conforms("MS-RMPRS 2.3.1.1", "The arguments of a call are those under the header's root ID, whichever it is.")
@conforms("MS-RMPRS 2.3.1.1", "What stands in a call's reserved field is ignored.")
def test_ids_are_the_callers_choice() -> None:
    """2.3.1.1: the root's ID is any positive one; the field after it is not read."""
    header, array = b"\x00\x01\x00\x00\x00\xff\xff\xff\xff", b"\x10\x01\x00\x00\x00\x05"
    for root in (1, 77, 2**31 - 1):
        number = pack_int32(root)
        data = _changed((header, b"\x00" + number + b"\x2a\x00\x00\x00"), (array, b"\x10" + number + b"\x05"))
        assert MembershipCall.unpack(data) == EXAMPLE_CALL
    with pytest.raises(RemotingFormatError):
        MembershipCall.unpack(_changed((header, b"\x00" + pack_int32(3) + b"\xff\xff\xff\xff")))


@conforms("MS-RMPRS 2.3.5.5", "A row of nulls in a call is read under the type 0x0e.")
@conforms("MS-RMPRS 2.3.5.6", "A row of nulls in a call is read under the type 0x0d with any count from 0 to 255.")
@pytest.mark.parametrize("nulls", [b"\x0a", b"\x0e\x01\x00\x00\x00", b"\x0d\x01", b"\x0d\x00\x0d\x00\x0a"])
def test_nulls_in_every_form(nulls: bytes) -> None:
    """2.3.5.4 to 2.3.5.6: one null alone, or counted; a count in one octet may be zero."""
    assert MembershipCall.unpack(_changed((_LAST_ARGUMENT, nulls + _LAST_ARGUMENT[1:]))) == EXAMPLE_CALL


def test_a_long_row_of_nulls() -> None:
    """A count in one octet goes up to 255, a longer one has four; either fills an array to the letter."""
    for row, length in ((b"\x0d\xff", 255), (b"\x0e" + pack_int32(300), 300)):
        extra = _array(9, length) + row
        assert MembershipCall.unpack(CALL[:-1] + extra + CALL[-1:]) == EXAMPLE_CALL


_REFUSED = [
    pytest.param(
        [(b"\x00\x01\x00\x00\x00\xff", b"\x0c\x01\x00\x00\x00\xff")],
        marks=[
            conforms("MS-RMPRS 2.3.1", "A message begins with the header; a call that does not is refused."),
            conforms("MS-RMPRS 2.3.1.1", "The header is the first record; a call that has it nowhere is refused."),
        ],
        id="no header",
    ),
    pytest.param(
        [(b"\xff\x01\x00\x00\x00\x00\x00\x00\x00\x15", b"\xff\x02\x00\x00\x00\x00\x00\x00\x00\x15")],
        marks=conforms("MS-RMPRS 2.3.1.1", "The major version of the format is 1; a call in another is refused."),
        id="major version",
    ),
    pytest.param(
        [(b"\x00\x00\x00\x00\x15", b"\x01\x00\x00\x00\x15")],
        marks=conforms("MS-RMPRS 2.3.1.1", "The minor version of the format is 0; a call in another is refused."),
        id="minor version",
    ),
    pytest.param(
        [(b"\x15\x14\x00", b"\x16\x14\x00")],
        marks=[
            conforms(
                "MS-RMPRS 2.3.1",
                "An answer's second record is a return; a call whose second record is no call is refused.",
            ),
            conforms("MS-RMPRS 2.3.1.2", "A call under another type than 0x15 is refused."),
        ],
        id="record of the call",
    ),
    pytest.param(
        [(b"\x15\x14\x00", b"\x15\x11\x00")],
        marks=conforms("MS-RMPRS 2.3.1.2", "A call with other flags than 0x14 is refused."),
        id="flags",
    ),
    pytest.param(
        [(b"\x12\x13IsPrincipalMemberOf", b"\x12\x13isprincipalmemberof")],
        marks=conforms("MS-RMPRS 2.3.1.2", "A call to another method than IsPrincipalMemberOf is refused."),
        id="method",
    ),
    pytest.param(
        [(b"\x12\x13IsPrincipalMemberOf", b"\x11")],
        marks=conforms("MS-RMPRS 2.3.3.2", "A call whose method is of type Null, and without a value, is refused."),
        id="no method",
    ),
    pytest.param(
        [(b"\x12\x13IsPrincipalMemberOf", b"\x02\x13IsPrincipalMemberOf")],
        marks=conforms("MS-RMPRS 2.3.3.3", "A call whose method has another type than String is refused."),
        id="method no string",
    ),
    pytest.param(
        [(b"\x10\x01\x00\x00\x00\x05", b"\x11\x01\x00\x00\x00\x05")],
        marks=conforms("MS-RMPRS 2.3.1.2.1", "Arguments in an array of another type than 0x10 are refused."),
        id="arguments no object array",
    ),
    *(
        pytest.param(
            [
                (b"\x00\x01\x00\x00\x00\xff", b"\x00" + pack_int32(number) + b"\xff"),
                (b"\x10\x01\x00\x00\x00\x05", b"\x10" + pack_int32(number) + b"\x05"),
            ],
            marks=conforms("MS-RMPRS 2.3.1.2.1", "Arguments under an ID that is not positive are refused."),
            id=f"arguments ID {number}",
        )
        for number in (0, -1)
    ),
    *(
        pytest.param(
            [(b"\x10\x01\x00\x00\x00\x05", b"\x10\x01\x00\x00\x00" + length), (_LAST_ARGUMENT, rest)],
            marks=conforms("MS-RMPRS 2.3.1.2.1", "Arguments that are not five are refused."),
            id=f"{length[0]} arguments",
        )
        for length, rest in ((b"\x04", _LAST_ARGUMENT[1:]), (b"\x06", b"\x0a" + _LAST_ARGUMENT))
    ),
    pytest.param(
        [(b"\x08\x08\x01\x00\x00\x00", b"\x08\x11")],
        marks=conforms(
            "MS-RMPRS 2.3.5.1", "A typed primitive is neither Null nor a string; a call with such a one is refused."
        ),
        id="number that is null",
    ),
    pytest.param(
        [(b"\x08\x08\x01\x00\x00\x00", b"\x08\x12\x01a")],
        marks=conforms(
            "MS-RMPRS 2.3.5.1", "A typed primitive is neither Null nor a string; a call with such a one is refused."
        ),
        id="number that is a string",
    ),
    *(
        pytest.param(
            [(b"\x08\x08\x01\x00\x00\x00", count)],
            marks=conforms(
                "MS-RMPRS 2.3.5.1", "A typed primitive has the type 0x08; a count of calls in another form is refused."
            ),
            id=f"count of calls {count.hex()}",
        )
        for count in (b"\x06\x09\x00\x00\x00\x011", b"\x0a", b"\x08\x01\x01", b"\x08\x0b\x00\x00\x80\x3f")
    ),
    pytest.param(
        [(b"\x09\x03\x00\x00\x00", b"\x09\x63\x00\x00\x00")],
        marks=conforms(
            "MS-RMPRS 2.3.5.3", "A reference names one record of the message; a call with one to nothing is refused."
        ),
        id="reference to nothing",
    ),
    pytest.param(
        [(b"\x09\x03\x00\x00\x00", b"\x09\xfd\xff\xff\xff"), (_GROUPS, b"\x11\xfd\xff\xff\xff\x02\x00\x00\x00")],
        marks=[
            conforms("MS-RMPRS 2.3.5.3", "A reference is positive; a call with another is refused."),
            conforms("MS-RMPRS 2.3.4.2", "Groups under an ID that is not positive are refused."),
        ],
        id="negative reference",
    ),
    pytest.param(
        [(_GROUPS, b"\x10" + _GROUPS[1:])],
        marks=conforms("MS-RMPRS 2.3.4.2", "Groups in an array of another type than 0x11 are refused."),
        id="groups no string array",
    ),
    pytest.param(
        [(_GROUPS, _GROUPS[:5] + b"\xff\xff\xff\xff")],
        marks=conforms(
            "MS-RMPRS 2.3.4.2", "The length of an array of groups is zero or more; a negative one is refused."
        ),
        id="negative length",
    ),
    *(
        pytest.param(
            [(_GROUPS, _GROUPS[:5] + b"\x03\x00\x00\x00" + item)],
            marks=conforms("MS-RMPRS 2.3.4.2", "A group that is no string is refused."),
            id=f"group {item.hex()}",
        )
        for item in (b"\x0a", b"\x08\x08\x01\x00\x00\x00", b"\x09\x01\x00\x00\x00")
    ),
    *(
        pytest.param(
            [(b"\x06\x04\x00\x00\x00", b"\x06" + pack_int32(number))],
            marks=conforms("MS-RMPRS 2.3.5.7", "A string has a positive ID; a call with another is refused."),
            id=f"string ID {number}",
        )
        for number in (0, -4)
    ),
    *(
        pytest.param(
            [(_LAST_ARGUMENT, b"\x0e" + pack_int32(count) + b"\x0a" + _LAST_ARGUMENT[1:])],
            marks=conforms("MS-RMPRS 2.3.5.5", "A row of nulls with a count that is not positive is refused."),
            id=f"{count} nulls",
        )
        for count in (0, -1)
    ),
    pytest.param(
        [(_NAME, _NAME.replace(b"user1", b"user"))],
        marks=conforms("MS-RMPRS 2.3.3.4", "A string has as many octets in UTF-8 as its length says."),
        id="short string",
    ),
]


@pytest.mark.parametrize("changes", _REFUSED)
def test_a_call_of_another_form(changes: list[tuple[bytes, bytes]]) -> None:
    """2.3.1.1 to 2.3.5.7: each thing that is otherwise than the specification has it, alone."""
    with pytest.raises(RemotingFormatError):
        MembershipCall.unpack(_changed(*changes))


@conforms("MS-RMPRS 2.3.1", "A message ends with the record of an end; a call that does not is refused.")
@conforms("MS-RMPRS 2.3.1.4", "The end of a message has the type 0x0b; a call that ends with another is refused.")
@pytest.mark.parametrize("end", [b"", b"\x0a", b"\x0c", b"\x0b\x0b"])
def test_a_call_without_its_end(end: bytes) -> None:
    """2.3.1.4: it ends with that record and nothing after it."""
    with pytest.raises(RemotingFormatError):
        MembershipCall.unpack(CALL[:-1] + end)


@conforms("MS-RMPRS 2.3.4.2", "The length of an array of groups is zero or more; a negative one is refused.")
def test_no_groups() -> None:
    """2.3.4.2: a length of zero."""
    data = CALL[: CALL.index(_GROUPS)] + _GROUPS[:5] + pack_int32(0) + b"\x0b"
    assert MembershipCall.unpack(data).groups == ()


@conforms("MS-RMPRS 2.3.5.3", "What a reference means is in the message, before the reference or after it.")
def test_references_in_either_direction() -> None:
    """2.3.5.3: the example's groups come after; here they come first."""
    at = CALL.index(_GROUPS)
    arguments = CALL.index(b"\x10\x01\x00\x00\x00\x05")
    assert MembershipCall.unpack(CALL[:arguments] + CALL[at:-1] + CALL[arguments:at] + b"\x0b") == EXAMPLE_CALL
