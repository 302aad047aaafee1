"""The three NTLM messages as bytes ([MS-NLMP] 2.2): strict to read, one structure each. No keys and no decisions.

Every payload field must lie wholly inside the message, behind its header, and on octets of its own. Genuine clients write
so; a message that points twice at the same octets says two things with one text, and is refused.
"""

from __future__ import annotations

import enum
import itertools
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

SIGNATURE = b"NTLMSSP\x00"
MESSAGE_LIMIT_BYTES = 12 * 1024
NEGOTIATE_LIMIT_BYTES = 1024  # kept, because the MIC covers it, until the client answers or the connection ends
_MIC_OFFSET = 72
_MIC_END = 88


class NtlmMessageError(ValueError):
    """The octets are not the NTLM message they should be. The text says where, and quotes nothing of it."""


class Flags(enum.IntFlag, boundary=enum.KEEP):
    """NegotiateFlags (2.2.2.5), as far as this server acts on them."""

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    SEAL = 0x00000020
    NTLM = 0x00000200
    ANONYMOUS = 0x00000800
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_DOMAIN = 0x00010000
    EXTENDED_SESSION_SECURITY = 0x00080000
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    KEY_128 = 0x20000000
    KEY_EXCHANGE = 0x40000000
    KEY_56 = 0x80000000


class AvId(enum.IntEnum):
    """Names of the pairs in a TargetInfo (2.2.2.1)."""

    EOL = 0
    NB_COMPUTER_NAME = 1
    NB_DOMAIN_NAME = 2
    DNS_COMPUTER_NAME = 3
    DNS_DOMAIN_NAME = 4
    FLAGS = 6
    TIMESTAMP = 7
    CHANNEL_BINDINGS = 10


def message_type(data: bytes) -> int:
    """1, 2 or 3. Raises NtlmMessageError where this is no NTLM message or one beyond the size limit."""
    if len(data) < 12 or not data.startswith(SIGNATURE):
        raise NtlmMessageError("no NTLM signature")
    if len(data) > MESSAGE_LIMIT_BYTES:
        raise NtlmMessageError("message too long")
    return int(struct.unpack_from("<I", data, 8)[0])


def read_pairs(data: bytes) -> dict[int, bytes]:
    """The AV_PAIRs up to MsvAvEOL (2.2.2.1). Behind it only zeros may stand; no name may stand twice."""
    pairs: dict[int, bytes] = {}
    position = 0
    while True:
        if len(data) - position < 4:
            raise NtlmMessageError("AV_PAIR list without end")
        av_id, length = struct.unpack_from("<HH", data, position)
        position += 4
        if av_id == AvId.EOL:
            break
        if av_id in pairs or length > len(data) - position:
            raise NtlmMessageError("AV_PAIR repeated or cut short")
        pairs[av_id] = data[position : position + length]
        position += length
    if length or any(data[position:]):
        raise NtlmMessageError("data behind the end of the AV_PAIR list")
    return pairs


def write_pairs(pairs: Mapping[int, bytes]) -> bytes:
    """AV_PAIRs in the mapping's order, closed by MsvAvEOL."""
    return b"".join(struct.pack("<HH", av_id, len(v)) + v for av_id, v in pairs.items()) + bytes(4)


@dataclass(frozen=True)
class NegotiateMessage:
    """NEGOTIATE_MESSAGE (2.2.1.1). Its domain and workstation names are hints nobody needs; they stay unread."""

    flags: Flags

    @classmethod
    def read(cls, data: bytes) -> NegotiateMessage:
        # The two name fields and the version are optional: Windows 95 clients end after the flags.
        if message_type(data) != 1 or not 16 <= len(data) <= NEGOTIATE_LIMIT_BYTES:
            raise NtlmMessageError("not a NEGOTIATE_MESSAGE, or one too long")
        return cls(Flags(struct.unpack_from("<I", data, 12)[0]))

    def write(self) -> bytes:
        """Without names and version."""
        return SIGNATURE + struct.pack("<II16x", 1, self.flags)


@dataclass(frozen=True)
class ChallengeMessage:
    """CHALLENGE_MESSAGE (2.2.1.2), always Unicode."""

    flags: Flags
    server_challenge: bytes
    target_name: str
    target_info: Mapping[int, bytes]

    def write(self) -> bytes:
        name = self.target_name.encode("utf-16-le")
        info = write_pairs(self.target_info)
        offset = 56
        header = struct.pack(
            "<8sIHHII8s8xHHI8s", SIGNATURE, 2, len(name), len(name), offset, self.flags, self.server_challenge,
            len(info), len(info), offset + len(name), _version(self.flags),
        )  # fmt: skip
        return header + name + info


def read_target_info(challenge: bytes) -> dict[int, bytes]:
    """The TargetInfo of another server's CHALLENGE_MESSAGE (2.2.1.2)."""
    if message_type(challenge) != 2 or len(challenge) < 48:
        raise NtlmMessageError("not a CHALLENGE_MESSAGE with a TargetInfo")
    length, offset = struct.unpack_from("<H2xI", challenge, 40)
    if offset + length > len(challenge):
        raise NtlmMessageError("payload field outside the message")
    return read_pairs(challenge[offset : offset + length])


def _version(flags: Flags) -> bytes:
    # 2.2.2.10: for debugging only; 10.0, build 0, NTLMSSP revision 15.
    return struct.pack("<BBH3xB", 10, 0, 0, 15) if flags & Flags.VERSION else bytes(8)


@dataclass(frozen=True)
class AuthenticateMessage:
    """AUTHENTICATE_MESSAGE (2.2.1.3), always Unicode. `mic` is what stands at the place of the MIC, if that place exists."""

    flags: Flags
    domain: str
    user: str
    lm_response: bytes = field(repr=False)
    nt_response: bytes = field(repr=False)
    encrypted_session_key: bytes = field(repr=False)
    mic: bytes | None = field(repr=False)
    without_mic: bytes = field(repr=False)
    """The whole message with sixteen zeros in place of the MIC: what the MIC is computed over."""

    @classmethod
    def read(cls, data: bytes) -> AuthenticateMessage:
        if message_type(data) != 3 or len(data) < 64:
            raise NtlmMessageError("not an AUTHENTICATE_MESSAGE")
        flags = Flags(struct.unpack_from("<I", data, 60)[0])
        if not flags & Flags.UNICODE:
            raise NtlmMessageError("AUTHENTICATE_MESSAGE in an OEM character set")
        lm, nt, domain, user, _workstation, session_key = spans = [_span(data, at) for at in range(12, 60, 8)]
        payload = _check_payload(data, spans)
        mic = data[_MIC_OFFSET:_MIC_END] if payload >= _MIC_END and len(data) >= _MIC_END else None
        return cls(
            flags=flags,
            domain=_text(data[domain]),
            user=_text(data[user]),
            lm_response=data[lm],
            nt_response=data[nt],
            encrypted_session_key=data[session_key],
            mic=mic,
            without_mic=data[:_MIC_OFFSET] + bytes(16) + data[_MIC_END:] if mic is not None else data,
        )


def _span(data: bytes, at: int) -> slice:
    """Where a payload field lies: length (2 octets), allocated length (ignored), offset (4 octets)."""
    length, offset = struct.unpack_from("<H2xI", data, at)
    if not length:
        return slice(0, 0)
    if offset < 64 or offset + length > len(data):
        raise NtlmMessageError("payload field outside the message")
    return slice(offset, offset + length)


def _check_payload(data: bytes, spans: list[slice]) -> int:
    """The offset of the first payload field. Raises where two fields share an octet."""
    used = sorted((s.start, s.stop) for s in spans if s.stop)
    for (_, end), (start, _) in itertools.pairwise(used):
        if start < end:
            raise NtlmMessageError("payload fields overlap")
    return used[0][0] if used else len(data)


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-16-le")
    except UnicodeDecodeError:
        raise NtlmMessageError("name is not UTF-16") from None
    if len(text) > 256 or any(c < " " for c in text):
        raise NtlmMessageError("name too long or with control characters")
    return text


@dataclass(frozen=True)
class ClientChallenge:
    """The NTLMv2_RESPONSE (2.2.2.7, 2.2.2.8): the proof, and the octets that it proves."""

    proof: bytes = field(repr=False)
    temp: bytes = field(repr=False)
    """Everything behind the proof, trailing zeros included: `temp` of section 3.3.2."""
    timestamp: int
    """Units of 100 ns since 1601-01-01 (FILETIME)."""
    pairs: Mapping[int, bytes] = field(repr=False)

    @classmethod
    def read(cls, nt_response: bytes) -> ClientChallenge:
        """Raises NtlmMessageError also for an LM or NTLMv1 response, which have 0 and 24 octets."""
        temp = nt_response[16:]
        if len(temp) < 32 or temp[:2] != b"\x01\x01":
            raise NtlmMessageError("not an NTLMv2 response")
        return cls(nt_response[:16], temp, struct.unpack_from("<Q", temp, 8)[0], read_pairs(temp[28:]))

    @property
    def announces_mic(self) -> bool:
        """True where the client says that its message has a MIC (MsvAvFlags bit 0x2)."""
        flags = self.pairs.get(AvId.FLAGS, bytes(4))
        if len(flags) != 4:
            raise NtlmMessageError("MsvAvFlags of a wrong size")
        return bool(flags[0] & 0x02)

    @property
    def channel_bindings(self) -> bytes | None:
        """The MD5 hash of the channel bindings, None where absent or all zero (which means absent: 2.2.2.1)."""
        digest = self.pairs.get(AvId.CHANNEL_BINDINGS, bytes(16))
        if len(digest) != 16:
            raise NtlmMessageError("MsvAvChannelBindings of a wrong size")
        return digest if any(digest) else None
