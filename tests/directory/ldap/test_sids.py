"""rmsserver.directory.ldap.sids"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.directory.ldap.sids import sid_bytes, sid_text, with_rid

# A domain account, as [MS-DTYP] 2.4.2 lays it out.
TEXT = "S-1-5-21-3514509854-3840647820-1168366862-1105"
DATA = bytes.fromhex("0105000000000005150000001e2a7bd18ca2ebe40edda34551040000")


def test_fixed_bytes() -> None:
    """Text and bytes of a real SID."""
    assert sid_bytes(TEXT) == DATA
    assert sid_bytes(TEXT.lower()) == DATA
    assert sid_text(DATA) == TEXT


@given(st.integers(0, 2**48 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15))
def test_there_and_back(authority: int, parts: list[int]) -> None:
    """Every SID comes back as it was."""
    text = "-".join(map(str, ["S", 1, authority, *parts]))
    data = sid_bytes(text)
    assert data is not None
    assert sid_text(data) == text


@pytest.mark.parametrize(
    "text",
    ["", "S-1-5", "S-2-5-21-1", "S-1-5-4294967296", "S-1-5-21-1)(cn=*", "S-1-5-21-", "S-1-5-²", "S-1-5" + "-1" * 16],
)
def test_no_sid_as_text(text: str) -> None:
    """What is no SID is none, in particular what would go on in a filter."""
    assert sid_bytes(text) is None


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"\0", b"\2" + DATA[1:], b"\1\x10" + bytes(70)])
def test_no_sid_as_bytes(data: bytes) -> None:
    """Wrong length, revision or count."""
    assert sid_text(data) is None


def test_other_account_of_the_domain() -> None:
    """The last number is the account's within its domain."""
    assert with_rid(TEXT, 513) == "S-1-5-21-3514509854-3840647820-1168366862-513"
