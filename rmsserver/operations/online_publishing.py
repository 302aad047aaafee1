"""Signing a publishing licence for somebody: what AcquireIssuanceLicense and EditIssuanceLicense share.

Checks in this order (rulings 17): syntax and principal (`read`), enabling bits, rights data opens and parses, template
signature (`open`). Nothing here decides who may.

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
import hmac
from dataclasses import dataclass

from rmsserver.errors import (
    CryptoUnsupportedSymKey,
    EnablingBitsHashDoesNotMatch,
    InvalidOfficialRightsTemplate,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations.known_servers import KnownServer, KnownServers
from rmsserver.operations.open_license import ENABLING_BITS, budget_name, fingerprints, open_content, owners_differ
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES, ContentKey, DesSessionKeyError
from rmsserver.xrml.errors import SealError, XrmlError
from rmsserver.xrml.license import PublishingLicense, sign_publishing_license
from rmsserver.xrml.rights import RightsData


@dataclass(frozen=True)
class UnsignedLicense:
    """An unsigned licence that is sealed to `server`."""

    license: PublishingLicense
    server: KnownServer


@dataclass(frozen=True)
class OpenedUnsignedLicense:
    license: PublishingLicense
    content_key: ContentKey
    data: RightsData


@dataclass(frozen=True)
class OnlinePublishing:
    """One request's surroundings."""

    caller: RequestContext
    state: ServerState
    ports: Ports
    now: dt.datetime
    servers: KnownServers

    def read(self, text: str) -> UnsignedLicense:
        """Syntax and principal. Raises UnspecifiedError or UnsignedIssuanceLicenseNoMatchingIssuedPrincipal."""
        try:
            license_ = PublishingLicense.read(text, signed=False)
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None
        server = self.servers.addressed_by(license_)
        if server is None:
            raise UnsignedIssuanceLicenseNoMatchingIssuedPrincipal
        return UnsignedLicense(license_, server)

    def open(self, unsigned: UnsignedLicense, edited: bytes | None = None) -> OpenedUnsignedLicense:
        """Decrypt and check. `edited` is the content key (payload) of the signed licence that this one shall replace:
        enabling bits that hold the same key are no theft then.

        Raises EnablingBitsHashDoesNotMatch, CryptoUnsupportedSymKey, UnspecifiedError or InvalidOfficialRightsTemplate.
        """
        content_key, data = self._decrypt(unsigned)
        self._check_not_copied(unsigned.license, content_key, data, edited)
        if data.official and not self.servers.signed_template(data):
            raise InvalidOfficialRightsTemplate
        self._note_template(data)
        return OpenedUnsignedLicense(unsigned.license, content_key, data)

    def _decrypt(self, unsigned: UnsignedLicense) -> tuple[ContentKey, RightsData]:
        """One outcome for whatever does not open (rulings 15); rights data that opens but is none is bad form."""
        try:
            return open_content(
                unsigned.license, unsigned.server, budget_name(self.caller), self.ports, self.caller.trail
            )
        except DesSessionKeyError as error:
            raise CryptoUnsupportedSymKey(str(error)) from None
        except SealError as error:
            raise EnablingBitsHashDoesNotMatch(str(error)) from None
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None

    def _check_not_copied(
        self, license_: PublishingLicense, content_key: ContentKey, data: RightsData, edited: bytes | None
    ) -> None:
        """Threat L1. Diverges: the specifications have no such refusals.

        The looking up records nothing: nobody can make another's fresh enabling bits look used.
        """
        seen = fingerprints(license_, content_key, self.ports.secrets)[ENABLING_BITS]
        same = edited is not None and hmac.compare_digest(edited, content_key.payload)
        if not same and self.ports.witness.signer_of(seen) is not None:
            self.caller.trail.alert("unsigned licence with the enabling bits of a signed one: refused")
            raise EnablingBitsHashDoesNotMatch("the enabling bits are those of a signed licence")
        if owners_differ(license_, data):
            self.caller.trail.alert("unsigned licence with another owner than its rights data: refused")
            raise EnablingBitsHashDoesNotMatch("the owner is another than in the rights data")

    def _note_template(self, data: RightsData) -> None:
        """GUID:version where the rights data is our current version of a template, the GUID alone of all others."""
        guid = data.template_id
        if guid is None:
            return
        current, version = self.state.template(guid), self.state.template_revisions.get(guid)
        same = current is not None and data.signature is not None and current.hash_text == data.signature.digest_text
        self.caller.trail.note("template", f"{guid}:{version}" if same and version is not None else guid)

    def sign(self, license_: PublishingLicense, content_key: ContentKey, encrypted_rights: bytes | None = None) -> str:
        """The licence signed by the own key and sealed to it anew (rulings 2, 16); seal and key are remembered as ours.

        `encrypted_rights` takes the place of the rights data in it. Raises UnspecifiedError.
        """
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
                encrypted_rights=encrypted_rights,
            )
            signed = PublishingLicense.read(text)
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None
        for fingerprint in fingerprints(signed, content_key, self.ports.secrets).values():
            self.ports.witness.first_signer(fingerprint, licensor.key.public.id)
        self._note(signed)
        return text

    def _note(self, signed: PublishingLicense) -> None:
        """Who asked is in the audit record itself; signer and owner here (threat L3)."""
        trail, object_ = self.caller.trail, signed.issuer.object
        trail.note("signer", f"server: {object_.id} {object_.name or ''}".strip())
        if signed.owner is not None:
            trail.note("owner", signed.owner.email or signed.owner.id)
