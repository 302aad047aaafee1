"""AcquireLicense ([MS-RMPR] 3.4.4.1): use licences for a reader.

Order of faults (rulings): version, decommissioned, sizes; the RAC's; the publishing licence's signature, mode 1 rule,
principal, time, creation time, no-rights cache, decryption, rights. What concerns the whole request is a fault; from
version 1.1.0.0 up every other error stands in the place of its item's answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from rmsserver.errors import (
    ArgumentNull,
    CredentialCreationTime,
    InvalidOperation,
    IssuanceLicenseIsNotWithinValidTimeRange,
    NoRightsForRequestedPrincipal,
    RmsError,
    UnspecifiedError,
)
from rmsserver.operations.account_certificate import verify_account_certificate
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.open_license import FoundLicense, OpenedLicense, budget_name, find_license, open_license
from rmsserver.operations.preconditions import check_certificates, check_in_service, check_may_issue
from rmsserver.operations.rights_evaluation import UsagePolicy, evaluate_rights, identify
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import Policy
from rmsserver.xrml.use_license import UseRight, write_use_license
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
    server = _Licensing(caller, state, ports, now, KnownServers.of(state))
    answers: list[tuple[str, ...] | RmsError] = []
    licenses: Sequence[str] = ()
    for item in items:
        licenses = item.issuance_license or licenses
        try:
            answers.append(server.serve(item, licenses))
        except RmsError as error:
            if not batch:
                raise
            caller.trail.note("item_error", f"{len(answers)}: {error.short_name}")
            answers.append(error)
    return AcquireLicenseResult(tuple(answers))


@dataclass(frozen=True)
class _Licensing:
    """One request's surroundings, so that items need not carry them."""

    caller: RequestContext
    state: ServerState
    ports: Ports
    now: dt.datetime
    servers: KnownServers

    def serve(self, item: AcquireLicenseItem, licenses: Sequence[str]) -> tuple[str, ...]:
        """One item. Raises RmsError."""
        racs = check_certificates(item.licensee_certs, self.state)
        check_license_sizes(licenses, item.application_data, self.state)
        rac = verify_account_certificate(racs, self.caller, self.state, self.now, verified=self.ports.license_cache)
        found = find_license(licenses, self.servers, self.state, self.ports)
        self._check_times(found, rac)
        account = _account_key(rac)
        self._check_no_rights_cache(found, account)
        who = budget_name(self.caller, " ".join(rac.account))
        opened = open_license(found, who, self.servers, self.state, self.ports, self.caller.trail)
        usage = self._usage(opened, found)
        rights = self._rights(opened, usage, rac)
        if not rights:
            if self.state.no_rights_cache_enabled:
                self.ports.license_cache.remember_no_rights(found.key, account, self._generation)
            raise NoRightsForRequestedPrincipal
        return self._issue(opened, usage, rights, rac)

    def _check_times(self, found: FoundLicense, rac: RightsAccountCertificate) -> None:
        if found.validity is not None and self.now not in found.validity:
            raise IssuanceLicenseIsNotWithinValidTimeRange
        created = rac.credential_creation_time
        if created is not None and created - found.issued > self.state.creation_time_tolerance:
            raise CredentialCreationTime

    @property
    def _generation(self) -> tuple[int, int]:
        """What "no rights" was true under: templates and policies, accounts and groups."""
        return self.state.configuration_version, self.ports.directory.generation

    def _check_no_rights_cache(self, found: FoundLicense, account: tuple[str, str]) -> None:
        if self.state.no_rights_cache_enabled and self.ports.license_cache.has_no_rights(
            found.key, account, self._generation
        ):
            self.caller.trail.note("no_rights", "from the cache")
            raise NoRightsForRequestedPrincipal

    def _usage(self, opened: OpenedLicense, found: FoundLicense) -> UsagePolicy:
        """The server's current template by GUID, else the rights data; a forged template is refused (rulings 19)."""
        template = None
        if opened.template_id is not None:
            self.caller.trail.note("template", opened.template_id)
            template = self.servers.template(opened.template_id, found.server, self.state)
        if template is not None:
            return UsagePolicy.of(template)
        if opened.template_forged:
            raise UnspecifiedError("the official template is not signed by a server known here")
        return opened.usage

    def _rights(self, opened: OpenedLicense, usage: UsagePolicy, rac: RightsAccountCertificate) -> tuple[UseRight, ...]:
        reader = identify(rac, self.state, self.ports.directory)
        if reader is None:
            self.caller.trail.note("no_rights", "the account is disabled or gone")
            return ()
        owner = None if opened.owner_disputed else opened.owner
        trail = self.caller.trail
        return evaluate_rights(usage, owner, reader, self.ports.directory, self.state, trail, self.now)

    def _issue(
        self, opened: OpenedLicense, usage: UsagePolicy, rights: tuple[UseRight, ...], rac: RightsAccountCertificate
    ) -> tuple[str, ...]:
        """The use licence and the own SLC chain, whichever key opened the publishing licence (rulings 1, 2, 25)."""
        check_may_issue(self.state, self.now)
        licensor, random = self.state.licensor, self.ports.random
        self.caller.trail.note("rights", " ".join(right.name for right in rights))
        try:
            text = write_use_license(
                license_id=random.guid(),
                issuer_inner=licensor.certificate.issuer_inner_surface,
                licensee=rac.principal,
                referral=opened.referral,
                work_object=opened.work_object,
                metadata=opened.metadata,
                revocation=opened.revocation or usage.revocation or "",
                rights=rights,
                payload=opened.payload,
                session_key=random.bytes(SESSION_KEY_BYTES),
                policies=(*opened.policies, *usage.policies, *_excluded_applications(self.state)),
                application_data=usage.application_data,
                os_exclusion=self.state.os_exclusion,
                issued=self.now,
                signing_key=licensor.key,
                mode=licensor.mode,
            )
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None
        return (text, *licensor.chain)


def check_license_sizes(licenses: Sequence[str], application_data: str | None, state: ServerState) -> None:
    """[MS-RMPR] section 7, notes 41 and 43, in bytes of UTF-8 as they came. Raises UnspecifiedError."""
    if application_data is not None and _exceeds(application_data, state.application_data_limit_bytes):
        raise UnspecifiedError(f"ApplicationData is larger than {state.application_data_limit_bytes} bytes")
    if len(licenses) > state.certificate_limit_count:
        raise UnspecifiedError(f"{len(licenses)} documents in IssuanceLicense")
    if any(_exceeds(text, state.issuance_license_limit_bytes) for text in licenses):
        raise UnspecifiedError(f"a publishing licence is larger than {state.issuance_license_limit_bytes} bytes")


def _exceeds(text: str, limit: int) -> bool:
    # UTF-8 has one to three bytes for each UTF-16 unit, so most texts need not be encoded to know.
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode("utf-8", "surrogatepass")) > limit)


def _account_key(rac: RightsAccountCertificate) -> tuple[str, str]:
    """(ID type, ID) and the addresses the RAC gives: what a refusal depends on besides the directory."""
    id_type, identity = rac.account
    return id_type, "\n".join((identity, rac.email, *rac.email_aliases))


def _excluded_applications(state: ServerState) -> tuple[Policy, ...]:
    return tuple(
        Policy("exclusion", entry.filename, entry.span.minimum, entry.span.maximum)
        for entry in state.application_exclusions
    )
