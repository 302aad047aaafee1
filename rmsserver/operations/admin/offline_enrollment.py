"""Enrollment by files ([MS-RMPR] 3.6.4.2), for clusters without a connection: requests are read, answers written and read.

A file is ASCII and holds one element: EnrollParameters in a request, as Enroll has them on the wire, EnrollResponse with four
named certificates in an answer. Whatever else stands in a file, it is refused. Two things are open, and read either way:
- the root element with or without the namespace of its content (.NET writes it without);
- an answer's certificates by their names, or as `string` elements as in the synchronous answer.
Diverges: the specification shows a declaration of UTF-16 above an ASCII file, which no XML reader takes. It is not written,
and any declaration is skipped.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

from lxml import etree

from rmsserver.errors import OperatorError, RmsError
from rmsserver.operations.admin.imported_xml import local_name, read_xml
from rmsserver.operations.enroll import EnrollRequest, RevocationInformation, enroll_server
from rmsserver.operations.enrollee import EnrolleeInformation, EnrolleeKey
from rmsserver.state import AuditTrail, Licensor, ServerState
from rmsserver.xrml.values import Guid

NAMESPACE = "http://microsoft.com/DRM/EnrollmentService"
CERTIFICATES = ("SLC", "EnrollmentServiceCert", "EnrollmentCACert", "CACert")
"""The names of an answer's certificates, in the order of the chain (3.6.4.2.1.2)."""
MAX_BYTES = 256 * 1024
_DECLARATION = re.compile(rb"<\?xml\s[^?<>]{1,100}\?>\s*")
_CHAIN = "LicensorCertificateChain"


def answer_request(
    data: bytes,
    service: Licensor,
    trail: AuditTrail,
    state: ServerState,
    guid: Callable[[], Guid],
    now: dt.datetime,
) -> bytes:
    """The answer's file for a request's. `service`: our Enrollment Service. Raises OperatorError.

    Who may ask is not checked here: an administrator has the file in hand.
    """
    request = read_request(data)
    if state.decommissioned:
        raise OperatorError("the cluster is decommissioned: nothing is enrolled under it")
    try:
        chain = enroll_server(request, service, trail, state, guid, now)
    except RmsError as error:
        raise OperatorError(f"the request is refused: {error}: ask for a corrected one") from None
    return write_answer(chain)


def read_request(data: bytes) -> EnrollRequest:
    """What a request's file says, not yet checked. Raises OperatorError."""
    what = "the request"
    root = _root(data, "EnrollParameters", what)
    parts = _parts(
        root, ("AuthorizationInformation", "RevocationInformation", "CertificatePublicKey", "EnrolleeInformation"), what
    )
    key = _texts(parts.get("CertificatePublicKey"), ("aPublicKeyBytes", "Guid"), what)
    information = _texts(parts.get("EnrolleeInformation"), ("SKU", "Version", "Name", "URL"), what)
    return EnrollRequest(
        None if key is None else EnrolleeKey(key["aPublicKeyBytes"], key["Guid"]),
        None
        if information is None
        else EnrolleeInformation(information["SKU"], information["Version"], information["Name"], information["URL"]),
        _revocation(parts.get("RevocationInformation"), what),
    )


def write_answer(chain: Sequence[str]) -> bytes:
    """The answer's file, certificates as escaped text. Raises OperatorError for a chain that has not four certificates."""
    if len(chain) != len(CERTIFICATES):
        raise OperatorError(
            f"the chain has {len(chain)} certificates, and the file has places for {len(CERTIFICATES)}: "
            "enroll over the network"
        )
    inner = "".join(f"<{name}>{_escaped(text)}</{name}>" for name, text in zip(CERTIFICATES, chain, strict=True))
    text = f'<EnrollResponse xmlns="{NAMESPACE}"><{_CHAIN}>{inner}</{_CHAIN}></EnrollResponse>'
    return f'<?xml version="1.0"?>\n{text}'.encode("ascii", "xmlcharrefreplace")


def read_answer(data: bytes) -> tuple[str, ...]:
    """The certificates of an answer's file, ours first; nothing about them is verified. Raises OperatorError."""
    what = "the answer"
    parts = _parts(_root(data, "EnrollResponse", what), (_CHAIN,), what)
    chain = parts.get(_CHAIN)
    found = [] if chain is None else list(chain)
    names = tuple(_check_name(child, (*CERTIFICATES, "string"), what) for child in found)
    if names not in (CERTIFICATES, ("string",) * len(CERTIFICATES)):
        raise OperatorError("the answer has not the four certificates of a chain: check that it is the right file")
    return tuple(_text(child, what) for child in found)


def _revocation(element: etree._Element | None, what: str) -> RevocationInformation | None:
    if element is None:
        return None
    parts = _parts(element, ("RevocationType", "aRevocationAuthorities"), what)
    kind, listed = parts.get("RevocationType"), parts.get("aRevocationAuthorities")
    keys: list[str | None] = []
    for child in () if listed is None else listed:
        _check_name(child, ("RevocationAuthorityInformation",), what)
        found = _texts(child, ("aRevocationAuthorityPublicKey",), what)
        keys.append(None if found is None else found["aRevocationAuthorityPublicKey"])
    return RevocationInformation(None if kind is None else _text(kind, what).strip(), tuple(keys))


def _root(data: bytes, name: str, what: str) -> etree._Element:
    if len(data) > MAX_BYTES:
        raise OperatorError(f"{what} is larger than {MAX_BYTES // 1024} KiB: check that it is the right file")
    if not data.isascii():
        raise OperatorError(f"{what} is not an ASCII file: take it as it was sent, not as an editor saved it")
    root = read_xml(_DECLARATION.sub(b"", data, count=1) if _DECLARATION.match(data) else data, what)
    _check_name(root, (name,), what)
    return root


def _parts(element: etree._Element, names: Sequence[str], what: str) -> dict[str, etree._Element]:
    """The children by name. Raises OperatorError for others, for one that stands twice, and for text between them."""
    found: dict[str, etree._Element] = {}
    for child in element:
        name = _check_name(child, names, what)
        if name in found:
            raise OperatorError(f"{what} has {name} twice: check that it is the right file")
        found[name] = child
    between = (element.text, *(child.tail for child in element))
    if any(text and text.strip() for text in between):
        raise OperatorError(f"{what} has text where elements are expected: check that it is the right file")
    return found


def _texts(element: etree._Element | None, names: Sequence[str], what: str) -> Mapping[str, str | None] | None:
    """The texts of all names, None where an element is missing."""
    if element is None:
        return None
    found = _parts(element, names, what)
    return {name: _text(found[name], what).strip() if name in found else None for name in names}


def _text(element: etree._Element, what: str) -> str:
    if len(element):
        raise OperatorError(f"{what} has elements where text is expected: check that it is the right file")
    return element.text or ""


def _check_name(element: etree._Element, names: Sequence[str], what: str) -> str:
    """The local name, which is one of `names`, in the service's namespace or in none. Raises OperatorError."""
    name = local_name(element)
    if name not in names or etree.QName(element).namespace not in (NAMESPACE, None):
        raise OperatorError(f"{what} has other content than {' and '.join(names)}: check that it is the right file")
    return name


def _escaped(text: str) -> str:
    """A reader's line ends are line feeds alone: a carriage return survives as a reference only."""
    return escape(text, {"\r": "&#13;"})
