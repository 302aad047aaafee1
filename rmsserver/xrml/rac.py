"""The rights account certificate: a user and her key, sealed to a machine ([MS-RMPR] 2.2.9.5)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.xrml.document import LICENSE, Document, body_xml, range_xml, signed_document
from rmsserver.xrml.enabling_bits import (
    EnablingBits,
    open_enabling_bits,
    private_key_of_payload,
    seal_enabling_bits,
)
from rmsserver.xrml.errors import SealError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.principal import (
    Address,
    Principal,
    distribution_point_xml,
    level_xml,
    object_xml,
    public_key_xml,
)
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.surface import Element, parse
from rmsserver.xrml.values import Guid, TimeRange, format_time, parse_time

ACCOUNT_CERTIFICATE = "Group-Identity-Credential"
GROUP_IDENTITY = "Group-Identity"
_CERTIFICATION_POINT = "{8BA9EA80-99E4-4a2b-9764-4CD84F77C3A0}"
_CERTIFICATION_SERVER = "Microsoft Identity Certification Server"


@dataclass(frozen=True)
class RightsAccountCertificate(Document):
    """The leaf of a RAC chain. `validity` may be missing; `machine` is None in pre-certified ones (rulings 6)."""

    @classmethod
    def read(cls, text: str) -> RightsAccountCertificate:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        rac = cls(document.text, document.body, document.body_type, document.signature)
        rac.expect(LICENSE, ACCOUNT_CERTIFICATE)
        _ = (
            rac.issued_time,
            rac.validity,
            rac.principal.public_key,
            rac.issuer.public_key,
            rac.credential_creation_time,
            rac.machine,
            rac.distribution_points(),
        )
        if rac.principal.object.type != GROUP_IDENTITY or not rac.principal.object.name:
            raise WrongKindError("the principal is not an account with an e-mail address")
        if rac.signature is None:
            raise XrmlSyntaxError("SIGNATURE is missing")
        return rac

    @property
    def account(self) -> tuple[str, str]:
        """(ID type, ID): "Windows" and a SID, "Federation" and a GUID, "Passport" and a PUID."""
        return self.principal.object.id_type, self.principal.object.id

    @property
    def email(self) -> str:
        return self.principal.object.name or ""

    @property
    def email_aliases(self) -> tuple[str, ...]:
        return tuple(a.text for a in self.principal.object.addresses if a.type == "email_alias")

    @property
    def machine(self) -> Principal | None:
        """The PRINCIPAL of FEDERATIONPRINCIPALS: machine object, levels, sealed key."""
        element = self._machine_element
        return None if element is None else Principal.read(element)

    @property
    def credential_creation_time(self) -> dt.datetime | None:
        """The Credential-Creation-Time level (3.4.4.1)."""
        level = self.principal.levels.get("Credential-Creation-Time")
        return None if level is None else parse_time(level)

    @property
    def _machine_element(self) -> Element | None:
        federation = self.body.find("FEDERATIONPRINCIPALS")
        return None if federation is None else federation.one("PRINCIPAL")

    def open_private_key(self, machine_key: PrivateKey, stand_in: bytes) -> PrivateKey:
        """The account's private key, with the machine's. Raises SealError or XrmlSyntaxError."""
        element = self._machine_element
        if element is None:
            raise SealError("the certificate holds no key")
        bits = EnablingBits.read(element.one("ENABLINGBITS"))
        opened = open_enabling_bits(bits, machine_key, [self.body.one("ISSUER").surface], stand_in)
        return _matching(private_key_of_payload(opened.payload), self.principal)


def _matching(key: PrivateKey, principal: Principal) -> PrivateKey:
    if key.public != principal.public_key:
        raise SealError("the sealed key is not the certificate's")
    return key


def account_object_xml(id_type: str, id_: str, email: str, aliases: tuple[str, ...] = ()) -> str:
    """OBJECT of an account; aliases only for type "Federation"."""
    return object_xml(GROUP_IDENTITY, id_type, id_, email, tuple(Address("email_alias", alias) for alias in aliases))


def account_principal(account_object: str, key: PublicKey) -> Principal:
    """The principal of an account whose certificate is not at hand: what its RAC would say, without levels."""
    return Principal.read(parse(f"<PRINCIPAL>{account_object}{public_key_xml(key)}</PRINCIPAL>"))


def write_rights_account_certificate(
    *,
    certificate_id: Guid,
    issuer_inner: str,
    account_object: str,
    account_key: PrivateKey,
    persistent: bool,
    validity: TimeRange,
    certification_url: str,
    extranet_url: str | None,
    machine: SecurityProcessorCertificate,
    session_key: bytes,
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
) -> str:
    """A signed RAC as text; the account's private key sealed to the machine's (2.2.9.5, wire facts 7).

    The levels of the machine stand in the order Manufacturer, Platform, Repository: not the SPC's.
    """
    sealed = seal_enabling_bits(
        account_key.to_capi_blob(),
        f"<ISSUER>{issuer_inner}</ISSUER>",
        machine.principal.public_key,
        mode,
        session_key,
    )
    inner = (
        _account_xml(
            certificate_id=certificate_id,
            issuer_inner=issuer_inner,
            principal=account_object + public_key_xml(account_key.public),
            persistent=persistent,
            validity=validity,
            certification_url=certification_url,
            extranet_url=extranet_url,
            issued=issued,
        )
        + "<FEDERATIONPRINCIPALS><PRINCIPAL>"
        + machine.machine_object
        + sealed
        + "".join(machine.level_surface(name) for name in ("Manufacturer", "Platform", "Repository"))
        + "</PRINCIPAL></FEDERATIONPRINCIPALS>"
    )
    return signed_document(body_xml(LICENSE, inner), signing_key, mode)


def write_public_account_certificate(
    *,
    certificate_id: Guid,
    issuer_inner: str,
    account_object: str,
    account_key: PublicKey,
    validity: TimeRange,
    certification_url: str,
    extranet_url: str | None,
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
) -> str:
    """A signed pre-certified RAC as text: the RAC without FEDERATIONPRINCIPALS, so without a key ([MS-RMSI] 3.3.1)."""
    inner = _account_xml(
        certificate_id=certificate_id,
        issuer_inner=issuer_inner,
        principal=account_object + public_key_xml(account_key),
        persistent=True,
        validity=validity,
        certification_url=certification_url,
        extranet_url=extranet_url,
        issued=issued,
    )
    return signed_document(body_xml(LICENSE, inner), signing_key, mode)


def _account_xml(
    *,
    certificate_id: Guid,
    issuer_inner: str,
    principal: str,
    persistent: bool,
    validity: TimeRange,
    certification_url: str,
    extranet_url: str | None,
    issued: dt.datetime,
) -> str:
    """What stands in every RAC: all of BODY but FEDERATIONPRINCIPALS. `principal` is OBJECT and PUBLICKEY."""
    points = distribution_point_xml("Activation", _CERTIFICATION_POINT, _CERTIFICATION_SERVER, certification_url)
    if extranet_url:
        points += distribution_point_xml(
            "Extranet-Activation", _CERTIFICATION_POINT, _CERTIFICATION_SERVER, extranet_url
        )
    return (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME>{range_xml('VALIDITYTIME', validity)}<DESCRIPTOR>"
        + object_xml(ACCOUNT_CERTIFICATE, "MS-GUID", certificate_id.braced)
        + f"</DESCRIPTOR><ISSUER>{issuer_inner}</ISSUER>{points}"
        + f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{principal}'
        + level_xml("Group-Identity-Credential-Type", "Persistent" if persistent else "Temporary")
        + level_xml("Group-Identity-Type", "Group")
        + level_xml("Group-Identity-Policy", ACCOUNT_CERTIFICATE)
        + "</PRINCIPAL></ISSUEDPRINCIPALS>"
    )
