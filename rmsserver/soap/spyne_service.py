"""From a service description to a Spyne application: classes for the types, a service whose methods are the handlers.

Spyne reads the request element into objects and writes the answer's objects as elements; nothing else of it is used. Its
own way of reading bodies, resolving references, reporting errors and logging requests is passed by: see envelope.py and
faults.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lxml import etree
from spyne import Application, ComplexModel, Integer32, MethodContext, Service, rpc
from spyne.error import ValidationError
from spyne.model import Boolean, Unicode
from spyne.model.fault import Fault
from spyne.protocol.soap.soap11 import Soap11
from spyne.protocol.soap.soap12 import Soap12
from spyne.server import ServerBase

from rmsserver.ports import SoapMessage
from rmsserver.soap.call import Call, Handler
from rmsserver.soap.envelope import SOAP_11, SOAP_12, Envelope, SoapVersion
from rmsserver.soap.errors import SoapClientError
from rmsserver.soap.version_data import MINIMUM, maximum_of
from rmsserver.soap.wsdl import ANY_XML, Field, OperationDescription, ServiceDescription

_SCALARS = {"string": Unicode, "boolean": Boolean, "int": Integer32, ANY_XML: Unicode}
_HEADER = "VersionData"
_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>'


class _RememberedAttributes:
    """Looks the attributes of a class up once. Spyne's own memory of them logs and weighs references each time."""

    def __init__(self, **options: Any) -> None:
        self._remembered: dict[type[Any], Any] = {}
        super().__init__(**options)

    def get_cls_attrs(self, cls: type[Any]) -> Any:
        try:
            return self._remembered[cls]
        except KeyError:
            attributes = super().get_cls_attrs(cls)  # type: ignore[misc]
            return self._remembered.setdefault(cls, attributes)


class _PlainObjects:
    """Reads and writes objects of the classes below, which have members and nothing else.

    Spyne's own way would give the same in three times the time: it allows for attributes, base classes, polymorphism,
    other protocols inside this one, and answers that come piece by piece.
    """

    deserialization_handlers: Any
    serialization_handlers: Any
    from_element: Any
    null_to_parent: Any
    to_unicode: Any

    def complex_from_element(self, context: MethodContext, cls: type[Any], element: etree._Element) -> Any:
        made, members = cls.get_deserialization_instance(context), cls.get_flat_type_info(cls)
        found, seen = vars(made), set[str]()
        for child in element:
            name = str(child.tag).rpartition("}")[2]
            member = members.get(name)
            if member is None:
                continue
            if len(child) and not issubclass(member, ComplexModel):
                raise ValidationError(name)  # text, and nothing else ([MS-RMPR] 2.2.3.4): never a part of it
            value = self.from_element(context, member, child)
            if member.Attributes.max_occurs > 1:
                found[name] = found[name] or []
                found[name].append(value)
            elif name in seen:
                raise ValidationError(name)
            else:
                found[name] = value
            seen.add(name)
        return made

    def unicode_from_element(self, _context: MethodContext, _cls: type[Any], element: etree._Element) -> str:
        return element.text or ""

    def complex_to_parent(
        self,
        context: MethodContext,
        cls: type[Any],
        value: Any,
        parent: etree._Element,
        namespace: str,
        name: str | None = None,
        **_options: Any,
    ) -> None:
        element = etree.SubElement(parent, f"{{{namespace}}}{name or cls.get_type_name()}")
        for key, member in cls._type_info.items():
            inner = getattr(value, key)
            if inner is None:
                continue
            write = self.serialization_handlers[member]
            for one in inner if member.Attributes.max_occurs > 1 else (inner,):
                (self.null_to_parent if one is None else write)(context, member, one, element, namespace, key)

    def modelbase_to_parent(
        self,
        _context: MethodContext,
        cls: type[Any],
        value: Any,
        parent: etree._Element,
        namespace: str,
        name: str,
        **_options: Any,
    ) -> None:
        etree.SubElement(parent, f"{{{namespace}}}{name}").text = self.to_unicode(cls, value)


class _Soap11(_RememberedAttributes, _PlainObjects, Soap11):  # type: ignore[misc]
    pass


class _Soap12(_RememberedAttributes, _PlainObjects, Soap12):  # type: ignore[misc]
    pass


_PROTOCOLS = {SOAP_11: _Soap11, SOAP_12: _Soap12}


class SpyneService:
    """One service in one SOAP version."""

    def __init__(self, description: ServiceDescription, handlers: Mapping[str, Handler], version: SoapVersion) -> None:
        if set(handlers) != {operation.name for operation in description.operations}:
            raise ValueError(f"{description.name}: handlers and operations of the WSDL differ")
        self.types = _classes(description)
        self._maximum = str(maximum_of(description.name))
        self._protocol = _protocol(version)
        application = Application(
            [_service(description, handlers, self.types)],
            description.namespace,
            name=description.name,
            in_protocol=self._protocol,
            out_protocol=_protocol(version),
        )
        application.interface.nsmap = {None: description.namespace, "soap": version.namespace}
        self._server = ServerBase(application)

    def read(self, envelope: Envelope) -> MethodContext:
        """Match the request element to an operation and read it. Raises SoapClientError."""
        context = MethodContext(self._server, MethodContext.SERVER)
        # What `decompose_incoming_envelope` would find; the request's header is read elsewhere (version_data.py).
        context.in_document, context.in_body_doc = envelope.root, envelope.request
        context.method_request_string = envelope.request.tag
        try:
            (context,) = self._protocol.generate_method_contexts(context)
            self._protocol.deserialize(context, self._protocol.REQUEST)
        except (Fault, ValidationError, ValueError):
            raise SoapClientError("The request does not fit the operation.") from None
        return context

    def serve(self, context: MethodContext, call: Call) -> bytes | SoapMessage:
        """Call the handler and write its answer; a message that a handler passes on stays as it is."""
        context.udc = call
        result = context.descriptor.service_class.call_wrapper(context)
        if isinstance(result, SoapMessage):
            return result
        context.out_object = [result]
        if context.descriptor.out_header:
            context.out_header = call.new(_HEADER, MinimumVersion=str(MINIMUM), MaximumVersion=self._maximum)
        context.out_protocol.serialize(context, context.out_protocol.RESPONSE)
        written: bytes = etree.tostring(context.out_document, encoding="utf-8", xml_declaration=False)
        return _DECLARATION + call.surfaces.splice(written)


def _protocol(version: SoapVersion) -> Any:
    # "soft" holds elements that may stand once to that; `_member` makes everything else of it void.
    protocol: Any = _PROTOCOLS[version](validator="soft", parse_xsi_type=False, cleanup_namespaces=False)
    protocol._from_unicode_handlers[Boolean] = _boolean
    return protocol


def _boolean(_type: Any, text: str) -> bool:
    """Spyne takes whatever is not true for false."""
    if text.strip() not in ("true", "1", "false", "0"):
        raise ValueError("not a boolean")
    return text.strip() in ("true", "1")


def _classes(description: ServiceDescription) -> dict[str, type[Any]]:
    """A Spyne class for each complex type of the WSDL, by its name there."""
    made: dict[str, type[Any]] = {}

    def make(name: str) -> type[Any]:
        if name not in made:
            members = {field.name: _member(field, make) for field in description.types[name]}
            # An element may have the name of a type; Spyne keeps both in one table. Type names never go on the wire.
            taken = name in description.elements
            body = {"__namespace__": description.namespace, "__type_name__": name + "Type" * taken}
            made[name] = cast("type[Any]", type(name, (ComplexModel,), {**body, "_type_info": list(members.items())}))
        return made[name]

    for name in description.types:
        make(name)
    return made


def _member(field: Field, make: Any) -> Any:
    """Nothing is required and everything may be null: what is missing, the operation says with its own fault."""
    kind = _SCALARS.get(field.type) or make(field.type)
    return kind.customize(min_occurs=0, max_occurs="unbounded" if field.many else 1, nillable=True)


def _service(
    description: ServiceDescription, handlers: Mapping[str, Handler], types: Mapping[str, type[Any]]
) -> type[Service]:
    methods = {
        operation.name: _method(operation, description, handlers[operation.name], types)
        for operation in description.operations
    }
    return cast("type[Service]", type(description.name, (Service,), methods))


def _method(
    operation: OperationDescription,
    description: ServiceDescription,
    handler: Handler,
    types: Mapping[str, type[Any]],
) -> Any:
    parameters = description.elements[operation.request]
    (result,) = description.elements[operation.answer]

    def method(context: MethodContext, *arguments: Any) -> Any:
        return handler(context.udc, *arguments)

    method.__name__ = operation.name  # Spyne tells methods apart by it
    return rpc(
        *(_member(field, types.__getitem__) for field in parameters),
        _args=[field.name for field in parameters],
        _in_message_name=operation.request,
        _out_message_name=operation.answer,
        _out_variable_name=result.name,
        _returns=_member(result, types.__getitem__),
        # The request's header is read before (version_data.py), so Spyne need not.
        _out_header=(types[_HEADER],) if operation.has_version_header else None,
    )(method)
