"""A client of NTLM that can do wrong on purpose. Its cryptography is pyspnego's, so that it is no mirror of the server's."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from dataclasses import dataclass, field

from spnego._ntlm_raw.crypto import compute_response_v1, hmac_md5, lmowfv1, ntowfv1, ntowfv2, rc4k
from spnego._ntlm_raw.messages import Challenge as ChallengeMessage

from tests.auth.accounts import PASSWORD

# Unicode, target, sign, NTLM, always sign, extended session security, target info, version, 128, key exchange, 56.
FLAGS = 0x00000001 | 0x4 | 0x10 | 0x200 | 0x8000 | 0x80000 | 0x02000000 | 0x20000000 | 0x40000000 | 0x80000000
SIGN, KEY_EXCHANGE, UNICODE = 0x10, 0x40000000, 0x1
EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)


def negotiate_message(flags: int = FLAGS) -> bytes:
    return b"NTLMSSP\x00" + struct.pack("<II", 1, flags) + bytes(16)


def header(scheme: str, token: bytes) -> str:
    return f"{scheme} {base64.b64encode(token).decode()}"


def token_of(challenge_header: str) -> bytes:
    return base64.b64decode(challenge_header.split(" ")[1])


def pairs_of(target_info: bytes) -> dict[int, bytes]:
    pairs, at = {}, 0
    while at < len(target_info):
        av_id, length = struct.unpack_from("<HH", target_info, at)
        if av_id == 0:
            break
        pairs[av_id] = target_info[at + 4 : at + 4 + length]
        at += 4 + length
    return pairs


def pack_pairs(pairs: dict[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", k, len(v)) + v for k, v in pairs.items()) + bytes(4)


@dataclass
class Answer:
    """The AUTHENTICATE_MESSAGE to one CHALLENGE_MESSAGE. Every field is something a test may bend before `pack`."""

    challenge: bytes
    user: str = "alice"
    domain: str = "EXAMPLE"
    password: str = PASSWORD
    negotiate: bytes = field(default_factory=negotiate_message)
    extra_pairs: dict[int, bytes] = field(default_factory=dict)
    announce_mic: bool = True
    mic: bytes | None = None
    timestamp: bytes | None = None
    key_domain: str | None = None
    flags: int | None = None
    nt: bytes | None = None
    lm: bytes = bytes(24)
    header_bytes: int = 88
    session_key: bytes = b"\x55" * 16
    exported: bytes = b""

    def pack(self) -> bytes:
        challenge = ChallengeMessage.unpack(self.challenge)
        flags = int(challenge.flags) if self.flags is None else self.flags
        encrypted = b""
        nt = self.nt
        if nt is None:
            nt, exchange_key = self._v2(challenge)
            self.exported = exchange_key
            if flags & KEY_EXCHANGE and flags & SIGN:
                self.exported, encrypted = self.session_key, rc4k(exchange_key, self.session_key)
        message = self._message(flags, nt, encrypted)
        mic = self.mic
        if mic is None:
            mic = hmac_md5(self.exported, self.negotiate + self.challenge + message)
        return message[:72] + mic + message[88:] if self.header_bytes == 88 else message

    def _v2(self, challenge: ChallengeMessage) -> tuple[bytes, bytes]:
        pairs = pairs_of(self.challenge[struct.unpack_from("<I", self.challenge, 44)[0] :])
        timestamp = self.timestamp or pairs[7]
        if self.announce_mic:
            pairs[6] = struct.pack("<I", 2)
        pairs |= self.extra_pairs
        temp = b"\x01\x01" + bytes(6) + timestamp + b"\xaa" * 8 + bytes(4) + pack_pairs(pairs) + bytes(4)
        domain = self.domain if self.key_domain is None else self.key_domain
        key = ntowfv2(self.user, ntowfv1(self.password), domain)
        proof = hmac_md5(key, challenge.server_challenge + temp)
        return proof + temp, hmac_md5(key, proof)

    def _message(self, flags: int, nt: bytes, encrypted: bytes) -> bytes:
        offset, payload, fields = self.header_bytes, b"", b""
        names = (self.domain.encode("utf-16-le"), self.user.encode("utf-16-le"), b"")
        for value in (self.lm, nt, *names, encrypted):
            fields += struct.pack("<HHI", len(value), len(value), offset)
            payload += value
            offset += len(value)
        fixed = b"NTLMSSP\x00" + struct.pack("<I", 3) + fields + struct.pack("<I", flags)
        return fixed.ljust(self.header_bytes, b"\x00") + payload


def v1_response(challenge: bytes, password: str = PASSWORD) -> tuple[bytes, bytes]:
    """The NTLMv1 and LM responses to a challenge, without extended session security."""
    server_challenge = ChallengeMessage.unpack(challenge).server_challenge
    nt, lm, _ = compute_response_v1(
        0, ntowfv1(password), lmowfv1(password), server_challenge, bytes(8), no_lm_response=False
    )
    return nt, lm


def filetime(moment: dt.datetime) -> bytes:
    return struct.pack("<Q", (moment - EPOCH) // dt.timedelta(microseconds=1) * 10)
