"""SIGNATURE ([MS-RMPR] 2.2.9.1.12): surface coding, RSA PKCS#1 v1.5.

The digest input is the characters of BODY, tags included, exactly as they stand, in UTF-16LE (wire facts 1).
"""

from __future__ import annotations

import base64
import enum
import hmac
from dataclasses import dataclass

from rmsserver.xrml.errors import SignatureError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey, decode_base64
from rmsserver.xrml.surface import Element

_ALGORITHM = "RSA PKCS#1-V1.5"


class SignatureStyle(enum.Enum):
    """The order of SIGNATURE's children; readers accept either (wire facts 2)."""

    SERVER = "DIGEST, ALGORITHM, VALUE"
    CLIENT = "ALGORITHM, DIGEST, VALUE"


@dataclass(frozen=True)
class Signature:
    mode: CryptoMode
    digest: bytes
    digest_text: str
    """The base64 text of the DIGEST's VALUE, as template hashes are compared (3.4.4.2.3.2)."""
    value: bytes

    @classmethod
    def read(cls, element: Element) -> Signature:
        """Raises XrmlSyntaxError or UnsupportedCryptographyError."""
        if sorted(child.tag for child in element.children) != ["ALGORITHM", "DIGEST", "VALUE"]:
            raise XrmlSyntaxError("SIGNATURE does not have exactly ALGORITHM, DIGEST and VALUE")
        if element.one("ALGORITHM").leaf_text() != _ALGORITHM:
            raise XrmlSyntaxError("SIGNATURE has an unknown algorithm")
        digest = element.one("DIGEST")
        coding = digest.one("PARAMETER")
        if coding.attribute("name") != "codingtype" or coding.one("VALUE").leaf_text() != "surface-coding":
            raise XrmlSyntaxError("SIGNATURE has an unknown coding")
        if sorted(child.tag for child in digest.children) != ["ALGORITHM", "PARAMETER", "VALUE"]:
            raise XrmlSyntaxError("DIGEST does not have exactly ALGORITHM, PARAMETER and VALUE")
        mode = CryptoMode.of_hash(digest.one("ALGORITHM").leaf_text())
        digest_value = digest.one("VALUE")
        value = _base64(digest_value)
        if len(value) != mode.hash.digest_size:
            raise XrmlSyntaxError("the digest has another length than its algorithm")
        return cls(mode, value, digest_value.text, _base64(element.one("VALUE")))

    def verify(self, body_surface: str, key: PublicKey) -> None:
        """Recompute the digest and check the signature with `key`. Raises SignatureError."""
        data = body_surface.encode("utf-16-le")
        if not hmac.compare_digest(self.mode.digest(data), self.digest):
            raise SignatureError("the digest does not match the body")
        key.verify(self.value, data, self.mode)


def sign(body: str, key: PrivateKey, mode: CryptoMode, style: SignatureStyle = SignatureStyle.SERVER) -> str:
    """The SIGNATURE element for a BODY's surface text."""
    data = body.encode("utf-16-le")
    digest = mode.digest(data)
    value = key.sign(data, mode)
    algorithm = f"<ALGORITHM>{_ALGORITHM}</ALGORITHM>"
    digest_xml = (
        f"<DIGEST><ALGORITHM>{mode.hash_name}</ALGORITHM>"
        '<PARAMETER name="codingtype"><VALUE encoding="string">surface-coding</VALUE></PARAMETER>'
        f'<VALUE encoding="base64" size="{len(digest) * 8}">{base64.b64encode(digest).decode()}</VALUE></DIGEST>'
    )
    first, second = (digest_xml, algorithm) if style is SignatureStyle.SERVER else (algorithm, digest_xml)
    size = key.public.bits
    return (
        f'<SIGNATURE>{first}{second}<VALUE encoding="base64" size="{size}">'
        f"{base64.b64encode(value).decode()}</VALUE></SIGNATURE>"
    )


def _base64(value: Element) -> bytes:
    if value.attribute("encoding") != "base64":
        raise XrmlSyntaxError("VALUE has an unknown encoding")
    return decode_base64(value.leaf_text(), value.attribute("size"))
