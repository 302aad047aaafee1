"""POST /_rmsserver/machine-certificate: the cluster signs a machine's certificate for our own client (docs/decisions.md).

Request: {"modulus": base64, big-endian, "hardware_digest": base64, "platform": "1.2.3"}. Answer: {"chain": [texts]}, leaf
first. Errors: {"error": text} with a status. Always signed on.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
from collections.abc import Callable

import structlog

from rmsserver.auth.policy import Demand, Rule
from rmsserver.errors import RmsError, UnauthorizedAccess
from rmsserver.operations.machine_certificate import (
    MachineCertificateRequest,
    MachineCertificateResult,
    issue_machine_certificate,
)
from rmsserver.ports import Ports, PortUnavailable
from rmsserver.soap.faults import outcome_of, trace_of
from rmsserver.soap.runtime import Runtime
from rmsserver.state import RequestContext, ServerState
from rmsserver.web.exchange import HttpAnswer, HttpRequest, plain
from rmsserver.web.sign_on import Caller, admit

_log = structlog.get_logger()

PATH = "/_rmsserver/machine-certificate"
_OPERATION = "IssueMachineCertificate"
_RULE = Rule(Demand.REQUIRED)
_ALLOW = ("Allow", "OPTIONS, POST")
_PLATFORM = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}\Z")
_BYTES_LIMIT = 2048

Issue = Callable[[MachineCertificateRequest, RequestContext, ServerState, Ports, dt.datetime], MachineCertificateResult]


class MachineCertificateEndpoint:
    def __init__(self, runtime: Runtime, issue: Issue = issue_machine_certificate) -> None:
        self._runtime = runtime
        self._issue = issue

    def serve(self, request: HttpRequest) -> HttpAnswer:
        """Blocks. One audit record for each request that was signed on."""
        if request.method == "OPTIONS":
            return HttpAnswer(200, headers=(_ALLOW,))
        if request.method != "POST":
            return plain(405, _ALLOW)
        media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json" or request.header("content-encoding"):
            return plain(415)
        caller = admit(request, _RULE)
        return caller if isinstance(caller, HttpAnswer) else caller.confirmed(self._answer(request, caller))

    def _answer(self, request: HttpRequest, caller: Caller) -> HttpAnswer:
        begun = self._runtime.begin()
        context = RequestContext(
            authentication=caller.authentication,
            account=caller.account,
            application=(request.header("user-agent") or "")[:200],
        )
        answer = self._attempt(request.body, context)
        self._runtime.audit(begun, _OPERATION, answer.outcome, request.client_address, context)
        return answer

    def _attempt(self, body: bytes, context: RequestContext) -> HttpAnswer:
        try:
            wanted = _read(body)
            state, ports = self._runtime.state(), self._runtime.ports
            result = self._issue(wanted, context, state, ports, self._runtime.clock())
        except ValueError:
            return _refusal(400, "The request is not of the form expected.", "400")
        except RmsError as error:
            if error.detail:
                context.trail.note("refused", error.detail)
            return _refusal(_status(error), error.text, error.short_name)
        except Exception as error:  # noqa: BLE001 - nothing of an error may reach the caller
            _log.error("request failed", operation=_OPERATION, trace=trace_of(error))
            return _refusal(500, "The request could not be processed.", outcome_of(error))
        return _json(200, {"chain": list(result.chain)}, "ok")


def _read(body: bytes) -> MachineCertificateRequest:
    """Raises ValueError."""
    try:
        fields = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(fields, dict) or set(fields) != {"modulus", "hardware_digest", "platform"}:
        raise ValueError("other fields than expected")
    platform = fields["platform"]
    if not isinstance(platform, str) or not _PLATFORM.match(platform):
        raise ValueError("not a version")
    return MachineCertificateRequest(_bytes(fields["modulus"]), _bytes(fields["hardware_digest"]), platform)


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or len(value) > _BYTES_LIMIT:
        raise ValueError("not base64")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None


def _status(error: RmsError) -> int:
    if isinstance(error, UnauthorizedAccess):
        return 403
    return 503 if isinstance(error, PortUnavailable) else 422


def _refusal(status: int, text: str, outcome: str) -> HttpAnswer:
    return _json(status, {"error": text}, outcome)


def _json(status: int, value: object, outcome: str) -> HttpAnswer:
    body = json.dumps(value).encode()
    return HttpAnswer(status, "application/json", body, operation=_OPERATION, outcome=outcome)
