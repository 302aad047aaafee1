"""The SOAP side of a request from bytes to bytes. Knows nothing of Twisted and may run in any thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from lxml import etree

from rmsserver.errors import RmsError, UnauthorizedAccess
from rmsserver.ports import SoapMessage
from rmsserver.soap.call import Call, Handler
from rmsserver.soap.envelope import (
    SOAP_11,
    SOAP_12,
    Envelope,
    MediaType,
    SoapVersion,
    check_headers,
    read_envelope,
    read_media_type,
)
from rmsserver.soap.errors import SoapClientError, UnsupportedMediaType
from rmsserver.soap.faults import fault_for, outcome_of, trace_of
from rmsserver.soap.handlers import HANDLERS
from rmsserver.soap.operations import Operations
from rmsserver.soap.runtime import Runtime
from rmsserver.soap.spyne_service import SpyneService
from rmsserver.soap.surfaces import Surfaces
from rmsserver.soap.version_data import MINIMUM, maximum_of, negotiated
from rmsserver.soap.wsdl import OperationDescription, ServiceDescription
from rmsserver.state import AuthenticationType, DomainAccount, FederatedAccount, RequestContext
from rmsserver.xrml.values import Version

_log = structlog.get_logger()

_FREE_CONTENT = frozenset({"ApplicationData", "HidXml"})
"""Elements of any XML that hold what an application or client likes, not one document (3.4.4.1.2.3, 3.2.4.1.2.3)."""


def _every_operation(_name: str) -> bool:
    return True


@dataclass(frozen=True)
class SoapRequest:
    """What HTTP knows of a request. `soap_action` is the header as it stands, None where it is missing."""

    content_type: str
    soap_action: str | None
    body: bytes
    client_address: str = ""
    application: str = ""
    authentication: AuthenticationType = AuthenticationType.NONE
    account: DomainAccount | FederatedAccount | None = None
    anonymous_endpoint: bool = False
    may_call: Callable[[str], bool] = _every_operation
    """Whether this caller may call the operation of that name. May block, and raise RmsError."""


@dataclass(frozen=True)
class SoapAnswer:
    """`operation` and `outcome` are as in the audit: of a small set, fit to be labels of metrics."""

    status: int
    content_type: str
    body: bytes
    operation: str
    outcome: str


class _Service:
    """A service as the dispatcher needs it: everything that can be made once, made once."""

    def __init__(self, description: ServiceDescription, handlers: Mapping[str, Handler]) -> None:
        self.description = description
        any_xml = description.cut_names()
        self.cut, self.whole = any_xml - _FREE_CONTENT, any_xml & _FREE_CONTENT
        self.header = f"{{{description.namespace}}}VersionData"
        self.operations = {
            f"{{{description.namespace}}}{operation.request}": operation for operation in description.operations
        }
        self.spyne = {version: SpyneService(description, handlers, version) for version in (SOAP_11, SOAP_12)}


class SoapDispatcher:
    """Serves requests to the services of the WSDL files that have handlers."""

    def __init__(
        self,
        descriptions: Mapping[str, ServiceDescription],
        runtime: Runtime,
        operations: Operations | None = None,
        handlers: Mapping[str, Mapping[str, Handler]] = HANDLERS,
    ) -> None:
        self._services = {name: _Service(descriptions[name], table) for name, table in handlers.items()}
        self._runtime = runtime
        self._operations = operations or Operations()

    @property
    def runtime(self) -> Runtime:
        return self._runtime

    def description(self, service: str) -> ServiceDescription:
        return self._services[service].description

    def dispatch(self, service: str, request: SoapRequest) -> SoapAnswer:
        """Serve one request. Never raises; blocks as long as the operation does; writes one audit record."""
        begun = self._runtime.begin()
        exchange = _Exchange(self._services[service], request)
        try:
            answer = self._answer(exchange)
        except UnsupportedMediaType:
            answer = SoapAnswer(415, "text/plain; charset=utf-8", b"Unsupported media type\n", service, "415")
        except (SoapClientError, RmsError) as error:
            answer = exchange.fault(error)
        except Exception as error:  # noqa: BLE001 - nothing of an error may reach the caller
            _log.error("request failed", operation=exchange.operation_name, trace=trace_of(error))
            answer = exchange.fault(error)
        self._runtime.audit(begun, answer.operation, answer.outcome, request.client_address, exchange.caller())
        return answer

    def _answer(self, exchange: _Exchange) -> SoapAnswer:
        exchange.read()
        spyne = exchange.service.spyne[exchange.version]
        context = spyne.read(exchange.envelope)
        call = Call(
            operations=self._operations,
            caller=exchange.caller(),
            state=self._runtime.state(),
            ports=self._runtime.ports,
            now=self._runtime.clock(),
            cuts=exchange.envelope.cuts,
            surfaces=Surfaces(),
            types=spyne.types,
            message=exchange.message(),
        )
        answer = spyne.serve(context, call)
        return exchange.passed_on(answer) if isinstance(answer, SoapMessage) else exchange.success(answer)


class _Exchange:
    """One request as far as it has been understood."""

    def __init__(self, service: _Service, request: SoapRequest) -> None:
        self.service = service
        self.version: SoapVersion = SOAP_11
        self.envelope: Envelope
        self._request = request
        self._operation: OperationDescription | None = None
        self._caller = RequestContext(
            authentication=request.authentication,
            account=request.account,
            anonymous_endpoint=request.anonymous_endpoint,
            application=request.application[:200],
        )

    @property
    def operation_name(self) -> str:
        return self._operation.name if self._operation else self.service.description.name

    def caller(self) -> RequestContext:
        return self._caller

    def message(self) -> SoapMessage:
        return SoapMessage(self._request.content_type, self._request.body, self._request.soap_action)

    def read(self) -> None:
        """Everything up to the operation's parameters: version first (the fault order of the rulings)."""
        media = read_media_type(self._request.content_type)
        self.version = media.version
        self.envelope = read_envelope(self._request.body, media, self.service.cut, self.service.whole)
        self._operation = self._find_operation(self.envelope.request)
        self._check_action(media, self._operation)
        if not self._request.may_call(self._operation.name):
            raise UnauthorizedAccess("the operation is closed to the caller")
        understood = self.service.header if self._operation.has_version_header else None
        header = check_headers(self.envelope, media.version, understood)
        if understood:
            self._note_version(negotiated(header, maximum_of(self.service.description.name)))

    def _find_operation(self, request: etree._Element) -> OperationDescription:
        operation = self.service.operations.get(str(request.tag))
        if operation is None:
            raise SoapClientError("The service has no such operation.")
        return operation

    def _check_action(self, media: MediaType, operation: OperationDescription) -> None:
        """An empty or missing action says nothing; any other must be the operation's (threat X9)."""
        for action in (self._request.soap_action, media.action):
            said = (action or "").strip().strip('"').strip()
            if said and said != operation.action:
                raise SoapClientError("The SOAP action is not that of the operation in the body.")

    def _note_version(self, version: Version) -> None:
        if version != MINIMUM:
            known = self._caller
            self._caller = RequestContext(
                known.authentication, known.account, known.anonymous_endpoint, version, known.application, known.trail
            )

    def success(self, body: bytes) -> SoapAnswer:
        return SoapAnswer(200, self._content_type, body, self.operation_name, "ok")

    def passed_on(self, answer: SoapMessage) -> SoapAnswer:
        """What another server answered, octet for octet."""
        outcome = "ok" if answer.status == 200 else "fault passed on"
        return SoapAnswer(answer.status, answer.content_type, answer.body, self.operation_name, outcome)

    def fault(self, error: Exception) -> SoapAnswer:
        if isinstance(error, RmsError) and error.detail:
            self._caller.trail.note("refused", error.detail)
        body = fault_for(error, self.version)
        return SoapAnswer(500, self._content_type, body, self.operation_name, outcome_of(error))

    @property
    def _content_type(self) -> str:
        return self.version.media_type + "; charset=utf-8"
