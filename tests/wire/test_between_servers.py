"""Requests and answers of [MS-RMPRS] over HTTP: paths, TLS, VersionData, schemas, contents. Faults: test_faults_rmprs.py."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest
from lxml import etree

from rmsserver.auth.policy import Demand, Rule
from rmsserver.web.tls import Tls
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import Cluster, make_cluster
from tests.conformance import conforms
from tests.http_server import Response, request
from tests.operations.enrollees import GUID, encoded, key_of
from tests.soap_messages import envelope, version_data
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.schemas import body_of, follows_schema

FIND, SLC, ENROLL, MEMBER = "FindServiceLocations", "GetLicensorCertificate", "SubEnroll", "IsPrincipalMemberOf"
PLACES = (
    (FIND, "certification/server.asmx"),
    (FIND, "licensing/server.asmx"),
    (ENROLL, "Certification/SubEnrollService.asmx"),
    (SLC, "certification/server.asmx"),
    (SLC, "licensing/server.asmx"),
    (MEMBER, "groupexpansion/GroupExpansion.asmx"),
)
"""Operation and path (2.1), in the specification's letters."""
OPERATIONS = {FIND: "server", SLC: "server", ENROLL: "sub_enroll", MEMBER: "group_expansion"}
"""The four port types, and the file with the description of each."""
TYPES = (
    "LicensingService",
    "CertificationService",
    "DrmRemoteDirectoryServices",
    "GroupExpansionService",
    "LicensingInternalService",
    "CertificationInternalService",
)
"""Those that servers ask each other for (3.2.4.1)."""
BASE = "http://rms.example.com/_wmcs"
AUTHOR, ALL = "author@example.com", "all@example.com"
LOWEST, HIGHEST = "1.0.0.0", "1.2.0.0"
NIL = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'


def cluster() -> Cluster:
    return make_cluster(CryptoMode.MODE_2).with_state(
        group_expansion_enabled=True, binary_group_expansion_enabled=True, sub_enrollment_enabled=True
    )


CLUSTER = cluster()
PARAMETERS = {
    FIND: calls.find_service_locations(*TYPES),
    SLC: "",
    ENROLL: calls.sub_enroll(calls.enrollee(encoded(key_of(CLUSTER)), GUID)),
    MEMBER: calls.is_principal_member_of(AUTHOR, [ALL]),
}
RULES = {
    path: Rule(Demand.LISTED, frozenset({CLUSTER.sid("boss@example.com")}))
    for path in ("/certification/subenrollservice.asmx", "/groupexpansion/groupexpansion.asmx")
}


@pytest.fixture(scope="module")
def running() -> Iterator[RealServer]:
    server = RealServer(CLUSTER, rules=RULES)
    yield server
    server.http.stop()


@pytest.fixture(scope="module")
def secured(tls: Tls) -> Iterator[RealServer]:
    server = RealServer(CLUSTER, rules=RULES, tls=tls)
    yield server
    server.http.stop()


@pytest.fixture
def server(running: RealServer) -> Iterator[RealServer]:
    yield running
    running.cluster = CLUSTER


def ask(server: RealServer, operation: str, parameters: str | None = None, **how: object) -> Response:
    """As somebody who may."""
    return server.ask(
        operation, PARAMETERS[operation] if parameters is None else parameters, **{"person": "boss", **how}
    )


def fault_name(answer: Response) -> str:
    """The short name of an exception."""
    assert answer.status == 500, answer.body
    text = etree.fromstring(answer.body).findtext(".//faultstring") or ""
    return text.partition(":")[0].rpartition(".")[2]


def name_of(answer: Response) -> str:
    """Of the element in the body."""
    return etree.QName(body_of(answer.body)).localname


def texts(answer: Response, name: str) -> list[str]:
    """What stands in the elements of this name."""
    assert answer.status == 200, answer.body
    return [element.text or "" for element in body_of(answer.body).iter("{*}" + name)]


# --- transport ----------------------------------------------------------------------------------------------------------


@conforms("MS-RMPRS 2.1", "The four port types answer over HTTP.")
@conforms("MS-RMPRS 2.1", "The services are below the base URL.")
@pytest.mark.parametrize(
    ("operation", "path"),
    [
        pytest.param(
            operation,
            path,
            marks=conforms("MS-RMPRS 2.1", f"{operation} is at its path."),
            id=path,
        )
        for operation, path in PLACES
    ],
)
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
def test_each_operation_has_its_path(server: RealServer, operation: str, path: str, soap12: bool) -> None:
    """In the specification's spelling, in either SOAP version; elsewhere it is no operation."""
    data = calls.call(operation, PARAMETERS[operation], person="boss", soap12=soap12)
    usual = {**calls.SERVICES, **calls.BETWEEN_SERVERS}[operation][1]
    assert server.http.send(data.replace(usual.encode(), path.encode(), 1)).status == 200
    assert server.http.send(data.replace(usual.encode(), b"licensing/license.asmx", 1)).status == 500


@conforms("MS-RMPRS 2.1", "The services answer over HTTPS as well.")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation_is_served_under_tls(secured: RealServer, operation: str) -> None:
    """With the server's own certificate."""
    assert secured.http.url.startswith("https:")
    assert ask(secured, operation).status == 200


# --- VersionData --------------------------------------------------------------------------------------------------------


@conforms("MS-RMPRS 2.2.4.2", "Questions and answers of this server have VersionData in their header.")
@conforms("MS-RMPRS 3.1.4.1", "Questions and answers of this server have VersionData in their header.")
@conforms("MS-RMPRS 3.1.4.1", "An answer names the lowest version of this server, 1.0.0.0.")
@conforms("MS-RMPRS 3.1.4.1", "An answer names the highest version of this server, 1.2.0.0.")
@pytest.mark.parametrize("version", [LOWEST, HIGHEST])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_names_the_versions_of_the_server(server: RealServer, operation: str, version: str) -> None:
    """Whatever was asked for; one header, in the namespace of the service."""
    [[header], _body] = etree.fromstring(ask(server, operation, version=version).body)
    namespace, _path = {**calls.SERVICES, **calls.BETWEEN_SERVERS}[operation]
    assert etree.tostring(header, method="c14n", exclusive=True).decode() == version_data(namespace, LOWEST, HIGHEST)


@conforms("MS-RMPRS 3.1.4.1", "The version range of a request is compared with this server's.")
@conforms("MS-RMPRS 3.1.4.1", "A request counts as one of its highest version.")
@conforms("MS-RMPRS 3.1.4.1", "A highest version above this server's is refused.")
@pytest.mark.parametrize(
    ("minimum", "maximum", "name"),
    [
        (LOWEST, LOWEST, None),
        (LOWEST, HIGHEST, None),
        ("0.9.0.0", "1.1.0.0", None),
        (LOWEST, "1.2.0.1", "UnsupportedDataVersionException"),
        (LOWEST, "2.0.0.0", "UnsupportedDataVersionException"),
        (HIGHEST, LOWEST, "MalformedDataVersionException"),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_ranges_of_versions(server: RealServer, operation: str, minimum: str, maximum: str, name: str | None) -> None:
    """A lowest version within ours does not save a highest one beyond."""
    answer = ask(server, operation, minimum=minimum, version=maximum)
    assert (None if answer.status == 200 else fault_name(answer)) == name


# --- whole messages -----------------------------------------------------------------------------------------------------


@conforms("MS-RMPRS 3.2.4.1", "An answer follows the schema.")
@conforms("MS-RMPRS 3.2.4.1.1.2", "An answer follows the schema.")
@conforms("MS-RMPRS 3.2.4.1.2.2", "The answer's array follows the schema.")
@conforms("MS-RMPRS 3.2.4.1.3.3", "Each item of an answer follows the schema.")
@conforms("MS-RMPRS 3.3.4.1", "An answer follows the schema.")
@conforms("MS-RMPRS 3.3.4.1.1.2", "An answer follows the schema.")
@conforms("MS-RMPRS 3.3.4.1.2.2", "The result follows the schema.")
@conforms("MS-RMPRS 3.3.4.1.3.4", "The chain in an answer follows the schema.")
@conforms("MS-RMPRS 3.4.4.1", "An answer follows the schema.")
@conforms("MS-RMPRS 3.4.4.1.1.2", "An answer follows the schema.")
@conforms("MS-RMPRS 3.4.4.1.2.2", "The result follows the schema.")
@conforms("MS-RMPRS 3.4.4.1.3.1", "The chain in an answer follows the schema.")
@conforms("MS-RMPRS 3.5.4.1", "An answer over SOAP follows the schema.")
@conforms("MS-RMPRS 3.5.4.1.1.2", "An answer follows the schema.")
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_answers_follow_the_schema(server: RealServer, operation: str, soap12: bool) -> None:
    """Element by element, in order and type."""
    answer = ask(server, operation, soap12=soap12)
    assert name_of(answer) == f"{operation}Response"
    assert follows_schema(OPERATIONS[operation], answer.body)
    assert not follows_schema(OPERATIONS[operation], answer.body.replace(f"{operation}Result".encode(), b"Other"))


@conforms("MS-RMPRS 3.2.4.1", "A request of the schema is served.")
@conforms("MS-RMPRS 3.2.4.1.1.1", "A request of the schema is served.")
@conforms("MS-RMPRS 3.2.4.1.2.1", "The request's array is read as the schema has it.")
@conforms("MS-RMPRS 3.2.4.1.3.1", "Each item of a request is read as the schema has it.")
@conforms("MS-RMPRS 3.3.4.1", "A request of the schema is served, and our licensing-only cluster sends one.")
@conforms("MS-RMPRS 3.3.4.1.2.1", "The parameters are read as the schema has them.")
@conforms("MS-RMPRS 3.3.4.1.3.1", "Key and GUID are read as the schema has them.")
@conforms("MS-RMPRS 3.3.4.1.3.1", "The information is read as the schema has it.")
@conforms("MS-RMPRS 3.4.4.1", "A request of the schema is served.")
@conforms("MS-RMPRS 3.5.4.1", "A request over SOAP that follows the schema is served.")
@conforms("MS-RMPRS 3.5.4.1.2.1", "The groups are read as an array of strings.")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_requests_that_follow_the_schema_are_served(server: RealServer, operation: str) -> None:
    """Those that these tests send do."""
    data = calls.call(operation, PARAMETERS[operation], person="boss")
    assert follows_schema(OPERATIONS[operation], data.partition(b"\r\n\r\n")[2])
    assert server.http.send(data).status == 200


@conforms("MS-RMPRS 3.3.4.1.1.1", "A body with another number of requests than one is refused.")
@conforms("MS-RMPRS 3.4.4.1", "The request is validated.")
@conforms("MS-RMPRS 3.4.4.1.1.1", "A body with another number of requests than one is refused.")
@conforms("MS-RMPRS 3.5.4.1.1.1", "A body with another number of requests than one is refused.")
@pytest.mark.parametrize("count", [0, 2])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_one_request_in_a_body(server: RealServer, operation: str, count: int) -> None:
    """None and two are not one."""
    namespace, path = {**calls.SERVICES, **calls.BETWEEN_SERVERS}[operation]
    one = f'<{operation} xmlns="{namespace}">{PARAMETERS[operation]}</{operation}>'
    action, person = f'"{namespace}/{operation}"', calls.signed_on("boss")
    sent = [
        server.http.send(request(f"/_wmcs/{path}", envelope(body).encode(), SOAPAction=action, Authorization=person))
        for body in (one, one * count)
    ]
    assert [answer.status for answer in sent] == [200, 500]


@conforms("MS-RMPRS 3.2.4.1", "What is not served is answered with a fault.")
@conforms("MS-RMPRS 3.3.4.1", "What is not served is answered with a fault.")
@conforms("MS-RMPRS 3.4.4.1", "What is not served is answered with a fault.")
@conforms("MS-RMPRS 3.5.4.1", "What is not served is answered with a fault.")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_not_served_is_a_fault(server: RealServer, operation: str) -> None:
    """Here because the server is decommissioned; by name, test_faults_rmprs.py has every one."""
    server.configure(decommissioned=True)
    answer = ask(server, operation)
    assert fault_name(answer) == "ClusterDecommissionedException"
    assert name_of(answer) == "Fault"


# --- FindServiceLocations -----------------------------------------------------------------------------------------------

URLS = {
    "LicensingService": f"{BASE}/licensing",
    "CertificationService": f"{BASE}/certification",
    "DrmRemoteDirectoryServices": f"{BASE}/DrmRemote/DirectoryServices/DirectoryServices.rem",
    "GroupExpansionService": f"{BASE}/GroupExpansion/GroupExpansion.asmx",
    "LicensingInternalService": f"{BASE}/licensing",
    "CertificationInternalService": f"{BASE}/certification",
}


def located(answer: Response) -> list[tuple[str, str]]:
    return list(zip(texts(answer, "Type"), texts(answer, "URL"), strict=True))


@conforms("MS-RMPRS 3.2.1", "The server knows the URLs of its services.")
@conforms("MS-RMPRS 3.2.4.1", "Each service type is answered with the URL of its service.")
@conforms("MS-RMPRS 3.2.4.1", "The types of an answer are those of the request.")
@conforms("MS-RMPRS 3.2.4.1.2.2", "An answer has as many items as the request.")
@conforms("MS-RMPRS 3.2.4.1.3.3", "Each item of an answer has the type that was asked for.")
@pytest.mark.parametrize("types", [TYPES, TYPES[::-1], TYPES[:1], ("LicensingService",) * 2])
def test_service_types_have_their_urls(server: RealServer, types: tuple[str, ...]) -> None:
    """All six, in any order, one of them, one twice."""
    answer = ask(server, FIND, calls.find_service_locations(*types))
    assert located(answer) == [(type_, URLS[type_]) for type_ in types]


@conforms("MS-RMPRS 3.2.4.1", "Where there is no URL, it is an empty string.")
@conforms("MS-RMPRS 3.2.4.1", "A type without a URL is in the answer all the same.")
@conforms("MS-RMPRS 3.2.4.1.2.2", "Each item of an answer is one, also without a URL.")
def test_a_service_that_there_is_not(server: RealServer) -> None:
    """While group expansion is off."""
    server.configure(group_expansion_enabled=False, binary_group_expansion_enabled=False)
    found = located(ask(server, FIND))
    assert [type_ for type_, _ in found] == list(TYPES)
    assert {type_ for type_, url in found if not url} == {"DrmRemoteDirectoryServices", "GroupExpansionService"}


@conforms("MS-RMPRS 3.2.4.1", "The types that servers ask each other for are answered.")
@conforms("MS-RMPRS 3.2.4.1.4.1", "Types that are not for servers are answered as any other.")
def test_types_that_are_not_for_servers(server: RealServer) -> None:
    """They are of the enumeration, so a request with one is not refused for it; most have no URL."""
    others = ("EnrollmentService", "PublishingService", "ActivationService", "PrecertificationService", "ServerService")
    found = located(ask(server, FIND, calls.find_service_locations(*TYPES, *others)))
    assert found[: len(TYPES)] == list(URLS.items())
    assert found[len(TYPES) :] == [(type_, f"{BASE}/certification" if "Activ" in type_ else "") for type_ in others]


@conforms("MS-RMPRS 3.2.4.1", "A request without types, or with one that there is not, is refused.")
@conforms("MS-RMPRS 3.2.4.1.2.1", "A request for no service is refused.")
@conforms("MS-RMPRS 3.2.4.1.3.1", "An item of a request without a type is refused.")
@conforms("MS-RMPRS 3.2.4.1.3.2", "A type is one string.")
@conforms("MS-RMPRS 3.2.4.1.3.2", "A type that is not in the enumeration is refused.")
@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "<ServiceNames />",
        f"<ServiceNames {NIL} />",
        "<ServiceNames><ServiceLocationRequest /></ServiceNames>",
        f"<ServiceNames><ServiceLocationRequest {NIL} /></ServiceNames>",
        calls.find_service_locations(""),
        calls.find_service_locations("licensingservice"),
        calls.find_service_locations("LicensingService", "CANARY"),
        calls.find_service_locations("LicensingService CertificationService"),
        calls.find_service_locations("LicensingService</Type><Type>CertificationService"),
    ],
)
def test_requests_for_what_there_is_not(server: RealServer, parameters: str) -> None:
    """A fault for the whole request, without anything of it."""
    answer = ask(server, FIND, parameters)
    assert (answer.status, name_of(answer)) == (500, "Fault")
    assert b"CANARY" not in answer.body


# --- SubEnroll and GetLicensorCertificate -------------------------------------------------------------------------------


@conforms("MS-RMPRS 3.3.4.1", "The answer is a certificate that this server signed, and the chain above it.")
@conforms("MS-RMPRS 3.3.4.1", "The certificate has the key of the request, and its SKU, version and URL.")
@conforms("MS-RMPRS 3.3.4.1", "This server's own chain follows the new certificate.")
@conforms("MS-RMPRS 3.3.4.1", "The chain is in the answer.")
@conforms("MS-RMPRS 3.3.4.1", "The key of a request is the key of the certificate.")
@conforms("MS-RMPRS 3.3.4.1", "The GUID of a request names the key in the certificate.")
@conforms("MS-RMPRS 3.3.4.1", "The SKU is a string.")
@conforms("MS-RMPRS 3.3.4.1", "The version is a string.")
@conforms("MS-RMPRS 3.3.4.1", "The URL of the enrolling server is a string.")
def test_a_licensing_only_cluster_gets_its_certificate(server: RealServer) -> None:
    """What was sent stands in it, letter by letter; each certificate verifies with the next one's key."""
    chain = [html.unescape(text) for text in texts(ask(server, ENROLL), "string")]
    leaf = IssuingCertificate.read(chain[0])
    assert leaf.principal.public_key == key_of(CLUSTER).public
    assert (leaf.principal.object.guid, leaf.principal.object.id) == (GUID, "{" + GUID + "}")
    assert leaf.principal.object.address("URL") == "HTTP://branch.example.com/_wmcs"
    assert leaf.principal.levels == {"Server-Version": "6.3.0.0", "Server-SKU": "RMS 2.0"}
    assert chain[1:] == list(CLUSTER.state.licensor.chain)
    IssuingCertificate.read(chain[1]).issued(leaf)


@conforms("MS-RMPRS 3.4.4.1", "The answer is this server's certificate chain.")
@pytest.mark.parametrize("person", ["boss", None])
def test_the_chain_of_the_server(person: str | None) -> None:
    """To the letter, for a subordinate that has no account here, too, where the endpoint is open."""
    open_ = RealServer(CLUSTER, anonymous=("/licensing/server.asmx",))
    try:
        answer = ask(open_, SLC, person=person)
    finally:
        open_.http.stop()
    assert answer.status == 200
    text = answer.body.decode()
    places = [
        text.find(document[document.index("<BODY") : document.index("</BODY>")])
        for document in CLUSTER.state.licensor.chain
    ]
    assert -1 not in places
    assert places == sorted(places)
    assert len(texts(answer, "Certificate")) == len(places)


# --- IsPrincipalMemberOf ------------------------------------------------------------------------------------------------


@conforms("MS-RMPRS 3.5.4.1", "A successful answer is true or false.")
@pytest.mark.parametrize(
    ("person", "groups", "answer"),
    [
        pytest.param(
            AUTHOR,
            ["nobody@example.com", ALL],
            "true",
            marks=conforms("MS-RMPRS 3.5.4.1", "The answer is true for a member of one group at least."),
        ),
        pytest.param(
            "outsider@example.com",
            [ALL],
            "false",
            marks=conforms("MS-RMPRS 3.5.4.1", "The answer is false for everybody else."),
        ),
        pytest.param(
            "nobody@example.com",
            [ALL],
            "false",
            marks=conforms("MS-RMPRS 3.5.4.1", "The answer is false where principal or groups are not known."),
        ),
        pytest.param(
            AUTHOR,
            ["nobody@example.com", "none@example.com"],
            "false",
            marks=conforms("MS-RMPRS 3.5.4.1", "The answer is false where principal or groups are not known."),
        ),
    ],
)
def test_members(server: RealServer, person: str, groups: list[str], answer: str) -> None:
    """One truth value."""
    found = ask(server, MEMBER, calls.is_principal_member_of(person, groups))
    assert texts(found, "IsPrincipalMemberOfResult") == [answer]


@conforms("MS-RMPRS 3.5.4.1", "Each element of a request is validated.")
@conforms("MS-RMPRS 3.5.4.1", "A request in which an element lacks valid data is refused.")
@pytest.mark.parametrize(
    "parameters",
    [
        calls.is_principal_member_of(None, [ALL]),
        calls.is_principal_member_of("CANARY", [ALL]),
        calls.is_principal_member_of(AUTHOR, []),
        calls.is_principal_member_of(AUTHOR, [ALL, "CANARY"]),
        calls.is_principal_member_of(AUTHOR, [ALL], None),
        calls.is_principal_member_of(AUTHOR, [ALL], -1),
        calls.is_principal_member_of(AUTHOR, [ALL], "CANARY"),
        calls.is_principal_member_of(AUTHOR, [ALL]).replace("CrossForest>author", "CrossForest>reader"),
    ],
)
def test_elements_without_valid_data(server: RealServer, parameters: str) -> None:
    """Each one, alone."""
    answer = ask(server, MEMBER, parameters)
    assert (answer.status, b"Fault" in answer.body, b"CANARY" in answer.body) == (500, True, False)


@conforms("MS-RMPRS 3.5.4.1", "A request that came through ten servers, this one included, is refused.")
def test_the_count_of_servers(server: RealServer) -> None:
    """Note 23: the incremented count reaches ten."""
    answers = [ask(server, MEMBER, calls.is_principal_member_of(AUTHOR, [ALL], count)) for count in (8, 9, 10)]
    assert [answer.status for answer in answers] == [200, 500, 500]
    assert fault_name(answers[1]) == "ArgumentOutOfRangeException"
