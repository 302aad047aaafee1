"""AcquireLicense ([MS-RMPR] 3.4.4.1): use licences for a reader.

Order of faults (rulings): version, decommissioned, sizes; the RAC's; the publishing licence's signature, mode 1 rule,
principal, time, creation time, no-rights cache, decryption, rights. What concerns the whole request is a fault; from
version 1.1.0.0 up every other error stands in the place of its item's answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from rmsserver.errors import ArgumentNull, CredentialCreationTime, InvalidOperation, RmsError, UnspecifiedError
from rmsserver.operations import blocked_users
from rmsserver.operations.account_certificate import verify_account_certificate
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.open_license import FoundLicense, budget_name
from rmsserver.operations.preconditions import check_certificates, check_in_service
from rmsserver.operations.rights_evaluation import identify
from rmsserver.operations.use_licenses import UseLicenses, account_key, check_license_sizes
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.values import Version

BATCHES_FROM = Version(1, 1, 0, 0)
"""The MaximumVersion from which a request may have several items, and errors stand in their places."""


@dataclass(frozen=True)
class AcquireLicenseItem:
    licensee_certs: tuple[str, ...] | None
    issuance_license: tuple[str, ...] | None
    application_data: str | None
    """The XML (or text) inside ApplicationData; None where missing."""


@dataclass(frozen=True)
class AcquireLicenseRequest:
    items: tuple[AcquireLicenseItem, ...] | None


@dataclass(frozen=True)
class AcquireLicenseResult:
    answers: tuple[tuple[str, ...] | RmsError, ...]
    """For each item a use licence chain, or (from version 1.1.0.0 up) the error that stands in its place."""


def acquire_license(
    request: AcquireLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> AcquireLicenseResult:
    """A use licence for each item, in order.

    Raises InvalidOperation (several items at 1.0.0.0), ClusterDecommissioned, ArgumentNull, UnspecifiedError (too many
    items); at 1.0.0.0 also what stands in an item's place above it.
    """
    batch = caller.maximum_version >= BATCHES_FROM
    items = request.items or ()
    if len(items) > 1 and not batch:
        raise InvalidOperation("several items in a request of version 1.0.0.0")
    check_in_service(state)
    if len(items) > state.batch_limit:
        raise UnspecifiedError(f"{len(items)} items in one request; the limit is {state.batch_limit}")
    if not items or not items[0].issuance_license:
        raise ArgumentNull("the first item has no publishing licence")
    blocked_users.check_caller(caller, state, ports.directory)
    server = UseLicenses(caller, state, ports, now, KnownServers.of(state))
    answers: list[tuple[str, ...] | RmsError] = []
    licenses: Sequence[str] = ()
    for item in items:
        licenses = item.issuance_license or licenses
        try:
            answers.append(_serve(item, licenses, server))
        except RmsError as error:
            if not batch:
                raise
            caller.trail.note("item_error", f"{len(answers)}: {error.short_name}")
            answers.append(error)
    return AcquireLicenseResult(tuple(answers))


def _serve(item: AcquireLicenseItem, licenses: Sequence[str], server: UseLicenses) -> tuple[str, ...]:
    """One item. Raises RmsError."""
    caller, state, ports = server.caller, server.state, server.ports
    racs = check_certificates(item.licensee_certs, state)
    check_license_sizes(licenses, item.application_data, state)
    rac = verify_account_certificate(racs, caller, state, server.now, verified=ports.license_cache)
    blocked_users.check_account_certificate(rac, caller, state, ports.directory)
    found = server.find(licenses)
    _check_creation_time(found, rac, state)
    account = account_key(*rac.account, rac.email, rac.email_aliases)
    server.check_not_refused(found, account)
    opened, usage = server.open(found, budget_name(caller, " ".join(rac.account)))
    rights = server.rights(found, opened, usage, identify(rac, state, ports.directory), account)
    return (server.issue(opened, usage, rights, rac.principal), *state.licensor.chain)


def _check_creation_time(found: FoundLicense, rac: RightsAccountCertificate, state: ServerState) -> None:
    created = rac.credential_creation_time
    if created is not None and created - found.issued > state.creation_time_tolerance:
        raise CredentialCreationTime
