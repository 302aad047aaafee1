"""Signing a machine's certificate for our own client: not an operation of the specifications (docs/decisions.md).

The machine sends the public half of a key it made; the cluster signs an SPC for it under its SPC issuer, so that the
issuer's private key stays at home. Needs an authenticated caller.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver import __version__
from rmsserver.errors import (
    ArgumentNull,
    InvalidOperation,
    UnauthorizedAccess,
    UnspecifiedError,
    UnsupportedCryptographicSet,
)
from rmsserver.operations import blocked_users
from rmsserver.operations.preconditions import check_in_service, check_licensor
from rmsserver.ports import Ports
from rmsserver.state import Licensor, RequestContext, ServerState
from rmsserver.xrml.errors import UnsupportedCryptographyError, XrmlError
from rmsserver.xrml.keys import CryptoMode, PublicKey
from rmsserver.xrml.spc import write_security_processor_certificate
from rmsserver.xrml.values import Version

MANUFACTURER = f"rmsclient desktop security processor {__version__}"
REPOSITORY = f"rmsclient secure repository {__version__}"
"""Ends in the version, which `minimum_security_processor` is compared with (wire facts 8)."""


@dataclass(frozen=True)
class MachineCertificateRequest:
    modulus: bytes
    """Big-endian, without leading zeros; the exponent is 65537."""
    hardware_digest: bytes
    """As long as the hash of the cluster's mode: 20 or 32 bytes."""
    platform: str
    """Dotted version of the client's platform."""


@dataclass(frozen=True)
class MachineCertificateResult:
    chain: tuple[str, ...]
    """SPC, SPC issuer and the chain above, leaf first."""


def issue_machine_certificate(
    request: MachineCertificateRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> MachineCertificateResult:
    """An SPC for the machine of an authenticated caller.

    Raises ClusterDecommissioned, UnauthorizedAccess, UnspecifiedError (no SPC issuer here, or not valid now),
    ArgumentNull, UnsupportedCryptographicSet (length or strength of the key, threat C8), InvalidOperation.
    """
    check_in_service(state)
    if not caller.is_authenticated:
        raise UnauthorizedAccess("the caller is not authenticated")
    blocked_users.check_caller(caller, state, ports.directory)
    issuer, mode = _issuer(state, now), state.cryptographic_mode
    key = _machine_key(request.modulus, mode)
    _check_description(request, mode)
    certificate_id, machine_id = ports.random.guid(), ports.random.guid()
    text = write_security_processor_certificate(
        certificate_id=certificate_id,
        machine_id=machine_id,
        machine_key=key,
        hardware_digest=request.hardware_digest,
        issuer_inner=issuer.certificate.issuer_inner_surface,
        platform=request.platform,
        manufacturer=MANUFACTURER,
        repository=REPOSITORY,
        activation_url=state.certification_url,
        issued=now,
        signing_key=issuer.key,
        mode=mode,
    )
    caller.trail.note("machine", machine_id.braced)
    caller.trail.note("machine_certificate", certificate_id.braced)
    return MachineCertificateResult((text, *issuer.chain))


def _issuer(state: ServerState, now: dt.datetime) -> Licensor:
    if state.machine_issuer is None:
        raise UnspecifiedError("this cluster has no SPC issuer of its own")
    check_licensor(state.machine_issuer, "security processor certificate issuer", now)
    return state.machine_issuer


def _machine_key(modulus: bytes, mode: CryptoMode) -> PublicKey:
    """The key of [MS-RMPR] 3.1.4.7: 1024 or 2048 bits in mode 1, 2048 in mode 2; none that others can factor."""
    if not modulus:
        raise ArgumentNull("the request has no key")
    bits = len(modulus) * 8
    if bits not in ((1024, 2048) if mode is CryptoMode.MODE_1 else (2048,)):
        raise UnsupportedCryptographicSet(f"a machine key of {bits} bits is not of the cluster's mode")
    key = PublicKey(int.from_bytes(modulus), bits)
    try:
        key.check_strength()
    except UnsupportedCryptographyError as error:
        raise UnsupportedCryptographicSet(str(error)) from None
    return key


def _check_description(request: MachineCertificateRequest, mode: CryptoMode) -> None:
    if len(request.hardware_digest) != mode.hash.digest_size:
        raise InvalidOperation(f"the hardware digest does not have {mode.hash.digest_size} bytes")
    try:
        Version.parse(request.platform)
    except XrmlError:
        raise InvalidOperation("the platform is not a version number") from None
