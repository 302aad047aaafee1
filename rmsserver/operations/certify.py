"""Certify ([MS-RMPR] 3.3.4.1): an authenticated account gets its rights account certificate.

Order of the faults: decommissioned, not authenticated, missing arguments, sizes, machine chain, account, e-mail address,
own certificate. Only then is a key made or looked up; the RAC holds the key pair that is stored (threat K5).
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from rmsserver.errors import ADEntrySearchFailed, ArgumentNull, UnauthorizedAccess, VerifyEmailAddressFailed
from rmsserver.operations import blocked_users
from rmsserver.operations.account_certificate import FEDERATED
from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.machine_chain import verify_machine_chain
from rmsserver.operations.preconditions import check_certificates, check_certifies, check_in_service, check_may_issue
from rmsserver.operations.rights_evaluation import WINDOWS
from rmsserver.operations.subject import Subject, key_pair
from rmsserver.ports import Ports
from rmsserver.state import (
    AuthenticationType,
    FederatedAccount,
    RequestContext,
    ServerState,
)
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES
from rmsserver.xrml.rac import write_rights_account_certificate
from rmsserver.xrml.values import Guid, TimeRange, fold


@dataclass(frozen=True)
class CertifyRequest:
    machine_chain: tuple[str, ...] | None
    """The SPC chain, leaf first, surface texts; None where the element was missing or null."""
    persistent: bool | None
    """Long-lived, or temporary; None where the element was missing or null: the server does not choose for the client."""


@dataclass(frozen=True)
class CertifyResult:
    chain: tuple[str, ...]
    """RAC, SLC and the chain above."""


def certify(
    request: CertifyRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> CertifyResult:
    """A RAC that carries the account's key pair, sealed to the machine of the request.

    Raises ClusterDecommissioned, UnauthorizedAccess, ArgumentNull, UnspecifiedError (sizes; own certificate not valid),
    VerifyMachineCertificateChainFailed, UnsupportedCryptographicSet, BlackBoxIsInvalid, ADEntrySearchFailed,
    VerifyEmailAddressFailed.
    """
    check_in_service(state)
    check_certifies(state)
    _check_authenticated(caller, state)
    if request.persistent is None:
        raise ArgumentNull("the request does not say whether the certificate is to be persistent")
    machine = verify_machine_chain(check_certificates(request.machine_chain, state), state, now)
    caller.trail.note("machine", machine.principal.object.id)
    caller.trail.note("security_processor", machine.principal.levels["Repository"])
    subject = _subject(caller, ports)
    caller.trail.note("account", subject.email)
    caller.trail.note("account_id", subject.id)
    if blocked_users.is_blocked(subject, state, ports.directory):
        raise UnauthorizedAccess("the account is blocked")
    check_may_issue(state, now)
    certificate_id = ports.random.guid()
    text = write_rights_account_certificate(
        certificate_id=certificate_id,
        issuer_inner=state.licensor.certificate.issuer_inner_surface,
        account_object=subject.object_xml,
        account_key=key_pair(subject, state, ports),
        persistent=request.persistent,
        validity=TimeRange(now - state.validity_tolerance, now + _lifetime(request, subject, state)),
        certification_url=state.certification_url,
        extranet_url=state.external_certification_url,
        machine=machine,
        session_key=ports.random.bytes(SESSION_KEY_BYTES),
        issued=now,
        signing_key=state.licensor.key,
        mode=state.cryptographic_mode,
    )
    caller.trail.note("account_certificate", certificate_id.braced)
    return CertifyResult((text, *state.licensor.chain))


def _check_authenticated(caller: RequestContext, state: ServerState) -> None:
    """Federated sign-on counts only while federation is on. Raises UnauthorizedAccess."""
    federated = caller.authentication is AuthenticationType.FEDERATION or isinstance(caller.account, FederatedAccount)
    if not caller.is_authenticated or (federated and not state.federation_enabled):
        raise UnauthorizedAccess("the caller is not authenticated, or by federation while that is off")


def _subject(caller: RequestContext, ports: Ports) -> Subject:
    if isinstance(caller.account, FederatedAccount):
        return _federated_subject(caller.account, ports)
    if caller.account is None:
        raise UnauthorizedAccess
    found = ports.directory.by_sid(caller.account.sid)
    if found is not None and not found.enabled:
        raise UnauthorizedAccess("the account is disabled")
    if found is None or found.primary_email is None:
        raise ADEntrySearchFailed("the directory has no e-mail address for the account")
    # The SID of the sign-on, also where the directory found the account by its history.
    return Subject(caller.account.sid, WINDOWS, caller.account.sid, _checked(found.primary_email))


def _federated_subject(account: FederatedAccount, ports: Ports) -> Subject:
    """The GUID is one and the same for an e-mail address, and says nothing about it outside this cluster."""
    email = _checked(account.email)
    digest = ports.secrets.fingerprint("federated account", fold(email).encode())
    identity = Guid(str(uuid.UUID(bytes=digest[:16], version=4)))
    return Subject(email, FEDERATED, identity.braced, email, account.proxy_addresses)


def _checked(email: str) -> str:
    if not is_email_address(email):
        raise VerifyEmailAddressFailed
    return email


def _lifetime(request: CertifyRequest, subject: Subject, state: ServerState) -> dt.timedelta:
    """Rulings 10: Persistent true is the long one. A federated account's is shorter still."""
    if not request.persistent:
        return state.temporary_rac_validity
    return state.federated_rac_validity if subject.id_type == FEDERATED else state.rac_validity
