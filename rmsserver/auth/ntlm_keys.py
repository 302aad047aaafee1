"""Keys and codes of NTLMv2 ([MS-NLMP] 3.3.2, 3.4.4, 3.4.5) as pure functions. NTLMv1 and LM are not here at all.

MD5 and RC4 are what the protocol is made of; nothing outside this module uses them.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from rmsserver.auth.ntlm_messages import Flags

_SIGN_MAGIC = b"session key to %s signing key magic constant\x00"
_SEAL_MAGIC = b"session key to %s sealing key magic constant\x00"
_FROM_CLIENT = b"client-to-server"
_FROM_SERVER = b"server-to-client"


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _hmac_md5(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "md5")


def _rc4(key: bytes, data: bytes) -> bytes:
    return Cipher(ARC4(key), mode=None).encryptor().update(data)


def _uppercase(name: str) -> str:
    # Windows maps each character to one character; str.upper() would make two of a sharp s.
    return "".join(upper if len(upper := c.upper()) == 1 else c for c in name)


def response_key(nt_hash: bytes, user: str, domain: str) -> bytes:
    """NTOWFv2 (3.3.2) from the NT hash; names as the client wrote them."""
    return _hmac_md5(nt_hash, (_uppercase(user) + domain).encode("utf-16-le"))


def proof(key: bytes, server_challenge: bytes, temp: bytes) -> bytes:
    """NTProofStr (3.3.2): 16 octets, for a `response_key`."""
    return _hmac_md5(key, server_challenge + temp)


def session_base_key(key: bytes, nt_proof: bytes) -> bytes:
    """SessionBaseKey of NTLMv2 (3.3.2) from a `response_key` and the proof the client sent."""
    return _hmac_md5(key, nt_proof)


def channel_bindings_hash(application_data: bytes) -> bytes:
    """MD5 of a gss_channel_bindings_struct without addresses ([RFC2744] 3.11, [RFC4121] 4.1.1.2)."""
    return _md5(bytes(16) + struct.pack("<I", len(application_data)) + application_data)


@dataclass(frozen=True)
class SessionKeys:
    """What both sides hold after a successful AUTHENTICATE_MESSAGE. `flags` are those both agreed on."""

    flags: Flags
    exported: bytes = field(repr=False)

    @classmethod
    def derive(cls, flags: Flags, exchange_key: bytes, encrypted_session_key: bytes) -> SessionKeys:
        """3.2.5.1.2; with NTLMv2 the KeyExchangeKey is the `session_base_key` (3.4.5.1).

        Raises ValueError where a session key should have come and has not 16 octets.
        """
        if not (flags & Flags.KEY_EXCHANGE and flags & (Flags.SIGN | Flags.SEAL)):
            return cls(flags, exchange_key)
        if len(encrypted_session_key) != 16:
            raise ValueError("EncryptedRandomSessionKey must have 16 octets")
        return cls(flags, _rc4(exchange_key, encrypted_session_key))

    def message_mic(self, negotiate: bytes, challenge: bytes, authenticate_without_mic: bytes) -> bytes:
        """The MIC of the AUTHENTICATE_MESSAGE (3.1.5.1.2): over the octets of all three as they went over the wire."""
        return _hmac_md5(self.exported, negotiate + challenge + authenticate_without_mic)

    @property
    def has_integrity(self) -> bool:
        return bool(self.flags & Flags.SIGN and self.flags & Flags.EXTENDED_SESSION_SECURITY)

    def client_mic_is_valid(self, message: bytes, mic: bytes) -> bool:
        return hmac.compare_digest(self._signature(_FROM_CLIENT, message), mic)

    def server_mic(self, message: bytes) -> bytes:
        return self._signature(_FROM_SERVER, message)

    def _signature(self, direction: bytes, message: bytes) -> bytes:
        """The first signature in one direction (3.4.4.2, sequence number 0): SPNEGO needs no other."""
        sign_key = _md5(self.exported + _SIGN_MAGIC % direction)
        checksum = _hmac_md5(sign_key, bytes(4) + message)[:8]
        if self.flags & Flags.KEY_EXCHANGE:
            checksum = _rc4(self._seal_key(direction), checksum)
        return struct.pack("<I8sI", 1, checksum, 0)

    def _seal_key(self, direction: bytes) -> bytes:
        """SEALKEY (3.4.5.3) with extended session security."""
        strength = 16 if self.flags & Flags.KEY_128 else 7 if self.flags & Flags.KEY_56 else 5
        return _md5(self.exported[:strength] + _SEAL_MAGIC % direction)
