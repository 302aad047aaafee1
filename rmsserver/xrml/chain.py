"""Closing chains (wire facts 5): who issued what, and at which key trust begins.

Rules of this module:
1. A machine chain comes whole, leaf first; each link is verified with the parent at its position (threat L8). It is
   trusted by a listed key as first or second issuer, or by closing at a listed root with the kinds of 2.2.9.3.
2. RACs and publishing licences are trusted by the exact key of their issuer, never by reaching a root (threat L9).
3. The leaf of a publishing licence chain is the only document of its kind among those sent; what else is sent serves
   only to find the CLC that signed it.
4. RANGETIME is compared with the ISSUEDTIME of what was issued, never with now; VALIDITYTIME, which issuing certificates
   seldom have, is compared with now (wire facts 6, 2.2.9.1.2).
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rmsserver.xrml.clc import LICENSOR_CERTIFICATE, ClientLicensorCertificate
from rmsserver.xrml.document import RIGHTS_LABEL, Document
from rmsserver.xrml.errors import ChainError, UnsupportedCryptographyError, ValidityError, XrmlError
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, KeyId, PublicKey
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.spc import SecurityProcessorCertificate

MAX_CHAIN = 100
MAX_ISSUERS = 8
_REMEMBERED_LENGTH = 16_384
"""Characters of the largest licensor certificate that is remembered; genuine ones have a third of that."""
CLC_TOLERANCE = dt.timedelta(days=1)
_BODY_TYPE = re.compile(r'<XrML(?: [a-z]+="[^"<>]*")*><BODY type="([^"<>&\t\r\n]*)"')

_MACHINE_HIERARCHY = (
    (IssuingKind.PROCESSOR_ISSUER, IssuingKind.PROCESSOR_AUTHORITY, IssuingKind.AUTHORITY, IssuingKind.AUTHORITY),
    (
        "Microsoft DRM Production Desktop Security Processor Activation Certificate",
        "Microsoft DRM Production Machine Activation Desktop Security Processor CA",
        "Microsoft DRM Production Machine Activation Server CA",
        "Microsoft DRM Production CA",
    ),
)
_MACHINE_HIERARCHY_VERSION_1 = (
    (IssuingKind.SERVER, IssuingKind.AUTHORITY, IssuingKind.AUTHORITY),
    (
        "Microsoft DRM Machine Activation Service",
        "Microsoft DRM Production Machine Activation Server CA",
        "Microsoft DRM Production CA",
    ),
)
"""Version 1 clients: version 1 security processor CA, intermediate, CA (2.2.9.2)."""


@dataclass(frozen=True)
class MachineChain:
    spc: SecurityProcessorCertificate
    issuers: tuple[IssuingCertificate, ...]


def read_machine_chain(texts: Sequence[str]) -> MachineChain:
    """Read an SPC chain, leaf first. Raises XrmlError."""
    if not 2 <= len(texts) <= MAX_ISSUERS + 1:
        raise ChainError("a machine chain has a leaf and one to eight issuers")
    return MachineChain(
        SecurityProcessorCertificate.read(texts[0]),
        tuple(IssuingCertificate.read(text) for text in texts[1:]),
    )


def close_machine_chain(
    chain: MachineChain, trusted: Mapping[KeyId, PublicKey], roots: Mapping[KeyId, PublicKey]
) -> None:
    """Verify every link and that the chain reaches a listed key (3.3.4.1). Raises XrmlError."""
    child: Document = chain.spc
    for issuer in chain.issuers:
        issuer.issued(child)
        child = issuer
    child.verify()
    if any(issuer.principal.public_key.id in trusted for issuer in chain.issuers[:2]):
        return
    root = chain.issuers[-1].issuer.public_key
    if root.id in roots and _is_machine_hierarchy(chain.issuers):
        return
    raise ChainError("the machine chain ends at nothing that is trusted")


def _is_machine_hierarchy(issuers: Sequence[IssuingCertificate]) -> bool:
    """Kinds and names of 2.2.9.3. The names count: by kinds alone the Enrollment Service, whose key every self-enrolled
    server holds, would be a version 1 security processor CA."""
    kinds = tuple(issuer.kind for issuer in issuers)
    names = tuple((issuer.principal.object.name or "").replace(" ISV ", " Production ") for issuer in issuers)
    return (kinds, names) in (_MACHINE_HIERARCHY, _MACHINE_HIERARCHY_VERSION_1)


def issues_machine_certificates(certificate: IssuingCertificate) -> bool:
    """Is it of a kind that stands first or second above an SPC (2.2.9.3)? A version 1 security processor CA is told from an
    SLC and an Enrollment Service, which are of the same kind, by its name."""
    if certificate.kind is IssuingKind.SERVER:
        return certificate.principal.object.name == _MACHINE_HIERARCHY_VERSION_1[1][0]
    return certificate.kind in (IssuingKind.PROCESSOR_ISSUER, IssuingKind.PROCESSOR_AUTHORITY)


def check_validity(documents: Iterable[Document], now: dt.datetime) -> None:
    """Outside its VALIDITYTIME, where it has one, a certificate is invalid (2.2.9.1.2). Raises ValidityError."""
    if any(document.validity is not None and now not in document.validity for document in documents):
        raise ValidityError("a certificate is used outside its VALIDITYTIME")


def check_machine_modes(chain: MachineChain, mode: CryptoMode) -> None:
    """Key lengths and hashes of every certificate fit the mode (3.1.4.7). Raises UnsupportedCryptographyError."""
    for document in (chain.spc, *chain.issuers):
        check_mode(document, mode)
    chain.spc.principal.public_key.check_strength()


def check_mode(document: Document, mode: CryptoMode) -> None:
    """Mode 1: SHA-1, 1024 or 2048 bits; mode 2: SHA-256, 2048 bits. Raises UnsupportedCryptographyError."""
    allowed = (1024, 2048) if mode is CryptoMode.MODE_1 else (2048,)
    if document.mode is not mode or {
        document.principal.public_key.bits,
        document.issuer.public_key.bits,
    } - set(allowed):
        raise UnsupportedCryptographyError("key length or hash algorithm is not of the cluster's mode")


def select_publishing_license(texts: Sequence[str]) -> str:
    """The one document of type "Microsoft Rights Label" among those sent; identical copies count once.

    Raises ChainError where there is none or there are two different ones (threat XW11).
    """
    if not 1 <= len(texts) <= MAX_CHAIN:
        raise ChainError("there are no documents, or too many")
    found = {text for text in texts if body_type_of(text) == RIGHTS_LABEL}
    if len(found) != 1:
        raise ChainError("there is not exactly one publishing licence")
    return found.pop()


def body_type_of(text: str) -> str | None:
    """The type attribute of BODY; reads the whole document only where it is spelled unusually.

    None where the text is no document. Whoever uses a document reads it strictly afterwards.
    """
    match = _BODY_TYPE.match(text)
    if match is not None:
        return match.group(1)
    try:
        return Document.read(text).body_type
    except XrmlError:
        return None


def find_licensor(license_: PublishingLicense, texts: Sequence[str]) -> ClientLicensorCertificate | None:
    """Among the documents sent, the CLC whose key and OBJECT are those of the licence's ISSUER (wire facts 5, case 4).

    Its own signature is verified with the key in its ISSUER; whether that key is trusted is the caller's question.
    Raises ValidityError where it was issued or used outside its range, SignatureError where it is forged, ChainError
    where it is malformed, is another account's, or there are two different ones (identical copies count once).
    """
    found: ClientLicensorCertificate | None = None
    modulus = license_.issuer.public_key.modulus_base64
    for text in dict.fromkeys(texts):
        # Who spells the kind with character references hides the certificate, as if it had not been sent. Owner licences
        # have the same key in them and are never read strictly (wire facts 8).
        if modulus not in text or LICENSOR_CERTIFICATE not in text or body_type_of(text) == RIGHTS_LABEL:
            continue
        clc = _licensor_certificate(text)
        if clc.principal.key != license_.issuer.key:
            continue
        if not clc.principal.object.same_identity(license_.issuer.object):
            raise ChainError("the licence's issuer has the key of another account")
        if clc.principal.object != license_.issuer.object:
            continue
        if found is not None:
            raise ChainError("two different licensor certificates claim to be one issuer")
        clc.verify()
        if license_.issued_time not in clc.issuance.widened(CLC_TOLERANCE):
            raise ValidityError("the licence was issued outside the range of its licensor certificate")
        found = clc
    return found


def _licensor_certificate(text: str) -> ClientLicensorCertificate:
    read = _read_once if len(text) <= _REMEMBERED_LENGTH else ClientLicensorCertificate.read
    try:
        return read(text)
    except XrmlError:
        raise ChainError("a licensor certificate is malformed") from None


@functools.lru_cache(maxsize=128)
def _read_once(text: str) -> ClientLicensorCertificate:
    """An author's certificate comes with all she writes. What it says is remembered, never what it is worth."""
    return ClientLicensorCertificate.read(text)


def close_server_chain(leaf: Document, issuers: Sequence[IssuingCertificate], roots: Mapping[KeyId, PublicKey]) -> None:
    """For a client: verify RAC, CLC, use licence or SLC up to a pinned root, each link by position. Raises XrmlError.

    Only server hierarchies count: whoever holds an SPC issuer's key, which stands under the same root, must not pass
    for a server.
    """
    if not 1 <= len(issuers) <= MAX_ISSUERS:
        raise ChainError("a chain has one to eight issuers")
    kinds = [issuer.kind for issuer in issuers]
    servers = kinds.count(IssuingKind.SERVER)
    if kinds != [IssuingKind.SERVER] * servers + [IssuingKind.AUTHORITY] * (len(kinds) - servers) or not (
        servers or isinstance(leaf, IssuingCertificate)
    ):
        raise ChainError("the chain is not that of a server")
    child = leaf
    for issuer in issuers:
        issuer.issued(child)
        child = issuer
    child.verify()
    if child.issuer.public_key.id not in roots:
        raise ChainError("the chain ends at nothing that is trusted")
