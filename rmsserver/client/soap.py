"""SOAP calls with zeep, past which signed text goes untouched. Touches the network through `transport`.

zeep builds an lxml tree of what it sends and receives, and lxml writes XML in its own spelling, which
breaks every signature ([MS-RMPR] 2.2.9.1.12). So a document is a small placeholder element while zeep has
it: in requests the text takes the placeholder's place after serialisation, in answers `scan_envelope` cuts
the texts out of the body before zeep parses it. This module is the only home of zeep.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import zeep
import zeep.exceptions
import zeep.plugins
import zeep.transports
from lxml import etree

import rmsserver
from rmsserver.client.errors import ServerAnswerError, ServiceFaultError
from rmsserver.client.faults import explain_fault
from rmsserver.client.transport import HttpConnection
from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.surface import scan_envelope

VERSION = "1.0.0.0"
"""MinimumVersion and MaximumVersion of every request, as Windows clients send them (wire facts 9)."""

_CUT = frozenset({"Certificate"})
_CUT_WHOLE = frozenset({"GetServerInfoResult"})
_PLACEHOLDER = re.compile(rb"<surface-([0-9]{1,6})/>")
_KEEP_PLACEHOLDER = "cut"


class Surface:
    """A text that goes into a request as it stands; empty text leaves the element empty."""

    def __init__(self, text: str) -> None:
        self.text = text


class SoapService:
    """One service at one address. Not for several threads: the texts of a call are held while it runs."""

    def __init__(self, connection: HttpConnection, wsdl: str, address: str) -> None:
        """`wsdl` is the file's name without its ending, `license` for example.

        The shipped description is used; where there is none, the server's own (`?wsdl`).
        """
        self._wire = _Wire(connection, address, _shipped(wsdl))
        try:
            self._proxy, self._version = self._build(address)
        except (zeep.exceptions.Error, ValueError, StopIteration, etree.LxmlError):
            raise ServerAnswerError("The server's service description cannot be used.") from None

    def _build(self, address: str) -> tuple[Any, Any]:
        # zeep's own constructors are untyped.
        make_client: Any = zeep.Client
        client = make_client(self._wire.description, transport=self._wire, plugins=[_RestoreCuts()])
        (service,) = client.wsdl.services.values()
        binding = next(p for name, p in service.ports.items() if not name.endswith("12")).binding.name
        version = client.get_element(f"{{{etree.QName(binding).namespace}}}VersionData")
        return client.create_service(binding, address), version(MinimumVersion=VERSION, MaximumVersion=VERSION)

    def call(self, operation: str, arguments: Mapping[str, Any], *, versioned: bool = True) -> Any:
        """Call an operation; `Surface` values in `arguments` go out unchanged. Returns zeep's value of the
        result.

        Texts that were cut out of the answer are read with `texts_of` and `text_of`, until the next call.
        Raises ServiceFaultError, ServerAnswerError or what the transport raises.
        """
        self._wire.surfaces = []
        prepared = {name: self._wire.prepare(value) for name, value in arguments.items()}
        headers = [self._version] if versioned else []
        try:
            result = self._proxy[operation](**prepared, _soapheaders=headers)
        except zeep.exceptions.Fault as fault:
            raise fault_of(str(fault.message or "")) from None
        except (zeep.exceptions.Error, etree.LxmlError, ValueError, TypeError, XrmlSyntaxError):
            raise ServerAnswerError("The server's answer is not one of this protocol.") from None
        return result.body if hasattr(result, "body") else result

    def texts_of(self, elements: Any) -> tuple[str, ...]:
        """The texts that were cut out of an ArrayOfXmlNode (or None) of the last answer, in order."""
        certificates = getattr(elements, "Certificate", None) or []
        return tuple(self._wire.cuts[int(c["_value_1"].text)] for c in certificates if c is not None)

    def text_of(self, element: Any) -> str:
        """The text that was cut out of a single element of the last answer; "" where it was empty."""
        return "" if element is None else self._wire.cuts[int(element["_value_1"].text)]


def fault_of(faultstring: str) -> ServiceFaultError:
    """The fault a `faultstring` names: the short exception name counts, wherever it stands (wire facts 9)."""
    return ServiceFaultError(*explain_fault(faultstring))


def _shipped(name: str) -> Path | None:
    """The project's own description: installed inside the package, or beside it in a checkout."""
    package = Path(rmsserver.__file__).parent
    places = (package / "soap" / "wsdl", package.parent / "wsdl")
    return next((path for place in places if (path := place / f"{name}.wsdl").is_file()), None)


class _Wire(zeep.transports.Transport):
    """zeep's transport: puts texts in, cuts texts out, and reads no description but the one."""

    def __init__(self, connection: HttpConnection, address: str, shipped: Path | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._connection = connection
        self._shipped = shipped
        self.description = str(shipped) if shipped else f"{address}?wsdl"
        self.surfaces: list[str] = []
        self.cuts: tuple[str, ...] = ()

    def prepare(self, value: Any) -> Any:
        """Put placeholder elements where `Surface` values are."""
        if isinstance(value, Surface):
            self.surfaces.append(value.text)
            return {"_value_1": etree.Element(f"surface-{len(self.surfaces) - 1}")}
        if isinstance(value, Mapping):
            return {key: self.prepare(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.prepare(inner) for inner in value]
        return value

    def load(self, url: str) -> bytes:
        if url != self.description:
            # An import inside a description would make us fetch what somebody else names.
            raise ServerAnswerError("The server's service description refers to other files.")
        return self._shipped.read_bytes() if self._shipped else self._connection.get(url).body

    def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> requests.Response:
        # One pass over the skeleton: what is put in is not looked at again. zeep has escaped all other text.
        data = _PLACEHOLDER.sub(lambda m: self.surfaces[int(m[1])].encode(), message)
        answer = self._connection.post(address, data, dict(headers))
        envelope = scan_envelope(answer.body.removeprefix(b"\xef\xbb\xbf"), _CUT, whole=_CUT_WHOLE)
        self.cuts = envelope.cuts
        response = requests.Response()
        response.status_code = answer.status
        response.headers["Content-Type"] = answer.content_type
        response._content = envelope.skeleton
        return response


class _RestoreCuts(zeep.plugins.Plugin):
    """Turns the number that stands for a text into an element, because zeep drops text beside `xs:any`."""

    def ingress(self, envelope: Any, http_headers: Any, _operation: Any) -> tuple[Any, Any]:
        names = [f"{{*}}{name}" for name in _CUT | _CUT_WHOLE]
        for element in list(envelope.iter(*names)):
            if element.text and element.text.isdecimal() and not len(element):
                etree.SubElement(element, _KEEP_PLACEHOLDER).text = element.text
                element.text = None
        return envelope, http_headers
