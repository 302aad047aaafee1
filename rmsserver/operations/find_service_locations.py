"""FindServiceLocationsForUser ([MS-RMPR] 3.7.4.2) and FindServiceLocations ([MS-RMPRS] 3.2.4.1)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class FindServiceLocationsRequest:
    service_types: tuple[str, ...] | None
    """The texts of the Type elements as they stand, not yet checked."""


@dataclass(frozen=True)
class ServiceLocation:
    service_type: str
    url: str | None
    """None: no URL element. The empty string: an empty one."""


def find_service_locations_for_user(
    request: FindServiceLocationsRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[ServiceLocation, ...]:
    raise NotImplementedError


def find_service_locations(
    request: FindServiceLocationsRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[ServiceLocation, ...]:
    raise NotImplementedError
