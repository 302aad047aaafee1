"""GetLicensorCertificate ([MS-RMPR] 3.7.4.1, [MS-RMPRS] 3.4): the SLC chain."""

from __future__ import annotations

import datetime as dt

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


def get_licensor_certificate(
    caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[str, ...]:
    """The SLC and every certificate above it, as surface texts."""
    raise NotImplementedError
