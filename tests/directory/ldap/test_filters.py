"""rmsserver.directory.ldap.filters"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.directory.ldap.filters import IN_CHAIN, all_of, any_of, equals, is_askable

_VALUE = re.compile(r"\(mail=((?:[^()*\\\x00]|\\[0-9a-f]{2})*)\)")


def meaning(value: str) -> bytes:
    """The octets that a server reads from an escaped value ([RFC4515] section 3)."""
    return re.sub(rb"\\([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), value.encode())


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_N2_any_text_stays_one_value(text: str) -> None:
    """N2: whatever the text, the filter is one comparison, with exactly this text."""
    match = _VALUE.fullmatch(equals("mail", text))
    assert match is not None
    assert meaning(match[1]) == text.encode()


@given(st.binary())
def test_N2_any_bytes_stay_one_value(data: bytes) -> None:
    """N2: the same for binary values, SIDs among them."""
    match = _VALUE.fullmatch(equals("mail", data))
    assert match is not None
    assert meaning(match[1]) == data


def test_blanks_at_the_ends_count() -> None:
    """A blank at either end is escaped, since servers ignore it otherwise."""
    assert equals("cn", " a b ") == "(cn=\\20a b\\20)"


def test_combinations() -> None:
    """Alternatives, conjunctions and matching rules are written as in RFC 4515."""
    both = all_of(equals("a", "1"), any_of([equals("b", "2"), equals("member", "CN=x", IN_CHAIN)]))
    assert both == "(&(a=1)(|(b=2)(member:1.2.840.113556.1.4.1941:=CN=x)))"


@pytest.mark.parametrize("name", ["", "a\nb", "a\0b", "\ud800", "x" * 321, "\u202ealice", "zero\u200bwidth"])
def test_N2_what_nobody_is_called(name: str) -> None:
    """N2: empty, endless and invisible names are not asked for."""
    assert not is_askable(name)


@pytest.mark.parametrize("name", ["alice", "Zoë Ångström", "王芳@例え.jp", "o'neil (x)*@rms.test", "x" * 320])
def test_what_people_are_called(name: str) -> None:
    """Names of any script and with any visible character are."""
    assert is_askable(name)
