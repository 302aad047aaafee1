"""GetClientLicensorCert ([MS-RMPR] 3.5.4.2): a certificate with which an account publishes offline."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class GetClientLicensorCertRequest:
    items: tuple[tuple[str, ...] | None, ...] | None
    """One RAC chain per element (PersonaCerts); None where missing or null."""


@dataclass(frozen=True)
class GetClientLicensorCertResult:
    chains: tuple[tuple[str, ...], ...]


def get_client_licensor_cert(
    request: GetClientLicensorCertRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> GetClientLicensorCertResult:
    raise NotImplementedError
