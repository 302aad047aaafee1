"""Messages of every service over HTTP: envelopes, versions, chains, text ([MS-RMPR] 2.1 and 2.2.1 to 2.2.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element, fromstring

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.web.routes import ROUTES, Route, is_external
from rmsserver.web.tls import Tls
from rmsserver.xrml.document import Document
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import RightsAccountCertificate
from tests.cluster import Cluster, make_cluster
from tests.conformance import conforms
from tests.http_server import Response
from tests.soap_messages import ENVELOPE_11, ENVELOPE_12, TYPE_11, TYPE_12
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import certificates

READER = "reader@example.com"
TEMPLATE = "{11111111-2222-4333-8444-555555555555}"

PARAMETERS: dict[str, Callable[[Cluster], str]] = {
    "Certify": lambda cluster: calls.certify(cluster.machine().chain),
    "AcquireLicense": lambda cluster: calls.acquire_license(
        (cluster.account(READER).chain, cluster.publish(cluster.author()).chain)
    ),
    "AcquireIssuanceLicense": lambda cluster: calls.acquire_issuance_license(cluster.publish(None).text),
    "GetClientLicensorCert": lambda cluster: calls.get_client_licensor_cert(cluster.account().chain),
    "GetLicensorCertificate": lambda _: "",
    "FindServiceLocationsForUser": lambda _: calls.find_service_locations("LicensingService"),
    "FindServiceLocations": lambda _: calls.find_service_locations("LicensingService"),
    "GetServerInfo": lambda _: calls.get_server_info("VersionInfo"),
    "AcquireTemplateInformation": lambda _: "",
    "AcquireTemplates": lambda _: calls.acquire_templates(TEMPLATE),
    "Precertify": lambda _: calls.precertify(READER),
    "AcquirePreLicense": lambda cluster: calls.acquire_pre_license(
        [READER], cluster.publish(cluster.author()).chain[:1]
    ),
    "IsPrincipalMemberOf": lambda _: calls.is_principal_member_of(READER, ["all@example.com"]),
}
"""Parameters with which operations are served."""
CHAINS = ("Certify", "AcquireLicense", "AcquireIssuanceLicense", "GetClientLicensorCert", "GetLicensorCertificate")
FIRST_OPERATION = {
    "ActivationProxyWebService": "Activate",
    "CertificationWebService": "Certify",
    "DecommissionService": "AcquireContentKey",
    "EnrollService": "Enroll",
    "GroupExpansionWebService": "IsPrincipalMemberOf",
    "License": "AcquireLicense",
    "PrecertificationWebService": "Precertify",
    "Publish": "GetClientLicensorCert",
    "Republish": "EditIssuanceLicense",
    "Server": "GetLicensorCertificate",
    "SubEnrollService": "SubEnroll",
    "TemplateDistributionWebService": "AcquireTemplateInformation",
}
INTERNAL = [route for route in ROUTES.values() if not is_external(route)]
PRE_LICENSING = "/licensing/license.asmx#AcquirePreLicense"
operations = pytest.mark.parametrize("operation", PARAMETERS)


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Every endpoint admits whoever signed on."""
    rules = {route.path: Rule(Demand.REQUIRED) for route in INTERNAL}
    rules[PRE_LICENSING] = Rule(Demand.REQUIRED)
    running = RealServer(make_cluster(request.param), rules=rules)
    running.configure(group_expansion_enabled=True)
    yield running
    running.http.stop()


def envelope(answer: Response) -> Element:
    return fromstring(answer.body)


def local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def every(answer: Response, name: str) -> list[Element]:
    """Elements of that name in the answer, in any namespace."""
    return [element for element in envelope(answer).iter() if local(element) == name]


# --- envelopes and endpoints ----------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.1", "A message is an envelope of SOAP 1.1 or 1.2, and the answer is of the same version.")
@pytest.mark.parametrize("soap12", [False, True], ids=["1.1", "1.2"])
@operations
def test_the_answer_is_of_the_version_of_the_request(server: RealServer, operation: str, soap12: bool) -> None:
    """Envelope and content type."""
    answer = server.ask(operation, PARAMETERS[operation](server.cluster), soap12=soap12)
    assert answer.status == 200, answer.body
    assert envelope(answer).tag == f"{{{ENVELOPE_12 if soap12 else ENVELOPE_11}}}Envelope"
    assert answer.headers["content-type"] == (TYPE_12 if soap12 else TYPE_11)


@conforms("MS-RMPR 2.1", "Every service answers SOAP 1.1 over HTTP.")
@conforms("MS-RMPR 2.1", "Every endpoint of the URL table answers.")
@pytest.mark.parametrize("route", INTERNAL, ids=[route.path for route in INTERNAL])
def test_every_endpoint_answers(server: RealServer, route: Route) -> None:
    """With its operation's response or a fault of it, in SOAP 1.1. (The external ones: test_federation.py.)"""
    operation = FIRST_OPERATION[route.service]
    line, _, rest = calls.call(operation, person="author").partition(b"\r\n")
    assert line.startswith(b"POST ")
    answer = server.http.send(f"POST /_wmcs{route.path} HTTP/1.1\r\n".encode() + rest)
    body = envelope(answer).find(f"{{{ENVELOPE_11}}}Body")
    assert body is not None
    if answer.status == 200:
        assert local(body[0]) == f"{operation}Response"
    else:
        # It was the operation that refused to work without parameters, or while it is switched off.
        assert (answer.status, body[0].tag) == (500, f"{{{ENVELOPE_11}}}Fault")
        assert "Exception" in body[0].findtext("faultstring", "")


@conforms("MS-RMPR 2.1", "The services can be had over HTTPS.")
def test_https(tls: Tls) -> None:
    """Certify where this server ends TLS itself."""
    secure = RealServer(make_cluster(CryptoMode.MODE_2), tls=tls)
    try:
        chain = certificates(secure.ask("Certify", PARAMETERS["Certify"](secure.cluster)))
        assert RightsAccountCertificate.read(chain[0]).email == "author@example.com"
    finally:
        secure.http.stop()


# --- versions -------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.4.2", "Answers name the lowest version of the service.")
@conforms("MS-RMPR 2.2.4.2", "Answers name the highest version of the service.")
@operations
def test_versions_in_answers(server: RealServer, operation: str) -> None:
    """From 1.0.0.0 to 1.2.0.0; GetServerInfo has no such header (rulings 12)."""
    answer = server.ask(operation, PARAMETERS[operation](server.cluster))
    found = [(local(number), number.text) for data in every(answer, "VersionData") for number in data]
    expected = [("MinimumVersion", "1.0.0.0"), ("MaximumVersion", "1.2.0.0")]
    assert found == ([] if operation == "GetServerInfo" else expected)


@pytest.mark.parametrize(
    ("minimum", "maximum", "name"),
    [
        *(
            pytest.param(
                "1.0.0.0",
                wrong,
                "MalformedDataVersion",
                marks=conforms("MS-RMPR 2.2.4.2", "A version that is not plain text is malformed."),
            )
            for wrong in ("<x>1.0.0.0</x>", "1.0.0.0<x/>", "<x/>1.0.0.0")
        ),
        *(
            pytest.param(
                "1.0.0.0",
                wrong,
                "MalformedDataVersion",
                marks=conforms("MS-RMPR 2.2.4.2", "A version that is not four numbers with dots is malformed."),
            )
            for wrong in ("1.0.0", "1.0.0.0.0", "1,0,0,0", "1.0.0.x", " 1.0.0.0", "1..0.0", "1.-1.0.0")
        ),
        *(
            pytest.param(
                minimum,
                maximum,
                name,
                marks=conforms("MS-RMPR 2.2.4.2", "Versions compare number by number, the first number first."),
            )
            for minimum, maximum, name in (
                ("1.0.0.0", "1.1.99.99", None),
                ("0.99.99.99", "1.0.0.0", None),
                ("1.0.99.99", "1.1.0.0", None),
                ("1.0.0.99", "1.0.1.0", None),
                ("1.0.0.0", "1.10.0.0", "UnsupportedDataVersion"),
                ("1.0.0.0", "10.0.0.0", "UnsupportedDataVersion"),
                ("1.0.1.0", "1.0.0.99", "MalformedDataVersion"),
                ("1.1.0.0", "1.0.99.99", "MalformedDataVersion"),
            )
        ),
        *(
            pytest.param(
                minimum,
                maximum,
                name,
                marks=conforms(
                    "MS-RMPR 2.2.4.2", "The range that a client asks for is compared with that of the server."
                ),
            )
            for minimum, maximum, name in (
                ("1.0.0.0", "1.0.0.0", None),
                ("1.0.0.0", "1.2.0.0", None),
                ("1.2.0.0", "1.2.0.0", None),
                ("0.1.0.0", "0.9.0.0", "UnsupportedDataVersion"),
            )
        ),
        *(
            pytest.param(
                "1.0.0.0",
                maximum,
                "UnsupportedDataVersion",
                marks=conforms("MS-RMPR 2.2.4.2", "A maximum above that of the server is refused as unsupported."),
            )
            for maximum in ("1.2.0.1", "2.0.0.0")
        ),
    ],
)
def test_versions_in_requests(server: RealServer, minimum: str, maximum: str, name: str | None) -> None:
    """Served, or refused by the name."""
    answer = server.ask("GetLicensorCertificate", minimum=minimum, version=maximum)
    if name is None:
        assert answer.status == 200, answer.body
    else:
        fault = envelope(answer).find(f".//{{{ENVELOPE_11}}}Fault")
        assert fault is not None
        full = f"Microsoft.DigitalRightsManagement.Core.{name}Exception"
        assert fault.findtext("faultstring", "").startswith(full)


# --- chains and text ------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.3.2", "A chain in an answer closes, link by link, from its leaf to the key of the root.")
@pytest.mark.parametrize("operation", CHAINS)
def test_chains_in_answers_close(server: RealServer, operation: str) -> None:
    """Each document is issued by the next, the last one by the root."""
    leaf, *issuers = certificates(server.ask(operation, PARAMETERS[operation](server.cluster)))
    child = Document.read(leaf)
    assert len(issuers) == (3 if operation == "GetLicensorCertificate" else 4)
    for issuer in map(IssuingCertificate.read, issuers):
        issuer.issued(child)
        child = issuer
    child.verify(server.cluster.servers.root.public)


@conforms("MS-RMPR 2.2.4.1", "Each certificate in an answer is an XML element of its own within Certificate.")
@pytest.mark.parametrize("operation", [*CHAINS, "Precertify", "AcquirePreLicense"])
def test_certificates_in_answers_are_elements(server: RealServer, operation: str) -> None:
    """One XrML element in no namespace, no text beside it."""
    answer = server.ask(operation, PARAMETERS[operation](server.cluster))
    found = every(answer, "Certificate")
    assert found
    for certificate in found:
        assert [child.tag for child in certificate] == ["XrML"]
        assert not (certificate.text or "").strip()
        assert not (certificate[0].tail or "").strip()


@conforms("MS-RMPR 2.2.3.4", "A string element that holds elements is refused.")
@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("AcquireTemplates", calls.acquire_templates("{}")),
        ("IsPrincipalMemberOf", calls.is_principal_member_of(READER, ["{}"])),
        ("AcquirePreLicense", calls.acquire_pre_license(["{}"], [])),
    ],
)
@pytest.mark.parametrize("held", ["CANARY<x/>", "<x/>CANARY", "<string>CANARY</string>", "CAN<x/>ARY"])
def test_a_string_holds_text_alone(server: RealServer, operation: str, parameters: str, held: str) -> None:
    """No part of the text is taken for the whole."""
    answer = server.ask(operation, parameters.replace("{}", held))
    assert (answer.status, b"soap:Client" in answer.body, b"CANARY" in answer.body) == (500, True, False)


@conforms("MS-RMPR 2.2.3.7", "URL in an answer is text alone.")
def test_urls_in_answers_are_text(server: RealServer) -> None:
    """One for each type that was asked."""
    types = ("LicensingService", "CertificationService", "LicensingInternalService", "GroupExpansionService")
    answer = server.ask("FindServiceLocations", calls.find_service_locations(*types))
    found = every(answer, "URL")
    assert len(found) == len(types)
    for url in found:
        assert (len(url), dict(url.attrib)) == (0, {})
        assert (url.text or "").startswith("http://rms.example.com/_wmcs/")
