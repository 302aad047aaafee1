"""AcquireTemplateInformation and AcquireTemplates ([MS-RMPR] 3.4.4.2, 3.4.4.3): published templates, for clients."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, InvalidOperation
from rmsserver.operations import blocked_users
from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.values import Guid

MAX_TEMPLATES = 25
"""As many are answered at once (3.4.4.3.3.1). Whoever asks for more gets the first ones and asks again for the rest, as
clients do with what their next synchronisation finds missing."""


@dataclass(frozen=True)
class TemplateEntry:
    guid: str
    hash: str | None
    """The text of the DIGEST VALUE of the template's SIGNATURE."""
    template: str | None = None


@dataclass(frozen=True)
class TemplateInformation:
    server_public_key: str
    """Base64 of the PKCS#1 DER key."""
    entries: tuple[TemplateEntry, ...]


def acquire_template_information(
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
    now: dt.datetime,  # noqa: ARG001 - every operation has these arguments
) -> TemplateInformation:
    """GUID and hash of every published template, without the templates.

    Raises ClusterDecommissioned, UnauthorizedAccess (blocked).
    """
    check_in_service(state)
    blocked_users.check_caller(caller, state, ports.directory)
    public_key = state.licensor.certificate.principal.public_key
    return TemplateInformation(
        base64.b64encode(public_key.pkcs1_der).decode(),
        tuple(TemplateEntry(t.guid.braced, t.hash_text) for t in state.published_templates.values()),
    )


def acquire_templates(
    guids: tuple[str | None, ...] | None,
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
    now: dt.datetime,  # noqa: ARG001 - every operation has these arguments
) -> tuple[TemplateEntry, ...]:
    """An entry for each GUID asked for, in order; one without hash and template where no such template is published.

    Raises ClusterDecommissioned, UnauthorizedAccess (blocked), ArgumentNull, InvalidOperation (not a GUID).
    """
    check_in_service(state)
    blocked_users.check_caller(caller, state, ports.directory)
    if guids is None:
        raise ArgumentNull("the request has no list of GUIDs")
    entries = tuple(_entry(text, state) for text in guids[:MAX_TEMPLATES])
    caller.trail.note("templates", str(sum(entry.template is not None for entry in entries)))
    return entries


def _entry(text: str | None, state: ServerState) -> TemplateEntry:
    """The GUID is answered as it was asked for: clients look their own spelling up."""
    if text is None:
        raise ArgumentNull("a GUID of the request is null")
    try:
        template = state.published_templates.get(Guid.parse(text.strip()))
    except XrmlError:
        raise InvalidOperation("the request asks for something that is not a GUID") from None
    if template is None:
        return TemplateEntry(text.strip(), None)
    return TemplateEntry(text.strip(), template.hash_text, template.text)
