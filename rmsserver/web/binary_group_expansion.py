"""POST /_wmcs/DrmRemote/DirectoryServices/DirectoryServices.rem: group expansion in the binary form ([MS-RMPRS] 2.1.1, 3.6).

Another method or content type: 400 with an empty body. Everything else that a signed-on caller sends is answered with 200
and a message; what SOAP has faults for, is a RemotingException in it, with the same text.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from rmsserver.auth.policy import AccessPolicy
from rmsserver.errors import RmsError, UnspecifiedError, WrongFormat
from rmsserver.operations.find_service_locations import REMOTE_DIRECTORY_PATH
from rmsserver.operations.is_principal_member_of import (
    IsPrincipalMemberOfRequest,
    IsPrincipalMemberOfResult,
    is_principal_member_of,
)
from rmsserver.remoting.group_expansion import (
    FoundPrincipal,
    MembershipCall,
    MembershipException,
    MembershipReturn,
    ProductVersion,
)
from rmsserver.remoting.octets import RemotingFormatError
from rmsserver.soap.faults import fault_string, outcome_of, trace_of
from rmsserver.soap.runtime import Runtime
from rmsserver.state import RequestContext
from rmsserver.web.exchange import HttpAnswer, HttpRequest
from rmsserver.web.routes import BASE
from rmsserver.web.sign_on import Caller, admit

_log = structlog.get_logger()

PATH = (BASE + REMOTE_DIRECTORY_PATH).lower()
_MEDIA_TYPE = "application/octet-stream"
_METHODS = ("POST", "M-POST")
_OPERATION = "IsPrincipalMemberOf (binary)"


class BinaryGroupExpansionEndpoint:
    def __init__(self, runtime: Runtime, policy: Callable[[], AccessPolicy]) -> None:
        self._runtime = runtime
        self._policy = policy

    def serve(self, request: HttpRequest) -> HttpAnswer:
        """Blocks. One audit record for each request that was signed on."""
        media_type = (request.header("content-type") or "").strip().lower()
        if request.method not in _METHODS or media_type != _MEDIA_TYPE or request.header("content-encoding"):
            return HttpAnswer(400, _MEDIA_TYPE, outcome="400")
        caller = admit(request, self._policy().rule(REMOTE_DIRECTORY_PATH))
        return caller if isinstance(caller, HttpAnswer) else self._answer(request, caller)

    def _answer(self, request: HttpRequest, caller: Caller) -> HttpAnswer:
        begun = self._runtime.begin()
        context = RequestContext(
            authentication=caller.authentication,
            account=caller.account,
            application=(request.header("user-agent") or "")[:200],
        )
        body, outcome = self._attempt(request.body, context)
        self._runtime.audit(begun, _OPERATION, outcome, request.client_address, context)
        return HttpAnswer(200, _MEDIA_TYPE, body, operation=_OPERATION, outcome=outcome)

    def _attempt(self, body: bytes, context: RequestContext) -> tuple[bytes, str]:
        """The message to answer with, and what the audit calls it."""
        try:
            call = MembershipCall.unpack(body)
            request = IsPrincipalMemberOfRequest(
                call.principal, call.principal_cross_forest, call.groups, call.calls, binary=True
            )
            runtime = self._runtime
            result = is_principal_member_of(request, context, runtime.state(), runtime.ports, runtime.clock())
        except RemotingFormatError as error:
            return _refusal(WrongFormat(str(error)), context)
        except RmsError as error:
            return _refusal(error, context)
        except Exception as error:  # noqa: BLE001 - nothing of an error may reach the caller
            _log.error("request failed", operation=_OPERATION, trace=trace_of(error))
            return _refusal(UnspecifiedError(), context)
        return _packed(result, call.version), "ok"


def _refusal(error: RmsError, context: RequestContext) -> tuple[bytes, str]:
    if error.detail:
        context.trail.note("refused", error.detail)
    return MembershipException(fault_string(error)).pack(), outcome_of(error)


def _packed(result: IsPrincipalMemberOfResult, version: ProductVersion) -> bytes:
    """The answer, in the asker's version of the product: it discards any other (section 7, note 4)."""
    account = result.account
    if account is None:
        name = f"{'mail' if '@' in result.principal else 'id'}={result.principal}"
        found = FoundPrincipal((name,), exists=False)
    else:
        emails = (f"mail={account.primary_email}",) if account.primary_email else ()
        found = FoundPrincipal((f"id={account.account.sid.lower()}", *emails))
    return MembershipReturn(result.is_member, found, version).pack()
