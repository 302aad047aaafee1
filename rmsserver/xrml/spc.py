"""The security processor certificate: a machine and its key ([MS-RMPR] 2.2.9.4)."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass

from rmsserver.xrml.document import LICENSE, Document, body_xml, signed_document
from rmsserver.xrml.errors import WrongKindError, XrmlSyntaxError
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.principal import distribution_point_xml, level_xml, object_xml, public_key_xml
from rmsserver.xrml.surface import render
from rmsserver.xrml.values import Guid, Version, format_time

MACHINE_CERTIFICATE = "Machine-Certificate"
_MACHINE = "Machine-Unique-Identifier"
_ACTIVATION_POINT = "{99F48562-703E-4E7D-9175-DD69C66921B7}"


@dataclass(frozen=True)
class SecurityProcessorCertificate(Document):
    """The leaf of a machine chain."""

    @classmethod
    def read(cls, text: str) -> SecurityProcessorCertificate:
        """Raises XrmlSyntaxError, WrongKindError or UnsupportedCryptographyError."""
        document = Document.read(text)
        spc = cls(document.text, document.body, document.body_type, document.signature)
        spc.expect(LICENSE, MACHINE_CERTIFICATE)
        _ = spc.issued_time, spc.principal.public_key, spc.issuer.public_key
        if spc.principal.object.type != _MACHINE:
            raise WrongKindError("the principal is not a machine")
        if spc.signature is None:
            raise XrmlSyntaxError("SIGNATURE is missing")
        for name in ("Platform", "Manufacturer", "Repository"):
            spc.level_surface(name)
        return spc

    def level_surface(self, name: str) -> str:
        """A SECURITYLEVEL of the machine, rendered, for the RAC. Raises XrmlSyntaxError where it is missing."""
        for level in self.principal.element.all("SECURITYLEVEL"):
            if level.attribute("name") == name:
                return render(level)
        raise XrmlSyntaxError("a SECURITYLEVEL is missing")

    @property
    def machine_object(self) -> str:
        """OBJECT of the machine, rendered, for the RAC."""
        return render(self.principal.element.one("OBJECT"))

    @property
    def security_processor_version(self) -> Version:
        return repository_version(self.principal.levels["Repository"])


def repository_version(level: str) -> Version:
    """Repository is prose that ends in the version (wire facts 8). Raises XrmlSyntaxError."""
    return Version.parse(level.rpartition(" ")[2])


def write_security_processor_certificate(
    *,
    certificate_id: Guid,
    machine_id: Guid,
    machine_key: PublicKey,
    hardware_digest: bytes,
    issuer_inner: str,
    platform: str,
    manufacturer: str,
    repository: str,
    activation_url: str,
    issued: dt.datetime,
    signing_key: PrivateKey,
    mode: CryptoMode,
) -> str:
    """A signed SPC as text (2.2.9.4). `hardware_digest` has the length of the mode's hash."""
    inner = (
        f"<ISSUEDTIME>{format_time(issued)}</ISSUEDTIME><DESCRIPTOR>"
        + object_xml(MACHINE_CERTIFICATE, "MS-GUID", certificate_id.braced, "Microsoft Machine-Certificate")
        + f"</DESCRIPTOR><ISSUER>{issuer_inner}</ISSUER>"
        + distribution_point_xml("Activation", _ACTIVATION_POINT, "Microsoft Activation", activation_url)
        + "<ISSUEDPRINCIPALS><PRINCIPAL>"
        + object_xml(_MACHINE, "MS-GUID", machine_id.braced, "Machine")
        + public_key_xml(machine_key)
        + f"<DIGEST><ALGORITHM>{mode.hash_name}</ALGORITHM>"
        '<PARAMETER name="codingtype"><VALUE encoding="string">surface-coding</VALUE></PARAMETER>'
        f'<VALUE encoding="base64" size="{len(hardware_digest) * 8}">{base64.b64encode(hardware_digest).decode()}</VALUE>'
        "</DIGEST>"
        + level_xml("Platform", platform)
        + level_xml("Manufacturer", manufacturer)
        + level_xml("Repository", repository)
        + "</PRINCIPAL></ISSUEDPRINCIPALS>"
    )
    # Machine certificates have the root's attributes in the clients' order (wire facts 2).
    return signed_document(body_xml(LICENSE, inner), signing_key, mode, attributes='version="1.2" xmlns=""')
