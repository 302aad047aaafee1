"""AcquireTemplateInformation and AcquireTemplates ([MS-RMPR] 3.4.4.2, 3.4.4.3)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


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
    caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> TemplateInformation:
    raise NotImplementedError


def acquire_templates(
    guids: tuple[str | None, ...] | None, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[TemplateEntry, ...]:
    raise NotImplementedError
