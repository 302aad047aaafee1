"""Envelopes, sign-on and paths made to deceive, over HTTP: a clean refusal each, and the next request is served."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.http_server import request
from tests.soap_messages import CERTIFICATION, SERVER, envelope
from tests.wire import calls
from tests.wire.real_server import RealServer

CANARY = "CANARY7f3a"
PATH = "/_wmcs/certification/certification.asmx"
HOSTILE: dict[str, Callable[[], str]] = {
    "X1 nested": lambda: "<a>" * 15_000 + CANARY + "</a>" * 15_000,
    "X2 entity bomb": lambda: (
        '<!DOCTYPE a [<!ENTITY b "' + CANARY * 100 + '"><!ENTITY c "' + "&b;" * 100 + '">]><a>' + "&c;" * 100 + "</a>"
    ),
    "X3 outside entity": lambda: f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/{CANARY}">]><a>&b;</a>',
    "X4 attributes": lambda: "<a " + " ".join(f'{CANARY}{n}=""' for n in range(160_000)) + "/>",
    "X5 names that collide": lambda: "".join(f"<{CANARY}{n * 4096}/>" for n in range(40_000)),
    "X6 a long name": lambda: f"<{CANARY * 20_000}/>",
    "X13 two bodies": lambda: envelope(body()).replace("</soap:Body>", "</soap:Body><soap:Body/>"),
    "X13 two requests": lambda: envelope(body() + body()),
    "X13 two envelopes": lambda: envelope(body()) + envelope(body()).partition("?>")[2],
    "X13 two headers": lambda: envelope(body(), header="<a/>").replace(
        "</soap:Header>", "</soap:Header><soap:Header/>"
    ),
    "X13 an envelope in an envelope": lambda: envelope(envelope(body()).partition("?>")[2]),
    "X11 a request elsewhere": lambda: envelope(f'<Certify xmlns="{CERTIFICATION}" href="#a"/><b id="a">{CANARY}</b>'),
}


def body() -> str:
    return f'<Certify xmlns="{CERTIFICATION}">{calls.certify((f"<XrML>{CANARY}</XrML>",))}</Certify>'


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    running = RealServer(make_cluster(CryptoMode.MODE_2))
    yield running
    running.http.stop()


def post(server: RealServer, content: str, **headers: str) -> tuple[int, str]:
    answer = server.http.send(request(PATH, content.encode(), Authorization=calls.signed_on("author"), **headers))
    return answer.status, answer.body.decode()


@pytest.mark.parametrize("kind", HOSTILE)
def test_X1_to_X6_X11_X13_a_hostile_envelope(server: RealServer, kind: str) -> None:
    """X1 to X6, X11, X13: in the body and as the body: a fault soon, without input; the server goes on."""
    content = HOSTILE[kind]()
    whole = (
        [content]
        if content.startswith(("<?xml", "<!"))
        else [content, envelope(content), envelope("<b/>", header=content)]
    )
    for sent in whole:
        begun = time.monotonic()
        status, text = post(server, sent)
        assert time.monotonic() - begun < 3
        assert (status, CANARY in text, "soap:" in text) == (500, False, True)
    assert server.ask("Certify", calls.certify(server.cluster.machine().chain)).status == 200


@pytest.mark.parametrize("action", [f"{CERTIFICATION}/Other", f"{SERVER}/GetServerInfo", CANARY])
def test_X9_an_action_that_contradicts_the_body(server: RealServer, action: str) -> None:
    """X9: a fault, without the action in it."""
    status, text = post(server, envelope(body()), SOAPAction=f'"{action}"')
    assert (status, "soap:Client" in text, CANARY in text) == (500, True, False)


def test_X10_reply_addresses_are_not_used(server: RealServer) -> None:
    """X10: the answer comes back on the connection, whatever WS-Addressing asks for."""
    reply = '<a:ReplyTo xmlns:a="http://www.w3.org/2005/08/addressing"><a:Address>http://127.0.0.1:9/</a:Address></a:ReplyTo>'
    status, text = post(server, envelope(body(), header=reply))
    assert (status, "VerifyMachineCertificateChainFailedException" in text) == (500, True)
    assert "127.0.0.1:9" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/_wmcs/../../etc/passwd",
        "/_wmcs/%2e%2e/%2e%2e/etc/passwd",
        "/_wmcs/licensing/..%5c..%5cx",
        "/%00",
        "//etc/passwd",
    ],
)
def test_N4_a_path_leads_nowhere_else(server: RealServer, path: str) -> None:
    """N4: 404, in words of our own."""
    answer = server.http.send(request(path, method="GET"))
    assert (answer.status, answer.body) == (404, b"Not found\n")


@pytest.mark.parametrize(
    "login", ["' OR 1=1 --", "*)(uid=*", "author\x00", "author@example.com\\", "..\\author", "%61uthor"]
)
def test_N2_a_login_is_a_name_and_nothing_else(server: RealServer, login: str) -> None:
    """N2: nobody is found by what a database or directory would understand."""
    answer = server.http.send(request(PATH, b"x", Authorization=calls.signed_on(login)))
    assert answer.status == 401


def test_N6_refusals_tell_nothing_of_accounts(server: RealServer) -> None:
    """N6: unknown, wrong password, nobody at all: the same bytes."""
    sent = [
        request(PATH, b"x", Authorization=calls.signed_on("author", "wrong")),
        request(PATH, b"x", Authorization=calls.signed_on("no-such-person", "wrong")),
        request(PATH, b"x", Authorization="Basic AAAA"),
        request(PATH, b"x"),
    ]
    seen = {
        (answer.status, answer.body, tuple(pair for pair in answer.all_headers if pair[0] != "date"))
        for answer in map(server.http.send, sent)
    }
    assert len(seen) == 1


def test_A7_guessing_is_held_up() -> None:
    """A7: after many wrong passwords the right one is refused too, for a while; another account is not."""
    server = RealServer(make_cluster(CryptoMode.MODE_2))
    try:
        for number in range(12):
            assert (
                server.http.send(request(PATH, b"x", Authorization=calls.signed_on("author", f"{number}"))).status
                == 401
            )
        assert server.ask("GetLicensorCertificate").status == 401
        assert server.ask("GetLicensorCertificate", person="reader").status == 200
    finally:
        server.http.stop()


def test_A3_a_failed_sign_on_leaves_nobody(server: RealServer) -> None:
    """A2, A3: a wrong password on a connection that was signed on drops who was there, and the next header counts."""
    asked = calls.call("FindServiceLocationsForUser", calls.find_service_locations("LicensingService"))
    wrong = asked.replace(calls.signed_on("author").encode(), calls.signed_on("author", "wrong").encode())
    nobody = asked.replace(f"Authorization: {calls.signed_on('author')}\r\n".encode(), b"")
    with server.http.connect() as wire:
        assert [wire.ask(data).status for data in (asked, wrong, nobody, asked)] == [200, 401, 401, 200]
