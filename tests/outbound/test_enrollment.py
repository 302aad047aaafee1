"""The question by which a licensing-only cluster asks for its certificate ([MS-RMPRS] 3.3.4.1)."""

from __future__ import annotations

import base64

import pytest
from lxml import etree

from rmsserver.outbound.enrollment import SUB_ENROLLMENT, Applicant, sub_enroll
from rmsserver.outbound.http import HttpPeer
from rmsserver.ports import PortUnavailable
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
