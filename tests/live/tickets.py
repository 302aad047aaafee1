"""Kerberos tickets as an attacker bends them. AES of [RFC3962], written out: no library offers the inside of a ticket."""

from __future__ import annotations

import datetime as dt
import hmac
import math
import re
import secrets
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gssapi
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from rmsserver.auth import der
from tests.live import people

KERBEROS = gssapi.MechType.kerberos
SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
_TICKET = b"\x00\x00\x00\x02"
_BLOCK = 16


class Client:
    """The initiator's side of one attempt, with the tickets of one cache."""

    def __init__(self, cache: Path, service: str, *, mechanism: Any = KERBEROS, bindings: bytes | None = None) -> None:
        name = gssapi.Name(f"{service}@{people.REALM}", gssapi.NameType.kerberos_principal)
        self.context = gssapi.SecurityContext(
            name=name,
            creds=gssapi.Credentials(usage="initiate", mechs=[mechanism], store={"ccache": f"FILE:{cache}"}),
            mech=mechanism,
            usage="initiate",
            flags=int(gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.integrity),
            channel_bindings=gssapi.raw.ChannelBindings(application_data=bindings) if bindings else None,
        )

    def token(self) -> bytes:
        return self.context.step() or b""

    def knows_server(self, token: bytes) -> bool:
        self.context.step(token)
        return bool(self.context.complete)


def service_key(keytab: Path, service: str) -> bytes:
    """The AES-256 key of a service, as klist tells it."""
    listing = subprocess.run(
        ["klist", "-e", "-k", "-K", str(keytab)], capture_output=True, text=True, check=True
    ).stdout
    line = next(x for x in listing.splitlines() if f"{service}@" in x and "aes256-cts-hmac-sha1" in x)
    return bytes.fromhex(line.rpartition("(0x")[2].strip(" )"))


def with_forged_pac(token: bytes, key: bytes, old: bytes, new: bytes) -> bytes:
    """The same AP-REQ with `old` replaced by `new`, of equal length, inside the encrypted ticket, signatures left as they
    were: what a forger writes who has the service's key but not the domain's, and is careless about the service's."""
    return _changed_inside(token, key, lambda plain: plain.replace(old, new))


def with_end(token: bytes, key: bytes, end: dt.datetime) -> bytes:
    """The same AP-REQ with another end of the ticket. (Samba gives out none that end soon enough to wait for.)"""

    def change(plain: bytes) -> bytes:
        times = re.findall(rb"\d{14}Z", plain)
        assert len(times) >= 3, "authtime, starttime, endtime"
        return plain.replace(times[2], f"{end:%Y%m%d%H%M%SZ}".encode())

    return _changed_inside(token, key, change)


def _changed_inside(token: bytes, key: bytes, change: Callable[[bytes], bytes]) -> bytes:
    cipher = _cipher_of_ticket(token)
    forged = _encrypt(key, change(_decrypt(key, cipher)))
    assert len(forged) == len(cipher)
    return token.replace(cipher, forged)


def sid_octets(sid: str) -> bytes:
    parts = [int(part) for part in sid.split("-")[2:]]
    return bytes([1, len(parts) - 1]) + parts[0].to_bytes(6, "big") + struct.pack(f"<{len(parts) - 1}I", *parts[1:])


def _cipher_of_ticket(token: bytes) -> bytes:
    _, message = der.read(der.read_all(token, der.APPLICATION_0), der.OBJECT_IDENTIFIER)
    request = der.read_fields(der.read_all(der.read_all(message[2:], 0x6E), der.SEQUENCE))
    ticket = der.read_fields(der.read_all(der.read_all(request[3], 0x61), der.SEQUENCE))
    encrypted = der.read_fields(der.read_all(ticket[3], der.SEQUENCE))
    return der.read_all(encrypted[2], der.OCTET_STRING)


# --- aes256-cts-hmac-sha1-96 ([RFC3961] 5.3, [RFC3962]) -------------------------------------------------------------------


def _decrypt(key: bytes, data: bytes) -> bytes:
    cipher, mac = data[:-12], data[-12:]
    plain = _cts_decrypt(_derived(key, _TICKET + b"\xaa"), cipher)
    assert hmac.digest(_derived(key, _TICKET + b"\x55"), plain, "sha1")[:12] == mac
    return plain[_BLOCK:]


def _encrypt(key: bytes, plain: bytes) -> bytes:
    plain = secrets.token_bytes(_BLOCK) + plain
    mac = hmac.digest(_derived(key, _TICKET + b"\x55"), plain, "sha1")[:12]
    return _cts_encrypt(_derived(key, _TICKET + b"\xaa"), plain) + mac


def _derived(key: bytes, constant: bytes) -> bytes:
    block, out = _folded(constant, _BLOCK), b""
    while len(out) < len(key):
        block = Cipher(AES(key), CBC(bytes(_BLOCK))).encryptor().update(block)
        out += block
    return out[: len(key)]


def _folded(data: bytes, size: int) -> bytes:
    """n-fold: copies of `data`, each turned 13 bits further, added with end-around carry, as long as both lengths demand."""
    bits, total = len(data) * 8, 0
    number = int.from_bytes(data, "big")
    copies = size // math.gcd(len(data), size)
    text = b""
    for copy in range(copies):
        turn = 13 * copy % bits
        text += ((number >> turn) | (number << (bits - turn)) & ((1 << bits) - 1)).to_bytes(len(data), "big")
    for at in range(0, len(text), size):
        total += int.from_bytes(text[at : at + size], "big")
    while total >> (size * 8):
        total = (total & ((1 << (size * 8)) - 1)) + (total >> (size * 8))
    return total.to_bytes(size, "big")


def _cts_encrypt(key: bytes, plain: bytes) -> bytes:
    padded = plain + bytes(-len(plain) % _BLOCK)
    out = Cipher(AES(key), CBC(bytes(_BLOCK))).encryptor().update(padded)
    last = len(plain) - (len(padded) - _BLOCK)
    return out[: -2 * _BLOCK] + out[-_BLOCK:] + out[-2 * _BLOCK : -_BLOCK][:last]


def _cts_decrypt(key: bytes, data: bytes) -> bytes:
    last = len(data) % _BLOCK or _BLOCK
    head, penultimate, final = data[: -_BLOCK - last], data[-_BLOCK - last : -last], data[-last:]
    opened = Cipher(AES(key), CBC(bytes(_BLOCK))).decryptor().update(penultimate)
    full = final + opened[last:]
    blocks = head + full + penultimate
    plain = Cipher(AES(key), CBC(bytes(_BLOCK))).decryptor().update(blocks)
    return plain[: len(data)]
