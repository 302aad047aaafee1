"""GetLicensorCertificate ([MS-RMPR] 3.7.4.1, [MS-RMPRS] 3.4): the SLC chain."""

from __future__ import annotations

import datetime as dt

from rmsserver.operations.preconditions import check_in_service
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


def get_licensor_certificate(
    caller: RequestContext,  # noqa: ARG001 - every operation has these arguments
    state: ServerState,
    ports: Ports,  # noqa: ARG001
    now: dt.datetime,  # noqa: ARG001
) -> tuple[str, ...]:
    """The SLC and every certificate above it, as surface texts. Raises ClusterDecommissioned."""
    check_in_service(state)
    return state.licensor.chain
