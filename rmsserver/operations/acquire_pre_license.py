"""AcquirePreLicense ([MS-RMSI] 3.5.4.1): use licences for many readers at once, asked for by somebody else.

A mail server asks, so that a message arrives with the licence to read it. Nobody's certificate is sent: the licence is sealed
to the key pair that is stored for the account. An account that was never certified gets its key pair here, the one that
its account certificate will hold later; but only where the account has rights. A licensing-only cluster has no key pairs: its
root cluster is asked.

What is wrong with the request or the publishing licence is a fault; what is wrong with one identity stands in the place of
its licence. Who may ask is the endpoint's policy for this operation: nobody until accounts are added.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import (
    AcquirePreLicenseInvalidLicensee,
    ArgumentNull,
    DrmacIsExcluded,
    InvalidOperation,
    RmsError,
    UnspecifiedError,
)
from rmsserver.operations import blocked_users
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.open_license import FoundLicense, OpenedLicense, budget_name
from rmsserver.operations.preconditions import check_in_service, check_may_issue
from rmsserver.operations.rights_evaluation import UsagePolicy, reader_of
from rmsserver.operations.root_accounts import certified_at_root
from rmsserver.operations.subject import Subject, find_account, key_pair
from rmsserver.operations.use_licenses import UseLicenses, account_key, check_license_sizes
from rmsserver.ports import Ports, PortUnavailable
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.principal import Principal
from rmsserver.xrml.rac import account_principal


@dataclass(frozen=True)
class AcquirePreLicenseItem:
    """One AcquirePreLicenseParams; identities are e-mail addresses or SIDs as they stand, None where null."""

    licensee_identities: tuple[str | None, ...] | None
    issuance_license: tuple[str, ...] | None
    application_data: str | None


@dataclass(frozen=True)
class AcquirePreLicenseRequest:
    items: tuple[AcquirePreLicenseItem | None, ...] | None


@dataclass(frozen=True)
class AcquirePreLicenseResult:
    answers: tuple[str | RmsError, ...]
    """For each identity, in order, a use licence (the leaf alone), or the error that stands in its place."""
    chain: tuple[str, ...]
    """The own SLC chain."""


def acquire_pre_license(
    request: AcquirePreLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> AcquirePreLicenseResult:
    """A use licence or an error for each identity.

    Raises ClusterDecommissioned, ArgumentNull (no item, identities or publishing licence), InvalidOperation (several
    items), UnspecifiedError (sizes; a licence that does not open; own certificate not valid), and for the publishing
    licence InvalidRightsLabelSignature, RightsLabelNoMatchingIssuedPrincipal and
    IssuanceLicenseIsNotWithinValidTimeRange; PortUnavailable, because one identity after the other would wait for it.
    """
    check_in_service(state)
    identities, licenses = _checked(request, state)
    check_may_issue(state, now)
    blocked_users.check_caller(caller, state, ports.directory)
    server = UseLicenses(caller, state, ports, now, KnownServers.of(state))
    found = server.find(licenses)
    opened, usage = server.open(found, budget_name(caller))
    answers: list[str | RmsError] = []
    for index, identity in enumerate(identities):
        try:
            answers.append(_license(identity or "", found, opened, usage, server))
        except PortUnavailable:
            raise
        except RmsError as error:
            caller.trail.note("item_error", f"{index}: {error.short_name}")
            answers.append(error)
    return AcquirePreLicenseResult(tuple(answers), state.licensor.chain)


def _checked(request: AcquirePreLicenseRequest, state: ServerState) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
    items = request.items or ()
    if len(items) > 1:
        raise InvalidOperation(f"{len(items)} items where there is to be one")
    item = items[0] if items else None
    identities = (item and item.licensee_identities) or ()
    licenses = tuple(filter(None, (item and item.issuance_license) or ()))
    if item is None or not identities or not licenses:
        raise ArgumentNull("there are no identities, or there is no publishing licence")
    if len(identities) > state.pre_license_limit:
        raise UnspecifiedError(f"{len(identities)} identities in one request; the limit is {state.pre_license_limit}")
    check_license_sizes(licenses, item.application_data, state)
    return identities, licenses


def _license(identity: str, found: FoundLicense, opened: OpenedLicense, usage: UsagePolicy, server: UseLicenses) -> str:
    """The licence for one identity. The key pair comes last, so that none is made for who gets nothing. Raises RmsError."""
    account = find_account(identity.strip(), server.ports.directory)
    subject = None if account is None else Subject.of(account)
    if account is None or subject is None or not account.enabled:
        raise AcquirePreLicenseInvalidLicensee("not known, disabled, or without an e-mail address")
    server.caller.trail.note("licensee", subject.email)
    if blocked_users.is_blocked(subject, server.state, server.ports.directory):
        raise DrmacIsExcluded
    key_name = account_key(subject.id_type, subject.id, subject.email)
    server.check_not_refused(found, key_name)
    rights = server.rights(found, opened, usage, reader_of(account), key_name)
    return server.issue(opened, usage, rights, _principal(subject, server))


def _principal(subject: Subject, server: UseLicenses) -> Principal:
    """What the account's RAC says of it: from our stored key pair, or from the root cluster that keeps it."""
    if server.state.is_licensing_only:
        return certified_at_root(subject, server).principal
    public = key_pair(subject, server.state, server.ports).public
    if public.id in server.state.excluded_racs:
        raise DrmacIsExcluded
    return account_principal(subject.object_xml, public)
