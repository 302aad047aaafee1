"""Certify ([MS-RMPR] 3.3.4.1): an authenticated account gets its rights account certificate."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class CertifyRequest:
    machine_chain: tuple[str, ...] | None
    """The SPC chain, leaf first, surface texts; None where the element was missing or null."""
    persistent: bool


@dataclass(frozen=True)
class CertifyResult:
    chain: tuple[str, ...]
    """RAC, SLC and the chain above."""


def certify(
    request: CertifyRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> CertifyResult:
    raise NotImplementedError
