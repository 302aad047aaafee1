"""The client licensor certificate: with it an account publishes offline ([MS-RMPR] 2.2.9.6)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from rmsserver.xrml.document import LICENSE, Document, body_xml, read_range, signed_document
from rmsserver.xrml.enabling_bits import (
    EnablingBits,
    open_enabling_bits,
    private_key_of_payload,
    seal_enabling_bits,
)
from rmsserver.xrml.errors import SealError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.issuing import issue_work_xml
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.principal import distribution_point_xml, object_xml, public_key_xml
from rmsserver.xrml.rac import GROUP_IDENTITY
from rmsserver.xrml.surface import Element
from rmsserver.xrml.values import Guid, TimeRange, format_time

LICENSOR_CERTIFICATE = "Client-Licensor-Certificate"
INTERNAL_POINT = ("License-Acquisition-URL", "{0F45FD50-383B-43EE-90A4-ED013CD0CFE5}")
EXTERNAL_POINT = ("Extranet-License-Acquisition-URL", "{94BF969A-CA04-44d6-AA96-51071281FEF2}")
_CLUSTER = "DRM Server Cluster"


@dataclass(frozen=True)
class ClientLicensorCertificate(Document):
    """The leaf of a CLC chain."""

    @classmethod
    def read(cls, text: str) -> ClientLicensorCertificate:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        clc = cls(document.text, document.body, document.body_type, document.signature)
        clc.expect(LICENSE, LICENSOR_CERTIFICATE)
        _ = clc.issued_time, clc.issuance, clc.principal.public_key, clc.issuer.public_key
        if clc.principal.object.type != GROUP_IDENTITY:
            raise WrongKindError("the principal is not an account")
        if clc.signature is None:
            raise XrmlSyntaxError("SIGNATURE is missing")
        return clc

    @property
    def issuance(self) -> TimeRange:
        """RANGETIME of the ISSUE right."""
        return read_range(self._conditions.one("TIME").one("RANGETIME"))

    @property
    def _conditions(self) -> Element:
        right = self.body.one("WORK").one("RIGHTSGROUP").one("RIGHTSLIST").one("RIGHT")
        if right.attribute("name") != "ISSUE":
            raise WrongKindError("the certificate does not grant ISSUE")
        return right.one("CONDITIONLIST")

    def open_private_key(self, account_key: PrivateKey, stand_in: bytes) -> PrivateKey:
        """The signing key, with the account's private key. Raises SealError or XrmlSyntaxError."""
        bits = EnablingBits.read(self._conditions.one("ACCESS").one("PRINCIPAL").one("ENABLINGBITS"))
        opened = open_enabling_bits(bits, account_key, [self.body.one("ISSUER").surface], stand_in)
        key = private_key_of_payload(opened.payload)
        if key.public != self.principal.public_key:
            raise SealError("the sealed key is not the certificate's")
        return key


def acquisition_points_xml(internal_url: str, external_url: str | None) -> str:
    """The DISTRIBUTIONPOINTs of CLCs and publishing licences (2.2.9.6.3, 2.2.9.7.3)."""
    points = distribution_point_xml(*INTERNAL_POINT, _CLUSTER, internal_url)
    return points + (distribution_point_xml(*EXTERNAL_POINT, _CLUSTER, external_url) if external_url else "")


def write_client_licensor_certificate(
    *,
    certificate_id: Guid,
    issuer_inner: str,
    account_object: str,
    licensor_key: PrivateKey,
    account_key: PublicKey,
    issuance: TimeRange,
    internal_url: str,
    external_url: str | None,
    session_key: bytes,
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
) -> str:
    """A signed CLC as text; its private key sealed to the account's. `account_object` is copied from the RAC."""
    descriptor = object_xml(LICENSOR_CERTIFICATE, "MS-GUID", certificate_id.braced)
    sealed = seal_enabling_bits(
        licensor_key.to_capi_blob(), f"<ISSUER>{issuer_inner}</ISSUER>", account_key, mode, session_key
    )
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME><DESCRIPTOR>{descriptor}</DESCRIPTOR>"
        f"<ISSUER>{issuer_inner}</ISSUER>{acquisition_points_xml(internal_url, external_url)}"
        f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{account_object}{public_key_xml(licensor_key.public)}</PRINCIPAL>'
        "</ISSUEDPRINCIPALS>" + issue_work_xml(descriptor, issuance, f'<PRINCIPAL internal-id="1">{sealed}</PRINCIPAL>')
    )
    return signed_document(body_xml(LICENSE, inner), signing_key, mode)
