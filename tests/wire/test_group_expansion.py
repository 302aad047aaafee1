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


@pytest.mark.parametrize(
    ("method", "content_type"),
    [("GET", "application/octet-stream"), ("PUT", "application/octet-stream"), ("POST", "text/xml"), ("POST", "")],
)
def test_transport_faults(server: RealServer, method: str, content_type: str) -> None:
    """2.1.1.2.1: 400, and nothing in it."""
    answer = binary(server, question(), method=method, content_type=content_type)
    assert (answer.status, answer.body) == (400, b"")


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


def test_L10_the_binary_form_has_a_list_of_its_own(server: RealServer, closed: RealServer) -> None:
    """L10: as for SOAP; and a switch of its own."""
    assert binary(closed, question()).status == 403
    assert binary(server, question(), person=None).status == 401
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
