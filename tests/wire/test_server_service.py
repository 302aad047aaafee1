"""The server service of [MS-RMPR] 3.7 over HTTP: certificate chain, service locations for users, server information."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from lxml import etree

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.state import DomainAccount
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from tests.cluster import BASE_URL
from tests.conformance import conforms
from tests.http_server import Response
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.schemas import body_of, follows_schema
from tests.wire.test_faults import mode_2

CHAIN, FIND, INFO = "GetLicensorCertificate", "FindServiceLocationsForUser", "GetServerInfo"
CERTIFICATION, LICENSING = BASE_URL + "/certification", BASE_URL + "/licensing"
OUTSIDE, INSIDE = "https://rms.example.net/_wmcs", "http://inside.example.com/_wmcs/licensing"
URLS = {
    "CertificationService": OUTSIDE + "/certification",
    "CertificationInternalService": CERTIFICATION,
    "ActivationService": CERTIFICATION,
    "LicensingService": OUTSIDE + "/licensing",
    "LicensingInternalService": INSIDE,
}
"""Where the services of the server below are; the other types do not exist there."""
TYPES = (
    *URLS,
    "EnrollmentService",
    "PublishingService",
    "PrecertificationService",
    "ServerService",
    "DrmRemoteDirectoryServices",
    "GroupExpansionService",
)


@pytest.fixture(scope="module")
def running() -> Iterator[RealServer]:
    server = RealServer(mode_2(), anonymous=("/certification/ServiceLocator.asmx",))
    yield server
    server.http.stop()


@pytest.fixture
def server(running: RealServer) -> RealServer:
    """With external URLs, and licensing at another server inside."""
    running.cluster = mode_2().with_state(
        external_certification_url=OUTSIDE + "/certification",
        external_licensing_url=OUTSIDE + "/licensing",
        licensing_url=INSIDE,
    )
    return running


def fault_name(answer: Response) -> str:
    assert answer.status == 500, answer.body
    return (etree.fromstring(answer.body).findtext(".//faultstring") or "").partition(":")[0]


def locations(answer: Response) -> list[tuple[str | None, str | None]]:
    """(type, URL) of each element, None where there is none."""
    assert answer.status == 200, answer.body
    assert follows_schema("server", answer.body)
    [[*found]] = body_of(answer.body)
    return [(child.findtext("{*}Type"), child.findtext("{*}URL")) for child in found]


def elsewhere(monkeypatch: pytest.MonkeyPatch, server: RealServer, directory: str | None) -> None:
    """From now on the account of `reader` is of that directory, where licensing is the one service."""

    def directory_of(account: DomainAccount) -> str | None:
        return directory if account.name.endswith("reader") else MemoryDirectory.directory_of(server.directory, account)

    def service_location(asked: str, service_type: str) -> str | None:
        return f"http://{asked}/{service_type}" if service_type == "LicensingService" else None

    monkeypatch.setattr(server.directory, "directory_of", directory_of)
    monkeypatch.setattr(server.directory, "service_location", service_location)


# --- GetLicensorCertificate ---------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.7.4.1", "The answer is the server's certificate chain, to the letter.")
@conforms("MS-RMPR 3.7.4.1.2.1", "The request needs no parameters.")
@conforms("MS-RMPR 3.7.4.1.2.2", "The chain has the documents of a server certificate chain, each signed by the next.")
def test_the_certificate_chain(server: RealServer) -> None:
    """An empty request; SLC, Enrollment Service, Enrollment CA, CA; each verified with the next."""
    answer = server.ask(CHAIN, "")
    assert follows_schema("server", answer.body)
    texts = re.findall(r"<Certificate>(.*?)</Certificate>", answer.body.decode(), re.DOTALL)
    assert tuple(texts) == server.cluster.state.licensor.chain
    certificates = [IssuingCertificate.read(text) for text in texts]
    kinds = [certificate.kind for certificate in certificates]
    assert kinds == [IssuingKind.SERVER, IssuingKind.SERVER, IssuingKind.AUTHORITY, IssuingKind.AUTHORITY]
    for child, parent in itertools.pairwise(certificates):
        parent.issued(child)


@conforms("MS-RMPR 3.7.4.1", "A request that fails gets a fault.")
@conforms("MS-RMPR 3.7.4.1", "A decommissioned server answers ClusterDecommissionedException.")
def test_a_decommissioned_server_shows_no_chain(server: RealServer) -> None:
    """Nobody publishes to it any more."""
    server.configure(decommissioned=True)
    answer = server.ask(CHAIN)
    assert fault_name(answer) == "Microsoft.RightsManagementServices.ClusterDecommissionedException"


# --- FindServiceLocationsForUser ----------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.7.4.2", "A caller who signed on is answered.")
@conforms("MS-RMPR 3.7.4.2", "An account of the own directory is answered from the server's configuration.")
@conforms("MS-RMPR 3.7.4.2", "CertificationService is the external certification URL.")
@conforms("MS-RMPR 3.7.4.2", "LicensingInternalService is the licensing URL.")
@conforms("MS-RMPR 3.7.4.2", "LicensingService is the external licensing URL.")
@conforms(
    "MS-RMPR 3.7.4.2",
    "ActivationService and CertificationInternalService are the certification path below the base URL.",
)
@conforms("MS-RMPR 3.7.4.2", "Each type asked for is answered with its URL.")
@conforms("MS-RMPR 3.7.4.2", "A service that does not exist has no URL element.")
@conforms("MS-RMPR 3.7.4.2.3.4", "A URL of an answer is text.")
@conforms("MS-RMPR 3.7.4.2.3.4", "The type in an answer is that of the question.")
@conforms("MS-RMPR 3.7.4.2.4.1", "The three types of version 2 are known.")
def test_where_services_are(server: RealServer) -> None:
    """Every type, in the order of the question, alone and together."""
    together = locations(server.ask(FIND, calls.find_service_locations(*TYPES)))
    assert together == [(type_, URLS.get(type_)) for type_ in TYPES]
    alone = [locations(server.ask(FIND, calls.find_service_locations(type_))) for type_ in TYPES]
    assert [one for [one] in alone] == together


@conforms("MS-RMPR 3.7.4.2", "Who signed on decides about the answer.")
@conforms("MS-RMPR 3.7.4.2", "The directory of the caller's account is looked up.")
@conforms("MS-RMPR 3.7.4.2", "An account of another directory is sent to that directory's services.")
def test_an_account_of_another_directory(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """To what that directory has; everybody else as before."""
    elsewhere(monkeypatch, server, "guests.example.net")
    asked = calls.find_service_locations("LicensingService", "CertificationService")
    assert locations(server.ask(FIND, asked, person="reader")) == [
        ("LicensingService", "http://guests.example.net/LicensingService"),
        ("CertificationService", None),
    ]
    assert locations(server.ask(FIND, asked, person="author"))[0] == ("LicensingService", URLS["LicensingService"])


@conforms("MS-RMPR 3.7.4.2", "An account of no known directory is refused with UnspecifiedErrorException.")
def test_an_account_of_no_directory(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows where its services are."""
    elsewhere(monkeypatch, server, None)
    answer = server.ask(FIND, calls.find_service_locations("LicensingService"), person="reader")
    assert fault_name(answer) == "Microsoft.DigitalRightsManagement.Utilities.UnspecifiedErrorException"


@conforms("MS-RMPR 3.7.4.2", "A caller who did not sign on is refused with UnspecifiedErrorException.")
def test_a_caller_whom_nobody_knows(server: RealServer) -> None:
    """Where the endpoint is open to anonymous callers, the operation is not; elsewhere HTTP asks first (401)."""
    asked = calls.call(FIND, calls.find_service_locations("LicensingService"), person=None)
    answer = server.http.send(asked.replace(b"/certification/server.asmx", b"/certification/ServiceLocator.asmx"))
    assert fault_name(answer) == "Microsoft.DigitalRightsManagement.Utilities.UnspecifiedErrorException"
    assert server.http.send(asked).status == 401


@conforms("MS-RMPR 3.7.4.2", "A request with a word that is no ServiceType is refused with InvalidOperationException.")
@conforms("MS-RMPR 3.7.4.2", "A request that fails gets a fault.")
@conforms("MS-RMPR 3.7.4.2.3.3", "A type counts letter by letter.")
@pytest.mark.parametrize("word", ["Licensing", "licensingservice", "LicensingService ", "0", ""])
def test_a_word_that_is_no_service(server: RealServer, word: str) -> None:
    """Also beside one that is."""
    for types in ((word,), ("LicensingService", word)):
        answer = server.ask(FIND, calls.find_service_locations(*types))
        assert fault_name(answer) == "System.InvalidOperationException"


@conforms("MS-RMPR 3.7.4.2", "A request that fails gets a fault.")
@conforms("MS-RMPR 3.7.4.2.2.1", "A request without a service is refused.")
@pytest.mark.parametrize("parameters", ["", "<ServiceNames/>"])
def test_a_question_about_no_service(server: RealServer, parameters: str) -> None:
    """Without names, and with none in their place."""
    assert fault_name(server.ask(FIND, parameters)) == "System.ArgumentNullException"


# --- GetServerInfo ------------------------------------------------------------------------------------------------------

KINDS = {
    "VersionInfo": "VersionInfo",
    "ServerFeatureInfo": "ServerFeatureInfo",
    "ServerLicensorCertificate": "ServerLicensorCertificateChain",
    "ServiceLocations": "ServiceLocations",
}
"""What can be asked for, and the element that answers it (4.6)."""


@conforms(
    "MS-RMPR 3.7.4.3", "Version, features, certificate chain and service locations are answered, each where asked for."
)
def test_what_a_server_tells_of_itself(server: RealServer) -> None:
    """Each kind alone, and all together; the certificates as signed text."""
    for asked in (*((kind,) for kind in KINDS), tuple(KINDS)):
        answer = server.ask(INFO, calls.get_server_info(*asked))
        assert follows_schema("server", answer.body)
        [results] = body_of(answer.body)[0]
        told = {request.get("Type"): [child.tag for child in request] for request in results}
        assert told == {kind: [KINDS[kind]] for kind in asked}
    text = answer.body.decode()
    assert f'<VersionInfo Version="{server.cluster.state.server_version}"' in text
    assert "".join(server.cluster.state.licensor.chain) in text
    assert f'<ServiceLocation Type="LicensingService" Url="{URLS["LicensingService"]}" />' in text


@conforms("MS-RMPR 3.7.4.3", "A request that asks for nothing is refused with ArgumentNullException.")
@conforms("MS-RMPR 3.7.4.3", "A request that fails gets a fault.")
@conforms("MS-RMPR 3.7.4.3.2.1", "A GetServerInfo element without questions is refused.")
@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("", "System.ArgumentNullException"),
        ("<requests/>", "System.ArgumentNullException"),
        (calls.get_server_info("Secrets"), "System.InvalidOperationException"),
        (calls.get_server_info("VersionInfo", "versioninfo"), "System.InvalidOperationException"),
    ],
)
def test_questions_that_are_refused(server: RealServer, parameters: str, name: str) -> None:
    """About nothing, and about what there is not."""
    assert fault_name(server.ask(INFO, parameters)) == name
