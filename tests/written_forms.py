"""How parts that all documents share are to be spelled ([MS-RMPR] 2.2.9.1), written and checked without the engine.

Tables of a document's form (`tests/operations/test_*_form.py`) hold the issued text against these.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from lxml import etree

from rmsserver.xrml.keys import CryptoMode, PublicKey

LICENSING_POINT = "{0F45FD50-383B-43EE-90A4-ED013CD0CFE5}"
EXTRANET_LICENSING_POINT = "{94BF969A-CA04-44d6-AA96-51071281FEF2}"
REFERRAL_POINT = "{81C42010-208A-458A-BAB6-C3C60F06DD5F}"


class Written:
    """A document's text, and what is in it."""

    text: str

    @property
    def body(self) -> etree._Element:
        return etree.fromstring(self.text)[0]

    def part(self, tag: str) -> str:
        """The text of the one part of that name."""
        return self.text[self.text.index(f"<{tag}>") : self.text.index(f"</{tag}>") + len(f"</{tag}>")]


def guid_id(braced: str) -> str:
    """An ID that holds a GUID."""
    assert braced.startswith("{")
    return f'<ID type="MS-GUID">{braced}</ID>'


def public_key(key: PublicKey) -> str:
    """PUBLICKEY: exponent 65537, and the modulus with its size in bits."""
    modulus = base64.b64encode(key.modulus.to_bytes(key.bits // 8, "little")).decode()
    return (
        '<PUBLICKEY><ALGORITHM>RSA</ALGORITHM><PARAMETER name="public-exponent"><VALUE encoding="integer32">65537</VALUE>'
        f'</PARAMETER><PARAMETER name="modulus"><VALUE encoding="base64" size="{key.bits}">{modulus}</VALUE></PARAMETER>'
        "</PUBLICKEY>"
    )


def point(type_: str, guid: str, name: str | None, url: str) -> str:
    """DISTRIBUTIONPOINT with one URL."""
    named = "" if name is None else f"<NAME>{name}</NAME>"
    return (
        f'<DISTRIBUTIONPOINT><OBJECT type="{type_}">{guid_id(guid)}{named}<ADDRESS type="URL">{url}</ADDRESS></OBJECT>'
        "</DISTRIBUTIONPOINT>"
    )


def licensing_points(inside: str, outside: str | None) -> str:
    """Where use licences are to be had: on the intranet, and outside where that is configured."""
    found = point("License-Acquisition-URL", LICENSING_POINT, "DRM Server Cluster", inside)
    if outside is None:
        return found
    name = "Extranet-License-Acquisition-URL"
    return found + point(name, EXTRANET_LICENSING_POINT, "DRM Server Cluster", outside)


def time_range(tag: str, start: str, end: str) -> str:
    """VALIDITYTIME or RANGETIME."""
    return f"<{tag}><FROM>{start}</FROM><UNTIL>{end}</UNTIL></{tag}>"


def order(element: etree._Element, path: str = ".") -> str:
    """The names of an element's children in their order."""
    [found] = element.findall(path)
    return " ".join(str(child.tag) for child in found)


def text_at(element: etree._Element, path: str) -> str:
    """The text of the one element there."""
    [found] = element.findall(path)
    return found.text or ""


def check_signature(text: str, key: PublicKey, mode: CryptoMode) -> None:
    """The document ends in a SIGNATURE by `key` over the hash of its BODY, as long as the key."""
    end = text.index("</BODY>") + len("</BODY>")
    body = text[text.index("<BODY") : end].encode("utf-16-le")
    signature = etree.fromstring(text[end : -len("</XrML>")])
    assert order(signature) == "DIGEST ALGORITHM VALUE"
    hashed = hashlib.sha1(body) if mode is CryptoMode.MODE_1 else hashlib.sha256(body)
    digest, value = signature[0], signature[2]
    assert text_at(digest, "ALGORITHM") == {CryptoMode.MODE_1: "SHA1", CryptoMode.MODE_2: "SHA256"}[mode]
    assert base64.b64decode(text_at(digest, "VALUE")) == hashed.digest()
    assert value.get("size") == str(key.bits) == str(mode.rsa_bits)
    assert value.text is not None
    signed = base64.b64decode(value.text)
    assert len(signed) * 8 == key.bits
    algorithm = hashes.SHA1() if mode is CryptoMode.MODE_1 else hashes.SHA256()
    RSAPublicNumbers(65537, key.modulus).public_key().verify(signed, body, PKCS1v15(), algorithm)
