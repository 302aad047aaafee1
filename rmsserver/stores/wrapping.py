"""The master key and what it does: wrap private keys and NT hashes, derive fingerprints (threat K1).

The master key is 32 random bytes. At rest it is sealed under a key that scrypt derives from the passphrase; a
new passphrase seals it again and touches nothing else. Each purpose has its own AES-256-GCM key (HKDF), each
item its own nonce, and purpose and identity are associated data, so an item moved to another row does not
open.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import secrets
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from rmsserver.errors import OperatorError
from rmsserver.ports import UnwrapError

_VERSION = b"\x01"
_NONCE_LENGTH = 12
_KEY_LENGTH = 32
MAX_COST = 2**20
"""scrypt with r=8 takes 1 KiB for each unit of cost: a changed file must not ask for more than 1 GiB."""


@dataclass(frozen=True)
class ScryptCost:
    """scrypt's parameters ([RFC7914]); the default takes 64 MiB and about 150 ms."""

    n: int = 2**16
    r: int = 8
    p: int = 1


class MasterKey:
    """Implements the ports `Wrapping` and `Secrets`. Shows nothing of itself."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _KEY_LENGTH:
            raise ValueError("a master key has 32 bytes")
        self._secret = secret
        self._cipher = functools.lru_cache(maxsize=64)(lambda purpose: AESGCM(self._derive("wrap", purpose)))
        self._hmac_key = functools.lru_cache(maxsize=64)(lambda purpose: self._derive("fingerprint", purpose))

    @classmethod
    def generate(cls) -> MasterKey:
        return cls(secrets.token_bytes(_KEY_LENGTH))

    def __repr__(self) -> str:
        return "MasterKey(...)"

    def __reduce__(self) -> str:
        raise TypeError("a master key is not pickled")

    def wrap(self, purpose: str, identity: str, data: bytes) -> bytes:
        """Version byte, nonce, ciphertext with tag: 29 bytes longer than `data`."""
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        sealed = self._cipher(purpose).encrypt(nonce, data, _associated(purpose, identity))
        return _VERSION + nonce + sealed

    def unwrap(self, purpose: str, identity: str, wrapped: bytes) -> bytes:
        """Raises UnwrapError."""
        if wrapped[:1] != _VERSION or len(wrapped) < 1 + _NONCE_LENGTH + 16:
            raise UnwrapError(f"a wrapped item ({purpose}) has an unknown form")
        nonce, sealed = wrapped[1 : 1 + _NONCE_LENGTH], wrapped[1 + _NONCE_LENGTH :]
        try:
            return self._cipher(purpose).decrypt(nonce, sealed, _associated(purpose, identity))
        except InvalidTag:
            raise UnwrapError(f"a wrapped item ({purpose}) was changed or moved") from None

    def fingerprint(self, purpose: str, data: bytes) -> bytes:
        return hmac.digest(self._hmac_key(purpose), data, hashlib.sha256)

    def seal(self, passphrase: str, cost: ScryptCost | None = None) -> str:
        """The master key under `passphrase`, as the JSON text that `open_master_key` reads."""
        cost = cost or ScryptCost()
        salt = secrets.token_bytes(16)
        nonce = secrets.token_bytes(_NONCE_LENGTH)
        parameters = {"kdf": "scrypt", "n": cost.n, "r": cost.r, "p": cost.p, "salt": salt.hex()}
        sealed = AESGCM(stretch(passphrase, salt, cost)).encrypt(nonce, self._secret, _canonical(parameters))
        return json.dumps({"format": 1, **parameters, "nonce": nonce.hex(), "key": sealed.hex()}, indent=1) + "\n"

    def _derive(self, use: str, purpose: str) -> bytes:
        info = f"rmsserver {use} {purpose}".encode()
        return HKDF(hashes.SHA256(), _KEY_LENGTH, salt=None, info=info).derive(self._secret)


def open_master_key(text: str, passphrase: str) -> MasterKey:
    """Undo `MasterKey.seal`. Raises OperatorError, for a wrong passphrase and a changed file alike."""
    try:
        fields = json.loads(text)
        parameters = {name: fields[name] for name in ("kdf", "n", "r", "p", "salt")}
        salt, nonce, sealed = (bytes.fromhex(fields[name]) for name in ("salt", "nonce", "key"))
        cost = ScryptCost(int(fields["n"]), int(fields["r"]), int(fields["p"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OperatorError("the master key file is damaged: restore it from a backup") from None
    if fields.get("format") != 1 or fields["kdf"] != "scrypt" or cost.n > MAX_COST or cost.r > 8 or cost.p > 4:
        raise OperatorError("the master key file has a format this version does not know: restore it or upgrade")
    try:
        return MasterKey(AESGCM(stretch(passphrase, salt, cost)).decrypt(nonce, sealed, _canonical(parameters)))
    except (InvalidTag, ValueError):
        raise OperatorError("the passphrase is wrong (or the master key file is damaged): try again") from None


def stretch(passphrase: str, salt: bytes, cost: ScryptCost) -> bytes:
    """32 bytes from a password. Raises ValueError for parameters that scrypt does not know."""
    return Scrypt(salt=salt, length=_KEY_LENGTH, n=cost.n, r=cost.r, p=cost.p).derive(passphrase.encode())


def _canonical(parameters: dict[str, object]) -> bytes:
    return json.dumps(parameters, sort_keys=True).encode()


def _associated(purpose: str, identity: str) -> bytes:
    # Lengths in front: no pair of purpose and identity reads like another pair.
    parts = (purpose.encode(), identity.encode())
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
