"""Checking a rights account certificate that a caller presents ([MS-RMPR] 3.4.4.1 and 3.5.4.2).

Rules, in the order of the faults:
1. The leaf is the only RAC among the documents sent. Its signature holds with the key in its own ISSUER; documents sent
   above it must close as a chain, each with the parent at its position. Callers may send the leaf alone (wire facts 5).
2. It is trusted by the exact key of its issuer. No chain makes an issuer trusted (threat L9). Where that is another
   cluster's, its trusted user domain must cover the address, and federated accounts (state.TrustedUserDomain).
3. VALIDITYTIME, also of what was sent above it, has begun and is not over; key and hash are of the cluster's mode; its key
   is not excluded; its security processor is not excluded (rulings 26); federated accounts only where federation is on
   (rulings 27).
4. Where the administrator asks for it, it is the caller's own (threat L5).

Only the outcome of rule 1 is ever remembered; the others are checked each time.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from rmsserver.errors import (
    BlackBoxIsInvalid,
    DrmacIsExcluded,
    InvalidPersonaCertSignature,
    InvalidPersonaCertTime,
    RmsError,
    UnauthorizedAccess,
    UnexpectedPersonaCert,
    UnsupportedCryptographicSet,
    UntrustedPersonaCert,
)
from rmsserver.ports import LicenseCache
from rmsserver.state import FederatedAccount, RequestContext, ServerState
from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import (
    ChainError,
    SignatureError,
    UnsupportedCryptographyError,
    ValidityError,
    WrongKindError,
    XrmlError,
    XrmlSyntaxError,
)
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import ACCOUNT_CERTIFICATE, RightsAccountCertificate
from rmsserver.xrml.spc import repository_version
from rmsserver.xrml.values import TimeRange, fold

FEDERATED = "Federation"
_ACCOUNT_TYPES = ("Windows", FEDERATED, "Passport")

_WIRE_NAMES: tuple[tuple[type[XrmlError], type[RmsError]], ...] = (
    (SignatureError, InvalidPersonaCertSignature),
    (ChainError, InvalidPersonaCertSignature),
    (ValidityError, InvalidPersonaCertSignature),
    (UnsupportedCryptographyError, UnsupportedCryptographicSet),
    (XrmlError, UnexpectedPersonaCert),
)
"""What the engine found wrong with the chain, and its name on the wire."""


@dataclass(frozen=True)
class VerifiedSignatures:
    """A remembered outcome of rule 1, good for exactly the texts whose hash is its key."""

    rac: RightsAccountCertificate
    validities: tuple[TimeRange, ...]
    """VALIDITYTIME of the RAC and of whatever stood above it, as far as they have one."""

    @property
    def weight_bytes(self) -> int:
        """About what a parsed certificate takes in memory, for a cache that is bounded in bytes."""
        return len(self.rac.text) * 12


def verify_account_certificate(
    chain: Sequence[str],
    caller: RequestContext,
    state: ServerState,
    now: dt.datetime,
    *,
    verified: LicenseCache | None = None,
) -> RightsAccountCertificate:
    """The RAC of `chain` (surface texts, already within the limits of `check_certificates`), checked by all the rules.

    `verified` remembers the RAC under the hash of all the texts it came with, once their signatures held and the issuer
    was trusted: a RAC that comes with every request is parsed and verified once. Trust, time, mode, exclusions and the
    caller are checked each time all the same.

    Raises InvalidPersonaCertSignature, UntrustedPersonaCert, InvalidPersonaCertTime, UnsupportedCryptographicSet,
    DrmacIsExcluded, BlackBoxIsInvalid, UnexpectedPersonaCert or UnauthorizedAccess.
    """
    key = _fingerprint(chain)
    found = verified.get(key) if verified is not None else None
    remembered = isinstance(found, VerifiedSignatures)
    signatures = found if isinstance(found, VerifiedSignatures) else _verify_signatures(chain, state)
    rac = signatures.rac
    _note(rac, caller)
    if rac.issuer.public_key.id not in state.trusted_rac_issuers:
        raise UntrustedPersonaCert("the RAC's issuer is not among the trusted keys")
    _check_user_domain(rac, state)
    if verified is not None and not remembered:
        # Only now: a stranger cannot fill the cache with certificates of his own making.
        verified.put(key, signatures)
    _check_time(signatures.validities, now)
    _check_mode(rac, state.cryptographic_mode)
    if rac.principal.public_key.id in state.excluded_racs:
        raise DrmacIsExcluded
    _check_security_processor(rac, state)
    if rac.account[0] == FEDERATED and not state.federation_enabled:
        raise UntrustedPersonaCert("a federated RAC, and federation is off")
    _check_caller(rac, caller, state)
    return rac


def _fingerprint(chain: Sequence[str]) -> bytes:
    whole = hashlib.sha256(b"account certificate chain\0")
    for text in chain:
        data = text.encode("utf-8", "surrogatepass")
        whole.update(len(data).to_bytes(8) + data)
    return whole.digest()


def _verify_signatures(chain: Sequence[str], state: ServerState) -> VerifiedSignatures:
    try:
        rac, issuers = _read_chain(chain, state)
        child: Document = rac
        for issuer in issuers:
            issuer.issued(child)
            child = issuer
        child.verify()
        validities = tuple(found.validity for found in (rac, *issuers) if found.validity is not None)
    except XrmlError as error:
        raise next(name for kind, name in _WIRE_NAMES if isinstance(error, kind))(str(error)) from None
    if rac.account[0] not in _ACCOUNT_TYPES or not rac.account[1]:
        raise UnexpectedPersonaCert("the RAC's account has an unknown type of ID")
    return VerifiedSignatures(rac, validities)


def _read_chain(
    chain: Sequence[str], state: ServerState
) -> tuple[RightsAccountCertificate, Sequence[IssuingCertificate]]:
    """The RAC, and what was sent besides, in order; exact duplicates count once. Raises XrmlError."""
    texts = list(dict.fromkeys(chain))
    racs: list[RightsAccountCertificate] = []
    for text in texts:
        # Whatever is a RAC names its kind in the clear, unless somebody spelled it with character references.
        if ACCOUNT_CERTIFICATE in text:
            try:
                racs.append(RightsAccountCertificate.read(text))
            except WrongKindError:
                continue
    if len(racs) != 1:
        raise XrmlSyntaxError("there is not exactly one account certificate in the chain")
    rac = racs[0]
    return rac, _read_issuers(tuple(text for text in texts if text != rac.text), state)


def _read_issuers(texts: tuple[str, ...], state: ServerState) -> Sequence[IssuingCertificate]:
    for own in (state.licensor, *state.former_licensors):
        if texts and texts == own.chain[: len(texts)]:
            # Our own documents to the letter: nothing to find out about them, and four fifths of the work.
            return (own.certificate,)
    return [IssuingCertificate.read(text) for text in texts]


def _note(rac: RightsAccountCertificate, caller: RequestContext) -> None:
    caller.trail.note("account", rac.email)
    caller.trail.note("account_id", rac.account[1])
    if rac.descriptor is not None:
        caller.trail.note("account_certificate", rac.descriptor.id)
    if caller.is_authenticated and not _is_own(rac, caller):
        caller.trail.note("account_certificate_of_another", rac.email)


def _check_user_domain(rac: RightsAccountCertificate, state: ServerState) -> None:
    """Another cluster may speak for the e-mail domains that it was trusted with, and no others."""
    domain = state.trusted_user_domains.get(rac.issuer.public_key.id)
    if domain is None:
        return
    if not domain.covers(rac.email):
        raise UntrustedPersonaCert(f"the trusted user domain {domain.name} is not trusted with this e-mail domain")
    if rac.account[0] == FEDERATED and not domain.federated_trusted:
        raise UntrustedPersonaCert(f"the trusted user domain {domain.name} is not trusted with federated accounts")


def _check_time(validities: Sequence[TimeRange], now: dt.datetime) -> None:
    """2.2.9.1.2."""
    for validity in validities:
        if now not in validity:
            start, end = validity
            raise InvalidPersonaCertTime(
                f"the RAC or what it stands under is valid from {start:%Y-%m-%d %H:%M} until {end:%Y-%m-%d %H:%M} UTC"
            )


def _check_mode(rac: RightsAccountCertificate, mode: CryptoMode) -> None:
    """[MS-RMPR] 3.1.4.7; threat L11."""
    if rac.mode is not mode or rac.principal.public_key.bits != mode.rsa_bits:
        raise UnsupportedCryptographicSet("key length or hash algorithm of the RAC is not of the cluster's mode")


def _check_security_processor(rac: RightsAccountCertificate, state: ServerState) -> None:
    """Skipped where the RAC has no machine part (rulings 26)."""
    minimum, machine = state.minimum_security_processor, rac.machine
    if minimum is None or machine is None:
        return
    try:
        version = repository_version(machine.levels.get("Repository", ""))
    except XrmlError:
        raise BlackBoxIsInvalid("the RAC does not say which security processor it is for") from None
    if version < minimum:
        raise BlackBoxIsInvalid(f"security processor {version} is below {minimum}")


def _check_caller(rac: RightsAccountCertificate, caller: RequestContext, state: ServerState) -> None:
    """Where `require_own_rac` is on: the caller's own RAC, or a caller who may present those of others (threat L5)."""
    if not state.require_own_rac or _is_own(rac, caller):
        return
    account = caller.domain_account
    if account is None or fold(account.sid) not in {fold(sid) for sid in state.rac_proxies}:
        raise UnauthorizedAccess("the RAC is not that of the authenticated account")
    caller.trail.note("rac_proxy", account.name)


def _is_own(rac: RightsAccountCertificate, caller: RequestContext) -> bool:
    id_type, identity = rac.account
    if isinstance(caller.account, FederatedAccount):
        return id_type == FEDERATED and fold(rac.email) == fold(caller.account.email)
    account = caller.domain_account
    return account is not None and id_type == "Windows" and fold(identity) == fold(account.sid)
