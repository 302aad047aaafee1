"""The XML schemas inside our service descriptions, for validating whole messages. That they are those of the specifications
is for `tests/soap/test_wsdl.py`.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from lxml import etree

_WSDL = Path(__file__).parents[2] / "wsdl"
_XS = "{http://www.w3.org/2001/XMLSchema}"
_SOAP = ("{http://schemas.xmlsoap.org/soap/envelope/}", "{http://www.w3.org/2003/05/soap-envelope}")


@functools.cache
def schema_of(service: str) -> etree.XMLSchema:
    """`service`: name of a file in wsdl/, without ending. The first schema is its own, others are imported."""
    schemas = list(etree.parse(_WSDL / f"{service}.wsdl").iter(f"{_XS}schema"))
    with tempfile.TemporaryDirectory() as folder:
        places = {schema.get("targetNamespace"): str(Path(folder, f"{n}.xsd")) for n, schema in enumerate(schemas)}
        for schema in schemas:
            for anything in schema.iter(f"{_XS}any"):
                # XrML is declared nowhere, so that no answer of anybody would pass a strict wildcard.
                anything.set("processContents", "lax")
            for imported in schema.iter(f"{_XS}import"):
                imported.set("schemaLocation", places[imported.get("namespace")])
            Path(places[schema.get("targetNamespace")]).write_bytes(etree.tostring(schema))
        return etree.XMLSchema(file=places[schemas[0].get("targetNamespace")])


def body_of(message: bytes) -> etree._Element:
    """The one child of the envelope's body."""
    envelope = etree.fromstring(message)
    (body,) = [child for child in envelope if child.tag in {f"{soap}Body" for soap in _SOAP}]
    (content,) = body
    return content


def follows_schema(service: str, message: bytes) -> bool:
    """Is the content of this envelope as the service's schema says?"""
    # Validated by itself: a copy without the envelope around it.
    return schema_of(service).validate(etree.fromstring(etree.tostring(body_of(message))))
