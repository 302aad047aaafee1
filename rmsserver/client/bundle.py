"""The client bundle: root and SPC issuer, for machines that activate themselves ([MS-RMPR] 3.8.3.1). Pure.

Whoever holds a bundle can make machine certificates that the cluster accepts; it is a secret of the
organisation, as the key built into genuine clients is of its maker. It also pins the root before the first
connection, which the other way, letting the server sign, cannot (docs/security.md).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Self

from rmsserver.client.errors import SetupError
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PrivateKey, PublicKey

FORMAT = "rmsserver client bundle 1"
_LIMIT_BYTES = 1024 * 1024
_INVALID = "The bundle is not one that rmsserver client-bundle made, or it is damaged."


@dataclass(frozen=True)
class ClientBundle:
    """`root` is the key at which the server's chain ends; `issuer_chain` the SPC issuer and those above
    it."""

    root: PublicKey
    issuer_chain: tuple[str, ...]
    issuer_key: PrivateKey = field(repr=False)

    def pack(self) -> bytes:
        """The file's content."""
        return json.dumps(
            {
                "format": FORMAT,
                "root": public_key_to_json(self.root),
                "spc_issuer_chain": list(self.issuer_chain),
                "spc_issuer_key": base64.b64encode(self.issuer_key.to_der()).decode(),
            },
            indent=1,
        ).encode()

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Raises SetupError."""
        try:
            if len(data) > _LIMIT_BYTES:
                raise ValueError
            value = json.loads(data)
            if value["format"] != FORMAT:
                raise ValueError
            chain = tuple(str(text) for text in value["spc_issuer_chain"])
            key = PrivateKey.from_der(binascii.a2b_base64(value["spc_issuer_key"], strict_mode=True))
            bundle = cls(public_key_from_json(value["root"]), chain, key)
            if IssuingCertificate.read(chain[0]).principal.public_key != key.public:
                raise ValueError
        except (ValueError, KeyError, TypeError, IndexError, XrmlError):
            raise SetupError(_INVALID) from None
        return bundle


def public_key_to_json(key: PublicKey) -> dict[str, Any]:
    return {"bits": key.bits, "modulus": key.modulus_base64}


def public_key_from_json(value: Any) -> PublicKey:
    """Raises KeyError, TypeError or XrmlSyntaxError."""
    return PublicKey.from_wire(str(value["modulus"]), str(value["bits"]), "65537")
