"""The form of requests and answers of [MS-RMSI] over HTTP: paths, TLS, VersionData, elements. Faults: test_faults_rmsi.py."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from lxml import etree

from rmsserver.auth.policy import Demand, Rule
from rmsserver.web.tls import Tls
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.use_license import UseLicense
from tests.conformance import conforms
from tests.http_server import Response, request
from tests.operations.licensing import OUTSIDER, READER
from tests.soap_messages import CERTIFICATION, DECOMMISSION, LICENSING, REPUBLISHING, envelope, version_data
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.test_applications import MAIL_SERVER, parameters_of, result, surfaces
from tests.wire.test_faults import mode_2
from tests.wire.test_faults_rmsi import ENDPOINTS, signed

INTERFACES = {
    "AcquireContentKey": (DECOMMISSION, "decommission/decommission.asmx"),
    "Precertify": (CERTIFICATION, "certification/Precertification.asmx"),
    "EditIssuanceLicense": (REPUBLISHING, "licensing/editissuancelicense.asmx"),
    "AcquirePreLicense": (LICENSING, "licensing/license.asmx"),
}
"""Operation: namespace and path (2.1)."""
LOWEST, HIGHEST = "1.0.0.0", "1.2.0.0"


def listed() -> dict[str, Rule]:
    """`boss` may call all four."""
    return dict.fromkeys(ENDPOINTS, Rule(Demand.LISTED, frozenset({mode_2().sid("boss@example.com")})))


@pytest.fixture(scope="module")
def running() -> Iterator[RealServer]:
    server = RealServer(mode_2(), rules=listed())
    yield server
    server.http.stop()


@pytest.fixture(scope="module")
def secured(tls: Tls) -> Iterator[RealServer]:
    server = RealServer(mode_2(), rules=listed(), tls=tls)
    yield server
    server.http.stop()


@pytest.fixture
def server(running: RealServer) -> Iterator[RealServer]:
    yield running
    running.configure(decommissioned=False)


def ask(server: RealServer, operation: str, parameters: str | None = None, **how: object) -> Response:
    """As somebody who may, of a server in the state that the operation needs."""
    server.configure(decommissioned=operation == "AcquireContentKey")
    return server.ask(operation, parameters or parameters_of(operation), person=MAIL_SERVER, **how)


def fault_name(answer: Response) -> str:
    """The short name of an exception."""
    assert answer.status == 500, answer.body
    text = etree.fromstring(answer.body).findtext(".//faultstring") or ""
    return text.partition(":")[0].rpartition(".")[2]


# --- transport ----------------------------------------------------------------------------------------------------------


@conforms("MS-RMSI 2.1", "Each interface is at its own path below the base URL.")
@pytest.mark.parametrize("operation", INTERFACES)
def test_each_interface_has_its_path(server: RealServer, operation: str) -> None:
    """In the specification's spelling; at the path of another it is no operation."""
    namespace, path = INTERFACES[operation]
    server.configure(decommissioned=operation == "AcquireContentKey")
    body = envelope(f'<{operation} xmlns="{namespace}">{parameters_of(operation)}</{operation}>').encode()
    for asked in INTERFACES.values():
        answer = server.http.send(request(f"/_wmcs/{asked[1]}", body, Authorization=calls.signed_on(MAIL_SERVER)))
        assert (answer.status == 200) == (asked[1] == path), answer.body


@conforms("MS-RMSI 2.1", "All four interfaces are served under TLS, too.")
@pytest.mark.parametrize("operation", INTERFACES)
def test_each_interface_is_served_under_tls(secured: RealServer, operation: str) -> None:
    """With the server's own certificate."""
    assert secured.http.url.startswith("https:")
    assert ask(secured, operation).status == 200


# --- VersionData --------------------------------------------------------------------------------------------------------


@conforms("MS-RMSI 2.2.1", "Every answer has the VersionData header.")
@conforms("MS-RMSI 2.2.4.3", "Answers name the lowest version of the server.")
@conforms("MS-RMSI 2.2.4.3", "Answers name the highest version of the server.")
@conforms("MS-RMSI 3.1.4.1", "Requests and answers carry VersionData.")
@conforms("MS-RMSI 3.1.4.1", "An answer's lowest version is 1.0.0.0.")
@conforms("MS-RMSI 3.1.4.1", "An answer's highest version is 1.2.0.0.")
@pytest.mark.parametrize("version", [LOWEST, "1.1.0.0", HIGHEST])
@pytest.mark.parametrize("operation", INTERFACES)
def test_an_answer_names_the_versions_of_the_server(server: RealServer, operation: str, version: str) -> None:
    """Whatever was asked for; one header, in the namespace of the service."""
    answer = ask(server, operation, version=version)
    result(answer)
    [[header], _body] = etree.fromstring(answer.body)
    namespace, _path = INTERFACES[operation]
    assert etree.tostring(header, method="c14n", exclusive=True).decode() == version_data(namespace, LOWEST, HIGHEST)


NEITHER_FORM = ["1.0.0", "1.0.0.0.0", "1,0,0,0", "1.0.0.x", "x", "", "-1.0.0.0", " 1.0.0.0"]


@conforms("MS-RMSI 2.2.4.3", "The lowest version is text of four numbers between dots, and anything else is refused.")
@conforms("MS-RMSI 2.2.4.3", "The highest version is text of four numbers between dots, and anything else is refused.")
@conforms("MS-RMSI 3.1.4.2", "VersionData of each request is validated.")
@conforms("MS-RMSI 3.1.4.2", "A version that is none is refused with MalformedDataVersionException.")
@pytest.mark.parametrize("operation", INTERFACES)
def test_what_is_no_version(server: RealServer, operation: str) -> None:
    """As lowest and as highest."""
    for text in NEITHER_FORM:
        for versions in ({"minimum": text, "version": HIGHEST}, {"minimum": LOWEST, "version": text}):
            if versions["minimum"]:
                assert fault_name(ask(server, operation, **versions)) == "MalformedDataVersionException", versions


@conforms("MS-RMSI 2.2.4.3", "Of two lowest versions the first number that differs decides.")
@conforms("MS-RMSI 2.2.4.3", "Of two highest versions the first number that differs decides.")
@conforms(
    "MS-RMSI 2.2.4.3",
    "A request for a higher version than the server's is refused with UnsupportedDataVersionException.",
)
@conforms("MS-RMSI 3.1.4.1", "The version range of each request is held against that of the server.")
@conforms("MS-RMSI 3.1.4.1", "A highest version above the server's is refused.")
@conforms("MS-RMSI 3.1.4.1", "A lowest version above the highest is refused with MalformedDataVersionException.")
@conforms("MS-RMSI 3.1.4.2", "A highest version beyond the server's is refused with UnsupportedDataVersionException.")
@pytest.mark.parametrize(
    ("minimum", "maximum", "name"),
    [
        (LOWEST, LOWEST, None),
        (LOWEST, "1.1.99.99", None),
        ("0.99.99.99", HIGHEST, None),
        ("1.1.0.9", "1.1.1.0", None),
        ("1.0.9.9", "1.1.0.0", None),
        ("1.1.0.0", "1.0.9.9", "MalformedDataVersionException"),
        ("1.1.1.0", "1.1.0.9", "MalformedDataVersionException"),
        ("1.0.0.1", LOWEST, "MalformedDataVersionException"),
        (LOWEST, "1.2.0.1", "UnsupportedDataVersionException"),
        (LOWEST, "1.2.1.0", "UnsupportedDataVersionException"),
        (LOWEST, "1.3.0.0", "UnsupportedDataVersionException"),
        (LOWEST, "2.0.0.0", "UnsupportedDataVersionException"),
        ("2.0.0.0", "1.0.9.9", "MalformedDataVersionException"),
    ],
)
def test_ranges_of_versions(server: RealServer, minimum: str, maximum: str, name: str | None) -> None:
    """The same for all four."""
    for operation in INTERFACES:
        answer = ask(server, operation, minimum=minimum, version=maximum)
        assert (None if answer.status == 200 else fault_name(answer)) == name, operation


@conforms("MS-RMSI 2.2.4.3", "The versions of a request are compared with those of the server before anything else.")
@pytest.mark.parametrize("operation", INTERFACES)
def test_the_version_comes_first(server: RealServer, operation: str) -> None:
    """Also where the state of the server or the parameters are a reason to refuse."""
    server.configure(decommissioned=operation != "AcquireContentKey")
    answer = server.ask(operation, "<nonsense/>", version="9.0.0.0", person=MAIL_SERVER)
    assert fault_name(answer) == "UnsupportedDataVersionException"


# --- elements -----------------------------------------------------------------------------------------------------------


@conforms("MS-RMSI 3.1.4.2", "A missing or null element that an operation needs is refused with ArgumentNullException.")
@conforms("MS-RMSI 3.2.4.1.2.1", "A request without any element is refused.")
@conforms("MS-RMSI 3.2.4.1.3.1", "An empty array is no request.")
@conforms("MS-RMSI 3.2.4.1.3.1", "An empty array is refused with ArgumentNullException.")
@conforms("MS-RMSI 3.4.4.1.2.1", "A request for anything but one licence is refused.")
@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("AcquireContentKey", "<paramsSoap/>"),
        ("AcquireContentKey", "<paramsSoap><AcquireContentKeyParams/></paramsSoap>"),
        ("AcquireContentKey", calls.acquire_content_key(())),
        ("Precertify", "<requestParams><PrecertifyParams/></requestParams>"),
        ("EditIssuanceLicense", "<RequestParams/>"),
        ("EditIssuanceLicense", "<RequestParams><EditIssuanceLicenseParams/></RequestParams>"),
        ("AcquirePreLicense", "<RequestParams/>"),
        ("AcquirePreLicense", calls.acquire_pre_license((), ("<XrML/>",))),
        ("AcquirePreLicense", calls.acquire_pre_license((READER,), ())),
    ],
)
def test_what_is_missing_has_a_name(server: RealServer, operation: str, parameters: str) -> None:
    """Empty arrays, elements without content, and those that are nil."""
    nil = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'
    for form in (parameters, parameters.replace("Params/>", f"Params {nil}/>")):
        assert fault_name(ask(server, operation, form)) == "ArgumentNullException", form


@conforms("MS-RMSI 3.2.4.1", "An answer has one content key.")
@conforms("MS-RMSI 3.2.4.1.2.2", "The response has one element.")
@conforms("MS-RMSI 3.2.4.1.3.3", "The answer's array has one element.")
@conforms("MS-RMSI 3.2.4.1.3.4", "A key is never missing in an answer.")
@conforms("MS-RMSI 3.2.4.1.4.1", "The type of a key is a word of the enumeration.")
def test_one_content_key_and_its_type(server: RealServer) -> None:
    """Also where two licences were asked about; `result` fails for any other number of elements."""
    first, second = signed(), mode_2().publish(mode_2().author(), name="other")
    answer = ask(server, "AcquireContentKey", calls.acquire_content_key(first.chain, second.chain))
    key, kind = result(answer)
    assert base64.b64decode(key.text or "", validate=True) == first.content_key.key
    assert kind.text in ("DES", "AES", "RSA")


OTHER = f"<Email>{OUTSIDER}</Email><ProxyAddresses><string>smtp:{OUTSIDER}</string></ProxyAddresses>"


@conforms("MS-RMSI 3.3.4.1", "An e-mail address in Identification is passed over.")
@conforms("MS-RMSI 3.3.4.1", "Proxy addresses in Identification are passed over.")
@conforms("MS-RMSI 3.3.4.1.3.3", "Email is passed over.")
@conforms("MS-RMSI 3.3.4.1.3.3", "ProxyAddresses are passed over.")
def test_other_addresses_of_an_identification_mean_nothing(server: RealServer) -> None:
    """Those of another user neither name nor contradict the one whose SID is there; alone they name nobody."""
    sid = server.cluster.sid(READER)
    named = calls.precertify("", sid=sid).replace("</Id>", f"</Id>{OTHER}")
    [text] = surfaces(ask(server, "Precertify", named), "PrecertifyResponse")
    rac = RightsAccountCertificate.read(text)
    assert (rac.email, OUTSIDER in text) == (READER, False)
    assert fault_name(ask(server, "Precertify", named.replace(f"<Id>{sid}</Id>", ""))) == "ArgumentNullException"


@conforms("MS-RMSI 3.5.4.1.3.2", "ApplicationData changes nothing.")
@conforms("MS-RMSI 3.5.4.1.3.2", "The leaf of a publishing licence is enough.")
def test_a_leaf_and_application_data(server: RealServer) -> None:
    """The leaf without its chain, with and without application data: the same licence."""
    parameters = calls.acquire_pre_license((READER,), (signed().text,))
    with_data = parameters.replace("</IssuanceLicense>", "</IssuanceLicense><ApplicationData>x &lt;</ApplicationData>")
    assert parameters != with_data
    licenses = [
        UseLicense.read(surfaces(ask(server, "AcquirePreLicense", form), "Licenses")[0])
        for form in (parameters, with_data)
    ]
    assert licenses[0].rights == licenses[1].rights
    assert licenses[0].application_data == licenses[1].application_data
