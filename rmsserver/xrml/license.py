"""The publishing licence: content key and rights, sealed to a cluster ([MS-RMPR] 2.2.9.7)."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from rmsserver.xrml.clc import acquisition_points_xml
from rmsserver.xrml.document import RIGHTS_LABEL, Document, body_xml, range_xml, signed_document
from rmsserver.xrml.enabling_bits import EnablingBits, seal_enabling_bits
from rmsserver.xrml.errors import WrongKindError, XrmlSyntaxError
from rmsserver.xrml.issuing import SERVER
from rmsserver.xrml.keys import CryptoMode, PrivateKey, decode_base64
from rmsserver.xrml.principal import Principal, XrmlObject
from rmsserver.xrml.rights import Grantee, Policy, read_owner, read_policies, referral_point, referral_points
from rmsserver.xrml.signature import SignatureStyle
from rmsserver.xrml.surface import Element, render
from rmsserver.xrml.values import format_time

_RIGHTS_DATA_ID = "Encrypted-Rights-Data"
_PRINCIPAL_PARTS = frozenset({"OBJECT", "PUBLICKEY", "SECURITYLEVEL", "ENABLINGBITS"})
_OBJECT_PARTS = frozenset({"ID", "NAME", "ADDRESS"})


@dataclass(frozen=True)
class PublishingLicense(Document):
    """A publishing licence, signed (by a CLC or a server) or still unsigned."""

    @classmethod
    def read(cls, text: str, *, signed: bool = True) -> PublishingLicense:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError.

        With `signed` False one that has a SIGNATURE is refused (rulings 17), ISSUER may be missing, and ISSUEDPRINCIPALS
        must have the structure of 2.2.9.7.4 (3.5.4.1).
        """
        document = Document.read(text)
        pl = cls(document.text, document.body, document.body_type, document.signature)
        pl.expect(RIGHTS_LABEL)
        if (pl.signature is not None) != signed:
            raise XrmlSyntaxError("SIGNATURE is missing" if signed else "SIGNATURE stands in an unsigned licence")
        if signed:
            _ = pl.issuer.public_key
        else:
            _check_issued_principals(pl.body.one("ISSUEDPRINCIPALS"))
        _ = (
            pl.issued_time,
            pl.validity,
            pl.descriptor,
            pl.owner,
            pl.policies,
            pl.encrypted_rights,
            pl.work_object,
            pl.metadata,
            pl.referral,
            pl.revocation,
            pl.distribution_points(),
        )
        if pl.principal.object.type != SERVER:
            raise WrongKindError("the principal is not a server")
        _ = pl.principal.public_key, pl.principal.object.guid, pl.enabling_bits
        return pl

    @property
    def _work(self) -> Element:
        return self.body.one("WORK")

    @cached_property
    def enabling_bits(self) -> EnablingBits:
        return EnablingBits.read(self.principal.element.one("ENABLINGBITS"))

    @property
    def hashed_texts(self) -> tuple[str, str]:
        """What the hash in the enabling bits may cover: ISSUEDPRINCIPALS without its ENABLINGBITS child, or with it.

        It cannot hold its own hash, so writers leave it out; either reading is accepted (wire facts 3, open).
        """
        outer, bits = self.body.one("ISSUEDPRINCIPALS"), self.principal.element.one("ENABLINGBITS")
        source = outer.source
        return (source[outer.start : bits.start] + source[bits.end : outer.end]).decode(), outer.surface

    @cached_property
    def encrypted_rights(self) -> bytes:
        """The ciphertext of AUTHENTICATEDDATA "Encrypted-Rights-Data". Raises XrmlSyntaxError."""
        found = [d for d in self.body.all("AUTHENTICATEDDATA") if d.attributes.get("id") == _RIGHTS_DATA_ID]
        if len(found) != 1:
            raise XrmlSyntaxError("there is not exactly one Encrypted-Rights-Data")
        return decode_base64(found[0].leaf_text(), None)

    @property
    def work_object(self) -> str:
        """OBJECT of WORK, rendered: copied into use licences."""
        return render(self._work.one("OBJECT"))

    @property
    def metadata(self) -> str:
        """METADATA, rendered; "" where it is missing or empty."""
        element = self._work.find("METADATA")
        return "" if element is None or not element.children else render(element)

    @property
    def owner(self) -> Grantee | None:
        return read_owner(self._work)

    @property
    def policies(self) -> tuple[Policy, ...]:
        return read_policies(self.body)

    @property
    def referral(self) -> str | None:
        return referral_point(self.body)

    @property
    def revocation(self) -> str:
        """The CONDITIONLIST with a revocation point in WORK, rendered; "" where there is none."""
        element = self._work.find("CONDITIONLIST")
        return "" if element is None else render(element)

    def acquisition_urls(self) -> dict[str, str]:
        """Type of point -> URL, for a client that looks for the server."""
        return {p.type: p.addresses[0].text for p in self.distribution_points() if p.addresses}

    def addressed_to(self, server: Principal) -> bool:
        """Does ISSUEDPRINCIPALS mean this server: same OBJECT id (no case) and modulus (rulings 3)."""
        return self.principal.key == server.key and _same_guid(self.principal.object, server.object)


def _check_issued_principals(element: Element) -> None:
    """One principal with the parts of 2.2.9.7.4 and no others, in any order: writers differ in it (wire facts 7).

    Raises XrmlSyntaxError.
    """
    principal = element.one("PRINCIPAL")
    object_ = principal.one("OBJECT")
    if (
        len(element.children) != 1
        or principal.attributes != {"internal-id": "1"}
        or not _PRINCIPAL_PARTS.issuperset(child.tag for child in principal.children)
        or not _OBJECT_PARTS.issuperset(child.tag for child in object_.children)
        or object_.one("ADDRESS").attributes != {"type": "URL"}
    ):
        raise XrmlSyntaxError("ISSUEDPRINCIPALS does not name a server as 2.2.9.7.4 does")


def _same_guid(one: XrmlObject, other: XrmlObject) -> bool:
    return one.guid == other.guid


def server_principal_xml(server: Principal, sealed: str, *, bits_first: bool) -> tuple[str, str]:
    """ISSUEDPRINCIPALS for a server: (with the sealed key, without it: the text its hash covers).

    Servers write ENABLINGBITS before the levels, clients after (wire facts 7).
    """
    head = f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{server.object_and_key_surface}'
    tail = "</PRINCIPAL></ISSUEDPRINCIPALS>"
    levels = server.levels_surface
    with_bits = head + (sealed + levels if bits_first else levels + sealed) + tail
    return with_bits, head + levels + tail


def _rights_data_xml(encrypted: bytes) -> str:
    return f'<AUTHENTICATEDDATA id="{_RIGHTS_DATA_ID}">{base64.b64encode(encrypted).decode()}</AUTHENTICATEDDATA>'


def write_publishing_license(
    *,
    descriptor: str,
    issuer_inner: str,
    server: Principal,
    payload: bytes,
    session_key: bytes,
    acquisition_points: str,
    referral: str | None,
    work: str,
    encrypted_rights: bytes,
    issued: dt.datetime,
    mode: CryptoMode,
    signing_key: PrivateKey | None,
) -> str:
    """A publishing licence as clients write it: signed with a CLC key, or unsigned where `signing_key` is None.

    `server` is the SLC's principal (or the CLC's ISSUER), `work` the inside of WORK, `descriptor` an OBJECT element or "".
    """
    _, hashed = server_principal_xml(server, "", bits_first=False)
    sealed = seal_enabling_bits(payload, hashed, server.public_key, mode, session_key)
    principals, _ = server_principal_xml(server, sealed, bits_first=False)
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME>"
        + (f"<DESCRIPTOR>{descriptor}</DESCRIPTOR>" if descriptor else "")
        + (f"<ISSUER>{issuer_inner}</ISSUER>" if issuer_inner else "")
        + acquisition_points
        + principals
        + (referral or "")
        + f"<WORK>{work}</WORK>"
        + _rights_data_xml(encrypted_rights)
    )
    body, root = body_xml(RIGHTS_LABEL, inner), 'version="1.2" xmlns=""'
    if signing_key is None:
        return f"<XrML {root}>{body}</XrML>"
    return signed_document(body, signing_key, mode, style=SignatureStyle.CLIENT, attributes=root)


def sign_publishing_license(
    unsigned: PublishingLicense,
    *,
    payload: bytes,
    session_key: bytes,
    slc_principal: Principal,
    internal_url: str,
    external_url: str | None,
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
    encrypted_rights: bytes | None = None,
) -> str:
    """The licence as a server signs it (3.5.4.1, rulings 16 and 17).

    The server sets ISSUER, ISSUEDTIME, its own acquisition points and ISSUEDPRINCIPALS with a wholly re-sealed key; kept
    as they stand are VALIDITYTIME, DESCRIPTOR, Referral-Info, WORK, AUTHENTICATEDDATA and POLICYLIST. `encrypted_rights`,
    where given, takes the place of the encrypted rights data.
    """
    _, hashed = server_principal_xml(slc_principal, "", bits_first=True)
    sealed = seal_enabling_bits(payload, hashed, slc_principal.public_key, mode, session_key)
    principals, _ = server_principal_xml(slc_principal, sealed, bits_first=True)
    body = unsigned.body
    kept = [
        _rights_data_xml(encrypted_rights)
        if encrypted_rights is not None and element.attributes.get("id") == _RIGHTS_DATA_ID
        else render(element)
        for element in body.children
        if element.tag in ("AUTHENTICATEDDATA", "POLICYLIST")
    ]
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME>"
        + ("" if unsigned.validity is None else range_xml("VALIDITYTIME", unsigned.validity))
        + "".join(render(element) for element in body.all("DESCRIPTOR"))
        + f"<ISSUER>{slc_principal.inner_surface}</ISSUER>"
        + acquisition_points_xml(internal_url, external_url)
        + "".join(referral_points(body))
        + principals
        + render(body.one("WORK"))
        + "".join(kept)
    )
    return signed_document(body_xml(RIGHTS_LABEL, inner), signing_key, mode)
