"""Search filters ([RFC4515]). Every value is escaped byte by byte, so that a value can only ever be a value (threat N2).

`Filter` is a type of its own, so that mypy refuses plain text where a filter is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NewType

Filter = NewType("Filter", str)

IN_CHAIN = "1.2.840.113556.1.4.1941"
"""LDAP_MATCHING_RULE_IN_CHAIN: follows a link attribute to its end."""

ANYTHING = Filter("(objectClass=*)")
IS_ACCOUNT = Filter("(|(objectCategory=person)(objectCategory=computer))")
"""As [MS-RMPR] 3.1.1.3.2 searches."""
IS_GROUP = Filter("(objectCategory=group)")
IS_CONTACT = Filter("(objectClass=contact)")
"""Somebody, or a group, of another directory, under an e-mail address."""

_NAME_LIMIT = 320
"""Characters of the longest e-mail address there is; no login is longer."""
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@:=,+ ")


def is_askable(name: str) -> bool:
    """Whether a name from a request can be anybody's: not empty, no longer than any, nothing invisible in it."""
    return 0 < len(name) <= _NAME_LIMIT and name.isprintable()


def equals(attribute: str, value: str | bytes, rule: str = "") -> Filter:
    """`(attribute=value)`, or with a matching rule `(attribute:rule:=value)`. `attribute` must be from settings or code."""
    data = value.encode() if isinstance(value, str) else value
    return Filter(f"({attribute}{f':{rule}:' if rule else ''}={_escaped(data)})")


def any_of(filters: Iterable[Filter]) -> Filter:
    return Filter(f"(|{''.join(filters)})")


def all_of(*filters: Filter) -> Filter:
    return Filter(f"(&{''.join(filters)})")


def _escaped(data: bytes) -> str:
    # A leading or trailing blank would be insignificant unless escaped.
    edges = (0, len(data) - 1)
    return "".join(
        chr(byte) if byte in _PLAIN and not (byte == 0x20 and at in edges) else f"\\{byte:02x}"
        for at, byte in enumerate(data)
    )
