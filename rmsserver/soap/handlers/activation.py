"""ActivationProxyWebService ([MS-RMPR] 3.2): the one service whose answers are not written here."""

from __future__ import annotations

from rmsserver.operations.activate import ActivateRequest
from rmsserver.ports import SoapMessage
from rmsserver.soap.call import Call, Handler, Message
from rmsserver.soap.dime import DimeError, DimeMessage
from rmsserver.state import AuditTrail

_DIME = "application/dime"


def activate(call: Call, array: Message | None) -> SoapMessage:
    """3.2.4.1."""
    found = None
    if array is not None:
        found = tuple(bool(item and call.text(item.HidXml)) for item in array.ActivateParams or ())
    answer = call.ask(call.operations.activate, ActivateRequest(found, call.message))
    _note(answer, call.caller.trail)
    return answer


def _note(answer: SoapMessage, trail: AuditTrail) -> None:
    """What came with the answer, for the audit alone: whatever it is, it passes unchanged."""
    trail.note("activation_status", str(answer.status))
    if not answer.content_type.lower().startswith(_DIME):
        return
    try:
        message = DimeMessage.unpack(answer.body)
    except DimeError as error:
        trail.alert(f"the activation service's attachment is not DIME: {error}")
        return
    trail.note("attachment_layout", message.layout.value)
    for payload in message.payloads()[1:]:
        trail.note("attachment", f"{payload.id.decode('ascii', 'replace')} {len(payload.data)} bytes")


HANDLERS: dict[str, Handler] = {"Activate": activate}
