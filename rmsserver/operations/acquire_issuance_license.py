"""AcquireIssuanceLicense ([MS-RMPR] 3.5.4.1): the server signs a publishing licence (online publishing)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class AcquireIssuanceLicenseRequest:
    items: tuple[str | None, ...] | None
    """One unsigned publishing licence per element, surface text; None where missing or null."""


@dataclass(frozen=True)
class AcquireIssuanceLicenseResult:
    chains: tuple[tuple[str, ...], ...]


def acquire_issuance_license(
    request: AcquireIssuanceLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> AcquireIssuanceLicenseResult:
    raise NotImplementedError
