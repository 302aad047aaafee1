"""Enrolling at another cluster: SubEnroll ([MS-RMPRS] 3.3) and Enroll ([MS-RMPR] 3.6), as the asking server.

Where there is no way to the other cluster, the same request goes into a file (3.6.4.2); the answer's file is read by
operations/admin/offline_enrollment.py.
"""

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
    revocation_authorities: tuple[PublicKey, ...] = ()
    """Who else than the issuer may revoke the certificate; for Enroll alone."""

    @property
    def revocation(self) -> str:
        """RevocationInformation: authorities go with CustomRevocation and with nothing else (3.6.4.1.4.3)."""
        authorities = "".join(
            f"<RevocationAuthorityInformation><aRevocationAuthorityPublicKey>{_encoded(key)}"
            "</aRevocationAuthorityPublicKey></RevocationAuthorityInformation>"
            for key in self.revocation_authorities
        )
        listed = f"<aRevocationAuthorities>{authorities}</aRevocationAuthorities>" if authorities else ""
        kind = "CustomRevocation" if authorities else "StandardRevocation"
        return f"<RevocationInformation><RevocationType>{kind}</RevocationType>{listed}</RevocationInformation>"

    @property
    def parameters(self) -> str:
        """CertificatePublicKey and EnrolleeInformation, which SubEnroll and Enroll have in common."""
        fields = (("SKU", self.sku), ("Version", self.version), ("Name", self.name), ("URL", self.url))
        information = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields)
        # Without braces on the wire, with them in the certificate (rulings 32).
        return (
            f"<CertificatePublicKey><aPublicKeyBytes>{_encoded(self.key)}</aPublicKeyBytes><Guid>{self.guid}</Guid></CertificatePublicKey>"
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
    parameters = f"<oInput><AuthorizationInformation />{applicant.revocation}{applicant.parameters}</oInput>"
    return tuple(soap.texts(soap.call(peer, url, ENROLLMENT, "Enroll", parameters, seconds=_SECONDS), "string"))


def request_file(applicant: Applicant) -> bytes:
    """The request of Enroll as the file of asynchronous enrollment: ASCII, one element (3.6.4.2.1.1)."""
    text = f'<EnrollParameters xmlns="{ENROLLMENT}">{applicant.revocation}{applicant.parameters}</EnrollParameters>'
    return f'<?xml version="1.0"?>\n{text}'.encode("ascii", "xmlcharrefreplace")


def _encoded(key: PublicKey) -> str:
    return base64.b64encode(key.pkcs1_der).decode()
