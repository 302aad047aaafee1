"""A use licence for one account from a publishing licence: what AcquireLicense and AcquirePreLicense share.

The steps of [MS-RMPR] 3.4.4.1 that begin with the publishing licence, in the order of their faults: signature, mode 1 rule,
principal and time (`find`), no-rights cache (`check_not_refused`), decryption (`open`), rights (`rights`), issue (`issue`).
Between them each operation has its own checks of the account.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from rmsserver.errors import (
    IssuanceLicenseIsNotWithinValidTimeRange,
    NoRightsForRequestedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations.cross_forest import groups_elsewhere, groups_holding, in_other_forests, is_unanswered
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.open_license import FoundLicense, OpenedLicense, find_license, open_license
from rmsserver.operations.preconditions import check_may_issue, exceeds
from rmsserver.operations.rights_evaluation import Reader, UsagePolicy, evaluate_rights
from rmsserver.ports import Ports
from rmsserver.state import AuditTrail, RequestContext, ServerState
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.principal import Principal
from rmsserver.xrml.rights import Policy
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.use_license import UseRight, write_use_license
from rmsserver.xrml.values import Guid

_ADDRESSES_ASKED = 3
"""Of one account, where another forest is asked about it."""


@dataclass(frozen=True)
class UseLicenses:
    """One request's surroundings, so that its items need not carry them."""

    caller: RequestContext
    state: ServerState
    ports: Ports
    now: dt.datetime
    servers: KnownServers

    def find(self, licenses: Sequence[str]) -> FoundLicense:
        """The verified licence of these documents, in its time. Raises what `find_license` raises, and
        IssuanceLicenseIsNotWithinValidTimeRange.
        """
        found = find_license(licenses, self.servers, self.state, self.ports)
        if found.validity is not None and self.now not in found.validity:
            raise IssuanceLicenseIsNotWithinValidTimeRange
        return found

    @property
    def _generation(self) -> tuple[int, int]:
        """What "no rights" was true under: templates and policies, accounts and groups."""
        return self.state.configuration_version, self.ports.directory.generation

    def check_not_refused(self, found: FoundLicense, account: tuple[str, str]) -> None:
        """The no-rights cache. Raises NoRightsForRequestedPrincipal."""
        if self.state.no_rights_cache_enabled and self.ports.license_cache.has_no_rights(
            found.key, account, self._generation
        ):
            self.caller.trail.note("no_rights", "from the cache")
            raise NoRightsForRequestedPrincipal

    def open(self, found: FoundLicense, who: str) -> tuple[OpenedLicense, UsagePolicy]:
        """The licence decrypted, and the policy that applies to it. Raises UnspecifiedError for every failure alike."""
        opened = open_license(found, who, self.servers, self.state, self.ports, self.caller.trail)
        policy = applicable_policy(opened, found, self.servers, self.state, self.caller.trail)
        if policy is None:
            raise UnspecifiedError("the official template is not signed by a server known here")
        return opened, policy.of_document(opened.issued, self.now)

    def rights(
        self,
        found: FoundLicense,
        opened: OpenedLicense,
        usage: UsagePolicy,
        reader: Reader | None,
        account: tuple[str, str],
    ) -> tuple[UseRight, ...]:
        """What the account may do; `reader` is None where it must not have anything. A refusal is remembered.

        Raises NoRightsForRequestedPrincipal.
        """
        rights: tuple[UseRight, ...] = ()
        if reader is None:
            self.caller.trail.note("no_rights", "the account is disabled or gone")
        else:
            owner = None if opened.owner_disputed else opened.owner
            trail, directory = self.caller.trail, self.ports.directory
            rights = evaluate_rights(
                usage, owner, reader, directory, self.state, trail, self.now, self._in_other_forests
            )
        if not rights:
            # A forest that does not answer now may say yes in a minute.
            if self.state.no_rights_cache_enabled and not is_unanswered(self.caller.trail):
                self.ports.license_cache.remember_no_rights(found.key, account, self._generation)
            raise NoRightsForRequestedPrincipal
        return rights

    def _in_other_forests(self, reader: Reader, names: list[str]) -> frozenset[str]:
        """Which of the names are groups of other forests that the reader is in, or groups of ours that have such ones among
        their members, or the reader's own address there ([MS-RMPRS] 3.5.4.1, 4.1).
        """
        elsewhere = in_other_forests(names, self.state, self.ports.directory)
        found = groups_holding(reader.emails, elsewhere) if reader.directory_sid is None else frozenset()
        for email in sorted(reader.emails)[:_ADDRESSES_ASKED]:
            unknown = {name: addresses for name, addresses in elsewhere.items() if name not in found}
            found |= groups_elsewhere(email, unknown, 0, self.state, self.ports, self.caller.trail)
        return found

    def issue(
        self, opened: OpenedLicense, usage: UsagePolicy, rights: tuple[UseRight, ...], licensee: Principal
    ) -> str:
        """The use licence, by the own key whichever key opened the publishing licence (rulings 1, 2, 25).

        `licensee` is the principal of the account's RAC. Raises UnspecifiedError.
        """
        check_may_issue(self.state, self.now)
        licensor, random = self.state.licensor, self.ports.random
        self.caller.trail.note("rights", " ".join(right.name for right in rights))
        try:
            return write_use_license(
                license_id=random.guid(),
                issuer_inner=licensor.certificate.issuer_inner_surface,
                licensee=licensee,
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


def applicable_policy(
    opened: OpenedLicense, found: FoundLicense, servers: KnownServers, state: ServerState, trail: AuditTrail
) -> UsagePolicy | None:
    """The server's current template by GUID, else the rights data; None for a forged template (rulings 19)."""
    template = None
    if opened.template_id is not None:
        template = servers.template(opened.template_id, found.server, state)
        trail.note("template", _version_of(opened.template_id, template, state))
    if template is not None:
        return UsagePolicy.of(template)
    return None if opened.template_forged else opened.usage


def _version_of(guid: Guid, template: RightsTemplate | None, state: ServerState) -> str:
    """For the audit: GUID:version of a template of our own; the GUID alone of those that others keep, or the document."""
    version = state.template_revisions.get(guid)
    own = version is not None and template is not None and template is state.template(guid)
    return f"{guid}:{version}" if own else guid


def check_license_sizes(licenses: Sequence[str], application_data: str | None, state: ServerState) -> None:
    """[MS-RMPR] section 7, notes 41 and 43, in bytes of UTF-8 as they came. Raises UnspecifiedError."""
    if application_data is not None and exceeds(application_data, state.application_data_limit_bytes):
        raise UnspecifiedError(f"ApplicationData is larger than {state.application_data_limit_bytes} bytes")
    if len(licenses) > state.certificate_limit_count:
        raise UnspecifiedError(f"{len(licenses)} documents in IssuanceLicense")
    if any(exceeds(text, state.issuance_license_limit_bytes) for text in licenses):
        raise UnspecifiedError(f"a publishing licence is larger than {state.issuance_license_limit_bytes} bytes")


def account_key(id_type: str, identity: str, email: str, aliases: Sequence[str] = ()) -> tuple[str, str]:
    """(ID type, ID) and the addresses the RAC gives: what a refusal depends on besides the directory."""
    return id_type, "\n".join((identity, email, *aliases))


def _excluded_applications(state: ServerState) -> tuple[Policy, ...]:
    return tuple(
        Policy("exclusion", entry.filename, entry.span.minimum, entry.span.maximum)
        for entry in state.application_exclusions
    )
