"""SubEnroll and Enroll over HTTP: answers, faults, and who may call (threat L10)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import key, make_cluster
from tests.http_server import Response
from tests.operations.enrollees import GUID, encoded, key_of
from tests.operations.test_enroll import enrollment_service
from tests.wire.calls import enroll, enrollee, sub_enroll
from tests.wire.real_server import RealServer

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


def test_enroll_answers_four_and_version_1(server: RealServer) -> None:
    """3.6.4.1.1.2: both versions in the header are 1.0.0.0."""
    answer = server.ask("Enroll", REQUESTS["Enroll"], person="boss")
    assert len(strings(answer)) == 4
    assert b"<MaximumVersion>1.0.0.0</MaximumVersion>" in answer.body


@pytest.mark.parametrize("operation", list(REQUESTS))
@pytest.mark.parametrize(
    ("found", "put", "name"),
    [
        (KEY, "CANARY!", "System.FormatException"),
        (KEY, "AAAA", "Microsoft.DigitalRightsManagement.Core.DRMSArgumentException"),
        (KEY, encoded(key("short", 1024)), "System.ArgumentOutOfRangeException"),
        (KEY, encoded(CLUSTER.state.licensor.key), "System.ArgumentException"),
        (GUID, "CANARY", "System.FormatException"),
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
