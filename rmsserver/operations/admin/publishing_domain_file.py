"""The product's trusted publishing domain file: chain, private key and templates of a cluster, under a password.

Layout (wire facts 11): two layers of what .NET's XmlSerializer makes of an ArrayList. The outer one has an
`EncryptedTrustedDocDomain`, whose two strings are base64 of AES-128-CBC; the first opens to the inner ArrayList with a
`TrustedDocDomain`, the second to the RSA key pair as a CAPI PRIVATEKEYBLOB. The initialisation vector is always the same and
the key is a hash of the password alone: the password is all that protects such a file.

Nothing in the file is authenticated. What is read is therefore checked as if anybody had written it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from lxml import etree

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.imported_xml import child_text, children, local_name, read_xml
from rmsserver.operations.admin.password_derive_bytes import PasswordDeriveBytes
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import PrivateKey

_WHAT = "the trusted publishing domain file"
_IV = bytes(range(1, 17))
_KEY_BYTES = 16
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XSD = "http://www.w3.org/2001/XMLSchema"
_CSP = "Microsoft Enhanced RSA and AES Cryptographic Provider"
_CSP_TYPE, _SIGNATURE_KEY = 24, 2
MAX_TEMPLATES = 200
MAX_CHAIN = 9


class WrongPassword(OperatorError):
    """The file did not open; nobody can tell a wrong password from a damaged file."""


@dataclass(frozen=True)
class PublishingDomain:
    """What a file holds: nothing of it is checked beyond its form."""

    chain: tuple[str, ...]
    """SLC first, surface texts."""
    templates: tuple[str, ...]
    key: PrivateKey = field(repr=False)
    key_id: str = ""
    """strID: the GUID of the SLC's principal."""
    old_derivation: bool = False
    """The password was stretched as the first versions of the product did."""


def read_publishing_domain(data: bytes, password: str) -> PublishingDomain:
    """Open a file, whichever of the two derivations made it. Raises WrongPassword, OperatorError."""
    outer = _single_item(read_xml(data, _WHAT), "EncryptedTrustedDocDomain")
    information, key_data = (
        _base64(child_text(outer, name, _WHAT)) for name in ("m_strTrustedDocDomainInfo", "m_strKeyData")
    )
    if not information or not key_data:
        raise OperatorError(f"{_WHAT} has no private key: export it again, with the key")
    for derive in (_new_key, _old_key):
        plain, blob = _decrypt(information, derive(password)), _decrypt(key_data, derive(password))
        if plain is not None and blob is not None and _looks_like_xml(plain):
            return _read_inner(plain, blob, old=derive is _old_key)
    raise WrongPassword("the password is wrong, or the file is damaged: try again")


def write_publishing_domain(
    chain: Iterable[str], templates: Iterable[str], key: PrivateKey, key_id: str, password: str
) -> bytes:
    """A file as the product writes it, with the new derivation. `key_id` is the GUID of the SLC's principal, in braces."""
    secret = _new_key(password)
    inner = etree.Element("anyType", {f"{{{_XSI}}}type": "TrustedDocDomain"})
    information = etree.SubElement(inner, "m_ttdki")
    for name, value in (
        ("strID", key_id),
        ("strIDType", "MS-GUID"),
        ("nCSPType", str(_CSP_TYPE)),
        ("strCSPName", _CSP),
        ("strKeyContainerName", ""),
        ("nKeyNumber", str(_SIGNATURE_KEY)),
    ):
        etree.SubElement(information, name).text = value
    for name, texts in (("m_strLicensorCertChain", chain), ("m_astrRightsTemplates", templates)):
        _strings(inner, name, texts)
    outer = etree.Element("anyType", {f"{{{_XSI}}}type": "EncryptedTrustedDocDomain"})
    sealed = {"m_strTrustedDocDomainInfo": _array_list(inner), "m_strKeyData": key.to_capi_blob()}
    for name, data in sealed.items():
        etree.SubElement(outer, name).text = base64.b64encode(_encrypt(data, secret)).decode()
    return _array_list(outer)


# --- the inner layer ---------------------------------------------------------------------------------------------------


def _read_inner(plain: bytes, blob: bytes, *, old: bool) -> PublishingDomain:
    domain = _single_item(read_xml(plain, _WHAT), "TrustedDocDomain")
    information = children(domain, "m_ttdki")
    chain = _texts(domain, "m_strLicensorCertChain", MAX_CHAIN)
    templates = _texts(domain, "m_astrRightsTemplates", MAX_TEMPLATES)
    if not chain:
        raise OperatorError(f"{_WHAT} holds no server licensor certificate: export it again")
    try:
        key = PrivateKey.from_capi_blob(blob)
        # Threat C8: a key that others can factor is refused before anything is done with it.
        key.public.check_strength()
    except XrmlError as error:
        raise OperatorError(f"the private key in {_WHAT.removeprefix('the ')} cannot be used: {error}") from None
    key_id = child_text(information[0], "strID", _WHAT)[:64] if information else ""
    return PublishingDomain(chain, templates, key, key_id, old)


def _single_item(root: etree._Element, type_: str) -> etree._Element:
    """The one item of an ArrayList, of that type. The name of the root is .NET's; only its form counts."""
    items = [child for child in root if local_name(child)]
    kinds = [local_name(items[0]), (items[0].get(f"{{{_XSI}}}type") or "").rpartition(":")[2]] if items else []
    if len(items) != 1 or type_ not in kinds:
        raise OperatorError(f"{_WHAT} does not hold exactly one domain: check that it is the right file")
    return items[0]


def _texts(domain: etree._Element, name: str, limit: int) -> tuple[str, ...]:
    lists = children(domain, name)
    strings = [child for child in lists[0] if local_name(child)] if lists else []
    if len(lists) > 1 or len(strings) > limit or any(len(child) for child in strings):
        raise OperatorError(f"{_WHAT} has an unexpected structure at {name}: check that it is the right file")
    # A declaration and line ends around a document are .NET's, not part of its surface.
    return tuple((child.text or "").strip(" \t\r\n\0\ufeff") for child in strings)


def _strings(parent: etree._Element, name: str, texts: Iterable[str]) -> None:
    element = etree.SubElement(parent, name)
    for text in texts:
        etree.SubElement(element, "string").text = text


def _array_list(item: etree._Element) -> bytes:
    root = etree.Element("ArrayOfAnyType", nsmap={"xsi": _XSI, "xsd": _XSD})
    root.append(item)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def _looks_like_xml(plain: bytes) -> bool:
    return plain.lstrip(b"\xef\xbb\xbf\xff\xfe \r\n\t")[:1] == b"<"


# --- the password ------------------------------------------------------------------------------------------------------


def _new_key(password: str) -> bytes:
    return hashlib.sha256(password.encode("utf-16-le", "surrogatepass")).digest()[:_KEY_BYTES]


def _old_key(password: str) -> bytes:
    return PasswordDeriveBytes(password.encode("utf-8", "replace")).get_bytes(_KEY_BYTES)


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(_IV))


def _encrypt(data: bytes, key: bytes) -> bytes:
    padder, encryptor = PKCS7(128).padder(), _cipher(key).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def _decrypt(data: bytes, key: bytes) -> bytes | None:
    """None where the padding is wrong: another key, most likely."""
    if len(data) % 16:
        return None
    decryptor, unpadder = _cipher(key).decryptor(), PKCS7(128).unpadder()
    try:
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        return None


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise OperatorError(f"{_WHAT} is damaged: copy it again") from None


def delayed(
    read: Callable[[], PublishingDomain], pause: Callable[[float], None], seconds: float = 2.0
) -> PublishingDomain:
    """Call `read`; a wrong password is told only after a pause, so that passwords are not tried through this program."""
    try:
        return read()
    except WrongPassword:
        pause(seconds)
        raise
