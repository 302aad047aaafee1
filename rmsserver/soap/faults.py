"""Errors as SOAP faults ([MS-RMPR] 3.1.4.5, rulings 13): the one place where an error gets its form on the wire.

`faultstring` begins with the exception's full name, because clients search it for the short one. Neither the request nor
the error's `detail` nor a trace ever appears in an answer.
"""

from __future__ import annotations

import traceback
from xml.sax.saxutils import escape

from rmsserver.errors import RmsError, UnspecifiedError
from rmsserver.soap.envelope import SOAP_12, SoapVersion
from rmsserver.soap.errors import SoapClientError

_TRACE_LIMIT = 3_000
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


def fault_for(error: Exception, version: SoapVersion) -> bytes:
    """A whole envelope with the fault that `error` has: its own, or that of an UnspecifiedError."""
    if isinstance(error, SoapClientError):
        return _render(version, error.code, error.text)
    return _render(version, "Server", fault_string(error if isinstance(error, RmsError) else UnspecifiedError()))


def outcome_of(error: Exception) -> str:
    """What the audit calls it."""
    if isinstance(error, SoapClientError):
        return error.code
    return (error if isinstance(error, RmsError) else UnspecifiedError()).short_name


def fault_string(error: RmsError) -> str:
    """`Name: text`, the FaultString of 3.1.4.5."""
    return f"{error.wire_name}: {error.text}"


def batch_error(error: RmsError, index: int, operation: str = "AcquireLicense") -> str:
    """The error of one item in a batch, as it stands in a Certificate element, in no namespace. `index` counts from 0."""
    return (
        f'<{operation}Exception xmlns="">'
        f"<ExceptionString>{escape(f'{error.wire_name}-{error.text}')}</ExceptionString>"
        f"<batchindex>{index}</batchindex></{operation}Exception>"
    )


def trace_of(error: BaseException) -> str:
    """Where an unexpected error came from, for the log: types and places of it and its causes.

    Without their messages, which may quote the request (threat X16), and at most 3,000 characters.
    """
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(lines) < 100:
        lines.append(type(seen).__qualname__)
        frames = traceback.extract_tb(seen.__traceback__)[-20:]
        lines += [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n".join(lines)[:_TRACE_LIMIT]


def _render(version: SoapVersion, code: str, text: str) -> bytes:
    code = dict(version.codes).get(code, code)
    if version is SOAP_12:
        fault = (
            f"<soap:Code><soap:Value>soap:{code}</soap:Value></soap:Code>"
            f'<soap:Reason><soap:Text xml:lang="en">{escape(text)}</soap:Text></soap:Reason><soap:Detail />'
        )
    else:
        fault = f"<faultcode>soap:{code}</faultcode><faultstring>{escape(text)}</faultstring><detail />"
    return (
        f'{_DECLARATION}<soap:Envelope xmlns:soap="{version.namespace}"><soap:Body><soap:Fault>{fault}'
        "</soap:Fault></soap:Body></soap:Envelope>"
    ).encode()
