"""Revocation: the point that a licence names (CONDITIONLIST, [MS-RMPR] 2.2.9.7.9) and the list that is found there
([XRML] 3.17).

A client that opens a licence with a point fetches the list at least as often as the interval says, and refuses where the list
names the licence, its issuer, its content or a principal of it. No server looks at a list.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
from collections.abc import Iterable
from dataclasses import dataclass

from rmsserver.xrml.document import LICENSE, Document, body_xml, signed_document
from rmsserver.xrml.errors import WrongKindError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey, decode_base64
from rmsserver.xrml.principal import Address, XrmlObject, object_xml, public_key_xml, read_public_key
from rmsserver.xrml.surface import Element
from rmsserver.xrml.values import Guid, escape, format_time

REVOCATION_POINT = "Revocation"
REVOCATION_LIST = "Revocation-List"
_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


# --- the point ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RevocationPoint:
    """Where the list is, who signs it, and how old it may be. ID type and ID are those of the list's ISSUER."""

    id_type: str
    id: str
    url: str
    key: PublicKey
    interval: dt.timedelta
    name: str = ""

    def xml(self) -> str:
        """CONDITIONLIST of PLs, templates and use licences; parts of the interval that are zero are left out."""
        object_ = object_xml(REVOCATION_POINT, self.id_type, self.id, self.name or None, (Address("URL", self.url),))
        rest, parts = int(self.interval.total_seconds()), []
        for unit, seconds in _UNITS:
            count, rest = divmod(rest, seconds)
            if count:
                parts.append(f' {unit}="{count}"')
        point = f"<DISTRIBUTIONPOINT>{object_}{public_key_xml(self.key)}</DISTRIBUTIONPOINT>"
        return f"<CONDITIONLIST><REFRESH>{point}<INTERVALTIME{''.join(parts)} /></REFRESH></CONDITIONLIST>"

    @classmethod
    def read(cls, conditions: Element) -> RevocationPoint:
        """Raises XrmlSyntaxError, UnsupportedCryptographyError."""
        refresh = conditions.one("REFRESH")
        point, interval = refresh.one("DISTRIBUTIONPOINT"), refresh.one("INTERVALTIME")
        object_ = XrmlObject.read(point.one("OBJECT"))
        url = object_.address("URL")
        if object_.type != REVOCATION_POINT or not url:
            raise XrmlSyntaxError("REFRESH has no revocation point with a URL")
        seconds = sum(_count(interval.attributes.get(unit, "0")) * size for unit, size in _UNITS)
        key = read_public_key(point.one("PUBLICKEY"))
        return cls(object_.id_type, object_.id, url, key, dt.timedelta(seconds=seconds), object_.name or "")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise XrmlSyntaxError("INTERVALTIME has something else than numbers")
    return int(text)


# --- the list -----------------------------------------------------------------------------------------------------------


class RevokedBy(enum.Enum):
    """What a REVOKE names: category and type as they stand in its attributes."""

    LICENSE_ID = ("license", "license-id")
    LICENSE_HASH = ("license", "license-hash")
    ISSUER_KEY = ("license", "issuer-key")
    ISSUER_ID = ("license", "issuer-id")
    CONTENT_ID = ("content", "content-id")
    PRINCIPAL_ID = ("principal", "principal-id")
    PRINCIPAL_KEY = ("principal", "principal-key")

    @property
    def by_key(self) -> bool:
        return self in (RevokedBy.ISSUER_KEY, RevokedBy.PRINCIPAL_KEY)


@dataclass(frozen=True)
class Revocation:
    """One REVOKE. `value` is an ID (`id_type` its type), the base64 of a digest, or the base64 of a PKCS#1 key."""

    by: RevokedBy
    value: str
    id_type: str = "MS-GUID"

    def xml(self) -> str:
        """Raises XrmlSyntaxError where key or digest cannot be read."""
        category, type_ = self.by.value
        return f'<REVOKE category="{category}" type="{type_}">{self._what()}</REVOKE>'

    def _what(self) -> str:
        if self.by.by_key:
            return public_key_xml(PublicKey.from_pkcs1(decode_base64(self.value, None)))
        if self.by is not RevokedBy.LICENSE_HASH:
            return object_xml("", self.id_type, self.value)
        digest = decode_base64(self.value, None)
        names = {mode.hash.digest_size: mode.hash_name for mode in CryptoMode}
        if len(digest) not in names:
            raise XrmlSyntaxError("the digest is of no hash that licences are signed with")
        return (
            f"<DIGEST><ALGORITHM>{names[len(digest)]}</ALGORITHM>"
            f'<VALUE encoding="base64" size="{len(digest) * 8}">{escape(self.value)}</VALUE></DIGEST>'
        )

    @classmethod
    def read(cls, element: Element) -> Revocation:
        """Raises XrmlSyntaxError, UnsupportedCryptographyError."""
        kind = (element.attribute("category"), element.attribute("type"))
        by = next((by for by in RevokedBy if by.value == kind), None)
        if by is None:
            raise XrmlSyntaxError("REVOKE has an unknown category or type")
        if by.by_key:
            der = read_public_key(element.one("PUBLICKEY")).pkcs1_der
            return cls(by, base64.b64encode(der).decode(), "")
        if by is RevokedBy.LICENSE_HASH:
            return cls(by, element.one("DIGEST").one("VALUE").leaf_text().strip(), "")
        identity = element.one("OBJECT").one("ID")
        return cls(by, identity.leaf_text().strip(), identity.attributes.get("type", ""))


@dataclass(frozen=True)
class RevocationList(Document):
    """A signed list, as clients read it."""

    @classmethod
    def read(cls, text: str) -> RevocationList:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        list_ = cls(document.text, document.body, document.body_type, document.signature)
        list_.expect(LICENSE, REVOCATION_LIST)
        if list_.body.find("REVOCATIONLIST") is None:
            raise WrongKindError("not a revocation list")
        _ = list_.issued_time, list_.issuer.public_key, list_.revocations
        return list_

    @property
    def revocations(self) -> tuple[Revocation, ...]:
        return tuple(Revocation.read(element) for element in self.body.one("REVOCATIONLIST").all("REVOKE"))


def write_revocation_list(
    *,
    list_id: Guid,
    point: RevocationPoint,
    revocations: Iterable[Revocation],
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
) -> str:
    """A signed list as text. `point` is what licences say of it: ID, name, URL and key stand in ISSUER.

    Raises XrmlSyntaxError.
    """
    object_ = object_xml(REVOCATION_LIST, point.id_type, point.id, point.name or None, (Address("URL", point.url),))
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME><DESCRIPTOR>"
        + object_xml(REVOCATION_LIST, "MS-GUID", list_id.braced)
        + f"</DESCRIPTOR><ISSUER>{object_}{public_key_xml(signing_key.public)}</ISSUER><REVOCATIONLIST>"
        + "".join(revocation.xml() for revocation in revocations)
        + "</REVOCATIONLIST>"
    )
    return signed_document(body_xml(LICENSE, inner), signing_key, mode)
