"""SubEnroll and Enroll over HTTP: answers, faults, and who may call (threat L10)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest
from lxml import etree

from rmsserver.auth.policy import Demand, Rule
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.principal import read_public_key
from tests.cluster import key, make_cluster
from tests.conformance import conforms
from tests.http_server import Response
from tests.operations.enrollees import GUID, encoded, key_of
from tests.operations.test_enroll import enrollment_service
from tests.wire.calls import enroll, enrollee, sub_enroll
from tests.wire.real_server import RealServer
from tests.wire.schemas import body_of, follows_schema

CLUSTER = make_cluster(CryptoMode.MODE_2).with_state(
    sub_enrollment_enabled=True,
    enrollment_enabled=True,
    enrollment_service=enrollment_service(make_cluster(CryptoMode.MODE_2)),
)
KEY = encoded(key_of(CLUSTER))
PARTS = enrollee(KEY, GUID)
REQUESTS = {"SubEnroll": sub_enroll(PARTS), "Enroll": enroll(PARTS)}
_STRING = re.compile(r"<string>(.*?)</string>", re.DOTALL)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[RealServer, RealServer]]:
    """One with the product's defaults, one that lets `boss` in."""
    rule = Rule(Demand.LISTED, frozenset({CLUSTER.sid("boss@example.com")}))
    paths = ("/certification/subenrollservice.asmx", "/enrollment/enrollservice.asmx")
    closed, opened = RealServer(CLUSTER), RealServer(CLUSTER, rules=dict.fromkeys(paths, rule))
    yield closed, opened
    closed.http.stop()
    opened.http.stop()


@pytest.fixture(scope="module")
def server(servers: tuple[RealServer, RealServer]) -> RealServer:
    return servers[1]


def strings(answer: Response) -> list[str]:
    assert answer.status == 200, answer.body
    return [html.unescape(text) for text in _STRING.findall(answer.body.decode())]


def test_sub_enroll_answers_the_chain(server: RealServer) -> None:
    """Strings, which unescaped are the signed text; ours appended to the letter."""
    chain = strings(server.ask("SubEnroll", REQUESTS["SubEnroll"], person="boss"))
    slc = IssuingCertificate.read(chain[0])
    assert chain[1:] == list(CLUSTER.state.licensor.chain)
    IssuingCertificate.read(chain[1]).issued(slc)


@conforms("MS-RMPR 3.6.4.1.1.1", "An Enroll element of the description is understood.")
@conforms("MS-RMPR 3.6.4.1.1.2", "The answer is an EnrollResponse element.")
@conforms("MS-RMPR 3.6.4.1.4.7", "The chain is four strings.")
@conforms("MS-RMPR 3.6.4.1.4.7", "The first string is the server's certificate.")
@conforms("MS-RMPR 3.6.4.1.4.7", "The second string is the certificate of the Enrollment Service.")
@conforms("MS-RMPR 3.6.4.1.4.7", "The third string is the certificate of the Enrollment CA.")
@conforms("MS-RMPR 3.6.4.1.4.7", "The fourth string is the certificate of the CA.")
@conforms("MS-RMPR 3.6.4.1.4.8", "Each certificate is the text of a string element.")
def test_enroll_answers_four_certificates(server: RealServer) -> None:
    """Strings, which unescaped are signed text: the enrollee's, then those above ours, each the issuer of the one before."""
    answer = server.ask("Enroll", REQUESTS["Enroll"], person="boss")
    chain = strings(answer)
    slc, service, enrollment_ca, ca = (IssuingCertificate.read(text) for text in chain)
    assert follows_schema("enroll", answer.body)
    assert etree.QName(body_of(answer.body)).localname == "EnrollResponse"
    assert slc.principal.public_key == key_of(CLUSTER).public
    assert chain[1:] == list(CLUSTER.state.licensor.chain[1:])
    kinds = [certificate.kind for certificate in (slc, service, enrollment_ca, ca)]
    assert kinds == [IssuingKind.SERVER, IssuingKind.SERVER, IssuingKind.AUTHORITY, IssuingKind.AUTHORITY]
    service.issued(slc)
    enrollment_ca.issued(service)
    ca.issued(enrollment_ca)


@conforms("MS-RMPR 3.6.4.1.1.2", "The answer's lowest and highest version are 1.0.0.0.")
@conforms("MS-RMPR 3.6.4.1.1.1", "A request for a higher version than 1.0.0.0 is refused.")
@pytest.mark.parametrize("version", ["1.0.0.1", "1.1.0.0", "1.2.0.0"])
def test_enroll_speaks_version_1_alone(server: RealServer, version: str) -> None:
    """Both versions of the answer are 1.0.0.0, and a request for more is refused; SubEnroll has the server's versions."""
    answer = server.ask("Enroll", REQUESTS["Enroll"], person="boss")
    assert b"<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>1.0.0.0</MaximumVersion>" in answer.body
    refused = server.ask("Enroll", REQUESTS["Enroll"], person="boss", version=version, minimum="1.0.0.0")
    assert b"UnsupportedDataVersionException" in refused.body
    assert server.ask("SubEnroll", REQUESTS["SubEnroll"], person="boss", version=version).status == 200


def authorities(*keys: str) -> str:
    """RevocationInformation's content for CustomRevocation."""
    listed = "".join(
        f"<RevocationAuthorityInformation><aRevocationAuthorityPublicKey>{key}</aRevocationAuthorityPublicKey>"
        "</RevocationAuthorityInformation>"
        for key in keys
    )
    return f"<RevocationType>CustomRevocation</RevocationType><aRevocationAuthorities>{listed}</aRevocationAuthorities>"


AUTHORITY = key("revocation authority", 2048)


@conforms(
    "MS-RMPR 3.6.4.1.3.2", "The certificate names the authority's key as one that lists against it are signed with."
)
def test_an_authority_that_may_revoke(server: RealServer) -> None:
    """Its key stands in the certificate, after the issuer's."""
    answer = server.ask("Enroll", enroll(PARTS, authorities(encoded(AUTHORITY))), person="boss")
    slc = IssuingCertificate.read(strings(answer)[0])
    points = slc.body.one("CONDITIONLIST").one("REFRESH").all("DISTRIBUTIONPOINT")
    assert [read_public_key(point.one("PUBLICKEY")) for point in points][1:] == [AUTHORITY.public]


@conforms("MS-RMPR 3.6.4.1.3.2", "CustomRevocation without an authority is refused.")
@conforms("MS-RMPR 3.6.4.1.3.2", "An authority is an element with its public key, and one without is refused.")
@conforms("MS-RMPR 3.6.4.1.3.2", "An authority's key that is no RSA key of PKCS#1 in base64 is refused.")
@conforms("MS-RMPR 3.6.4.1.4.3", "Another type of revocation than StandardRevocation and CustomRevocation is refused.")
@conforms("MS-RMPR 3.6.4.1.4.3", "Authorities count with CustomRevocation alone.")
@conforms("MS-RMPR 3.6.4.1.4.3", "StandardRevocation with authorities is refused.")
@conforms("MS-RMPR 3.6.4.1.4.3", "CustomRevocation wants one authority at least.")
@pytest.mark.parametrize(
    ("revocation", "name"),
    [
        ("", "System.ArgumentNullException"),
        ("<RevocationType>NonRevocable</RevocationType>", "System.ArgumentException"),
        ("<RevocationType>customrevocation</RevocationType>", "System.ArgumentException"),
        ("<RevocationType>CustomRevocation</RevocationType>", "System.ArgumentException"),
        (authorities(), "System.ArgumentException"),
        (authorities(encoded(AUTHORITY)).replace("Custom", "Standard"), "System.ArgumentException"),
        (authorities(""), "System.ArgumentNullException"),
        (authorities("CANARY!"), "System.FormatException"),
        (authorities("AAAA"), "Microsoft.DigitalRightsManagement.Core.DRMSArgumentException"),
        (authorities(*[encoded(AUTHORITY)] * 11), "System.ArgumentOutOfRangeException"),
    ],
)
def test_revocation_that_is_refused(server: RealServer, revocation: str, name: str) -> None:
    """3.6.4.1.4.3: authorities with CustomRevocation and with nothing else."""
    answer = server.ask("Enroll", enroll(PARTS, revocation), person="boss")
    assert (answer.status, f"<faultstring>{name}:".encode() in answer.body) == (500, True), answer.body
    assert b"CANARY" not in answer.body


@conforms("MS-RMPRS 3.3.4.1", "Each parameter of a request is validated.")
@conforms("MS-RMPRS 3.3.4.1", "A GUID of another form than 32 hexadecimal digits between hyphens is refused.")
@pytest.mark.parametrize("operation", list(REQUESTS))
@pytest.mark.parametrize(
    ("found", "put", "name"),
    [
        (KEY, "CANARY!", "System.FormatException"),
        (KEY, "AAAA", "Microsoft.DigitalRightsManagement.Core.DRMSArgumentException"),
        (KEY, encoded(key("short", 1024)), "System.ArgumentOutOfRangeException"),
        (KEY, encoded(CLUSTER.state.licensor.key), "System.ArgumentException"),
        (GUID, "CANARY", "System.FormatException"),
        (GUID, GUID.replace("-", ""), "System.FormatException"),
        (GUID, GUID[:-1], "System.FormatException"),
        ("6.3.0.0", "", "System.ArgumentNullException"),
        ("oInput>", "CANARY>", "System.ArgumentNullException"),
    ],
)
def test_faults(server: RealServer, operation: str, found: str, put: str, name: str) -> None:
    """Those of [MS-RMPRS] 2.2.9.1, on both; nothing of the request in them."""
    answer = server.ask(operation, REQUESTS[operation].replace(found, put), person="boss")
    assert (answer.status, f"<faultstring>{name}:".encode() in answer.body) == (500, True), answer.body
    assert b"CANARY" not in answer.body


@pytest.mark.parametrize(
    ("version", "name"), [("9.0.0.0", "UnsupportedDataVersionException"), ("x", "MalformedDataVersionException")]
)
def test_versions(server: RealServer, version: str, name: str) -> None:
    """The header is checked as everywhere."""
    answer = server.ask("SubEnroll", REQUESTS["SubEnroll"], person="boss", version=version, minimum="1.0.0.0")
    assert name.encode() in answer.body


@pytest.mark.parametrize("operation", list(REQUESTS))
def test_L10_nobody_enrolls_until_accounts_are_added(servers: tuple[RealServer, RealServer], operation: str) -> None:
    """L10: refused before the request is read; then those listed, and off where the cluster's switch is."""
    closed, opened = servers
    assert closed.ask(operation, REQUESTS[operation], person="boss").status == 403
    assert opened.ask(operation, REQUESTS[operation], person="author").status == 403
    assert opened.ask(operation, REQUESTS[operation], person=None).status == 401
    try:
        opened.configure(sub_enrollment_enabled=False, enrollment_enabled=False)
        off = opened.ask(operation, REQUESTS[operation], person="boss")
        opened.configure(decommissioned=True)
        gone = opened.ask(operation, REQUESTS[operation], person="boss")
    finally:
        opened.cluster = CLUSTER
    assert b"System.UnauthorizedAccessException" in off.body
    assert b"ClusterDecommissionedException" in gone.body


def test_the_description_is_served(server: RealServer) -> None:
    """With the configured address."""
    path = "/_wmcs/Certification/SubEnrollService.asmx?wsdl"
    answer = server.http.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b'location="http://rms.example.com/_wmcs/certification/SubEnrollService.asmx"' in answer.body
