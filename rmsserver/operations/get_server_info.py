"""GetServerInfo ([MS-RMPR] 3.7.4.3): version, features, SLC chain and service locations."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class ServerInfoItem:
    type: str
    """The text of the Type element as it stands, not yet checked."""
    additional_info: str


@dataclass(frozen=True)
class GetServerInfoRequest:
    items: tuple[ServerInfoItem, ...] | None


def get_server_info(
    request: GetServerInfoRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> str:
    """The `<Results xmlns="">` element of section 4.6 as surface text, certificates unchanged inside it."""
    raise NotImplementedError
