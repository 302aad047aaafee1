"""Reading the project's WSDL files: which operations a service has, and the shape of their messages.

The files are part of the program (`wsdl/` in a checkout, `rmsserver/soap/descriptions/` where it is installed), so what
is read here is the small part of WSDL 1.1 and XML Schema that they use; anything else is an error at start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_XS = "{http://www.w3.org/2001/XMLSchema}"
_SOAP = "{http://schemas.xmlsoap.org/wsdl/soap/}"
_ADDRESS = (_SOAP + "address", "{http://schemas.xmlsoap.org/wsdl/soap12/}address")
_SCALARS = {"string": "string", "boolean": "boolean", "int": "int", "base64Binary": "string"}
"""XML Schema's types that our files use. What base64 stands for is for the operation to find out, with its own fault."""
ANY_XML = "any XML"


@dataclass(frozen=True)
class Field:
    """A child element. `type` is a name in `ServiceDescription.types`, "string", "boolean", "int", or `ANY_XML`."""

    name: str
    type: str
    many: bool
    required: bool


@dataclass(frozen=True)
class OperationDescription:
    name: str
    action: str
    request: str
    """Name of the element that is the request's body."""
    answer: str
    has_version_header: bool
    documentation: str


@dataclass(frozen=True)
class ServiceDescription:
    """What one WSDL file says. `types` holds complex types, `elements` the bodies of messages: name -> fields."""

    name: str
    namespace: str
    documentation: str
    operations: tuple[OperationDescription, ...]
    types: Mapping[str, tuple[Field, ...]]
    elements: Mapping[str, tuple[Field, ...]]
    source: bytes

    def located_at(self, url: str) -> bytes:
        """The file with `url` as the address of every port."""
        root = etree.fromstring(self.source)
        for address in root.iter(*_ADDRESS):
            address.set("location", url)
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")

    def cut_names(self) -> frozenset[str]:
        """Names of the elements in requests whose content is any XML."""
        return frozenset(
            field.name
            for operation in self.operations
            for field in self._fields_below(self.elements[operation.request])
            if field.type == ANY_XML
        )

    def _fields_below(self, fields: tuple[Field, ...]) -> Iterator[Field]:
        for field in fields:
            yield field
            yield from self._fields_below(self.types.get(field.type, ()))


def folder() -> Path:
    """Where the WSDL files are: beside this module where it was installed, else in the checkout it runs from."""
    installed = Path(__file__).with_name("descriptions")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "wsdl"


def load_all(directory: Path | None = None) -> dict[str, ServiceDescription]:
    """Every service described in `directory`, by its name. Raises OSError, ValueError."""
    services = [read(path.read_bytes()) for path in sorted((directory or folder()).glob("*.wsdl"))]
    if not services:
        raise FileNotFoundError(f"no WSDL files in {directory or folder()}")
    return {service.name: service for service in services}


def read(source: bytes) -> ServiceDescription:
    """Read one WSDL file. Raises ValueError where it is not of the shape that our files have."""
    root = etree.fromstring(source, etree.XMLParser(resolve_entities=False, no_network=True))
    service = _only(root.iter(_WSDL + "service"))
    namespace = root.get("targetNamespace", "")
    schema = _only(node for node in root.iter(_XS + "schema") if node.get("targetNamespace") == namespace)
    simple = {_name(node) for node in schema.findall(_XS + "simpleType")}
    return ServiceDescription(
        name=_name(service),
        namespace=namespace,
        documentation=_documentation(service),
        operations=tuple(_operations(root)),
        types={_name(node): _fields(node, simple) for node in schema.findall(_XS + "complexType")},
        elements={
            _name(node): _fields(inline, simple)
            for node in schema.findall(_XS + "element")
            if (inline := node.find(_XS + "complexType")) is not None
        },
        source=source,
    )


def _operations(root: etree._Element) -> Iterator[OperationDescription]:
    messages = {
        _name(message): _local(_only(message.iter(_WSDL + "part")).get("element"))
        for message in root.findall(_WSDL + "message")
    }
    bindings = [node for node in root.findall(_WSDL + "binding") if node.find(_SOAP + "binding") is not None]
    bound = {_name(node): node for node in _only(iter(bindings)).findall(_WSDL + "operation")}
    for node in _only(root.iter(_WSDL + "portType")).findall(_WSDL + "operation"):
        binding = bound[_name(node)]
        yield OperationDescription(
            name=_name(node),
            action=_only(binding.iter(_SOAP + "operation")).get("soapAction", ""),
            request=messages[_local(_only(node.iter(_WSDL + "input")).get("message"))],
            answer=messages[_local(_only(node.iter(_WSDL + "output")).get("message"))],
            has_version_header=next(binding.iter(_SOAP + "header"), None) is not None,
            documentation=_documentation(node),
        )


def _fields(node: etree._Element, simple: set[str]) -> tuple[Field, ...]:
    return tuple(
        Field(
            name=_name(child),
            type=_type_of(child, simple),
            many=child.get("maxOccurs", "1") == "unbounded",
            required=child.get("minOccurs", "1") != "0",
        )
        for child in node.iterfind(f"{_XS}sequence/{_XS}element")
    )


def _type_of(node: etree._Element, simple: set[str]) -> str:
    """Enumerations and GUIDs (of a schema of their own) count as strings: what stands in them is for the operation."""
    if node.get("type") is None:
        if next(node.iter(_XS + "any"), None) is None:
            raise ValueError(f"{_name(node)}: a complex type without a name")
        return ANY_XML
    prefix, _, name = node.get("type", "").rpartition(":")
    if node.nsmap.get(prefix or None) == _XS.strip("{}"):
        if name not in _SCALARS:
            raise ValueError(f"{_name(node)}: no use for the type {name}")
        return _SCALARS[name]
    return "string" if name in simple or name == "guid" else name


def _only(nodes: Iterator[etree._Element]) -> etree._Element:
    found = list(nodes)
    if len(found) != 1:
        raise ValueError(f"{len(found)} elements where one is expected")
    return found[0]


def _name(node: etree._Element) -> str:
    return node.get("name", "")


def _local(name: str | None) -> str:
    return (name or "").rpartition(":")[2]


def _documentation(node: etree._Element) -> str:
    return (node.findtext(_WSDL + "documentation") or "").strip()
