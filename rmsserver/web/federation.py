"""The directories of federation over HTTP ([MS-RMPR] 3.1.4.2, [MS-MWBF]): sign-in, sign-out, and SOAP for who signed in.

Served only over TLS that this server ends itself ([MS-RMPR] 2.1) and only while `federationEnabled` is on; no Authorization
header and no sign-on of the connection counts here, and the session cookie counts nowhere else. A token that is refused
for any reason gets one and the same 500 ([MS-MWBF] 3.1.1.1); why is in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from rmsserver.auth.federation import TokenRefused
from rmsserver.auth.federation.session import clearing_header
from rmsserver.auth.federation.wsfed import (
    CLEAN_UP,
    FORM_LIMIT_BYTES,
    NOT_SUPPORTED,
    SIGN_OUT,
    FederatedSignOn,
    parameters,
)
from rmsserver.auth.policy import AccessPolicy, Demand, Rule
from rmsserver.ports import PortUnavailable
from rmsserver.soap.dispatcher import SoapDispatcher
from rmsserver.state import AuthenticationType, FederatedAccount, RequestContext
from rmsserver.web.exchange import HttpAnswer, HttpRequest, Refusal, plain
from rmsserver.web.root import Endpoint
from rmsserver.web.routes import BASE, EXTERNAL_DIRECTORIES, ROUTES, Route, is_external
from rmsserver.web.sign_on import Caller
from rmsserver.web.soap_endpoint import SoapEndpoint

_log = structlog.get_logger()

_OPERATION = "FederatedSignIn"
_FORM = "application/x-www-form-urlencoded"


def federated_endpoints(
    sign_on: FederatedSignOn, dispatcher: SoapDispatcher, policy: Callable[[], AccessPolicy]
) -> dict[str, Endpoint]:
    """By the whole path in small letters: the SOAP endpoints, and the directories, to which issuers send tokens."""
    directories: dict[str, Endpoint] = {
        BASE + path: FederatedEndpoint(Route(path, ""), sign_on, dispatcher, policy) for path in EXTERNAL_DIRECTORIES
    }
    soap = {
        path: FederatedEndpoint(route, sign_on, dispatcher, policy)
        for path, route in ROUTES.items()
        if is_external(route)
    }
    return directories | soap


class FederatedEndpoint:
    """One path. A route without a service is a directory."""

    def __init__(
        self,
        route: Route,
        sign_on: FederatedSignOn,
        dispatcher: SoapDispatcher,
        policy: Callable[[], AccessPolicy],
    ) -> None:
        self._route = route
        self._sign_on = sign_on
        self._runtime = dispatcher.runtime
        self._soap = SoapEndpoint(route, dispatcher, policy, self._admit) if route.service else None

    def serve(self, request: HttpRequest) -> HttpAnswer:
        """Blocks. Raises nothing that is expected."""
        if not self._runtime.state().federation_enabled:
            return plain(404)
        if not request.secure:
            return plain(403)
        if request.method == "POST" and _media_type(request) == _FORM:
            return self._sign_in(request)
        if request.method in ("GET", "HEAD"):
            message = parameters(request.query).get("wa", "")
            if message in NOT_SUPPORTED:
                return plain(403)
            if message in (SIGN_OUT, CLEAN_UP):
                return self._sign_out(message)
        if request.method not in ("GET", "HEAD", "POST"):
            return plain(405, ("Allow", "GET, HEAD, POST"))
        if self._account(request) is None:
            return self._to_issuer(request)
        return HttpAnswer(200, body=b"Signed on\n") if self._soap is None else self._soap.serve(request)

    def _admit(self, request: HttpRequest, rule: Rule) -> Caller | HttpAnswer:
        if rule.demand is not Demand.FEDERATED:
            return plain(403)
        account = self._account(request)
        return Caller(AuthenticationType.FEDERATION, account) if account else self._to_issuer(request)

    def _account(self, request: HttpRequest) -> FederatedAccount | None:
        runtime = self._runtime
        return self._sign_on.account(request.header("cookie"), runtime.clock(), runtime.ports.secrets)

    def _to_issuer(self, request: HttpRequest) -> HttpAnswer:
        url = self._sign_on.sign_in_url(
            request.query, _realm(self._directory, self._base_url), BASE + self._route.path, self._runtime.clock()
        )
        return HttpAnswer(302, headers=(("Location", url),))

    def _sign_in(self, request: HttpRequest) -> HttpAnswer:
        if len(request.body) > FORM_LIMIT_BYTES:
            return plain(413)
        runtime, begun = self._runtime, self._runtime.begin()
        realms = frozenset(_realm(directory, self._base_url) for directory in EXTERNAL_DIRECTORIES)
        try:
            accepted = self._sign_on.accept(request.body, realms, runtime.clock(), runtime.ports.secrets)
        except TokenRefused as refused:
            _log.info("federated sign-in refused", reason=refused.reason, client=request.client_address)
            answer = HttpAnswer(500, body=b"The sign-in was not accepted\n", operation=_OPERATION, outcome="refused")
            return replace(answer, refusal=Refusal(refused.reason))
        except PortUnavailable:
            return plain(503)
        application = (request.header("user-agent") or "")[:200]
        context = RequestContext(AuthenticationType.FEDERATION, accepted.account, application=application)
        runtime.audit(begun, _OPERATION, "ok", request.client_address, context)
        headers = (("Set-Cookie", accepted.cookie), ("Location", self._target(accepted.context)))
        return HttpAnswer(302, headers=headers, operation=_OPERATION, outcome="ok")

    def _target(self, context: str) -> str:
        """Where the client wanted to go: one of our paths, or the directory it came to. Never another place (threat N5)."""
        route = ROUTES.get(context.lower())
        if route is not None and is_external(route):
            return BASE + route.path
        return BASE + next((path for path in EXTERNAL_DIRECTORIES if context.lower() == BASE + path), self._directory)

    def _sign_out(self, message: str) -> HttpAnswer:
        """3.3.5.3 and 3.3.5.4. `wreply` is passed over, as the product does (<83>): it could lead anywhere."""
        cookie = ("Set-Cookie", clearing_header())
        if message == CLEAN_UP:
            return HttpAnswer(200, body=b"Signed out\n", headers=(cookie,))
        return HttpAnswer(302, headers=(cookie, ("Location", self._sign_on.sign_out_url())))

    @property
    def _directory(self) -> str:
        path = self._route.path.lower()
        return next(directory for directory in EXTERNAL_DIRECTORIES if path.startswith(directory))

    @property
    def _base_url(self) -> str:
        return self._runtime.state().base_url


def _realm(directory: str, base_url: str) -> str:
    """The URL of a directory, which is what the product is called by its issuer. Always https: nothing else is served."""
    return f"https://{base_url.partition('://')[2]}{directory}"


def _media_type(request: HttpRequest) -> str:
    return (request.header("content-type") or "").partition(";")[0].strip().lower()
