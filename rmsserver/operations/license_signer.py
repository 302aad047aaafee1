"""Who signed a publishing licence, and why that signer is trusted (wire facts 5, "A PL").

1. The leaf is the only publishing licence among the documents sent; identical copies count once.
2. Its signature holds with the key in its own ISSUER.
3. That key is the own SLC's, a former one's or an imported domain's: published online.
4. Else the CLC that holds the key, among the documents sent: its signature holds with the key of a server of (3), and the
   licence was issued in its range. A CLC that was sent and does not pass is never made up for by (5) or (6).
5. Else a CLC that this cluster issued and remembers; its issuer must still be one of (3).
6. Else nobody here knows the licensor: policy (`serve_unknown_licensors`), recorded. The rest of the way shows whether
   the licence is sealed to us.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from rmsserver.errors import InvalidRightsLabelSignature, RmsError, UnspecifiedError
from rmsserver.operations.known_servers import KnownServers
from rmsserver.ports import IssuedLicensor, LicensorRegister
from rmsserver.state import ServerState
from rmsserver.xrml.chain import CLC_TOLERANCE, find_licensor, select_publishing_license
from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.values import TimeRange


class Recognition(enum.Enum):
    """How a signer was recognised: cases 3 to 6."""

    SERVER = "server"
    CERTIFIED = "certified"
    REMEMBERED = "remembered"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Signer:
    """The key that signed, the server key on which the trust in it rests, and the signer's name for the audit."""

    key_id: KeyId
    issuer: KeyId
    recognition: Recognition
    name: str


def read_signed_license(texts: Sequence[str]) -> PublishingLicense:
    """Rules 1 and 2. Raises InvalidRightsLabelSignature; UnspecifiedError where the signature holds but not the form."""
    try:
        leaf = select_publishing_license(texts)
    except XrmlError as error:
        raise InvalidRightsLabelSignature(str(error)) from None
    try:
        license_ = PublishingLicense.read(leaf)
    except XrmlError as error:
        raise _error_of_form(leaf, error) from None
    try:
        license_.verify()
    except XrmlError as error:
        raise InvalidRightsLabelSignature(str(error)) from None
    return license_


def _error_of_form(text: str, error: XrmlError) -> RmsError:
    """A licence that cannot be read: tampered with, or well signed and badly made?

    Badly made enabling bits must look like those that do not open (threat C1), and that is UnspecifiedError.
    """
    try:
        Document.read(text).verify()
    except XrmlError:
        return InvalidRightsLabelSignature(str(error))
    return UnspecifiedError(str(error))


def recognise_signer(
    license_: PublishingLicense,
    texts: Sequence[str],
    servers: KnownServers,
    licensors: LicensorRegister,
    state: ServerState,
) -> Signer:
    """Cases 3 to 6, for a licence whose signature holds. Raises InvalidRightsLabelSignature or PortUnavailable."""
    key_id, object_ = license_.issuer.public_key.id, license_.issuer.object
    name = f"{object_.id} {object_.name or ''}".strip()
    if servers.holds(key_id):
        return Signer(key_id, key_id, Recognition.SERVER, name)
    certified_by = _sent_licensor(license_, texts, servers)
    if certified_by is not None:
        return Signer(key_id, certified_by, Recognition.CERTIFIED, name)
    remembered = licensors.find(key_id)
    if remembered is not None:
        _check_remembered(remembered, license_, servers)
        return Signer(key_id, remembered.issuer_key_id, Recognition.REMEMBERED, name)
    if not state.serve_unknown_licensors:
        raise InvalidRightsLabelSignature("no licensor certificate for the licence's issuer is known")
    return Signer(key_id, servers.servers[0].key_id, Recognition.UNKNOWN, name)


def _sent_licensor(license_: PublishingLicense, texts: Sequence[str], servers: KnownServers) -> KeyId | None:
    try:
        clc = find_licensor(license_, texts)
        issuer = None if clc is None else clc.issuer.public_key.id
    except XrmlError as error:
        raise InvalidRightsLabelSignature(str(error)) from None
    if issuer is not None and not servers.holds(issuer):
        raise InvalidRightsLabelSignature("the licensor certificate is not of a trusted server")
    return issuer


def _check_remembered(licensor: IssuedLicensor, license_: PublishingLicense, servers: KnownServers) -> None:
    object_ = license_.issuer.object
    if (licensor.account_type, licensor.account_id) != (object_.id_type, object_.id):
        raise InvalidRightsLabelSignature("the licence's issuer has the key of another account")
    if not servers.holds(licensor.issuer_key_id):
        raise InvalidRightsLabelSignature("the licensor certificate was issued by a server that is no longer trusted")
    issuance = TimeRange(licensor.valid_from, licensor.valid_until)
    if license_.issued_time not in issuance.widened(CLC_TOLERANCE):
        raise InvalidRightsLabelSignature("the licence was issued outside the range of its licensor certificate")
