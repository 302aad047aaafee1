"""GetClientLicensorCert ([MS-RMPR] 3.5.4.2): a certificate with which an account publishes offline.

All account certificates of a request are checked before the first key is made. Each certificate has a new key pair
(rulings 30), whose public half is remembered before the certificate is answered: a publishing licence may come back with
nothing but that key to say who signed it (wire facts 5).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, UnexpectedPersonaCert, UnspecifiedError
from rmsserver.operations import blocked_users
from rmsserver.operations.account_certificate import verify_account_certificate
from rmsserver.operations.preconditions import check_certificates, check_in_service, check_may_issue
from rmsserver.ports import IssuedLicensor, Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.clc import write_client_licensor_certificate
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.surface import render
from rmsserver.xrml.values import TimeRange


@dataclass(frozen=True)
class GetClientLicensorCertRequest:
    items: tuple[tuple[str, ...] | None, ...] | None
    """One RAC chain per element (PersonaCerts); None where missing or null."""


@dataclass(frozen=True)
class GetClientLicensorCertResult:
    chains: tuple[tuple[str, ...], ...]
    """For each item the CLC, the SLC and the chain above."""


def get_client_licensor_cert(
    request: GetClientLicensorCertRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> GetClientLicensorCertResult:
    """One CLC chain for each RAC chain, in order.

    Raises ClusterDecommissioned, ArgumentNull, UnspecifiedError (sizes; own certificate not valid), and what
    `verify_account_certificate` raises; UnexpectedPersonaCert for a pre-certified RAC (rulings 6).
    """
    check_in_service(state)
    if not request.items:
        raise ArgumentNull("there are no account certificates in the request")
    if len(request.items) > state.batch_limit:
        raise UnspecifiedError(f"{len(request.items)} items in one request; the limit is {state.batch_limit}")
    chains = [check_certificates(item, state) for item in request.items]
    blocked_users.check_caller(caller, state, ports.directory)
    accounts = [_account(chain, caller, state, ports, now) for chain in chains]
    check_may_issue(state, now)
    return GetClientLicensorCertResult(tuple(_issue(rac, caller, state, ports, now) for rac in accounts))


def _account(
    chain: tuple[str, ...], caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> RightsAccountCertificate:
    rac = verify_account_certificate(chain, caller, state, now, verified=ports.license_cache)
    blocked_users.check_account_certificate(rac, caller, state, ports.directory)
    if rac.machine is None:
        raise UnexpectedPersonaCert("a pre-certified RAC does not get a client licensor certificate")
    return rac


def _issue(
    rac: RightsAccountCertificate, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> tuple[str, ...]:
    key, certificate_id = ports.key_pool.take(state.cryptographic_mode.rsa_bits), ports.random.guid()
    issuance = rac.validity or TimeRange(now - state.validity_tolerance, now + state.rac_validity)
    text = write_client_licensor_certificate(
        certificate_id=certificate_id,
        issuer_inner=state.licensor.certificate.issuer_inner_surface,
        account_object=render(rac.principal.element.one("OBJECT")),
        licensor_key=key,
        account_key=rac.principal.public_key,
        issuance=issuance,
        internal_url=state.internal_licensing_url,
        external_url=state.external_licensing_url,
        session_key=ports.random.bytes(SESSION_KEY_BYTES),
        issued=now,
        signing_key=state.licensor.key,
        mode=state.cryptographic_mode,
    )
    account_type, account_id = rac.account
    ports.licensors.remember(
        IssuedLicensor(
            key_id=key.public.id,
            clc_id=certificate_id,
            account_type=account_type,
            account_id=account_id,
            account_name=rac.email,
            valid_from=issuance.start,
            valid_until=issuance.end,
            issuer_key_id=state.licensor.certificate.principal.public_key.id,
        )
    )
    caller.trail.note("client_licensor_certificate", certificate_id.braced)
    return (text, *state.licensor.chain)
