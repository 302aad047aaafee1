"""SIGNATURE: surface coding over UTF-16LE, in two orders, and nothing else."""

from __future__ import annotations

import base64
import hashlib

import pytest

from rmsserver.xrml.errors import SignatureError, UnsupportedCryptographyError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.signature import Signature, SignatureStyle, sign
from rmsserver.xrml.surface import parse
from tests.xrml.hierarchy import Hierarchy

BODY = '<BODY type="LICENSE">Grüße \U0001f600</BODY>'


@pytest.mark.parametrize("style", list(SignatureStyle))
def test_a_signature_reads_and_verifies(hierarchy: Hierarchy, style: SignatureStyle) -> None:
    """In either order of its children (wire facts 2)."""
    key, mode = hierarchy.keys.slc, hierarchy.mode
    element = parse(sign(BODY, key, mode, style))
    assert ", ".join(child.tag for child in element.children) == style.value
    signature = Signature.read(element)
    assert signature.mode is mode
    signature.verify(BODY, key.public)


def test_the_digest_is_over_utf_16_little_endian(hierarchy: Hierarchy) -> None:
    """No byte-order mark; UTF-8 never matches (wire facts 1)."""
    signature = Signature.read(parse(sign(BODY, hierarchy.keys.slc, hierarchy.mode)))
    new = {CryptoMode.MODE_1: hashlib.sha1, CryptoMode.MODE_2: hashlib.sha256}[hierarchy.mode]
    assert signature.digest == new(BODY.encode("utf-16-le")).digest()
    assert signature.digest != new(BODY.encode()).digest()
    assert base64.b64decode(signature.digest_text) == signature.digest


@pytest.mark.parametrize("changed", [BODY + " ", BODY.replace("ü", "u\u0308"), BODY.replace('"', "'"), ""])
def test_another_body_does_not_verify(hierarchy: Hierarchy, changed: str) -> None:
    """Not even one that Unicode or XML call equal."""
    signature = Signature.read(parse(sign(BODY, hierarchy.keys.slc, hierarchy.mode)))
    with pytest.raises(SignatureError):
        signature.verify(changed, hierarchy.keys.slc.public)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("RSA PKCS#1-V1.5", "RSA PKCS#1-V1.5 "),
        ("RSA PKCS#1-V1.5", "RSA-PSS"),
        ("surface-coding", "text-coding"),
        ("codingtype", "coding"),
        ('encoding="base64"', 'encoding="hex"'),
        ('encoding="base64" ', ""),
        ("<DIGEST>", "<DIGEST><X />"),
        ("</DIGEST>", "<VALUE /></DIGEST>"),
        ("</SIGNATURE>", "<X /></SIGNATURE>"),
        ("</SIGNATURE>", "<VALUE /></SIGNATURE>"),
        ("<ALGORITHM>RSA PKCS#1-V1.5</ALGORITHM>", ""),
        ("<ALGORITHM>SHA1</ALGORITHM>", ""),
        ("<ALGORITHM>SHA1</ALGORITHM>", "<ALGORITHM>SHA1</ALGORITHM><ALGORITHM>SHA1</ALGORITHM>"),
        ("SHA1", "SHA256"),
        ("SHA1", "<b>SHA1</b>"),
        ("</PARAMETER>", "</PARAMETER><PARAMETER />"),
        ("</PARAMETER>", "<VALUE>surface-coding</VALUE></PARAMETER>"),
    ],
)
def test_a_signature_of_another_make_is_refused(mode1: Hierarchy, old: str, new: str) -> None:
    """Unknown algorithms, codings and structures."""
    text = sign(BODY, mode1.keys.slc, CryptoMode.MODE_1)
    assert old in text
    with pytest.raises(XrmlSyntaxError):
        Signature.read(parse(text.replace(old, new, 1)))


@pytest.mark.parametrize("name", ["MD5", "sha1", "SHA512"])
def test_another_hash_is_refused(mode1: Hierarchy, name: str) -> None:
    text = sign(BODY, mode1.keys.slc, CryptoMode.MODE_1)
    with pytest.raises(UnsupportedCryptographyError):
        Signature.read(parse(text.replace("SHA1", name)))
