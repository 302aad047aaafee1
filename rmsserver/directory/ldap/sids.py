"""Security identifiers as text and as the bytes that LDAP carries ([MS-DTYP] 2.4.2)."""

from __future__ import annotations

import re

# Revision 1, 1 to 15 sub-authorities of 32 bits. Nothing else is ever looked up.
_TEXT = re.compile(r"[Ss]-1-([0-9]{1,15})((?:-[0-9]{1,10}){1,15})")


def sid_bytes(text: str) -> bytes | None:
    """`S-1-5-21-…` in binary form; None where the text is no SID."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    authority = int(match[1])
    parts = [int(part) for part in match[2].split("-")[1:]]
    if authority >= 2**48 or any(part >= 2**32 for part in parts):
        return None
    return (
        bytes([1, len(parts)]) + authority.to_bytes(6, "big") + b"".join(part.to_bytes(4, "little") for part in parts)
    )


def sid_text(data: bytes) -> str | None:
    """The inverse; None where the bytes are no SID."""
    if len(data) < 12 or data[0] != 1 or len(data) != 8 + 4 * data[1] or data[1] > 15:
        return None
    parts = [int.from_bytes(data[at : at + 4], "little") for at in range(8, len(data), 4)]
    return "-".join(map(str, ["S", 1, int.from_bytes(data[2:8], "big"), *parts]))


def with_rid(sid: str, rid: int) -> str:
    """Another account of the same domain."""
    return f"{sid.rpartition('-')[0]}-{rid}"
