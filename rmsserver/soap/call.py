"""One request on its way through a handler: who asks, what was cut out of the body, what goes into the answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rmsserver.ports import Ports, SoapMessage
from rmsserver.soap.operations import Operation, Operations, Query
from rmsserver.soap.surfaces import Surfaces
from rmsserver.state import RequestContext, ServerState

_Request = TypeVar("_Request")
_Result = TypeVar("_Result")

Message = Any
"""An object of a class that Spyne made from a type of the WSDL: its attributes are the type's fields, None where missing."""


@dataclass(frozen=True)
class Call:
    """What a handler may use. `cuts` are the request's surface texts, `surfaces` those of the answer."""

    operations: Operations
    caller: RequestContext
    state: ServerState
    ports: Ports
    now: dt.datetime
    cuts: tuple[str, ...]
    surfaces: Surfaces
    types: Mapping[str, type[Any]]
    message: SoapMessage
    """The whole request as it came, for the one service that passes it on."""

    def ask(self, operation: Operation[_Request, _Result], request: _Request) -> _Result:
        return operation(request, self.caller, self.state, self.ports, self.now)

    def query(self, operation: Query[_Result]) -> _Result:
        return operation(self.caller, self.state, self.ports, self.now)

    def new(self, name: str, **fields: object) -> Message:
        """An object of the type `name` in the WSDL."""
        return self.types[name](**fields)

    def text(self, content: str | None) -> str:
        """The surface text that a number in the skeleton stands for; "" where the element was empty or null."""
        number = (content or "").strip()
        return self.cuts[int(number)] if number else ""

    def chain(self, array: Message | None) -> tuple[str, ...] | None:
        """The texts in an ArrayOfXmlNode; None where the element was missing or null."""
        return None if array is None else tuple(self.text(content) for content in array.Certificate or ())

    def chain_answer(self, texts: Iterable[str]) -> Message:
        """An ArrayOfXmlNode that holds the texts, character for character."""
        return self.new("ArrayOfXmlNode", Certificate=[self.surfaces.add(text) for text in texts])


Handler = Callable[..., Message]
"""`handler(call, field of the request element, ...)` gives the field of the answer element."""
