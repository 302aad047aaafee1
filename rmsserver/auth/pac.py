"""Whose ticket it is, out of two buffers of its PAC ([MS-PAC]): security identifier and names. Pure; every read is bounded.

The buffers come from GSSAPI, which has checked the service's signature over them and says so; see `kerberos`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HAS_SAM_NAME_AND_SID = 0x2
_NDR_HEADER_BYTES = 20
"""Common and private type header ([MS-RPCE] 2.2.6) and the first pointer."""
_STRINGS = 6
_LOGON_FIXED_BYTES = 48 + 8 * _STRINGS
_CHARACTERS_LIMIT = 1024
_GROUPS_LIMIT = 65_536


class PacError(ValueError):
    """The buffer is not what it should be. The text quotes nothing of it."""


@dataclass(frozen=True)
class PacAccount:
    """`sid` in string form; `name` is DOMAIN\\user, with the domain's DNS or NetBIOS name."""

    sid: str
    name: str


def read_upn_dns_info(data: bytes) -> PacAccount | None:
    """UPN_DNS_INFO ([MS-PAC] 2.10); None where it has no SID, as controllers before 2021 wrote it. Raises PacError."""
    if len(data) < 12:
        raise PacError("UPN_DNS_INFO cut short")
    _, _, domain_bytes, domain_at, flags = struct.unpack_from("<HHHHI", data)
    if not flags & _HAS_SAM_NAME_AND_SID:
        return None
    if len(data) < 20:
        raise PacError("UPN_DNS_INFO cut short")
    name_bytes, name_at, sid_bytes, sid_at = struct.unpack_from("<HHHH", data, 12)
    domain, name = _text(_slice(data, domain_at, domain_bytes)), _text(_slice(data, name_at, name_bytes))
    return PacAccount(_sid(_slice(data, sid_at, sid_bytes)), _full_name(domain, name))


def read_logon_info(data: bytes) -> PacAccount:
    """KERB_VALIDATION_INFO ([MS-PAC] 2.5) as NDR writes it. Raises PacError."""
    ndr = _Ndr(data, _NDR_HEADER_BYTES)
    fixed = ndr.take(_LOGON_FIXED_BYTES)
    strings = [pointer for _, _, pointer in struct.iter_unpack("<HHI", fixed[48:])]
    _, rid, _, _, group_ids = struct.unpack("<IIIII", ndr.take(20))
    ndr.take(20)  # UserFlags, UserSessionKey
    _, server, _, domain, domain_sid = struct.unpack("<IIIII", ndr.take(20))
    ndr.take(8 + 4 + 4 + 8 + 8 + 4 + 4 + 4 + 4 + 4 + 4 + 4)  # Reserved1 to ResourceGroupIds
    if not rid or not domain_sid:
        raise PacError("an account of no domain")
    texts = [ndr.string() if pointer else "" for pointer in strings]
    if group_ids:
        ndr.take(8 * ndr.count(_GROUPS_LIMIT))
    if server:
        ndr.string()
    domain_name = ndr.string() if domain else ""
    subauthorities = ndr.count(15)
    return PacAccount(f"{_sid(ndr.take(8 + 4 * subauthorities))}-{rid}", _full_name(domain_name, texts[0]))


class _Ndr:
    """Reads referents one after the other: 32-bit little-endian, each aligned to four octets ([C706] 14)."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def take(self, size: int) -> bytes:
        taken = _slice(self._data, self._position, size)
        self._position += size
        return taken

    def count(self, limit: int) -> int:
        self._position += -self._position % 4
        (number,) = struct.unpack("<I", self.take(4))
        if number > limit:
            raise PacError("array too long")
        return int(number)

    def string(self) -> str:
        """A conformant varying array of UTF-16 characters."""
        room, skipped, length = self.count(_CHARACTERS_LIMIT), self.count(0), self.count(_CHARACTERS_LIMIT)
        if skipped or length > room:
            raise PacError("string longer than its room")
        return _text(self.take(2 * length))


def _slice(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise PacError("buffer cut short")
    return data[start : start + size]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError:
        raise PacError("no UTF-16") from None


def _full_name(domain: str, user: str) -> str:
    if not domain or not user or "\\" in domain + user or not (domain + user).isprintable():
        raise PacError("no name of an account")
    return f"{domain}\\{user}"


def _sid(data: bytes) -> str:
    """[MS-DTYP] 2.4.2.2 to 2.4.2.1."""
    if len(data) < 12 or data[0] != 1 or data[1] > 15 or len(data) != 8 + 4 * data[1]:
        raise PacError("no SID")
    parts = struct.unpack_from(f"<{data[1]}I", data, 8)
    return "-".join(map(str, ("S", 1, int.from_bytes(data[2:8], "big"), *parts)))
