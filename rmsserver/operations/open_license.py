"""Opening a publishing licence: verified, addressed to us, decrypted, remembered ([MS-RMPR] 3.4.4.1, PLCacheEntry).

Two steps, because the order of faults has checks between them: `find_license` verifies and finds the server it is sealed
to, without private-key work; `open_license` decrypts.

Decryption has ONE outcome for every failure, UnspecifiedError (rulings 15, threat C1), and a budget for each pair of
caller and account (threat C4).

What was opened is cached under the leaf's whole text, the issuer the licence resolved to, and a digest of the trusted
server keys: not beyond the trust in its issuer, and never under its SIGNATURE, which anyone may copy (threat L4; Diverges:
the specification's plSignature). Which issuer a set of documents resolved to is remembered under the whole set, so that
another set is always looked at anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from rmsserver.errors import (
    InvalidRightsLabelSignature,
    RightsLabelNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations.known_servers import KnownServer, KnownServers
from rmsserver.operations.license_signer import Recognition, Signer, read_signed_license, recognise_signer
from rmsserver.operations.rights_evaluation import UsagePolicy
from rmsserver.ports import ContentKeyWitness, Ports, Secrets
from rmsserver.state import AuditTrail, FederatedAccount, RequestContext, ServerState
from rmsserver.xrml.enabling_bits import SESSION_KEY_BYTES, ContentKey, open_enabling_bits
from rmsserver.xrml.errors import SealError, XrmlError
from rmsserver.xrml.keys import CryptoMode, KeyId
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rights import Grantee, Policy, RightsData
from rmsserver.xrml.values import Guid, TimeRange, fold

CONTENT_KEY = "content key"
ENABLING_BITS = "enabling bits"
"""Purposes of the fingerprints that the witness keeps."""

_Opened = TypeVar("_Opened")


@dataclass(frozen=True)
class OpenedLicense:
    """All that a use licence takes from a publishing licence: values, no tree (PLCacheEntry, 3.1.1.1.3)."""

    signer: Signer
    server: KeyId
    """The key it is sealed to."""
    issued: dt.datetime
    validity: TimeRange | None
    owner: Grantee | None
    owner_disputed: bool
    """The licence names another owner in the clear than in its rights data."""
    work_object: str = field(repr=False)
    metadata: str = field(repr=False)
    revocation: str = field(repr=False)
    referral: str | None = field(repr=False)
    policies: tuple[Policy, ...]
    template_id: Guid | None
    template_forged: bool
    """Official, but not well signed by a known server: good only where our own version takes its place."""
    usage: UsagePolicy = field(repr=False)
    payload: bytes = field(repr=False)
    republished: tuple[str, ...]
    """What of it another signer published first (threats L2, L13)."""
    weight_bytes: int = 0
    """An estimate for the cache's bound."""


@dataclass(frozen=True)
class FoundLicense:
    """A verified licence that is sealed to `server`; `opened` where it was opened before, else `license` is there."""

    key: bytes
    server: KnownServer
    issued: dt.datetime
    validity: TimeRange | None
    signer: Signer
    license: PublishingLicense | None = field(repr=False)
    opened: OpenedLicense | None = field(repr=False)


@dataclass(frozen=True)
class _ResolvedDocuments:
    """A set of documents that was verified: the cache key of its licence."""

    key: bytes


# --- verified and ours -------------------------------------------------------------------------------------------------


def find_license(texts: Sequence[str], servers: KnownServers, state: ServerState, ports: Ports) -> FoundLicense:
    """Verify the licence among `texts` and find the server it is sealed to.

    Raises InvalidRightsLabelSignature, RightsLabelNoMatchingIssuedPrincipal, UnspecifiedError or PortUnavailable.
    """
    documents = _digest(b"documents", servers.trust, *(text.encode("utf-8", "surrogatepass") for text in texts))
    resolved = ports.license_cache.get(documents)
    if isinstance(resolved, _ResolvedDocuments):
        opened = ports.license_cache.get(resolved.key)
        server = servers.by_key(opened.server) if isinstance(opened, OpenedLicense) else None
        if isinstance(opened, OpenedLicense) and server is not None:
            return FoundLicense(resolved.key, server, opened.issued, opened.validity, opened.signer, None, opened)
    license_ = read_signed_license(texts)
    signer = recognise_signer(license_, texts, servers, ports.licensors, state)
    server = _addressed_server(license_, servers, state)
    key = _digest(b"licence", servers.trust, signer.issuer, signer.recognition.value.encode(), license_.text.encode())
    ports.license_cache.put(documents, _ResolvedDocuments(key))
    return FoundLicense(key, server, license_.issued_time, license_.validity, signer, license_, None)


def _digest(kind: bytes, *parts: bytes) -> bytes:
    whole = hashlib.sha256(b"publishing " + kind + b"\0")
    for part in parts:
        whole.update(len(part).to_bytes(8) + part)
    return whole.digest()


def _addressed_server(license_: PublishingLicense, servers: KnownServers, state: ServerState) -> KnownServer:
    """The mode 1 rule, then the principal; then the licence is of that server's mode (rulings 25, threat L11)."""
    if state.cryptographic_mode is CryptoMode.MODE_1 and not _is_mode_1(license_):
        raise RightsLabelNoMatchingIssuedPrincipal("a mode 2 licence on a mode 1 cluster")
    server = servers.addressed_by(license_)
    if server is None:
        raise RightsLabelNoMatchingIssuedPrincipal("the licence is sealed to another server")
    if license_.mode is not server.licensor.mode:
        raise InvalidRightsLabelSignature("the licence is signed in another mode than the key it is sealed to")
    return server


def _is_mode_1(license_: PublishingLicense) -> bool:
    bits = {license_.principal.public_key.bits, license_.issuer.public_key.bits}
    return license_.mode is license_.enabling_bits.mode is CryptoMode.MODE_1 and bits == {CryptoMode.MODE_1.rsa_bits}


# --- decrypted ---------------------------------------------------------------------------------------------------------


def open_license(
    found: FoundLicense, who: str, servers: KnownServers, state: ServerState, ports: Ports, trail: AuditTrail
) -> OpenedLicense:
    """The opened licence, from the cache or by decryption; alerts of threats L2, L3 and L13 are noted each time.

    Raises UnspecifiedError for every failure alike.
    """
    opened = found.opened
    if opened is None:
        if found.license is None:
            raise UnspecifiedError("the licence is neither read nor opened")
        try:
            payload, data = open_content(found.license, found.server, who, ports, trail)
        except XrmlError as error:
            raise UnspecifiedError(str(error)) from None
        opened = _summary(found, found.license, payload, data, servers, ports)
        ports.license_cache.put(found.key, opened)
    _note(opened, trail)
    if opened.republished and state.refuse_republished_keys:
        raise UnspecifiedError("a content key that another signer published first")
    return opened


def open_content(
    license_: PublishingLicense, server: KnownServer, who: str, ports: Ports, trail: AuditTrail
) -> tuple[ContentKey, RightsData]:
    """Decrypt enabling bits and rights data; `who` is the budget's name for the caller.

    Raises SealError where anything of the decryption failed (DesSessionKeyError as rulings 15 say), XrmlSyntaxError or
    another XrmlError where what was decrypted is not strictly rights data, UnspecifiedError where the budget is spent.
    """
    return _within_budget(lambda: _decrypt(license_, server, ports, trail), who, ports, trail)


def open_content_key(
    license_: PublishingLicense, server: KnownServer, who: str, ports: Ports, trail: AuditTrail
) -> ContentKey:
    """Decrypt enabling bits alone. Raises SealError, or UnspecifiedError where the budget is spent."""
    return _within_budget(lambda: _decrypt_bits(license_, server, ports, trail), who, ports, trail)


def _within_budget(decrypt: Callable[[], _Opened], who: str, ports: Ports, trail: AuditTrail) -> _Opened:
    if not ports.budget.allows(who):
        trail.alert("too many licences that do not open: refused without trying")
        raise UnspecifiedError("the budget of failing decryptions is spent")
    try:
        return decrypt()
    except XrmlError:
        if ports.budget.failed(who):
            trail.alert("too many licences that do not open: further ones will be refused")
        raise


def _decrypt(
    license_: PublishingLicense, server: KnownServer, ports: Ports, trail: AuditTrail
) -> tuple[ContentKey, RightsData]:
    content_key = _decrypt_bits(license_, server, ports, trail)
    return content_key, RightsData.read(content_key.decrypt_text(license_.encrypted_rights))


def _decrypt_bits(license_: PublishingLicense, server: KnownServer, ports: Ports, trail: AuditTrail) -> ContentKey:
    bits = license_.enabling_bits
    if bits.mode is not server.licensor.mode:
        # Plain to whoever made them; and no key is ever used with the other mode's padding.
        raise SealError("the enabling bits could not be opened")
    stand_in = ports.random.bytes(SESSION_KEY_BYTES)
    opened = open_enabling_bits(bits, server.licensor.key, license_.hashed_texts, stand_in)
    if opened.hash_reading:
        trail.note("open_reading", "hash over ISSUEDPRINCIPALS with ENABLINGBITS")
    if opened.header_in_bits:
        trail.note("open_reading", "key sizes in bits")
    return ContentKey.of_payload(opened.payload)


def _summary(
    found: FoundLicense,
    license_: PublishingLicense,
    content_key: ContentKey,
    data: RightsData,
    servers: KnownServers,
    ports: Ports,
) -> OpenedLicense:
    return OpenedLicense(
        signer=found.signer,
        server=found.server.key_id,
        issued=found.issued,
        validity=found.validity,
        owner=_sealed_owner(data) or license_.owner,
        owner_disputed=owners_differ(license_, data),
        work_object=license_.work_object,
        metadata=license_.metadata,
        revocation=license_.revocation,
        referral=license_.referral,
        policies=license_.policies,
        template_id=data.template_id,
        template_forged=data.official and not servers.signed_template(data),
        usage=UsagePolicy.of(data),
        payload=content_key.payload,
        republished=_republished(license_, content_key, found.signer, ports),
        weight_bytes=4_096 + 6 * len(data.text) + 4 * (len(license_.text) - 4 * len(license_.encrypted_rights) // 3),
    )


def owners_differ(license_: PublishingLicense, data: RightsData) -> bool:
    """Is the owner in the clear another than in the rights data, which only who has the content key can write?

    Genuine clients write the same in both. A licence with copied enabling bits and rights data names its thief in the
    clear and the victim within (threats L1, L2).
    """
    clear, sealed = license_.owner, _sealed_owner(data)
    return clear is not None and sealed is not None and not same_grantee(clear, sealed)


def same_grantee(one: Grantee, other: Grantee) -> bool:
    """Do both have an address or an ID to compare, and do those that both have agree?"""
    pairs = ((one.email, other.email), (one.id, other.id))
    comparable = [fold(first) == fold(second) for first, second in pairs if first and second]
    return bool(comparable) and all(comparable)


def _sealed_owner(data: RightsData) -> Grantee | None:
    """The owner within the rights data, which goes before the one in the clear; templates have none.

    Diverges: 3.4.4.1 has one OWNER, that of the PL's METADATA. Only who has the content key can write the inner one.
    """
    return data.owner if data.owner is not None and (data.owner.email or data.owner.id) else None


# --- witnesses ---------------------------------------------------------------------------------------------------------


def fingerprints(license_: PublishingLicense, content_key: ContentKey, secrets: Secrets) -> dict[str, bytes]:
    """What the witness knows a licence by: its content key (threat L13) and its enabling bits (threat L2)."""
    return {
        CONTENT_KEY: secrets.fingerprint(CONTENT_KEY, content_key.key),
        ENABLING_BITS: secrets.fingerprint(ENABLING_BITS, license_.enabling_bits.data),
    }


def _republished(license_: PublishingLicense, content_key: ContentKey, signer: Signer, ports: Ports) -> tuple[str, ...]:
    """What of the licence another signer published first; what a server signed is exempt, but remembered."""
    prints = fingerprints(license_, content_key, ports.secrets)
    seen = tuple(what for what in prints if _is_of_another(prints[what], signer, ports.witness))
    return () if signer.recognition is Recognition.SERVER else seen


def _is_of_another(fingerprint: bytes, signer: Signer, witness: ContentKeyWitness) -> bool:
    return witness.first_signer(fingerprint, signer.key_id) != signer.key_id


def _note(opened: OpenedLicense, trail: AuditTrail) -> None:
    trail.note("signer", f"{opened.signer.recognition.value}: {opened.signer.name}")
    if opened.owner is not None:
        trail.note("owner", opened.owner.email or opened.owner.id)
    if opened.signer.recognition is Recognition.UNKNOWN:
        trail.note("unknown_licensor", opened.signer.name)
    if opened.owner_disputed:
        trail.alert("the licence names another owner in the clear than in its rights data")
    for what in opened.republished:
        trail.alert(f"{what} that another signer published first")


def budget_name(caller: RequestContext, account: str = "") -> str:
    """Whose budget of failing decryptions it is: the pair of caller and account.

    Neither alone: a mail server presents everybody's certificates, and certificates of others can be presented.
    """
    signed_on = caller.account
    if signed_on is None:
        return f"anonymous {account}"
    return f"{signed_on.email if isinstance(signed_on, FederatedAccount) else signed_on.sid} {account}"
