"""The SOAP calls that servers make to each other ([MS-RMPRS] 3.1.4.1): written as text, read strictly."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from xml.sax.saxutils import escape

from lxml import etree

from rmsserver.outbound.http import Answer, HttpPeer, Question
from rmsserver.ports import PortUnavailable
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.surface import scan_envelope

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
ANSWER_LIMIT_BYTES = 1024 * 1024
_FAULT_CHARACTERS = 200


def call(
    peer: HttpPeer,
    url: str,
    namespace: str,
    operation: str,
    parameters: str,
    *,
    seconds: float,
    limit_bytes: int = ANSWER_LIMIT_BYTES,
) -> etree._Element:
    """Call an operation; the element of its answer. `parameters` is XML in no prefix, in the service's namespace.

    Raises PortUnavailable, for a fault too; its detail then has the fault's text, for the log.
    """
    answer = _post(peer, url, namespace, operation, parameters, seconds, limit_bytes)
    return _result(answer, f"{{{namespace}}}{operation}Response")


def _post(
    peer: HttpPeer, url: str, namespace: str, operation: str, parameters: str, seconds: float, limit_bytes: int
) -> Answer:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{_SOAP}"><soap:Header>'
        f'<VersionData xmlns="{namespace}"><MinimumVersion>1.0.0.0</MinimumVersion>'
        f"<MaximumVersion>1.0.0.0</MaximumVersion></VersionData></soap:Header><soap:Body>"
        f'<{operation} xmlns="{namespace}">{parameters}</{operation}></soap:Body></soap:Envelope>'
    ).encode()
    headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{namespace}/{operation}"'}
    return peer.post(Question(url, body, headers, seconds, limit_bytes))


def document(
    peer: HttpPeer, url: str, namespace: str, operation: str, parameters: str, name: str, *, seconds: float
) -> str | None:
    """Call an operation; the surface text of the one XML document in the element `name` of its answer, None for a fault.

    Raises PortUnavailable.
    """
    answer = _post(peer, url, namespace, operation, parameters, seconds, ANSWER_LIMIT_BYTES)
    if answer.status == 500 and _parse(answer.body).find(f"{{{_SOAP}}}Body/{{{_SOAP}}}Fault") is not None:
        return None
    _result(answer, f"{{{namespace}}}{operation}Response")
    body = answer.body.removeprefix(codecs.BOM_UTF8).lstrip()
    try:
        # Signed text: no parser may rewrite it.
        cuts = scan_envelope(body.partition(b"?>")[2] if body.startswith(b"<?xml") else body, frozenset({name})).cuts
    except XrmlError:
        raise PortUnavailable("the other server's answer has no document of the kind expected") from None
    if len(cuts) != 1:
        raise PortUnavailable(f"the other server's answer has {len(cuts)} documents where one is expected")
    return cuts[0]


def texts(element: etree._Element, name: str) -> list[str]:
    """The texts of all elements called `name` in the answer's namespace, at any depth."""
    namespace = etree.QName(element).namespace
    return [found.text or "" for found in element.iter(f"{{{namespace}}}{name}")]


def strings(values: Iterable[str]) -> str:
    """An ArrayOfString's content. Raises PortUnavailable for what XML has no form for."""
    return "".join(f"<string>{escape(value)}</string>" for value in values)


def _result(answer: Answer, tag: str) -> etree._Element:
    if answer.status not in (200, 500):
        raise PortUnavailable(f"the other server answered with HTTP status {answer.status}")
    root = _parse(answer.body)
    body = root.find(f"{{{_SOAP}}}Body")
    children = [] if body is None else list(body)
    if len(children) == 1 and children[0].tag == tag and answer.status == 200:
        return children[0]
    fault = root.findtext(f"{{{_SOAP}}}Body/{{{_SOAP}}}Fault/faultstring") or "no answer of the kind expected"
    said = "".join(c for c in fault if c.isprintable())[:_FAULT_CHARACTERS]
    raise PortUnavailable(f"the other server answered: {said}")


def _parse(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:
        raise PortUnavailable("the other server's answer is not XML") from None
    if root.getroottree().docinfo.doctype:
        raise PortUnavailable("the other server's answer has a DOCTYPE")
    return root
