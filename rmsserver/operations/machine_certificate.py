"""Signing a machine's certificate for our own client: not an operation of the specifications (docs/decisions.md).

The machine sends the public half of a key it made; the cluster signs an SPC for it under its SPC issuer, so that the
issuer's private key stays at home. Needs an authenticated caller.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState


@dataclass(frozen=True)
class MachineCertificateRequest:
    modulus: bytes
    """Big-endian."""
    hardware_digest: bytes
    platform: str
    """Dotted version of the client's platform."""


@dataclass(frozen=True)
class MachineCertificateResult:
    chain: tuple[str, ...]
    """SPC, SPC issuer and the chain above, leaf first."""


def issue_machine_certificate(
    request: MachineCertificateRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> MachineCertificateResult:
    raise NotImplementedError
