"""The questions by which new clusters ask for their certificates ([MS-RMPRS] 3.3.4.1, [MS-RMPR] 3.6.4)."""

from __future__ import annotations

import base64
import dataclasses

import pytest
from lxml import etree

from rmsserver.outbound.enrollment import ENROLLMENT, SUB_ENROLLMENT, Applicant, enroll, request_file, sub_enroll
from rmsserver.outbound.http import HttpPeer
from rmsserver.ports import PortUnavailable
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.values import Guid
from tests.cluster import key
from tests.conformance import conforms
from tests.operations.enrollees import GUID
from tests.outbound.other_server import OtherServer
from tests.wire.schemas import body_of, follows_schema

APPLICANT = Applicant(
    key("branch slc", 2048).public, Guid(GUID), "RMS 2.0", "6.3.0.0", "BRANCH & CO", "http://branch.example.com/_wmcs"
)


@conforms("MS-RMPRS 3.3.4.1", "A request of the schema is served, and our licensing-only cluster sends one.")
@conforms("MS-RMPRS 3.1.4.1", "Questions and answers of this server have VersionData in their header.")
def test_the_request_of_an_enrolling_server() -> None:
    """Key in base64, GUID without braces, SKU, version, name and URL; in version 1.0.0.0."""
    with OtherServer(status=500).serving() as server, pytest.raises(PortUnavailable):
        sub_enroll(HttpPeer(), server.url.removesuffix("/service.asmx"), APPLICANT)
    path, headers, body = server.requests[0]
    assert (path, headers["SOAPAction"]) == ("/certification/SubEnrollService.asmx", f'"{SUB_ENROLLMENT}/SubEnroll"')
    assert follows_schema("sub_enroll", body)
    sent = {etree.QName(element).localname: element.text for element in body_of(body).iter() if element.text}
    assert sent == {
        "aPublicKeyBytes": base64.b64encode(APPLICANT.key.pkcs1_der).decode(),
        "Guid": GUID,
        "SKU": "RMS 2.0",
        "Version": "6.3.0.0",
        "Name": "BRANCH & CO",
        "URL": "http://branch.example.com/_wmcs",
    }
    assert b"<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>1.0.0.0</MaximumVersion>" in body


AUTHORITY = key("revocation authority", 2048).public
STANDARD = "<RevocationInformation><RevocationType>StandardRevocation</RevocationType></RevocationInformation>"
CUSTOM = (
    "<RevocationInformation><RevocationType>CustomRevocation</RevocationType><aRevocationAuthorities>"
    "<RevocationAuthorityInformation><aRevocationAuthorityPublicKey>"
    f"{base64.b64encode(AUTHORITY.pkcs1_der).decode()}"
    "</aRevocationAuthorityPublicKey></RevocationAuthorityInformation></aRevocationAuthorities></RevocationInformation>"
)


def information(element: etree._Element) -> dict[str, str | None]:
    """EnrolleeServerInformation, by local names."""
    [found] = element.iter(f"{{{ENROLLMENT}}}EnrolleeInformation")
    return {etree.QName(child).localname: child.text for child in found}


TOLD = {"SKU": "RMS 2.0", "Version": "6.3.0.0", "Name": "BRANCH & CO", "URL": "http://branch.example.com/_wmcs"}


@conforms("MS-RMPR 3.1.3.2", "A cluster that enrolls elsewhere sends its public key and GUID there.")
@conforms("MS-RMPR 2.2.4.2", "A request of this server names 1.0.0.0 as its lowest and its highest version.")
@conforms("MS-RMPR 3.6.4.1", "An enrolling cluster tells its SKU, version, name and base URL.")
@conforms(
    "MS-RMPR 3.6.4.1",
    "An enrolling cluster asks for the revocation that it was set up with: standard, or by the keys of its authorities.",
)
@pytest.mark.parametrize(("authorities", "asked"), [((), STANDARD), ((AUTHORITY,), CUSTOM)])
def test_the_request_of_a_cluster_of_its_own(authorities: tuple[PublicKey, ...], asked: str) -> None:
    """Enroll: as the schema says, in version 1.0.0.0; authorities with CustomRevocation alone."""
    applicant = dataclasses.replace(APPLICANT, revocation_authorities=authorities)
    with OtherServer(status=500).serving() as server, pytest.raises(PortUnavailable):
        enroll(HttpPeer(), server.url.removesuffix("/service.asmx"), applicant)
    path, headers, body = server.requests[0]
    assert (path, headers["SOAPAction"]) == ("/enrollment/enrollservice.asmx", f'"{ENROLLMENT}/Enroll"')
    assert follows_schema("enroll", body)
    assert information(body_of(body)) == TOLD
    assert (
        body_of(body).findtext(f".//{{{ENROLLMENT}}}aPublicKeyBytes")
        == base64.b64encode(applicant.key.pkcs1_der).decode()
    )
    assert body_of(body).findtext(f".//{{{ENROLLMENT}}}Guid") == GUID
    assert asked.encode() in body
    assert b"<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>1.0.0.0</MaximumVersion>" in body


@conforms("MS-RMPR 3.6.4.2", "A request file tells the new cluster's SKU, version, name and base URL.")
@conforms("MS-RMPR 3.6.4.2", "A request file asks for the revocation that the new cluster is set up with.")
@conforms(
    "MS-RMPR 3.6.4.2.1.1",
    "A request file has the three parts of EnrollParameters in their namespace, and one with other content is refused.",
)
@conforms(
    "MS-RMPR 3.6.4.2.1.1", "A request file is ASCII and holds one XML element; one with anything around it is refused."
)
@pytest.mark.parametrize(("authorities", "asked"), [((), STANDARD), ((AUTHORITY,), CUSTOM)])
def test_the_request_in_a_file(authorities: tuple[PublicKey, ...], asked: str) -> None:
    """ASCII also where the name is not; the three parts, each in the service's namespace, and the key of the cluster."""
    applicant = dataclasses.replace(APPLICANT, name="Z\u00fcrich & Co", revocation_authorities=authorities)
    data = request_file(applicant)
    assert data.isascii()
    root = etree.fromstring(data)
    assert [child.tag for child in root] == [
        f"{{{ENROLLMENT}}}{name}" for name in ("RevocationInformation", "CertificatePublicKey", "EnrolleeInformation")
    ]
    assert information(root) == TOLD | {"Name": "Z\u00fcrich & Co"}
    assert root.findtext(f".//{{{ENROLLMENT}}}aPublicKeyBytes") == base64.b64encode(applicant.key.pkcs1_der).decode()
    assert root.findtext(f".//{{{ENROLLMENT}}}Guid") == GUID
    assert asked.encode() in data
