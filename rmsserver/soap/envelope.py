"""From an HTTP body to one checked SOAP envelope, with the XrML already cut out of it.

The text of certificates never reaches this module's parser: `scan_envelope` cuts it out before, so what lxml parses is a
skeleton of a few hundred bytes in which each certificate is a number. Rules (threats X1 to X6, X11 to X13): UTF-8 or
UTF-16, no DOCTYPE, entity or processing instruction; one Envelope with at most one Header, then one Body with one child;
attributes mean nothing but `xsi:nil`, so references by href and id are inert; elements of foreign namespaces are ignored.
"""

from __future__ import annotations

import codecs
import functools
import re
from dataclasses import dataclass
from email.message import Message

from lxml import etree

from rmsserver.soap.errors import NotUnderstood, SoapClientError, UnsupportedMediaType, VersionMismatch
from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.surface import scan_envelope

SKELETON_LIMIT_BYTES = 512 * 1024
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TRUE = frozenset({"1", "true"})
_DECLARATION = re.compile(rb"""\s*<\?xml\s[^>]*?\?>""")
_DECLARED = re.compile(rb"""encoding\s*=\s*["']([^"']*)["']""")
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_UTF_16 = frozenset({"utf-16", "utf-16le", "utf-16be"})


@dataclass(frozen=True)
class SoapVersion:
    """What differs between SOAP 1.1 and 1.2."""

    media_type: str
    namespace: str
    addressee: str
    """Name of the header attribute that says for whom it is."""
    ours: frozenset[str]
    """Its values that mean this server (besides its absence)."""
    codes: tuple[tuple[str, str], ...]
    """SOAP 1.1 names of fault codes and what they are called here."""


SOAP_11 = SoapVersion(
    "text/xml",
    "http://schemas.xmlsoap.org/soap/envelope/",
    "actor",
    frozenset({"", "http://schemas.xmlsoap.org/soap/actor/next"}),
    (),
)
SOAP_12 = SoapVersion(
    "application/soap+xml",
    "http://www.w3.org/2003/05/soap-envelope",
    "role",
    frozenset(
        {
            "",
            "http://www.w3.org/2003/05/soap-envelope/role/next",
            "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
        }
    ),
    (("Server", "Receiver"), ("Client", "Sender")),
)


@dataclass(frozen=True)
class MediaType:
    """A Content-Type header, read."""

    version: SoapVersion
    charset: str | None
    action: str | None


@functools.lru_cache(maxsize=64)
def read_media_type(header: str) -> MediaType:
    """Which SOAP version, character set and action a Content-Type names. Raises UnsupportedMediaType."""
    message = Message()
    message["Content-Type"] = header
    for version in (SOAP_11, SOAP_12):
        if message.get_content_type() == version.media_type and header.strip():
            charset = message.get_param("charset")
            action = message.get_param("action") if version is SOAP_12 else None
            if charset is not None and str(charset).lower() not in _UTF_8 | _UTF_16:
                raise UnsupportedMediaType("a character set other than UTF-8 and UTF-16")
            return MediaType(version, str(charset).lower() if charset else None, _text(action))
    raise UnsupportedMediaType("neither text/xml nor application/soap+xml")


def _text(parameter: object) -> str | None:
    return parameter if isinstance(parameter, str) else None


@dataclass(frozen=True)
class Envelope:
    """A request whose structure holds. `cuts` are the texts that numbers in the skeleton stand for."""

    root: etree._Element
    headers: tuple[etree._Element, ...]
    request: etree._Element
    cuts: tuple[str, ...]


def read_envelope(body: bytes, media: MediaType, cut: frozenset[str], whole: frozenset[str]) -> Envelope:
    """Read a request body. `cut` and `whole` name the elements that `scan_envelope` empties.

    Raises SoapClientError or a subclass of it.
    """
    try:
        scanned = scan_envelope(_as_utf_8(body, media.charset), cut, whole=whole)
    except XrmlSyntaxError:
        raise SoapClientError("The request is not well-formed XML of the kind expected.") from None
    root = _parse_skeleton(scanned.skeleton)
    headers, request = _structure(root, media.version)
    _strip(request)
    return Envelope(root, headers, request, scanned.cuts)


def _as_utf_8(body: bytes, charset: str | None) -> bytes:
    """The body in UTF-8, without byte-order mark and XML declaration."""
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or charset in _UTF_16:
        if charset in _UTF_8:
            raise SoapClientError("The request is not in the character set that it names.")
        body = _from_utf_16(body, charset)
    body = body.removeprefix(codecs.BOM_UTF8)
    declaration = _DECLARATION.match(body, 0, 200)
    if declaration is None:
        return body.lstrip(b" \t\r\n")
    declared = _DECLARED.search(declaration.group())
    if declared and declared.group(1).decode("latin-1").lower() not in _UTF_8 | _UTF_16:
        raise SoapClientError("The request is in a character set other than UTF-8 and UTF-16.")
    return body[declaration.end() :]


def _from_utf_16(body: bytes, charset: str | None) -> bytes:
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codec = "utf-16"
    else:
        big = charset == "utf-16be" or (charset == "utf-16" and body.startswith(b"\0"))
        codec = "utf-16-be" if big else "utf-16-le"
    try:
        return body.decode(codec).encode()
    except UnicodeError:
        raise SoapClientError("The request is not in the character set that it names.") from None


def _parse_skeleton(skeleton: bytes) -> etree._Element:
    if len(skeleton) > SKELETON_LIMIT_BYTES:
        raise SoapClientError("The request is too large.")
    # A fresh parser each time: one shared between threads would be locked, and making one costs microseconds.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        return etree.fromstring(skeleton, parser)
    except etree.XMLSyntaxError:
        raise SoapClientError("The request is not well-formed XML of the kind expected.") from None


def _structure(root: etree._Element, version: SoapVersion) -> tuple[tuple[etree._Element, ...], etree._Element]:
    name = etree.QName(root)
    if name.localname != "Envelope":
        raise SoapClientError("The request is not a SOAP envelope.")
    if name.namespace != version.namespace:
        raise VersionMismatch("The envelope is of another SOAP version than the content type.")
    parts = list(root)
    header_tag, body_tag = f"{{{version.namespace}}}Header", f"{{{version.namespace}}}Body"
    if [part.tag for part in parts] not in ([body_tag], [header_tag, body_tag]):
        raise SoapClientError("The envelope does not have one Header at most and then one Body.")
    if len(parts[-1]) != 1:
        raise SoapClientError("The SOAP Body does not have one child.")
    headers = tuple(parts[0]) if len(parts) == 2 else ()
    return headers, parts[-1][0]


def _strip(request: etree._Element) -> None:
    """Leave only what the service's schema can know: elements of the request's namespace, `xsi:nil` where it is true.

    Spyne takes an attribute with the name of a field for that field, any `xsi:nil` for true, and does not look at
    namespaces.
    """
    namespace = _namespace(request)
    for element in list(request.iter()):
        parent = element.getparent()
        if parent is not None and _namespace(element) != namespace:
            parent.remove(element)
        elif element.attrib:
            nil = element.get(_NIL) in _TRUE
            element.attrib.clear()
            if nil:
                element.set(_NIL, "true")


def _namespace(element: etree._Element) -> str:
    """In braces; "" where there is none. A `QName` would be an object for each element."""
    tag = str(element.tag)
    return tag[: tag.rfind("}") + 1]


def check_headers(envelope: Envelope, version: SoapVersion, understood: str | None) -> etree._Element | None:
    """The one header called `understood`, if it is there. Every other is ignored, unless it must be understood.

    Raises NotUnderstood; SoapClientError where there are two.
    """
    found = None
    for header in envelope.headers:
        if header.get(f"{{{version.namespace}}}{version.addressee}", "") not in version.ours:
            continue
        if header.tag == understood:
            if found is not None:
                raise SoapClientError("The request has a header twice.")
            found = header
        elif header.get(f"{{{version.namespace}}}mustUnderstand") in _TRUE:
            raise NotUnderstood("A header that must be understood is not known here.")
    return found
