"""Activate over HTTP, to a real service and back ([MS-RMPR] 3.2); who may call (threat L10)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.outbound.http import HttpPeer
from rmsserver.outbound.peers import HttpPeers
from rmsserver.soap.dime import Layout
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.conformance import conforms
from tests.outbound.other_server import OtherServer
from tests.soap.test_dime import activation_answer
from tests.wire.calls import call
from tests.wire.real_server import RealServer

CLUSTER = make_cluster(CryptoMode.MODE_2)
HARDWARE = "<requestParams><ActivateParams><HidXml>{}</HidXml></ActivateParams></requestParams>"
REQUEST = HARDWARE.format("qFWD4nOuWYuJsWLn8wPHgLqzBpA=")


@pytest.fixture(scope="module")
def service() -> Iterator[OtherServer]:
    with OtherServer().serving() as running:
        yield running


@pytest.fixture(scope="module")
def server(service: OtherServer) -> Iterator[RealServer]:
    """Open to everybody, as version 1 clients need it: they activate before they sign on anywhere."""
    ports = dataclasses.replace(CLUSTER.ports(), peers=HttpPeers(HttpPeer()))
    cluster = CLUSTER.with_state(activation_url=service.url)
    running = RealServer(cluster, ports, rules={"/certification/activation.asmx": Rule(Demand.ANONYMOUS)})
    yield running
    running.http.stop()


@pytest.mark.parametrize("layout", list(Layout))
@conforms("MS-RMPR 3.2.4.1", "The DIME attachment of the service's answer comes with ours.")
@conforms("MS-RMPR 3.2.4.1", "Activate is served where an activation service is configured.")
@conforms("MS-RMPR 3.2.4.1", "The request goes to the service as it came, octet for octet.")
@conforms("MS-RMPR 3.2.4.1", "The service's answer goes to the client as it came, octet for octet.")
@conforms("MS-RMPR 3.1.4.2", "Every operation is served at its path below the base URL.")
def test_answer_and_attachment_pass_unchanged(server: RealServer, service: OtherServer, layout: Layout) -> None:
    """Content type and octets, in either layout of DIME (4.3); the request's octets arrive at the service."""
    service.status, service.content_type = 200, "application/dime"
    service.body = activation_answer(layout).pack()
    answer = server.ask("Activate", REQUEST, person=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/dime")
    assert answer.body == service.body
    sent = call("Activate", REQUEST, person=None).partition(b"\r\n\r\n")[2]
    assert service.requests[-1][2] == sent
    record = server.audit[-1]
    assert record.trail.facts["attachment"] == ["SecureRepository 153600 bytes"]
    assert record.trail.facts["attachment_layout"] == [layout.value]


@conforms("MS-RMPR 3.2.4.1", "What stands in request and answer is not looked into.")
def test_an_attachment_that_is_none(server: RealServer, service: OtherServer) -> None:
    """Opaque to us: it passes, and is an alert."""
    service.status, service.content_type, service.body = 200, "application/dime", b"\x0c\x20junk"
    assert server.ask("Activate", REQUEST, person=None).body == service.body
    assert "not DIME" in server.audit[-1].trail.alerts[0]


@conforms("MS-RMPR 3.2.4.1", "The service's fault goes to the client.")
def test_the_services_own_fault(server: RealServer, service: OtherServer) -> None:
    """3.2.4.1: the same fault."""
    service.status, service.content_type, service.body = 500, "text/xml; charset=utf-8", b"<fault>its own</fault>"
    answer = server.ask("Activate", REQUEST, person=None)
    assert (answer.status, answer.body) == (500, service.body)
    assert server.audit[-1].outcome == "fault passed on"


def test_no_service_and_none_that_answers(server: RealServer, service: OtherServer) -> None:
    """The fault of today's servers."""
    original = server.cluster
    service.status, service.content_type, service.body = 404, "text/html", b"<html>CANARY</html>"
    away = server.ask("Activate", REQUEST, person=None)
    try:
        server.configure(activation_url=None)
        none = server.ask("Activate", REQUEST, person=None)
    finally:
        server.cluster = original
    assert away.body == none.body
    assert (none.status, b"Utilities.UnspecifiedErrorException" in none.body) == (500, True)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("", "System.ArgumentNullException"),
        ("<requestParams/>", "System.ArgumentNullException"),
        (HARDWARE.format(""), "System.ArgumentNullException"),
        (REQUEST.replace("qFWD", "<A><B></A></B>"), "soap:Client"),
    ],
)
@conforms("MS-RMPR 3.2.4.1", "A request without a hardware ID is refused, and no service is asked.")
def test_requests_that_are_not_passed_on(server: RealServer, service: OtherServer, parameters: str, name: str) -> None:
    """Null, empty, not well-formed: the service is not troubled."""
    before = len(service.requests)
    answer = server.ask("Activate", parameters, person=None)
    assert (answer.status, name.encode() in answer.body) == (500, True)
    assert len(service.requests) == before


@conforms("MS-RMPR 3.2.4.1", "What stands in request and answer is not looked into.")
def test_hardware_ids_may_be_elements(server: RealServer, service: OtherServer) -> None:
    """Any XML (3.2.4.1.2.3)."""
    service.status, service.content_type, service.body = 200, "text/xml; charset=utf-8", b"<answer/>"
    assert server.ask("Activate", HARDWARE.format("<HID><V>1</V></HID> and text"), person=None).body == b"<answer/>"


def test_L10_closed_by_default() -> None:
    """L10: nobody."""
    closed = RealServer(CLUSTER)
    try:
        assert closed.ask("Activate", REQUEST, person="boss").status == 403
    finally:
        closed.http.stop()
