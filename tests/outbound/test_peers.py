"""Questions to other servers over HTTP, and what their answers are worth."""

from __future__ import annotations

import threading
import time

import pytest
from lxml import etree

from rmsserver.outbound.http import HttpPeer
from rmsserver.outbound.peers import CERTIFICATION, GROUP_EXPANSION, HttpPeers
from rmsserver.ports import PortUnavailable, SoapMessage
from tests.conformance import conforms
from tests.outbound.other_server import OtherServer
from tests.soap_messages import envelope
from tests.wire.schemas import body_of, follows_schema

PEERS = HttpPeers(HttpPeer())


def answer(content: str) -> bytes:
    inner = f"<IsPrincipalMemberOfResult>{content}</IsPrincipalMemberOfResult>"
    return envelope(
        f'<IsPrincipalMemberOfResponse xmlns="{GROUP_EXPANSION}">{inner}</IsPrincipalMemberOfResponse>'
    ).encode()


def fault(text: str) -> bytes:
    return envelope(
        f"<soap:Fault><faultcode>soap:Server</faultcode><faultstring>{text}</faultstring></soap:Fault>"
    ).encode()


@conforms("MS-RMPRS 3.1.4.1", "Questions and answers of this server have VersionData in their header.")
@conforms("MS-RMPRS 3.1.4.1", "A question of this server names 1.0.0.0 as its lowest version.")
@conforms("MS-RMPRS 3.1.4.1", "A question of this server names 1.0.0.0 as its highest version.")
@conforms("MS-RMPRS 3.1.4.1", "A question of this server has the form of version 1.0.0.0.")
@conforms(
    "MS-RMPRS 3.1.4.1", "Questions are asked in the lowest version, so that none has to be asked again in a lower one."
)
@conforms("MS-RMPRS 2.2.4.2", "Questions and answers of this server have VersionData in their header.")
@conforms("MS-RMPRS 3.5", "Servers of other forests are asked by SOAP.")
@pytest.mark.parametrize(("content", "value"), [("true", True), ("1", True), ("false", False), (" 0 ", False)])
def test_yes_and_no(content: str, value: bool) -> None:
    """And the question is that of 3.5.4.1, in the version that all servers speak (note 9)."""
    with OtherServer(body=answer(content)).serving() as server:
        assert (
            PEERS.is_principal_member_of(server.url, "a&b@example.com", ["g@example.com", "h@example.com"], 3) is value
        )
        _, headers, body = server.requests[0]
    assert headers["SOAPAction"] == f'"{GROUP_EXPANSION}/IsPrincipalMemberOf"'
    assert b"<principalName>a&amp;b@example.com</principalName>" in body
    assert b"<targetGroups><string>g@example.com</string><string>h@example.com</string></targetGroups>" in body
    assert b"<crossForestCallsSoFar>3</crossForestCallsSoFar>" in body
    assert b"<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>1.0.0.0</MaximumVersion>" in body
    assert follows_schema("group_expansion", body)


def test_an_answer_has_so_much_time() -> None:
    """What the question has left, since others wait for us; five seconds at most."""
    with OtherServer(body=answer("true"), wait_seconds=1).serving() as server:
        begun = time.monotonic()
        with pytest.raises(PortUnavailable, match="in time"):
            PEERS.is_principal_member_of(server.url, "a@example.com", ["g@example.com"], 1, 0.2)
        assert time.monotonic() - begun < 0.9
        assert PEERS.is_principal_member_of(server.url, "a@example.com", ["g@example.com"], 1, 100)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, answer("maybe")),
        (200, answer("true").replace(b"Result>", b"Other>")),
        (500, answer("true")),
        (200, b"not XML"),
        (200, b"<!DOCTYPE x [<!ENTITY e 'true'>]>" + answer("&e;").partition(b"?>")[2]),
        (200, b""),
        (404, b""),
        (401, b""),
        (500, fault("System.UnauthorizedAccessException: no")),
        (200, envelope("<soap:Fault/>").encode()),
    ],
)
def test_anything_else_is_no_answer(status: int, body: bytes) -> None:
    """Never taken for a yes."""
    with OtherServer(status=status, body=body).serving() as server, pytest.raises(PortUnavailable):
        PEERS.is_principal_member_of(server.url, "a@example.com", ["g@example.com"], 1)


def test_a_fault_is_told_to_the_log_in_part() -> None:
    """Bounded, and without control characters."""
    with (
        OtherServer(status=500, body=fault("x\n" * 1000)).serving() as server,
        pytest.raises(PortUnavailable) as caught,
    ):
        PEERS.is_principal_member_of(server.url, "a@example.com", ["g@example.com"], 1)
    assert len(caught.value.detail) < 300
    assert "\n" not in caught.value.detail


def test_L10_one_call_too_many_is_refused_at_once() -> None:
    """L10: servers that ask each other in a circle cannot take every worker."""
    one = HttpPeers(HttpPeer(simultaneous=1))
    with OtherServer(body=answer("true"), wait_seconds=1).serving() as server:

        def ask() -> bool:
            return one.is_principal_member_of(server.url, "a@example.com", ["g@example.com"], 1)

        first = threading.Thread(target=ask)
        first.start()
        while not server.requests:
            time.sleep(0.01)
        begun = time.monotonic()
        with pytest.raises(PortUnavailable, match="in use"):
            ask()
        assert time.monotonic() - begun < 2
        first.join()
        assert ask()


def test_L10_activation_takes_no_places_of_others() -> None:
    """L10: anonymous callers who wait for a slow activation service do not keep servers from asking about groups."""
    one = HttpPeers(HttpPeer(simultaneous=1))
    with OtherServer(body=answer("true"), wait_seconds=0.5).serving() as slow:
        first = threading.Thread(target=one.activate, args=(slow.url, SoapMessage("text/xml", b"<x/>")))
        first.start()
        while not slow.requests:
            time.sleep(0.01)
        with pytest.raises(PortUnavailable, match="in use"):
            one.activate(slow.url, SoapMessage("text/xml", b"<x/>"))
        with OtherServer(body=answer("true")).serving() as server:
            assert one.is_principal_member_of(server.url, "a@example.com", ["g@example.com"], 1)
        first.join()


@conforms("MS-RMSI 2.2.4.3", "A request of this server names 1.0.0.0 as its lowest and its highest version.")
@conforms("MS-RMSI 3.1.4.1", "Requests and answers carry VersionData.")
@conforms("MS-RMSI 3.1.4.1", "A request of this server names 1.0.0.0 as its lowest version.")
@conforms("MS-RMSI 3.1.4.1", "A request of this server names 1.0.0.0 as its highest version.")
@conforms("MS-RMSI 3.1.4.1", "A request of this server has the form of version 1.0.0.0.")
@conforms("MS-RMSI 3.1.4.1", "Requests are of the lowest version, so that none has to be sent again in a lower one.")
@pytest.mark.parametrize(
    ("identity", "element", "found"),
    [("a&b@example.com", "UserName", "a&b@example.com"), ("S-1-5-21-1", "Identification", "WindowsS-1-5-21-1")],
)
def test_precertification_asks_for_one_account(identity: str, element: str, found: str) -> None:
    """By address or SID, as the schema says; the certificate comes back to the letter, and nothing for a fault."""
    certificate = '<XrML xmlns="" version="1.2"><BODY a="1"   /></XrML>'
    with OtherServer().serving() as server:
        server.body = envelope(
            f'<PrecertifyResponse xmlns="{CERTIFICATION}"><PrecertifyResult><PrecertifyResponse><Certificate>{certificate}'
            "</Certificate></PrecertifyResponse></PrecertifyResult></PrecertifyResponse>"
        ).encode()
        assert PEERS.precertify(server.url, identity) == certificate
        server.status, server.body = 500, fault("no such account")
        assert PEERS.precertify(server.url, identity) is None
        _, headers, body = server.requests[0]
    assert headers["SOAPAction"] == f'"{CERTIFICATION}/Precertify"'
    assert b"<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>1.0.0.0</MaximumVersion>" in body
    assert follows_schema("precertification", body)
    [[[user]]] = body_of(body)
    assert (etree.QName(user).localname, "".join(user.itertext())) == (element, found)


@pytest.mark.parametrize(("status", "content_type"), [(200, "application/dime"), (500, "text/xml; charset=utf-8")])
@conforms("MS-RMPR 3.2.4.1", "The request goes to the service as it came, octet for octet.")
@conforms("MS-RMPR 3.2.4.1", "The service's fault goes to the client.")
def test_activation_passes_both_ways(status: int, content_type: str) -> None:
    """Octet for octet, faults too."""
    request = SoapMessage('text/xml; charset="utf-8"', b"\xef\xbb\xbf<request/>", '"urn:a"')
    with OtherServer(status, content_type, b"\x0c\x00\xff").serving() as server:
        found = PEERS.activate(server.url, request)
        _, headers, body = server.requests[0]
    assert (found.status, found.content_type, found.body) == (status, content_type, b"\x0c\x00\xff")
    assert (headers["Content-Type"], headers["SOAPAction"], body) == (
        request.content_type,
        request.soap_action,
        request.body,
    )
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("status", "content_type"), [(200, "text/html"), (302, "text/xml"), (401, "text/xml"), (200, "")]
)
def test_what_is_no_answer_of_an_activation_service(status: int, content_type: str) -> None:
    """A page is not passed on to clients."""
    with OtherServer(status, content_type, b"<html>").serving() as server, pytest.raises(PortUnavailable):
        PEERS.activate(server.url, SoapMessage("text/xml", b"<request/>"))
