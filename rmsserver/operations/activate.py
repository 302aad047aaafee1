"""Activate ([MS-RMPR] 3.2.4.1): a version 1 client's request goes to the activation service, its answer comes back.

Request and answer are opaque here and pass octet for octet, the attachment with them. Which service is asked is
configuration; nothing in the request chooses it (threat N1). Without one the answer is the failure that servers have given
since the public service ended (section 7, notes 33 and 34).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from rmsserver.errors import ArgumentNull, UnspecifiedError
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports, SoapMessage
from rmsserver.state import RequestContext, ServerState

_REQUEST_LIMIT_BYTES = 256 * 1024


@dataclass(frozen=True)
class ActivateRequest:
    hardware_ids: tuple[bool, ...] | None
    """For each ActivateParams whether it has a HidXml; None where requestParams is missing or null."""
    message: SoapMessage = field(repr=False)
    """The whole request as it came."""


def activate(
    request: ActivateRequest,
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
    now: dt.datetime,  # noqa: ARG001 - every operation has these arguments
) -> SoapMessage:
    """The activation service's answer, a fault of its too.

    Raises ClusterDecommissioned, ArgumentNull, UnspecifiedError (no service; too large), PortUnavailable.
    """
    check_in_service(state)
    if not request.hardware_ids or not all(request.hardware_ids):
        raise ArgumentNull("there is no hardware ID in the request")
    if len(request.hardware_ids) > state.batch_limit or len(request.message.body) > _REQUEST_LIMIT_BYTES:
        raise UnspecifiedError("the activation request is too large")
    if state.activation_url is None:
        raise UnspecifiedError("there is no activation service to pass the request on to")
    caller.trail.note("activation_service", state.activation_url)
    return ports.peers.activate(state.activation_url, request.message)
