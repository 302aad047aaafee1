"""Precertify ([MS-RMSI] 3.3.4.1): the public half of a user's account certificate, for whom licenses on the user's behalf.

A user who was never certified gets a key pair here, made and stored as Certify would; the certificate has no private key
and no machine in it. Who may ask is the endpoint's policy: nobody until accounts are added.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, DrmsArgument, UnauthorizedAccess
from rmsserver.operations import blocked_users
from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.preconditions import check_in_service, check_may_issue
from rmsserver.operations.subject import Subject, is_sid, key_pair
from rmsserver.ports import Directory, DirectoryAccount, Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.rac import write_public_account_certificate
from rmsserver.xrml.values import TimeRange

AUTHENTICATION_MODE = "Windows"
"""The one AuthenticationMode there is (3.3.4.1.4.1)."""


@dataclass(frozen=True)
class Identification:
    """Texts as they stand; None where missing. Email and ProxyAddresses SHOULD be null and are not looked at."""

    authentication_mode: str | None
    id: str | None


@dataclass(frozen=True)
class PrecertifyItem:
    user_name: str | None
    identification: Identification | None


@dataclass(frozen=True)
class PrecertifyRequest:
    items: tuple[PrecertifyItem | None, ...] | None


@dataclass(frozen=True)
class PrecertifyResult:
    certificate: str
    """The pre-certified RAC alone."""


def precertify(
    request: PrecertifyRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> PrecertifyResult:
    """A RAC without FEDERATIONPRINCIPALS for one user, named by e-mail address, SID or both.

    Raises ClusterDecommissioned, ArgumentNull (nothing asked for, no user named), DrmsArgument (not exactly one request;
    neither address nor SID, or not known), UnauthorizedAccess (two users; a disabled or blocked one; a blocked
    caller; on a licensing-only cluster), UnspecifiedError (own certificate not valid).
    """
    check_in_service(state)
    if state.is_licensing_only:
        raise UnauthorizedAccess("accounts are certified at the root cluster")
    blocked_users.check_caller(caller, state, ports.directory)
    account = _account(_only_item(request), ports.directory)
    subject = Subject.of(account)
    if subject is None:
        raise DrmsArgument("the directory has no e-mail address for the user")
    caller.trail.note("account", subject.email)
    caller.trail.note("account_id", subject.id)
    if not account.enabled:
        raise UnauthorizedAccess("the account is disabled")
    if blocked_users.is_blocked(subject, state, ports.directory):
        raise UnauthorizedAccess("the account is blocked")
    check_may_issue(state, now)
    certificate_id = ports.random.guid()
    text = write_public_account_certificate(
        certificate_id=certificate_id,
        issuer_inner=state.licensor.certificate.issuer_inner_surface,
        account_object=subject.object_xml,
        account_key=key_pair(subject, state, ports).public,
        validity=TimeRange(now - state.validity_tolerance, now + state.rac_validity),
        certification_url=state.certification_url,
        extranet_url=state.external_certification_url,
        issued=now,
        signing_key=state.licensor.key,
        mode=state.cryptographic_mode,
    )
    caller.trail.note("account_certificate", certificate_id.braced)
    return PrecertifyResult(text)


def _only_item(request: PrecertifyRequest) -> PrecertifyItem:
    if request.items is None:
        raise ArgumentNull("there is no request")
    if len(request.items) != 1:
        raise DrmsArgument(f"{len(request.items)} requests where there is to be one")
    item = request.items[0]
    if item is None or (not item.user_name and item.identification is None):
        raise ArgumentNull("no user is named")
    return item


def _account(item: PrecertifyItem, directory: Directory) -> DirectoryAccount:
    """The user of the request. An address and a SID that do not belong together are nobody."""
    by_name = _by_user_name(item.user_name, directory) if item.user_name else None
    by_id = _by_identification(item.identification, directory) if item.identification else None
    if by_name is not None and by_id is not None and by_name.account.sid != by_id.account.sid:
        raise UnauthorizedAccess("UserName and Identification are of two users")
    found = by_name or by_id
    if found is None:
        raise DrmsArgument("no user is named")
    return found


def _by_user_name(user_name: str, directory: Directory) -> DirectoryAccount:
    address = user_name.strip()
    found = directory.by_email(address) if is_email_address(address) else None
    if found is None:
        raise DrmsArgument("UserName is no e-mail address of a user known here")
    return found


def _by_identification(identification: Identification, directory: Directory) -> DirectoryAccount:
    if identification.authentication_mode is None or identification.id is None:
        raise ArgumentNull("Identification has no AuthenticationMode or no Id")
    if identification.authentication_mode.strip() != AUTHENTICATION_MODE:
        raise DrmsArgument("an AuthenticationMode that there is not")
    sid = identification.id.strip()
    found = directory.by_sid(sid) if is_sid(sid) else None
    if found is None:
        raise DrmsArgument("Id is no SID of a user known here")
    return found
