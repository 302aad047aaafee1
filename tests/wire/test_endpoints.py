"""Where each operation is ([MS-RMPR] 3.1.4.2), and what it learns of its caller (3.1.4.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import RightsAccountCertificate
from tests.cluster import Cluster, make_cluster
from tests.conformance import conforms
from tests.http_server import Response
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import certificates

CLUSTER = make_cluster(CryptoMode.MODE_2)
CERTIFY, LOCATE = "/certification/certification.asmx", "/certification/server.asmx"

PARAMETERS: dict[str, Callable[[Cluster], str]] = {
    "Certify": lambda cluster: calls.certify(cluster.machine().chain),
    "GetLicensorCertificate": lambda _: "",
    "FindServiceLocationsForUser": lambda _: calls.find_service_locations("LicensingService"),
    "AcquireLicense": lambda cluster: calls.acquire_license(
        (cluster.account("reader@example.com").chain, cluster.publish(cluster.author()).chain)
    ),
    "AcquireIssuanceLicense": lambda cluster: calls.acquire_issuance_license(cluster.publish(None).text),
    "GetClientLicensorCert": lambda cluster: calls.get_client_licensor_cert(cluster.account().chain),
    "AcquireTemplateInformation": lambda _: "",
    "AcquireTemplates": lambda _: calls.acquire_templates("11111111-2222-4333-8444-555555555555"),
    "GetServerInfo": lambda _: calls.get_server_info("VersionInfo"),
}
"""Parameters with which each operation is served."""

MINIMAL = (
    ("/certification/certification.asmx", "Certify"),
    ("/certification/server.asmx", "GetLicensorCertificate"),
    ("/certification/ServiceLocator.asmx", "FindServiceLocationsForUser"),
    ("/licensing/license.asmx", "AcquireLicense"),
    ("/licensing/publish.asmx", "AcquireIssuanceLicense"),
    ("/licensing/publish.asmx", "GetClientLicensorCert"),
    ("/licensing/templateDistribution.asmx", "AcquireTemplateInformation"),
    ("/licensing/templateDistribution.asmx", "AcquireTemplates"),
    ("/licensing/server.asmx", "GetLicensorCertificate"),
    ("/licensing/ServiceLocator.asmx", "FindServiceLocationsForUser"),
    ("/licensing/server.asmx", "GetServerInfo"),
)
"""The table of 3.1.4.2 but for Activate, which needs a service behind it (test_activation.py)."""


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """Certify and the service locator are open, so that they tell unknown callers themselves."""
    running = RealServer(CLUSTER, anonymous=(CERTIFY,), rules={LOCATE: Rule(Demand.ANONYMOUS)})
    yield running
    running.http.stop()


def ask_at(server: RealServer, path: str, operation: str, person: str | None = "author") -> Response:
    data = calls.call(operation, PARAMETERS[operation](server.cluster), person=person)
    rest = data.partition(b"\r\n")[2]
    return server.http.send(f"POST /_wmcs{path} HTTP/1.1".encode() + b"\r\n" + rest)


@conforms("MS-RMPR 3.1.4.2", "Every operation is served at its path below the base URL.")
@pytest.mark.parametrize(("path", "operation"), MINIMAL, ids=[f"{path}-{name}" for path, name in MINIMAL])
def test_the_minimal_structure(server: RealServer, path: str, operation: str) -> None:
    """Served, and answered with the operation's own response."""
    answer = ask_at(server, path, operation)
    assert answer.status == 200, answer.body
    assert f"</{operation}Response></soap:Body>".encode() in answer.body


@conforms("MS-RMPR 3.1.4.1", "Certify is for callers who signed on.")
@conforms("MS-RMPR 3.3.4.1", "Who has not signed on is challenged and not certified.")
def test_certify_challenges_who_has_not_signed_on() -> None:
    """As it is configured unless somebody opens it: 401, with a way to sign on, and no certificate."""
    closed = RealServer(CLUSTER)
    try:
        answer = ask_at(closed, CERTIFY, "Certify", person=None)
        assert (answer.status, b"XrML" in answer.body) == (401, False)
        assert [offer.split()[0] for offer in answer.every("www-authenticate")] == ["Basic"]
        assert ask_at(closed, CERTIFY, "Certify").status == 200
    finally:
        closed.http.stop()


@conforms("MS-RMPR 3.1.4.1", "FindServiceLocationsForUser is for callers who signed on.")
@conforms("MS-RMPR 3.1.4.3", "Who signed on counts as authenticated, and nobody else does.")
@pytest.mark.parametrize(
    ("path", "operation", "fault"),
    [
        (CERTIFY, "Certify", b"System.UnauthorizedAccessException"),
        (LOCATE, "FindServiceLocationsForUser", b"UnspecifiedErrorException"),
    ],
)
def test_an_open_endpoint_knows_who_signed_on(server: RealServer, path: str, operation: str, fault: bytes) -> None:
    """Where the web server lets everybody through, the operation still tells who signed on from who did not."""
    refused = ask_at(server, path, operation, person=None)
    assert (refused.status, fault in refused.body) == (500, True)
    assert ask_at(server, path, operation).status == 200


@conforms("MS-RMPR 3.1.4.3", "Each operation is told who asks and how they signed on.")
@conforms("MS-RMPR 3.1.4.3", "Any other sign-on is told by the name of its scheme.")
@conforms("MS-RMPR 3.1.4.3", "The account of any other sign-on is one of the directory.")
@conforms("MS-RMPR 3.1.4.3", "The account has the SID that the sign-on proved.")
@pytest.mark.parametrize("person", ["author", "reader"])
def test_the_operation_learns_who_asks_and_how(server: RealServer, person: str) -> None:
    """The audit has scheme and name, the certificate the SID."""
    rac = RightsAccountCertificate.read(certificates(ask_at(server, CERTIFY, "Certify", person))[0])
    record = server.audit[-1]
    assert (record.authentication.value, record.account) == ("Basic", f"EXAMPLE\\{person}")
    assert rac.account == ("Windows", server.cluster.sid(f"{person}@example.com"))
