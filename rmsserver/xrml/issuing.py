"""Issuing certificates: CA, Enrollment CA, Enrollment Service, SLC, SPC issuer ([MS-RMPR] 2.2.9.3)."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass

from rmsserver.xrml.document import LICENSE, Document, body_xml, range_xml, read_range, signed_document
from rmsserver.xrml.errors import ChainError, ValidityError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.principal import Address, XrmlObject, level_xml, object_xml, public_key_xml, read_public_key
from rmsserver.xrml.surface import Element
from rmsserver.xrml.values import Guid, TimeRange, format_time

SERVER_LICENSOR = "Server-Licensor-Certificate"
CA_CERTIFICATE = "DRM-CA-Certificate"
SERVER = "MS-DRM-Server"
AUTHORITY = "DRM-Certificate-Authority"
PROCESSOR_AUTHORITY = "DRM-Desktop-Security-Processor-Certificate-Authority"
PROCESSOR_ISSUER = "MS-DRM-Desktop-Security-Processor"
_REVOCATION_AUTHORITY = "External revocation authority"


class IssuingKind(enum.Enum):
    """Descriptor type and principal type of each kind (tables of 2.2.9.3.1 and 2.2.9.3.3)."""

    SERVER = (SERVER_LICENSOR, SERVER)
    """SLC, Enrollment Service; also the version 1 security processor CA."""
    AUTHORITY = (CA_CERTIFICATE, AUTHORITY)
    """CA, Enrollment CA, intermediate security processor CA."""
    PROCESSOR_AUTHORITY = (CA_CERTIFICATE, PROCESSOR_AUTHORITY)
    PROCESSOR_ISSUER = (SERVER_LICENSOR, PROCESSOR_ISSUER)


@dataclass(frozen=True)
class IssuingCertificate(Document):
    """A certificate whose principal may issue, during `issuance`."""

    @classmethod
    def read(cls, text: str) -> IssuingCertificate:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        certificate = cls(document.text, document.body, document.body_type, document.signature)
        certificate.expect(LICENSE)
        certificate._check()
        return certificate

    @property
    def kind(self) -> IssuingKind:
        """Raises WrongKindError."""
        pair = (self.descriptor.type if self.descriptor else "", self.principal.object.type)
        try:
            return IssuingKind(pair)
        except ValueError:
            raise WrongKindError("not an issuing certificate") from None

    @property
    def issuance(self) -> TimeRange:
        """RANGETIME of the ISSUE right; compared with the ISSUEDTIME of what was issued, never with now."""
        conditions = _issue_right(self).one("CONDITIONLIST")
        return read_range(conditions.one("TIME").one("RANGETIME"))

    @property
    def issuer_inner_surface(self) -> str:
        """The text that stands inside ISSUER of what this certificate issues (wire facts 7)."""
        return self.principal.inner_surface

    @property
    def revocation_authorities(self) -> tuple[PublicKey, ...]:
        """Who besides its issuer may revoke it (`revocation_conditions_xml`). Raises XrmlSyntaxError."""
        conditions = self.body.find("CONDITIONLIST")
        refresh = None if conditions is None else conditions.find("REFRESH")
        points = [] if refresh is None else refresh.all("DISTRIBUTIONPOINT")
        external = [point for point in points if XrmlObject.read(point.one("OBJECT")).id == _REVOCATION_AUTHORITY]
        return tuple(read_public_key(point.one("PUBLICKEY")) for point in external[1:])

    def _check(self) -> None:
        _ = self.kind, self.issuance, self.issued_time, self.principal.public_key, self.issuer.public_key, self.validity
        if self.signature is None:
            raise XrmlSyntaxError("SIGNATURE is missing")

    def issued(self, child: Document, *, tolerance: dt.timedelta = dt.timedelta()) -> None:
        """Verify that this certificate issued `child`: same object and key, range, signature.

        The type of the object counts where `child` issues itself, with its letter case (2.2.9.3.2); that of an SPC's issuer
        is to be ignored (3.3.4.1). Raises ChainError, ValidityError or SignatureError.
        """
        named, own = child.issuer, self.principal
        if (
            named.key != own.public_key
            or not named.object.same_identity(own.object)
            or (isinstance(child, IssuingCertificate) and named.object.type != own.object.type)
        ):
            raise ChainError("the issuer of a certificate is not the principal of its parent")
        if child.issued_time not in self.issuance.widened(tolerance):
            raise ValidityError("a certificate was issued outside its parent's range")
        child.verify(self.principal.public_key)


def _issue_right(certificate: Document) -> Element:
    group = certificate.body.one("WORK").one("RIGHTSGROUP")
    right = group.one("RIGHTSLIST").one("RIGHT")
    if right.attribute("name") != "ISSUE":
        raise WrongKindError("the certificate does not grant ISSUE")
    return right


def write_issuing_certificate(
    *,
    kind: IssuingKind,
    certificate_id: Guid,
    issuer_inner: str,
    principal_object: str,
    principal_key: PublicKey,
    levels: tuple[tuple[str, str], ...] = (),
    issued: dt.datetime,
    issuance: TimeRange,
    signing_key: PrivateKey,
    mode: CryptoMode,
    conditions: str = "",
) -> str:
    """A signed issuing certificate as text (2.2.9.3, wire facts 7).

    `issuer_inner` is the inside of ISSUER: the parent's `issuer_inner_surface`, or `issuer_xml(...)` at the root.
    `principal_object` is an OBJECT element (`server_object_xml`, `authority_object_xml`); `conditions` nothing, or for an
    SLC with revocation authorities of its own `revocation_conditions_xml(...)`.
    """
    descriptor = object_xml(kind.value[0], "MS-GUID", certificate_id.braced)
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME><DESCRIPTOR>{descriptor}</DESCRIPTOR>"
        f"<ISSUER>{issuer_inner}</ISSUER>"
        f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{principal_object}{public_key_xml(principal_key)}'
        + "".join(level_xml(name, value) for name, value in levels)
        + "</PRINCIPAL></ISSUEDPRINCIPALS>"
        + issue_work_xml(descriptor, issuance, '<PRINCIPAL internal-id="1" />')
        + conditions
    )
    return signed_document(body_xml(LICENSE, inner), signing_key, mode)


def issue_work_xml(descriptor_object: str, issuance: TimeRange, principal: str) -> str:
    """WORK with the ISSUE right of issuing certificates and CLCs: TIME before ACCESS."""
    return (
        f'<WORK>{descriptor_object}<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST><RIGHT name="ISSUE"><CONDITIONLIST>'
        f"<TIME>{range_xml('RANGETIME', issuance)}</TIME><ACCESS>{principal}</ACCESS>"
        "</CONDITIONLIST></RIGHT></RIGHTSLIST></RIGHTSGROUP></WORK>"
    )


def revocation_conditions_xml(issuer: PublicKey, authorities: Sequence[PublicKey]) -> str:
    """CONDITIONLIST of an SLC that others than its issuer may revoke (2.2.9.3.4, 2.2.9.3.5)."""
    points = "".join(
        "<DISTRIBUTIONPOINT>"
        + object_xml("Revocation", "ascii-tag", _REVOCATION_AUTHORITY)
        + public_key_xml(key)
        + "</DISTRIBUTIONPOINT>"
        for key in (issuer, *authorities)
    )
    return f"<CONDITIONLIST><REFRESH>{points}<INTERVALTIME /></REFRESH></CONDITIONLIST>"


def issuer_xml(object_: str, key: PublicKey) -> str:
    """The inside of ISSUER for a root, which has no certificate of its own."""
    return object_ + public_key_xml(key)


def server_object_xml(guid: Guid, name: str | None, url: str | None) -> str:
    """OBJECT of an SLC or Enrollment Service principal; `url` with its scheme in capitals in SLCs (wire facts 7)."""
    return object_xml(SERVER, "MS-GUID", guid.braced, name, (Address("URL", url),) if url else ())


def authority_object_xml(name: str, *, type_: str = AUTHORITY) -> str:
    """OBJECT of a CA: the name is also its ascii-tag."""
    return object_xml(type_, "ascii-tag", name, name)


def processor_object_xml(guid: Guid, name: str, *, type_: str = PROCESSOR_ISSUER) -> str:
    """OBJECT of an SPC issuer or security processor CA."""
    return object_xml(type_, "MS-GUID", guid.braced, name)
