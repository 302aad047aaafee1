"""One SOAP endpoint over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from rmsserver.auth.policy import AccessPolicy, Demand, Rule
from rmsserver.soap.dispatcher import SoapDispatcher, SoapRequest
from rmsserver.web import service_page
from rmsserver.web.exchange import HttpAnswer, HttpRequest, plain
from rmsserver.web.routes import Route
from rmsserver.web.sign_on import Caller, admit

_ALLOW = ("Allow", "GET, HEAD, OPTIONS, POST")


Admit = Callable[[HttpRequest, Rule], Caller | HttpAnswer]


class SoapEndpoint:
    """Answers for one path. `policy` is asked at every request, so that a change of configuration takes effect; `admission`
    says who is calling."""

    def __init__(
        self,
        route: Route,
        dispatcher: SoapDispatcher,
        policy: Callable[[], AccessPolicy],
        admission: Admit = admit,
    ) -> None:
        self._route = route
        self._dispatcher = dispatcher
        self._policy = policy
        self._admit = admission

    def serve(self, request: HttpRequest) -> HttpAnswer:
        """Blocks. Raises nothing that is expected."""
        if request.method == "POST":
            return self._post(request)
        if request.method in ("GET", "HEAD"):
            return self._get(request)
        if request.method == "OPTIONS":
            return HttpAnswer(200, headers=(_ALLOW,))
        return plain(405, _ALLOW)

    def _get(self, request: HttpRequest) -> HttpAnswer:
        service = self._dispatcher.description(self._route.service)
        if service_page.asks_for_wsdl(request.query):
            # The address is configuration: a Host header would let clients be sent elsewhere (threat N5).
            return service_page.description(service, self._dispatcher.runtime.state().base_url + self._route.path)
        return service_page.page(service)

    def _post(self, request: HttpRequest) -> HttpAnswer:
        if (request.header("content-encoding") or "identity").strip().lower() != "identity":
            return plain(415)
        policy = self._policy()
        rule = policy.rule(self._route.path)
        caller = self._admit(request, rule)
        if isinstance(caller, HttpAnswer):
            return caller
        answer = self._dispatcher.dispatch(
            self._route.service,
            SoapRequest(
                content_type=request.header("content-type") or "",
                soap_action=request.header("soapaction"),
                body=request.body,
                client_address=request.client_address,
                application=request.header("user-agent") or "",
                authentication=caller.authentication,
                account=caller.account,
                anonymous_endpoint=rule.demand is Demand.ANONYMOUS,
                may_call=lambda operation: policy.allows(self._route.path, operation, caller.identity),
            ),
        )
        return caller.confirmed(
            HttpAnswer(
                answer.status,
                answer.content_type,
                answer.body,
                operation=answer.operation,
                outcome=answer.outcome,
            )
        )
