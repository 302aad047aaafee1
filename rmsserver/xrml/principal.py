"""OBJECT, PUBLICKEY, SECURITYLEVEL and PRINCIPAL: who is meant ([MS-RMPR] 2.2.9.1.5 to 2.2.9.1.11).

Everything read keeps its surface text, because answers repeat it to the letter: the ISSUER of a RAC is the inside of the
SLC's PRINCIPAL, the principal of a use licence that of the RAC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.surface import Element
from rmsserver.xrml.values import Guid, escape, escape_attribute


@dataclass(frozen=True)
class Address:
    type: str
    text: str


@dataclass(frozen=True)
class XrmlObject:
    """An OBJECT element. `type` is "" where the attribute is missing; `name` None where there is no NAME."""

    type: str
    id_type: str
    id: str
    name: str | None
    addresses: tuple[Address, ...]
    surface: str = field(repr=False, compare=False)

    @classmethod
    def read(cls, element: Element) -> XrmlObject:
        """Raises XrmlSyntaxError."""
        identity = element.one("ID")
        name = element.find("NAME")
        return cls(
            element.attributes.get("type", ""),
            identity.attributes.get("type", ""),
            identity.leaf_text(),
            None if name is None else name.leaf_text(),
            tuple(Address(a.attributes.get("type", ""), a.leaf_text()) for a in element.all("ADDRESS")),
            element.surface,
        )

    @property
    def guid(self) -> Guid:
        """The ID as a GUID. Raises XrmlSyntaxError where it is none."""
        if self.id_type != "MS-GUID":
            raise XrmlSyntaxError("the ID is not a GUID")
        return Guid.parse(self.id)

    def address(self, type_: str) -> str | None:
        """The first address of that type."""
        return next((a.text for a in self.addresses if a.type == type_), None)

    def same_identity(self, other: XrmlObject) -> bool:
        """Same ID type and ID; GUIDs compare without case and braces (wire facts 2)."""
        if self.id_type != other.id_type:
            return False
        if self.id_type == "MS-GUID":
            return self.guid == other.guid
        return self.id == other.id


@dataclass(frozen=True)
class Principal:
    """A PRINCIPAL, or an ISSUER, which has the same inside. `key` is None where there is no PUBLICKEY."""

    object: XrmlObject
    key: PublicKey | None
    levels: Mapping[str, str]
    element: Element = field(repr=False, compare=False)

    @classmethod
    def read(cls, element: Element) -> Principal:
        """Raises XrmlSyntaxError."""
        key = element.find("PUBLICKEY")
        levels: dict[str, str] = {}
        for level in element.all("SECURITYLEVEL"):
            if levels.setdefault(level.attribute("name"), level.attribute("value")) != level.attribute("value"):
                raise XrmlSyntaxError("a SECURITYLEVEL stands twice")
        return cls(
            XrmlObject.read(element.one("OBJECT")),
            None if key is None else read_public_key(key),
            levels,
            element,
        )

    @property
    def public_key(self) -> PublicKey:
        """The key of a principal that must have one. Raises XrmlSyntaxError."""
        if self.key is None:
            raise XrmlSyntaxError("PUBLICKEY is missing")
        return self.key

    @property
    def inner_surface(self) -> str:
        """What stands between the tags: copied into an ISSUER (wire facts 7)."""
        return self.element.inner_surface

    @property
    def object_and_key_surface(self) -> str:
        """OBJECT and PUBLICKEY as they stand, without levels (rulings 22)."""
        return self.object.surface + self.element.one("PUBLICKEY").surface

    @property
    def levels_surface(self) -> str:
        return "".join(level.surface for level in self.element.all("SECURITYLEVEL"))


def read_public_key(element: Element) -> PublicKey:
    """A PUBLICKEY element, with sizes that agree and exponent 65537. Raises XrmlSyntaxError."""
    if element.one("ALGORITHM").leaf_text() != "RSA":
        raise XrmlSyntaxError("the key is not an RSA key")
    values = {p.attribute("name"): p.one("VALUE") for p in element.all("PARAMETER")}
    if set(values) != {"public-exponent", "modulus"} or len(element.children) != 3:
        raise XrmlSyntaxError("PUBLICKEY does not have exactly exponent and modulus")
    exponent, modulus = values["public-exponent"], values["modulus"]
    if exponent.attribute("encoding") != "integer32" or modulus.attribute("encoding") != "base64":
        raise XrmlSyntaxError("PUBLICKEY has an unknown encoding")
    return PublicKey.from_wire(modulus.leaf_text(), modulus.attribute("size"), exponent.leaf_text())


def issued_principal(body: Element) -> Principal:
    """The one PRINCIPAL of ISSUEDPRINCIPALS (2.2.9.1.11). Raises XrmlSyntaxError."""
    return Principal.read(body.one("ISSUEDPRINCIPALS").one("PRINCIPAL"))


# --- writing -----------------------------------------------------------------------------------------------------------


def object_xml(type_: str, id_type: str, id_: str, name: str | None = None, addresses: tuple[Address, ...] = ()) -> str:
    """An OBJECT element; `type_` "" leaves the attribute out."""
    return (
        (f'<OBJECT type="{escape_attribute(type_)}">' if type_ else "<OBJECT>")
        + (
            f'<ID type="{escape_attribute(id_type)}">{escape(id_)}</ID>'
            if id_
            else f'<ID type="{escape_attribute(id_type)}" />'
        )
        + ("" if name is None else f"<NAME>{escape(name)}</NAME>")
        + "".join(f'<ADDRESS type="{escape_attribute(a.type)}">{escape(a.text)}</ADDRESS>' for a in addresses)
        + "</OBJECT>"
    )


def public_key_xml(key: PublicKey) -> str:
    return (
        '<PUBLICKEY><ALGORITHM>RSA</ALGORITHM><PARAMETER name="public-exponent"><VALUE encoding="integer32">65537</VALUE>'
        f'</PARAMETER><PARAMETER name="modulus"><VALUE encoding="base64" size="{key.bits}">{key.modulus_base64}</VALUE>'
        "</PARAMETER></PUBLICKEY>"
    )


def level_xml(name: str, value: str) -> str:
    return f'<SECURITYLEVEL name="{escape_attribute(name)}" value="{escape_attribute(value)}" />'


def distribution_point_xml(type_: str, guid: str, name: str | None, url: str) -> str:
    """A DISTRIBUTIONPOINT with one URL (2.2.9.1.7). `guid` is written as it stands, braces included."""
    return (
        "<DISTRIBUTIONPOINT>"
        + object_xml(type_, "MS-GUID", guid, name, (Address("URL", url),))
        + "</DISTRIBUTIONPOINT>"
    )
