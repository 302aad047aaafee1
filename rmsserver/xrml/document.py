"""What all documents share: one BODY, at most one SIGNATURE, an issuer, times ([MS-RMPR] 2.2.9.1).

`Document.read(text).text == text`, always; nothing here or above writes a read document again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property

from rmsserver.xrml import surface
from rmsserver.xrml.errors import SignatureError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.principal import Principal, XrmlObject, issued_principal
from rmsserver.xrml.signature import Signature, SignatureStyle, sign
from rmsserver.xrml.surface import Element
from rmsserver.xrml.values import TimeRange, format_time, parse_time

LICENSE = "LICENSE"
RIGHTS_LABEL = "Microsoft Rights Label"
RIGHTS_DATA = "Microsoft Rights Template"
OFFICIAL_TEMPLATE = "Microsoft Official Rights Template"

_FRAME = frozenset({"XrML", "BODY", "SIGNATURE"})
_ROOT_ATTRIBUTES = frozenset({"version", "xmlns", "purpose"})


def _frame_is_repeated(root: Element) -> bool:
    """Does XrML, BODY or SIGNATURE stand anywhere inside BODY or SIGNATURE?

    Counted in the text first, ten times faster than a walk: a document has no comment or CDATA section, so every `<` in it
    begins a tag. Names that only begin so are left to the walk.
    """
    source = root.source
    if all(source.count(b"<" + name.encode()) <= 1 for name in _FRAME):
        return False
    return any(e.tag in _FRAME for part in root.children for child in part.children for e in child.walk())


@dataclass(frozen=True)
class Document:
    """A document that was read strictly but not yet verified."""

    text: str = field(repr=False)
    body: Element = field(repr=False)
    body_type: str
    signature: Signature | None = field(repr=False)

    @classmethod
    def read(cls, text: str) -> Document:
        """Check the frame: XrML 1.2, BODY first, at most one SIGNATURE, neither of them anywhere else.

        Raises XrmlSyntaxError or UnsupportedCryptographyError.
        """
        root = surface.parse(text)
        if (
            root.tag != "XrML"
            or root.attributes.get("version") != "1.2"
            or not _ROOT_ATTRIBUTES.issuperset(root.attributes)
        ):
            raise XrmlSyntaxError("not an XrML 1.2 document")
        tags = [child.tag for child in root.children]
        if tags not in (["BODY"], ["BODY", "SIGNATURE"]):
            raise XrmlSyntaxError("a document has one BODY and at most one SIGNATURE after it")
        body = root.children[0]
        if _frame_is_repeated(root):
            raise XrmlSyntaxError("BODY, SIGNATURE or XrML stands inside BODY or SIGNATURE")
        signature = Signature.read(root.children[1]) if len(root.children) == 2 else None
        return cls(text, body, body.attribute("type"), signature)

    @cached_property
    def issued_time(self) -> dt.datetime:
        return parse_time(self.body.one("ISSUEDTIME").leaf_text())

    @cached_property
    def validity(self) -> TimeRange | None:
        """VALIDITYTIME; None where it is missing."""
        element = self.body.find("VALIDITYTIME")
        return None if element is None else read_range(element)

    @cached_property
    def descriptor(self) -> XrmlObject | None:
        element = self.body.find("DESCRIPTOR")
        return None if element is None else XrmlObject.read(element.one("OBJECT"))

    @cached_property
    def issuer(self) -> Principal:
        """Raises XrmlSyntaxError where there is no ISSUER."""
        return Principal.read(self.body.one("ISSUER"))

    @cached_property
    def principal(self) -> Principal:
        """The one PRINCIPAL of ISSUEDPRINCIPALS."""
        return issued_principal(self.body)

    def verify(self, key: PublicKey | None = None) -> None:
        """Check the signature, with the key in the document's own ISSUER where none is given.

        That a signature verifies with the issuer's key says nothing about trust in that key. Raises SignatureError.
        """
        if self.signature is None:
            raise SignatureError("the document is not signed")
        self.signature.verify(self.body.surface, key or self.issuer.public_key)

    @property
    def mode(self) -> CryptoMode:
        """The mode of the signature. Raises SignatureError where the document is not signed."""
        if self.signature is None:
            raise SignatureError("the document is not signed")
        return self.signature.mode

    def distribution_points(self) -> list[XrmlObject]:
        return [XrmlObject.read(point.one("OBJECT")) for point in self.body.all("DISTRIBUTIONPOINT")]

    def expect(self, body_type: str, descriptor_type: str | None = None) -> None:
        """Raise WrongKindError unless the document is of this kind."""
        if self.body_type != body_type:
            raise WrongKindError("the document is of another kind")
        if descriptor_type is not None and (self.descriptor is None or self.descriptor.type != descriptor_type):
            raise WrongKindError("the document is of another kind")


def read_range(element: Element) -> TimeRange:
    """FROM and UNTIL inside VALIDITYTIME or RANGETIME. Raises XrmlSyntaxError."""
    return TimeRange(parse_time(element.one("FROM").leaf_text()), parse_time(element.one("UNTIL").leaf_text()))


def range_xml(tag: str, time_range: TimeRange) -> str:
    return f"<{tag}><FROM>{format_time(time_range.start)}</FROM><UNTIL>{format_time(time_range.end)}</UNTIL></{tag}>"


def body_xml(body_type: str, inner: str, *, version: bool = True) -> str:
    return f'<BODY type="{body_type}"' + (' version="3.0"' if version else "") + f">{inner}</BODY>"


def signed_document(
    body: str,
    key: PrivateKey,
    mode: CryptoMode,
    *,
    style: SignatureStyle = SignatureStyle.SERVER,
    attributes: str = 'xmlns="" version="1.2"',
) -> str:
    """The whole document: root, BODY as given, SIGNATURE."""
    return f"<XrML {attributes}>{body}{sign(body, key, mode, style)}</XrML>"
