"""Checking the machine certificate chain of a Certify request ([MS-RMPR] 3.3.4.1).

Rules, in the order of the faults:
1. The chain is readable, an SPC and its issuers, leaf first.
2. Key lengths and hashes of every certificate are of the cluster's mode (3.1.4.7, threat L11), and the machine's key is
   none that others can factor (threat C8).
3. Every link is verified with the parent at its position (threat L8), and the first or second issuer is a trusted SPC
   issuer, or the whole chain closes at a listed root. None is used outside its VALIDITYTIME, where it has one.
4. The security processor is not excluded.

The mode comes before the trust: a machine of the other mode stands under another hierarchy, and its client learns from
the name of this fault that it has to activate again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rmsserver.errors import (
    BlackBoxIsInvalid,
    RmsError,
    UnsupportedCryptographicSet,
    VerifyMachineCertificateChainFailed,
)
from rmsserver.state import ServerState
from rmsserver.xrml.chain import (
    MachineChain,
    check_machine_modes,
    check_validity,
    close_machine_chain,
    read_machine_chain,
)
from rmsserver.xrml.errors import UnsupportedCryptographyError, XrmlError
from rmsserver.xrml.spc import SecurityProcessorCertificate

_WIRE_NAMES: tuple[tuple[type[XrmlError], type[RmsError]], ...] = (
    (UnsupportedCryptographyError, UnsupportedCryptographicSet),
    (XrmlError, VerifyMachineCertificateChainFailed),
)


def verify_machine_chain(chain: Sequence[str], state: ServerState, now: dt.datetime) -> SecurityProcessorCertificate:
    """The SPC of `chain` (surface texts, leaf first, within the limits of `check_certificates`).

    Raises VerifyMachineCertificateChainFailed, UnsupportedCryptographicSet or BlackBoxIsInvalid.
    """
    try:
        machine = _read_chain(chain, state)
        check_machine_modes(machine, state.cryptographic_mode)
        close_machine_chain(machine, state.trusted_machine_issuers, state.machine_roots)
        check_validity((machine.spc, *machine.issuers), now)
    except XrmlError as error:
        raise next(name for kind, name in _WIRE_NAMES if isinstance(error, kind))(str(error)) from None
    _check_security_processor(machine.spc, state)
    return machine.spc


def _read_chain(chain: Sequence[str], state: ServerState) -> MachineChain:
    """Raises XrmlError."""
    own = state.machine_issuer
    if own is not None and tuple(chain[1:]) == own.chain and own.key.public.id in state.trusted_machine_issuers:
        # Our own documents to the letter, trusted by their first key: nothing to find out about the ones above.
        return MachineChain(SecurityProcessorCertificate.read(chain[0]), (own.certificate,))
    return read_machine_chain(chain)


def _check_security_processor(spc: SecurityProcessorCertificate, state: ServerState) -> None:
    minimum = state.minimum_security_processor
    if minimum is None:
        return
    try:
        version = spc.security_processor_version
    except XrmlError:
        raise BlackBoxIsInvalid("the SPC does not say which version its security processor has") from None
    if version < minimum:
        raise BlackBoxIsInvalid(f"security processor {version} is below {minimum}")
