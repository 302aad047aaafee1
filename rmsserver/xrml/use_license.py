"""The use licence: what one account may do with one document, and the content key sealed to it ([MS-RMPR] 2.2.9.9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from rmsserver.xrml.document import LICENSE, Document, body_xml, signed_document
from rmsserver.xrml.enabling_bits import ContentKey, EnablingBits, open_enabling_bits, seal_enabling_bits
from rmsserver.xrml.errors import SealError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.principal import Principal, object_xml
from rmsserver.xrml.rac import GROUP_IDENTITY
from rmsserver.xrml.rights import (
    APPLICATION_DATA,
    OWNER,
    ApplicationData,
    Policy,
    TimeConditions,
    policies_xml,
    read_policies,
    right_xml,
)
from rmsserver.xrml.signature import SignatureStyle
from rmsserver.xrml.surface import Element
from rmsserver.xrml.values import Guid, VersionSpan, escape, format_time

CONTENT_LICENSE = "Content-License"


@dataclass(frozen=True)
class UseRight:
    """A right granted by a use licence."""

    name: str
    as_element: bool
    conditions: TimeConditions


OWNER_RIGHT = UseRight(OWNER, False, TimeConditions())


@dataclass(frozen=True)
class UseLicense(Document):
    """A use licence as a server issues it. Owner licences of other clients are never parsed strictly (wire facts 8)."""

    @classmethod
    def read(cls, text: str) -> UseLicense:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        license_ = cls(document.text, document.body, document.body_type, document.signature)
        license_.expect(LICENSE)
        if license_.descriptor is not None and license_.descriptor.type not in ("", CONTENT_LICENSE):
            # A licensor certificate has WORK and an account as well; DESCRIPTOR tells them apart (rulings 23).
            raise WrongKindError("the document is of another kind")
        if license_.body.find("WORK") is None or license_.principal.object.type != GROUP_IDENTITY:
            raise WrongKindError("not a use licence")
        _ = license_.issued_time, license_.issuer.public_key, license_.principal.public_key, license_.rights
        _ = license_.policies, license_.application_data
        return license_

    @property
    def _right_elements(self) -> list[Element]:
        return self.body.one("WORK").one("RIGHTSGROUP").one("RIGHTSLIST").children

    @property
    def rights(self) -> tuple[UseRight, ...]:
        """In the order they stand; form 2 rights have `as_element`."""
        return tuple(
            UseRight(
                e.tag if e.tag != "RIGHT" else e.attribute("name"),
                e.tag != "RIGHT",
                TimeConditions.read(e.one("CONDITIONLIST").all("TIME")),
            )
            for e in self._right_elements
        )

    @property
    def policies(self) -> tuple[Policy, ...]:
        return read_policies(self.body)

    @property
    def application_data(self) -> tuple[ApplicationData, ...]:
        return tuple(
            ApplicationData(data.attributes.get("name", ""), data.leaf_text())
            for data in self.body.all("AUTHENTICATEDDATA")
            if data.attributes.get("id") == APPLICATION_DATA
        )

    def open_content_key(self, account_key: PrivateKey, stand_in: bytes) -> ContentKey:
        """The content key, with the account's private key. Raises SealError or XrmlSyntaxError."""
        for element in self._right_elements:
            access = element.one("CONDITIONLIST").one("ACCESS")
            bits = EnablingBits.read(access.one("PRINCIPAL").one("ENABLINGBITS"))
            opened = open_enabling_bits(bits, account_key, [self.body.one("ISSUER").surface], stand_in)
            return ContentKey.of_payload(opened.payload)
        raise SealError("the licence grants nothing")


def write_use_license(
    *,
    license_id: Guid,
    issuer_inner: str,
    licensee: Principal,
    referral: str | None,
    work_object: str,
    metadata: str,
    revocation: str,
    rights: Iterable[UseRight],
    payload: bytes,
    session_key: bytes,
    policies: Iterable[Policy] = (),
    application_data: Iterable[ApplicationData] = (),
    os_exclusion: VersionSpan | None = None,
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
    style: SignatureStyle = SignatureStyle.SERVER,
) -> str:
    """A signed use licence as text (wire facts 7): the key is sealed once and its text repeated in every right.

    `licensee` is the principal of the RAC, taken without its levels; `payload` that of the publishing licence's enabling
    bits, octet for octet; `work_object`, `metadata`, `revocation` and `referral` are rendered elements or empty.
    """
    sealed = seal_enabling_bits(payload, f"<ISSUER>{issuer_inner}</ISSUER>", licensee.public_key, mode, session_key)
    access = f'<ACCESS><PRINCIPAL internal-id="1">{sealed}</PRINCIPAL></ACCESS>'
    granted = "".join(right_xml(r.name, r.as_element, access + r.conditions.xml()) for r in rights)
    if not granted:
        raise XrmlSyntaxError("a use licence grants at least one right")
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME><DESCRIPTOR>"
        + object_xml(CONTENT_LICENSE, "MS-GUID", license_id.braced)
        + f"</DESCRIPTOR><ISSUER>{issuer_inner}</ISSUER>"
        + f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{licensee.object_and_key_surface}</PRINCIPAL></ISSUEDPRINCIPALS>'
        + f"{referral or ''}<WORK>{work_object}{metadata}{revocation}"
        + f'<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST>{granted}</RIGHTSLIST></RIGHTSGROUP></WORK>'
        + (_os_exclusion_xml(os_exclusion) if os_exclusion else "")
        + policies_xml(policies)
        + "".join(data.xml() for data in application_data)
    )
    return signed_document(
        body_xml(LICENSE, inner),
        signing_key,
        mode,
        style=style,
        attributes=f'xmlns="" version="1.2" purpose="{CONTENT_LICENSE}"',
    )


def _os_exclusion_xml(span: VersionSpan) -> str:
    """CONDITION of 2.2.9.9.9."""
    versions = escape(f"{span.minimum}-{span.maximum}")
    return f'<CONDITIONLIST><CONDITION NAME="OS-Exclusion" TYPE="versionspan">{versions}</CONDITION></CONDITIONLIST>'
