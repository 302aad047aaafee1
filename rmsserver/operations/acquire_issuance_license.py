"""AcquireIssuanceLicense ([MS-RMPR] 3.5.4.1): the server signs a publishing licence (online publishing).

Checks in this order (rulings 17): decommissioned, disabled, syntax, principal, enabling bits, rights data opens and
parses, template signature. Nothing is signed unless every licence of the request passes.

Threat L1, a victim's enabling bits in a licence of the caller's own: their hash covers ISSUEDPRINCIPALS, which is the
same in all licences of a cluster, so it says nothing. Three checks do; docs/security.md has the reasoning.
1. Enabling bits that were seen inside a signed licence are refused. What the server signs is sealed anew and remembered,
   so its own answers are always known; those of licences signed by clients from their first use on.
2. The rights data must open with the content key and be strictly rights data: who copies the bits cannot write any, and
   has to copy the victim's as well.
3. Copied rights data names the victim as owner: another owner in the clear is refused.
What an honest client sends was never inside a signed licence, so it may repeat its request as often as it likes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.errors import (
    ArgumentNull,
    CryptoUnsupportedSymKey,
    EnablingBitsHashDoesNotMatch,
    InvalidOfficialRightsTemplate,
    OnlinePublishingDisabled,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations.known_servers import KnownServer, KnownServers
from rmsserver.operations.open_license import (
    ENABLING_BITS,
    budget_name,
    fingerprints,
    open_content,
    owners_differ,
)
from rmsserver.operations.preconditions import check_in_service, check_may_issue
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES, ContentKey, DesSessionKeyError
from rmsserver.xrml.errors import SealError, XrmlError
from rmsserver.xrml.license import PublishingLicense, sign_publishing_license
from rmsserver.xrml.rights import RightsData


@dataclass(frozen=True)
class AcquireIssuanceLicenseRequest:
    items: tuple[str | None, ...] | None
    """One unsigned publishing licence per element, surface text; None where missing or null."""


@dataclass(frozen=True)
class AcquireIssuanceLicenseResult:
    chains: tuple[tuple[str, ...], ...]
    """For each item the signed publishing licence, the SLC and the chain above."""


def acquire_issuance_license(
    request: AcquireIssuanceLicenseRequest, caller: RequestContext, state: ServerState, ports: Ports, now: dt.datetime
) -> AcquireIssuanceLicenseResult:
    """Sign each licence with the own key, its content key sealed anew to it (rulings 2, 16, 17).

    Raises ClusterDecommissioned, OnlinePublishingDisabled, ArgumentNull, UnspecifiedError,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, EnablingBitsHashDoesNotMatch, CryptoUnsupportedSymKey or
    InvalidOfficialRightsTemplate.
    """
    check_in_service(state)
    if not state.online_publishing_enabled:
        raise OnlinePublishingDisabled
    texts = _texts(request, state)
    publishing = _Publishing(caller, state, ports, now, KnownServers.of(state))
    opened = [publishing.open(text) for text in texts]
    check_may_issue(state, now)
    return AcquireIssuanceLicenseResult(tuple(publishing.sign(license_, key) for license_, key in opened))


def _texts(request: AcquireIssuanceLicenseRequest, state: ServerState) -> list[str]:
    if not request.items:
        raise ArgumentNull("there are no licences in the request")
    if len(request.items) > state.batch_limit:
        raise UnspecifiedError(f"{len(request.items)} items in one request; the limit is {state.batch_limit}")
    texts = [text for text in request.items if text]
    if len(texts) != len(request.items):
        raise ArgumentNull("an item has no licence")
    limit = state.issuance_license_limit_bytes
    if any(len(text) > limit or len(text.encode("utf-8", "surrogatepass")) > limit for text in texts):
        raise UnspecifiedError(f"a publishing licence is larger than {limit} bytes")
    return texts


@dataclass(frozen=True)
class _Publishing:
    """One request's surroundings."""

    caller: RequestContext
    state: ServerState
    ports: Ports
    now: dt.datetime
    servers: KnownServers

    def open(self, text: str) -> tuple[PublishingLicense, ContentKey]:
        """Every check of one unsigned licence. Raises RmsError."""
        try:
            license_ = PublishingLicense.read(text, signed=False)
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None
        server = self.servers.addressed_by(license_)
        if server is None:
            raise UnsignedIssuanceLicenseNoMatchingIssuedPrincipal
        content_key, data = self._decrypt(license_, server)
        self._check_not_copied(license_, content_key, data)
        if data.official and not self.servers.signed_template(data):
            raise InvalidOfficialRightsTemplate
        return license_, content_key

    def _decrypt(self, license_: PublishingLicense, server: KnownServer) -> tuple[ContentKey, RightsData]:
        """One outcome for whatever does not open (rulings 15); rights data that opens but is none is bad form."""
        try:
            return open_content(license_, server, budget_name(self.caller), self.ports, self.caller.trail)
        except DesSessionKeyError as error:
            raise CryptoUnsupportedSymKey(str(error)) from None
        except SealError as error:
            raise EnablingBitsHashDoesNotMatch(str(error)) from None
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None

    def _check_not_copied(self, license_: PublishingLicense, content_key: ContentKey, data: RightsData) -> None:
        """Threat L1. The looking up records nothing: nobody can make another's fresh enabling bits look used."""
        seen = fingerprints(license_, content_key, self.ports.secrets)[ENABLING_BITS]
        if self.ports.witness.signer_of(seen) is not None:
            self.caller.trail.alert("unsigned licence with the enabling bits of a signed one: refused")
            raise EnablingBitsHashDoesNotMatch("the enabling bits are those of a signed licence")
        if owners_differ(license_, data):
            self.caller.trail.alert("unsigned licence with another owner than its rights data: refused")
            raise EnablingBitsHashDoesNotMatch("the owner is another than in the rights data")

    def sign(self, license_: PublishingLicense, content_key: ContentKey) -> tuple[str, ...]:
        """The signed licence and the own SLC chain; its seal and content key are remembered as ours."""
        licensor = self.state.licensor
        try:
            text = sign_publishing_license(
                license_,
                payload=content_key.payload,
                session_key=self.ports.random.bytes(SESSION_KEY_BYTES),
                slc_principal=licensor.certificate.principal,
                internal_url=self.state.internal_licensing_url,
                external_url=self.state.external_licensing_url,
                issued=self.now,
                signing_key=licensor.key,
                mode=licensor.mode,
            )
            signed = PublishingLicense.read(text)
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None
        for fingerprint in fingerprints(signed, content_key, self.ports.secrets).values():
            self.ports.witness.first_signer(fingerprint, licensor.key.public.id)
        self._note(signed)
        return (text, *licensor.chain)

    def _note(self, signed: PublishingLicense) -> None:
        """Who asked is in the audit record itself; signer and owner here (threat L3)."""
        trail, object_ = self.caller.trail, signed.issuer.object
        trail.note("signer", f"server: {object_.id} {object_.name or ''}".strip())
        if signed.owner is not None:
            trail.note("owner", signed.owner.email or signed.owner.id)
