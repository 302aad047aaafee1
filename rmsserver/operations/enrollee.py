"""A server that asks for a certificate: its key and what it says of itself ([MS-RMPRS] 3.3.4.1, [MS-RMPR] 3.6.4.1).

Nobody goes where its URL points (threat N1): it is text in a certificate.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

from rmsserver.errors import Argument, ArgumentNull, ArgumentOutOfRange, DrmsArgument, UnspecifiedError, WrongFormat
from rmsserver.operations.admin.create_cluster import licensor_address
from rmsserver.operations.preconditions import check_licensor
from rmsserver.state import Licensor, ServerState
from rmsserver.xrml.errors import UnsupportedCryptographyError, XrmlSyntaxError
from rmsserver.xrml.issuing import IssuingKind, server_object_xml, write_issuing_certificate
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.values import Guid, TimeRange

_KEY_CHARACTERS = 2000
_TEXT_CHARACTERS = 200
_URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+(?:/[A-Za-z0-9._~/%-]*)?\Z")
_BEFORE = dt.timedelta(days=1)


@dataclass(frozen=True)
class EnrolleeKey:
    """EnrolleeCertificatePublicKey: base64 of PKCS#1, and the server's GUID. Texts as they stand, None where missing."""

    public_key: str | None
    guid: str | None


@dataclass(frozen=True)
class EnrolleeInformation:
    """EnrolleeServerInformation. Texts as they stand, None where missing."""

    sku: str | None
    version: str | None
    name: str | None
    url: str | None


@dataclass(frozen=True)
class Enrollee:
    """A server whose request has been checked. `sku`, `name` and `url` None where it does not say."""

    key: PublicKey
    guid: Guid
    version: str
    sku: str | None
    name: str | None
    url: str | None


def read_enrollee_key(sent: EnrolleeKey, state: ServerState) -> tuple[PublicKey, Guid]:
    """Raises ArgumentNull, WrongFormat (not base64, no GUID), DrmsArgument (no RSA key, a weak one), ArgumentOutOfRange (not
    of the length of the cluster's mode; rulings 33), Argument (one of our own keys or our own GUID).
    """
    if not sent.public_key or not sent.guid:
        raise ArgumentNull("the key or the GUID is missing")
    key = read_public_key(sent.public_key)
    if key.bits != state.cryptographic_mode.rsa_bits:
        raise ArgumentOutOfRange(f"a key of {key.bits} bits")
    try:
        guid = Guid.parse(sent.guid.strip())
    except XrmlSyntaxError:
        raise WrongFormat("the GUID is none") from None
    own = (state.licensor, *state.former_licensors)
    if key.id in {licensor.key.public.id for licensor in own} or guid == own[0].certificate.principal.object.guid:
        raise Argument("a server cannot enroll under itself")
    return key, guid


def read_public_key(text: str) -> PublicKey:
    """A key in base64 of PKCS#1. Raises WrongFormat, DrmsArgument."""
    if len(text) > _KEY_CHARACTERS:
        raise WrongFormat("a key is too long")
    try:
        der = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        raise WrongFormat("a key is not base64") from None
    try:
        key = PublicKey.from_pkcs1(der)
        key.check_strength()
    except (XrmlSyntaxError, UnsupportedCryptographyError) as error:
        raise DrmsArgument(str(error)) from None
    return key


def is_writable(text: str) -> bool:
    """Fit to stand in a certificate."""
    return len(text) <= _TEXT_CHARACTERS and text.isprintable() and bool(text.strip())


def is_url(text: str) -> bool:
    """A URL of the form that clusters have; nothing that a document should not repeat."""
    return len(text) <= _TEXT_CHARACTERS and _URL.match(text) is not None


def issue_licensor(
    enrollee: Enrollee,
    issuer: Licensor,
    state: ServerState,
    guid: Callable[[], Guid],
    now: dt.datetime,
    *,
    conditions: str = "",
) -> tuple[str, ...]:
    """The enrollee's SLC (2.2.9.3), and `issuer`'s chain. Raises UnspecifiedError outside the issuer's range (threat K4)."""
    check_licensor(issuer, "issuer's certificate", now)
    levels = [("Server-Version", enrollee.version)]
    if enrollee.sku is not None:
        levels.append(("Server-SKU", enrollee.sku))
    address = licensor_address(enrollee.url) if enrollee.url else None
    try:
        text = write_issuing_certificate(
            kind=IssuingKind.SERVER,
            certificate_id=guid(),
            issuer_inner=issuer.certificate.issuer_inner_surface,
            principal_object=server_object_xml(enrollee.guid, enrollee.name, address),
            principal_key=enrollee.key,
            levels=tuple(levels),
            issued=now,
            issuance=TimeRange(now - _BEFORE, issuer.certificate.issuance.end),
            signing_key=issuer.key,
            mode=state.cryptographic_mode,
            conditions=conditions,
        )
    except XrmlSyntaxError as error:
        raise UnspecifiedError(str(error)) from None
    return (text, *issuer.chain)
