"""Enrolling at another cluster: SubEnroll ([MS-RMPRS] 3.3) and Enroll ([MS-RMPR] 3.6), as the asking server."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from xml.sax.saxutils import escape

from rmsserver.outbound import soap
from rmsserver.outbound.http import HttpPeer
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.values import Guid

SUB_ENROLLMENT = "http://microsoft.com/DRM/SubEnrollmentService"
ENROLLMENT = "http://microsoft.com/DRM/EnrollmentService"
_SECONDS = 30.0


@dataclass(frozen=True)
class Applicant:
    """The server that enrolls, as it tells of itself."""

    key: PublicKey
    guid: Guid
    sku: str
    version: str
    name: str
    url: str

    @property
    def parameters(self) -> str:
        key = base64.b64encode(self.key.pkcs1_der).decode()
        fields = (("SKU", self.sku), ("Version", self.version), ("Name", self.name), ("URL", self.url))
        information = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields)
        # Without braces on the wire, with them in the certificate (rulings 32).
        return (
            f"<CertificatePublicKey><aPublicKeyBytes>{key}</aPublicKeyBytes><Guid>{self.guid}</Guid></CertificatePublicKey>"
            f"<EnrolleeInformation>{information}</EnrolleeInformation>"
        )


def sub_enroll(peer: HttpPeer, root_url: str, applicant: Applicant) -> tuple[str, ...]:
    """Ask a root cluster for the certificate of a licensing-only one: the chain, not yet verified. Raises PortUnavailable."""
    url = root_url + "/certification/SubEnrollService.asmx"
    parameters = f"<oInput>{applicant.parameters}</oInput>"
    return tuple(soap.texts(soap.call(peer, url, SUB_ENROLLMENT, "SubEnroll", parameters, seconds=_SECONDS), "string"))


def enroll(peer: HttpPeer, root_url: str, applicant: Applicant) -> tuple[str, ...]:
    """Ask another cluster's Enrollment Service for a certificate in its hierarchy, as `sub_enroll`."""
    url = root_url + "/enrollment/enrollservice.asmx"
    parameters = (
        "<oInput><AuthorizationInformation /><RevocationInformation><RevocationType>StandardRevocation</RevocationType>"
        f"</RevocationInformation>{applicant.parameters}</oInput>"
    )
    return tuple(soap.texts(soap.call(peer, url, ENROLLMENT, "Enroll", parameters, seconds=_SECONDS), "string"))
