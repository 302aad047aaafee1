"""AcquireLicense ([MS-RMPR] 3.4.4.1): use licences for a reader."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import RmsError
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class AcquireLicenseItem:
    licensee_certs: tuple[str, ...] | None
    issuance_license: tuple[str, ...] | None
    application_data: str | None
    """The XML (or text) inside ApplicationData; None where missing."""


@dataclass(frozen=True)
class AcquireLicenseRequest:
    items: tuple[AcquireLicenseItem, ...] | None


@dataclass(frozen=True)
class AcquireLicenseResult:
    answers: tuple[tuple[str, ...] | RmsError, ...]
    """For each item a use licence chain, or (from version 1.1.0.0 up) the error that stands in its place."""


def acquire_license(
    request: AcquireLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> AcquireLicenseResult:
    raise NotImplementedError
