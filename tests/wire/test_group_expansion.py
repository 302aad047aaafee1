"""Group expansion over HTTP, as SOAP and in the binary form ([MS-RMPRS] 2.1.1, 3.5, 3.6); who may ask (threat L10)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.outbound.http import HttpPeer
from rmsserver.outbound.peers import HttpPeers
from rmsserver.ports import PortUnavailable
from rmsserver.remoting.group_expansion import FoundPrincipal, MembershipCall, MembershipException, MembershipReturn
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import Cluster, make_cluster
from tests.conformance import conforms
from tests.http_server import Response, request
from tests.remoting.test_group_expansion import CALL
from tests.wire.calls import is_principal_member_of, signed_on
from tests.wire.real_server import RealServer

SOAP = "/groupexpansion/groupexpansion.asmx"
REM = "/DrmRemote/DirectoryServices/DirectoryServices.rem"
AUTHOR, ALL = "author@example.com", "all@example.com"


def cluster() -> Cluster:
    return make_cluster(CryptoMode.MODE_2).with_state(group_expansion_enabled=True, binary_group_expansion_enabled=True)


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """One that lets `boss` ask in either form."""
    made = cluster()
    rule = Rule(Demand.LISTED, frozenset({made.sid("boss@example.com")}))
    running = RealServer(made, rules={SOAP: rule, REM: rule})
    yield running
    running.http.stop()


@pytest.fixture(scope="module")
def closed() -> Iterator[RealServer]:
    """One with the product's defaults for who may call what."""
    running = RealServer(cluster())
    yield running
    running.http.stop()


def binary(
    server: RealServer,
    body: bytes,
    *,
    person: str | None = "boss",
    method: str = "POST",
    content_type: str = "application/octet-stream",
) -> Response:
    headers = {} if person is None else {"Authorization": signed_on(person)}
    data = request("/_wmcs" + REM, body, content_type=content_type, User_Agent="MS .NET Remoting", **headers)
    return server.http.send(data.replace(b"POST ", method.encode() + b" ", 1))


def question(principal: str = "mail=" + AUTHOR, *groups: str, calls: int = 1) -> bytes:
    return MembershipCall(principal, principal, groups or ("mail=" + ALL,), calls).pack()


# --- SOAP ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "answer"), [(AUTHOR, "true"), ("outsider@example.com", "false"), ("x@y.z", "false")]
)
@pytest.mark.parametrize("soap12", [False, True])
def test_yes_and_no(server: RealServer, person: str, answer: str, soap12: bool) -> None:
    """3.5.4.1, in either SOAP version, with the version header of 3.1.4.1."""
    body = server.ask("IsPrincipalMemberOf", is_principal_member_of(person, [ALL]), person="boss", soap12=soap12).body
    assert f"<IsPrincipalMemberOfResult>{answer}</IsPrincipalMemberOfResult>".encode() in body
    assert b"<MaximumVersion>1.2.0.0</MaximumVersion>" in body


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        (is_principal_member_of(None, [ALL]), "System.ArgumentNullException"),
        (is_principal_member_of(AUTHOR, []), "System.ArgumentNullException"),
        (is_principal_member_of(AUTHOR, [ALL], None), "System.ArgumentNullException"),
        (is_principal_member_of(AUTHOR, [ALL], 9), "System.ArgumentOutOfRangeException"),
        (is_principal_member_of(AUTHOR, [ALL], -1), "System.ArgumentOutOfRangeException"),
        (is_principal_member_of("CANARY", [ALL]), "System.FormatException"),
        (
            is_principal_member_of(AUTHOR, [ALL]).replace("CrossForest>author", "CrossForest>CANARY"),
            "System.ArgumentException",
        ),
    ],
)
def test_faults(server: RealServer, parameters: str, name: str) -> None:
    """Those of 2.2.9.1, without anything of the request in them."""
    answer = server.ask("IsPrincipalMemberOf", parameters, person="boss")
    assert (answer.status, f"<faultstring>{name}:".encode() in answer.body) == (500, True)
    assert b"CANARY" not in answer.body


def test_a_count_that_is_no_number(server: RealServer) -> None:
    """A client's fault: the message does not fit the service."""
    answer = server.ask("IsPrincipalMemberOf", is_principal_member_of(AUTHOR, [ALL], "CANARY"), person="boss")
    assert (answer.status, b"soap:Client" in answer.body, b"CANARY" in answer.body) == (500, True, False)


def test_L10_nobody_asks_until_accounts_are_added(server: RealServer, closed: RealServer) -> None:
    """L10: nobody by default; then those who are listed."""
    parameters = is_principal_member_of(AUTHOR, [ALL])
    assert closed.ask("IsPrincipalMemberOf", parameters, person="boss").status == 403
    assert server.ask("IsPrincipalMemberOf", parameters, person=None).status == 401
    assert server.ask("IsPrincipalMemberOf", parameters, person="author").status == 403


def test_L10_off_even_where_the_endpoint_is_open(server: RealServer) -> None:
    """L10: the switch of the cluster goes before the list of the endpoint; decommissioned before both."""
    parameters, original = is_principal_member_of(AUTHOR, [ALL]), server.cluster
    try:
        server.configure(group_expansion_enabled=False)
        off = server.ask("IsPrincipalMemberOf", parameters, person="boss")
        server.configure(decommissioned=True)
        gone = server.ask("IsPrincipalMemberOf", parameters, person="boss")
    finally:
        server.cluster = original
    assert b"System.UnauthorizedAccessException" in off.body
    assert b"ClusterDecommissionedException" in gone.body


def test_the_audit_has_who_was_asked_about(server: RealServer) -> None:
    """And what was answered."""
    server.ask("IsPrincipalMemberOf", is_principal_member_of(AUTHOR, [ALL]), person="boss")
    record = server.audit[-1]
    assert (record.operation, record.outcome, record.account) == ("IsPrincipalMemberOf", "ok", "EXAMPLE\\boss")
    assert record.trail.facts == {"account": [AUTHOR], "is_member": ["true"]}


# --- binary -------------------------------------------------------------------------------------------------------------


@conforms("MS-RMPRS 2.1", "Binary group expansion is at its path.")
@conforms("MS-RMPRS 2.1.1", "A call is the body of an HTTP request, its answer the body of the response.")
@conforms("MS-RMPRS 2.1.1.1.1", "A call to the endpoint's URI is served.")
@conforms("MS-RMPRS 2.1.1.1.1", "Calls are served by POST, as by M-POST.")
@conforms("MS-RMPRS 2.1.1.1.1", "A call is the body of an HTTP request.")
@conforms("MS-RMPRS 2.1.1.2.2", "An answer has the content type of the call.")
@conforms("MS-RMPRS 3.6.4.1", "A call in the form of 2.3.1.2 is served.")
@conforms("MS-RMPRS 3.6.4.1", "An answer has the form of 2.3.1.3.")
@pytest.mark.parametrize("method", ["POST", "M-POST"])
def test_the_binary_form(server: RealServer, method: str) -> None:
    """2.1.1: 200, the request's content type, the message; either method, letter case of the path ignored."""
    answer = binary(server, question(), method=method)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    sid = server.cluster.sid(AUTHOR).lower()
    assert MembershipReturn.unpack(answer.body) == MembershipReturn(
        True, FoundPrincipal((f"id={sid}", f"mail={AUTHOR}"))
    )


def test_the_example_of_the_specification(server: RealServer) -> None:
    """4.3's question in its own octets: nobody here knows user1, so the answer is no."""
    assert MembershipReturn.unpack(binary(server, CALL).body) == MembershipReturn(
        False, FoundPrincipal(("mail=user1@contoso.com",), exists=False)
    )


@conforms("MS-RMPRS 2.1.1.1.1", "A call whose method is neither POST nor M-POST is refused.")
@conforms("MS-RMPRS 2.1.1.1.1", "Another content type than application/octet-stream is refused.")
@conforms("MS-RMPRS 2.1.1.2.1", "Another method or content type is answered with status 400.")
@conforms("MS-RMPRS 2.1.1.2.1", "An answer with status 400 has no body.")
@pytest.mark.parametrize(
    ("method", "content_type"),
    [("GET", "application/octet-stream"), ("PUT", "application/octet-stream"), ("POST", "text/xml"), ("POST", "")],
)
def test_transport_faults(server: RealServer, method: str, content_type: str) -> None:
    """2.1.1.2.1: 400, and nothing in it."""
    answer = binary(server, question(), method=method, content_type=content_type)
    assert (answer.status, answer.body) == (400, b"")


def exchanged(server: RealServer, head: str, body: bytes, *lines: str) -> tuple[str, bytes]:
    """Status line and body of the answer to a call whose HTTP is written out, on a connection that ends with it."""
    fields = ["Host: x", "Content-Type: application/octet-stream", f"Authorization: {signed_on('boss')}", *lines]
    with server.http.connect() as wire:
        wire.write("\r\n".join((head, *fields, "Connection: close", "", "")).encode() + body)
        answer = b"".join(iter(lambda: wire.socket.recv(65536), b""))
    headers, _, content = answer.partition(b"\r\n\r\n")
    return headers.partition(b"\r\n")[0].decode(), content


@conforms("MS-RMPRS 2.1.1.1.1", "A call may come in HTTP/1.0 or HTTP/1.1.")
@conforms("MS-RMPRS 2.1.1.2.1", "Calls in HTTP/1.0 and in HTTP/1.1 are served.")
@conforms("MS-RMPRS 2.1.1.2.2", "An answer has status 200 and the message as its body.")
@conforms("MS-RMPRS 2.1.1.2.2", "Its reason phrase is OK.")
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_either_version_of_http(server: RealServer, version: str) -> None:
    """2.1.1.2.1, 2.1.1.2.2: status line and message; yes, no, and an exception."""
    for data in (question(), question("mail=nobody@example.com"), question(calls=9)):
        status, content = exchanged(server, f"POST /_wmcs{REM} HTTP/{version}", data, f"Content-Length: {len(data)}")
        assert (status.partition(" ")[2], content) == ("200 OK", binary(server, data).body)


@conforms(
    "MS-RMPRS 2.1.1.1.1", "A body is chunked, or as long as its decimal Content-Length; anything else is refused."
)
def test_the_length_of_a_call(server: RealServer) -> None:
    """2.1.1.1.1: octets after the length are none of the message; a length that is no number is 400."""
    head, data, expected = f"POST /_wmcs{REM} HTTP/1.1", question(), binary(server, question()).body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:20], data[20:])) + b"0\r\n\r\n"
    assert exchanged(server, head, chunks, "Transfer-Encoding: chunked")[1] == expected
    assert exchanged(server, head, data, f"Content-Length: {len(data)}")[1] == expected
    shorter = exchanged(server, head, data[:-1], f"Content-Length: {len(data) - 1}")[1]
    assert MembershipException.unpack(shorter).message.startswith("System.FormatException")
    for length in (f"{len(data):#x}", f"+{len(data)}", "x"):
        assert " 400 " in exchanged(server, head, data, f"Content-Length: {length}")[0]


@conforms("MS-RMPRS 2.1.1.2.1", "The reason phrase of an answer with status 400 is Bad Request.")
def test_the_reason_of_a_transport_fault(server: RealServer) -> None:
    """2.1.1.2.1: written out."""
    status, content = exchanged(server, f"DELETE /_wmcs{REM} HTTP/1.1", b"", "Content-Length: 0")
    assert (status, content) == ("HTTP/1.1 400 Bad Request", b"")


@conforms("MS-RMPRS 2.1.1", "The interface takes nothing from credentials: whoever may ask gets the same answer.")
def test_credentials_are_for_http(server: RealServer) -> None:
    """2.1.1: an open endpoint answers an unknown caller with the same octets."""
    opened = RealServer(server.cluster, rules={REM: Rule(Demand.ANONYMOUS)})
    try:
        assert binary(opened, question(), person=None).body == binary(server, question()).body
    finally:
        opened.http.stop()


def test_an_exception_says_what_soap_has_faults_for(server: RealServer) -> None:
    """RemotingException, with 200 (2.3.6.9, 2.1.1.2.2); nothing of the request in it."""
    for body, name in (
        (question(calls=9), "System.ArgumentOutOfRangeException"),
        (question("CANARY"), "System.FormatException"),
        (b"CANARY", "System.FormatException"),
        (b"", "System.FormatException"),
    ):
        answer = binary(server, body)
        assert MembershipException.unpack(answer.body).message.startswith(name + ":")
        assert (answer.status, b"CANARY" in answer.body) == (200, False)
    assert server.audit[-1].outcome == "FormatException"


def test_a_directory_that_is_away(server: RealServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """K6: an exception, or a fault, and the next question is answered."""

    def away(*_: object) -> None:
        raise PortUnavailable("the directory is away")

    with monkeypatch.context() as patch:
        patch.setattr(server.directory, "by_email", away)
        message = MembershipException.unpack(binary(server, question()).body).message
        soap = server.ask("IsPrincipalMemberOf", is_principal_member_of(AUTHOR, [ALL]), person="boss")
    assert "UnspecifiedErrorException" in message
    assert b"UnspecifiedErrorException" in soap.body
    assert MembershipReturn.unpack(binary(server, question()).body).is_member


@conforms("MS-RMPRS 2.1.1", "Callers sign on by an HTTP authentication scheme where the endpoint demands it.")
def test_L10_the_binary_form_has_a_list_of_its_own(server: RealServer, closed: RealServer) -> None:
    """L10: as for SOAP; and a switch of its own."""
    assert binary(closed, question()).status == 403
    challenged = binary(server, question(), person=None)
    assert challenged.status == 401
    assert challenged.headers["www-authenticate"].startswith("Basic ")
    assert binary(server, question(), person="author").status == 403
    original = server.cluster
    try:
        server.configure(binary_group_expansion_enabled=False)
        message = MembershipException.unpack(binary(server, question()).body).message
    finally:
        server.cluster = original
    assert message.startswith("System.UnauthorizedAccessException")


def test_L10_servers_that_ask_each_other_in_a_circle_end_fast() -> None:
    """L10: by the count of calls, or for want of places, long before workers or patience run out."""
    made = cluster()
    circle = [
        RealServer(
            made,
            dataclasses.replace(made.ports(), peers=HttpPeers(HttpPeer(simultaneous=2))),
            rules={SOAP: Rule(Demand.ANONYMOUS)},
        )
        for _ in range(2)
    ]
    try:
        for server, other in zip(circle, reversed(circle), strict=True):
            server.configure(forests={"example.net": f"{other.http.url}/_wmcs{SOAP}"})
        begun = time.monotonic()
        answer = circle[0].ask("IsPrincipalMemberOf", is_principal_member_of(AUTHOR, ["team@example.net"]), person=None)
        assert b"<IsPrincipalMemberOfResult>false</IsPrincipalMemberOfResult>" in answer.body
        assert time.monotonic() - begun < 3
        assert len(circle[0].audit) + len(circle[1].audit) <= made.state.cross_forest_limit
    finally:
        for server in circle:
            server.http.stop()
