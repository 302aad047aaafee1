"""HTTP manners of the endpoints: bytes in, bytes out."""

from __future__ import annotations

import gzip
import json
import socket
import time

import pytest

from tests.conformance import conforms
from tests.http_server import NamedSignOn, RunningServer, basic, request
from tests.soap_messages import ENVELOPE_12, LICENSING, TYPE_12, XRML, certify_body, envelope
from tests.wire.conftest import WireServer

CERTIFY = "/_wmcs/certification/certification.asmx"
LICENSE = "/_wmcs/licensing/license.asmx"
MACHINE = "/_rmsserver/machine-certificate"
BODY = envelope(certify_body(XRML)).encode()
SECRET = "CANARY-7f3a"


def acquire(content: str = XRML, items: int = 1) -> bytes:
    chain = f"<IssuanceLicense><Certificate>{content}</Certificate></IssuanceLicense>"
    item = f"<AcquireLicenseParams>{chain}</AcquireLicenseParams>"
    return envelope(
        f'<AcquireLicense xmlns="{LICENSING}"><RequestParams>{item * items}</RequestParams></AcquireLicense>'
    ).encode()


def certify(**headers: str) -> bytes:
    return request(CERTIFY, BODY, Authorization=basic("author"), **headers)


# --- the endpoints ----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.1.4.3", "Each operation is told who asks and how they signed on.")
def test_a_signed_on_caller_is_served(http: RunningServer) -> None:
    """The whole way: HTTP, sign-on, SOAP, operation; the text comes back character for character."""
    answer = http.send(certify())
    assert (answer.status, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert f"<Certificate>{XRML}</Certificate>".encode() in answer.body
    assert b"EXAMPLE\\author" in answer.body


@pytest.mark.parametrize(
    "path", ["/_WMCS/Certification/CERTIFICATION.ASMX", "/_wmcs/certification/%63ertification.asmx"]
)
def test_letter_case_and_escapes_of_the_path_do_not_matter(http: RunningServer, path: str) -> None:
    """.NET clients write `.asmx` in any case (wire facts 9)."""
    assert http.send(request(path, BODY, Authorization=basic("author"))).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/_wmcs", "/_wmcs/licensing/", CERTIFY + "/", CERTIFY + "/Certify", "/_wmcs//licensing/license.asmx"]
)
def test_other_paths_are_not_found(http: RunningServer, path: str) -> None:
    """404, with nothing of the path in it."""
    answer = http.send(request(path + "?" + SECRET, method="GET"))
    assert (answer.status, SECRET.encode() in answer.body) == (404, False)


def test_soap_12_on_the_same_url(http: RunningServer) -> None:
    """By content type alone."""
    body = envelope(certify_body(XRML), soap=ENVELOPE_12).encode()
    answer = http.send(request(CERTIFY, body, content_type=TYPE_12, Authorization=basic("author")))
    assert (answer.status, answer.headers["content-type"]) == (200, TYPE_12)


def test_a_utf_16_request(http: RunningServer) -> None:
    """Answered in UTF-8."""
    body = BODY.decode().replace("utf-8", "utf-16").encode("utf-16")
    answer = http.send(request(CERTIFY, body, content_type="text/xml", Authorization=basic("author")))
    assert (answer.status, XRML.encode() in answer.body) == (200, True)


def test_a_fault_is_an_internal_server_error(http: RunningServer) -> None:
    """HTTP 500 with the fault (wire facts 9)."""
    answer = http.send(request(LICENSE, b"<" + SECRET.encode()))
    assert (answer.status, b"soap:Client" in answer.body, SECRET.encode() in answer.body) == (500, True, False)


def test_a_batch_has_errors_in_place_of_chains(http: RunningServer) -> None:
    """Per item, in no namespace (wire facts 9)."""
    body = acquire().replace(b"</RequestParams>", b"<AcquireLicenseParams/></RequestParams>")
    answer = http.send(request(LICENSE, body)).body.decode()
    assert answer.index(XRML) < answer.index('<AcquireLicenseException xmlns=""><ExceptionString>')
    assert "NoRightsForRequestedPrincipalException-" in answer
    assert "<batchindex>1</batchindex></AcquireLicenseException>" in answer
    assert answer.count("<ReferenceCertificates/>") == 2


def test_get_lists_the_operations(http: RunningServer) -> None:
    """A page as ASMX has, without scripts and without anything of the request."""
    answer = http.send(request(CERTIFY + f"?op={SECRET}", method="GET"))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"<b>Certify</b>" in answer.body
    assert SECRET.encode() not in answer.body
    assert b"<script" not in answer.body


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "wsdl=1"])
def test_N5_the_wsdl_names_the_configured_address(http: RunningServer, query: str) -> None:
    """N5: never that of the Host header."""
    answer = http.send(request(f"{CERTIFY}?{query}", method="GET"))
    assert b'location="http://rms.example.com/_wmcs/certification/certification.asmx"' in answer.body
    assert b"spoofed" not in answer.body
    assert b"localhost" not in answer.body


def test_head_is_get_without_a_body(http: RunningServer) -> None:
    """And the connection goes on."""
    with http.connect() as wire:
        wire.write(request(CERTIFY, method="HEAD"))
        head = wire.read(head=True)
        full = wire.ask(request(CERTIFY, method="GET"))
    assert (head.status, head.headers["content-length"]) == (200, str(len(full.body)))


def test_options_and_other_methods(http: RunningServer) -> None:
    """405 says what is allowed."""
    assert http.send(request(CERTIFY, method="OPTIONS")).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    refused = http.send(request(CERTIFY, method="PUT"))
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


def test_headers_that_keep_browsers_out(http: RunningServer) -> None:
    """On every answer; the Server header names no version."""
    headers = http.send(request(CERTIFY, method="GET")).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["server"] == "rmsserver"


# --- encodings and transfer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["gzip, deflate", "deflate;q=1, gzip;q=0.5", "x-gzip", "*"])
def test_gzip_where_the_client_takes_it(http: RunningServer, accept: str) -> None:
    """2.1: on request."""
    answer = http.send(certify(Accept_Encoding=accept))
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert XRML.encode() in gzip.decompress(answer.body)


@pytest.mark.parametrize("accept", ["identity", "gzip;q=0", "gzip;q=0, *", "gzip;q=0.1, identity;q=0.2", "br"])
def test_no_gzip_where_it_does_not(http: RunningServer, accept: str) -> None:
    """A weight of nought is a no."""
    assert "content-encoding" not in http.send(certify(Accept_Encoding=accept)).headers


def test_a_chunked_request(http: RunningServer) -> None:
    """With extensions and a trailer."""
    head = (
        certify()
        .partition(b"\r\n\r\n")[0]
        .replace(f"Content-Length: {len(BODY)}".encode(), b"Transfer-Encoding: chunked")
    )
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (len(part), part) for part in (BODY[:5], BODY[5:]))
    with http.connect() as wire:
        assert wire.ask(head + b"\r\n\r\n" + chunks + b"0\r\nX: y\r\n\r\n").status == 200
        assert wire.ask(certify()).status == 200


def test_expect_100_continue(http: RunningServer) -> None:
    """.NET clients wait for it."""
    head, _, body = certify(Expect="100-continue").partition(b"\r\n\r\n")
    with http.connect() as wire:
        assert wire.ask(head + b"\r\n\r\n").status == 100
        assert wire.ask(body).status == 200


def test_another_expectation_fails(http: RunningServer) -> None:
    """417, and the body is not waited for."""
    assert http.send(certify(Expect="miracles").partition(b"\r\n\r\n")[0] + b"\r\n\r\n").status == 417


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_X7_a_coded_request_is_415(http: RunningServer, coding: str) -> None:
    """X7: a gzip bomb is not unpacked."""
    bomb = gzip.compress(b"\0" * 1_000_000)
    assert http.send(request(LICENSE, bomb, Content_Encoding=coding)).status == 415


@pytest.mark.parametrize("content_type", ["multipart/related; boundary=x", "text/plain", "application/json", ""])
def test_X12_other_content_types_are_415(http: RunningServer, content_type: str) -> None:
    """X12: multipart above all."""
    assert http.send(request(LICENSE, BODY, content_type=content_type)).status == 415


def test_X7_a_body_announced_too_large_is_413_before_it_is_read(http: RunningServer) -> None:
    """X7: by Content-Length, without a byte of the body, and without an invitation to send it."""
    head = request(LICENSE, Expect="100-continue").replace(b"Content-Length: 0", b"Content-Length: 16777217")
    with http.connect() as wire:
        assert wire.ask(head).status == 413
        assert wire.is_closed()


def test_X7_a_chunked_body_is_413_while_reading(http: RunningServer) -> None:
    """X7: at the limit; what is still coming is dropped, and the client reads the answer."""
    head = request(LICENSE).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with http.connect() as wire:
        wire.write(head + chunk * 16)
        wire.write(b"1\r\nx\r\n")
        assert wire.read().status == 413
        assert wire.is_closed()
    assert http.send(certify()).status == 200


def test_X8_a_body_at_the_limit_is_read(http: RunningServer) -> None:
    """X8: 16 MiB arrive whole (and are refused as SOAP, not as HTTP)."""
    body = b" " * (16 * 1024 * 1024)
    assert http.send(request(LICENSE, body)).status == 500


def test_X8_a_licence_of_8_mib_comes_through(http: RunningServer) -> None:
    """X8: the largest issuance licence of section 7, in and out."""
    text = "<XrML>" + "x" * (8 * 1024 * 1024 - 13) + "</XrML>"
    answer = http.send(request(LICENSE, acquire(text)))
    assert (answer.status, len(answer.body) > 8 * 1024 * 1024) == (200, True)


# --- smuggling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nContent-Length: 5",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\x0bchunked",
        "X: y\r\n Transfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5,5",
        "Content-Length: " + "9" * 5000,
        "Content-Length: 5\r\nHost: second.example.org",
        "Content-Length: 5\r\nAuthorization: a\r\nAuthorization: b",
        "no colon",
    ],
)
def test_W1_W2_ambiguous_lengths_are_400_and_the_end(http: RunningServer, lines: str) -> None:
    """W1, W2: nothing after such a request is taken for another one."""
    smuggled = request(CERTIFY, method="GET")
    head = f"POST {LICENSE} HTTP/1.1\r\nHost: x\r\n{lines}\r\n\r\n".encode("latin-1")
    with http.connect() as wire:
        assert wire.ask(head + b"0\r\n\r\n" + smuggled).status == 400
        assert wire.is_closed()


@pytest.mark.parametrize("size", ["x", "-1", "0x1", "+1", " 1", "1 ", "", "1\r\nab\r\n1"])
def test_W3_bad_chunk_sizes_are_400_and_the_end(http: RunningServer, size: str) -> None:
    """W3: the same for chunks."""
    head = request(LICENSE).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with http.connect() as wire:
        assert wire.ask(head + size.encode() + b"\r\n" + b"y" * 1024).status == 400
        assert wire.is_closed()


@pytest.mark.parametrize(
    "line",
    [
        f"GET http://evil.example.org{CERTIFY} HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET / HTTP/2.0",
        "GET /",
        "G@T / HTTP/1.1",
    ],
)
def test_other_request_targets_are_400(http: RunningServer, line: str) -> None:
    """Only a path counts as target."""
    assert http.send(f"{line}\r\nHost: x\r\n\r\n".encode()).status == 400


def test_a_request_without_host_is_400(http: RunningServer) -> None:
    """As HTTP/1.1 demands."""
    assert http.send(b"GET / HTTP/1.1\r\n\r\n").status == 400


# --- sign-on ----------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.1.4.1", "Certify is for callers who signed on.")
def test_an_unknown_caller_is_challenged(http: RunningServer) -> None:
    """401 with every challenge in order, and the connection goes on (rulings 28)."""
    with http.connect() as wire:
        answer = wire.ask(request(CERTIFY, BODY))
        assert (answer.status, answer.every("www-authenticate")) == (401, ["Slow", 'Basic realm="rms"'])
        assert wire.ask(certify()).status == 200


def test_a_handshake_in_steps_on_one_connection(http: RunningServer) -> None:
    """The body that comes with a step is read to its end, so that the next step finds its place."""
    with http.connect() as wire:
        assert wire.ask(request(CERTIFY, BODY, Authorization=basic("reader", "Slow"))).status == 401
        assert wire.ask(request(CERTIFY, BODY, Authorization=basic("reader", "Slow"))).status == 200
        assert b"EXAMPLE\\reader" in wire.ask(request(CERTIFY, BODY)).body


def test_A2_an_identity_stays_on_its_connection(http: RunningServer) -> None:
    """A2: neither address nor forwarded headers carry it over."""
    with http.connect() as first, http.connect() as second:
        assert first.ask(certify()).status == 200
        assert first.ask(request(CERTIFY, BODY)).status == 200
        spoofed = request(CERTIFY, BODY, X_Forwarded_For="127.0.0.1", X_Remote_User="author", Cookie="a=b")
        assert second.ask(spoofed).status == 401


def test_A3_a_new_authorization_replaces_the_identity(http: RunningServer) -> None:
    """A3: the old one is gone."""
    with http.connect() as wire:
        wire.ask(certify())
        answer = wire.ask(request(CERTIFY, BODY, Authorization=basic("reader")))
    assert (b"EXAMPLE\\reader" in answer.body, b"EXAMPLE\\author" in answer.body) == (True, False)


def test_sign_on_ends_with_its_connection(http: RunningServer, wire_server: WireServer) -> None:
    """Whatever the scheme keeps for a connection is told to go."""
    sign_on: NamedSignOn = wire_server.sign_on
    while sign_on.closed.acquire(blocking=False):
        pass
    http.send(certify())
    assert sign_on.closed.acquire(timeout=5)


def test_W4_pipelined_requests_are_answered_in_order_to_the_same_user(http: RunningServer) -> None:
    """W4: ten at once on a signed-on connection."""
    texts = [f"<XrML>{n}</XrML>" for n in range(10)]
    with http.connect() as wire:
        wire.ask(certify())
        wire.write(b"".join(request(CERTIFY, envelope(certify_body(text)).encode()) for text in texts))
        answers = [wire.read().body for _ in texts]
    assert all(f">{n}</XrML>".encode() in answer for n, answer in enumerate(answers))
    assert all(b"EXAMPLE\\author" in answer for answer in answers)


def test_an_open_endpoint_asks_nobody(http: RunningServer) -> None:
    """Licensing is opened to anonymous callers here; Certify is not."""
    assert http.send(request(LICENSE, acquire())).status == 200


def test_L10_the_endpoints_for_other_servers_are_shut(http: RunningServer) -> None:
    """L10: nobody, until accounts are added."""
    for path in ("certification/servercertification", "certification/mobilecertification"):
        assert http.send(request(f"/_wmcs/{path}.asmx", BODY, Authorization=basic("author"))).status == 403


# --- our own endpoints ------------------------------------------------------------------------------------------------


def machine(body: object, **headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(MACHINE, data, content_type="application/json", **headers)


GOOD = {"modulus": "AQID", "hardware_digest": "BAU=", "platform": "6.1.2"}


def test_a_machine_certificate_over_json(http: RunningServer) -> None:
    """Base64 in, a chain of texts out."""
    answer = http.send(machine(GOOD, Authorization=basic("author")))
    assert (answer.status, json.loads(answer.body)) == (200, {"chain": ["010203", "0405"]})


def test_a_machine_certificate_wants_sign_on(http: RunningServer) -> None:
    """Always."""
    assert http.send(machine(GOOD)).status == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 8000,
        {},
        {**GOOD, "more": 1},
        {**GOOD, "modulus": 1},
        {**GOOD, "modulus": SECRET},
        {**GOOD, "platform": SECRET},
        {**GOOD, "hardware_digest": "A" * 4000},
    ],
)
def test_a_bad_machine_request_is_400_without_input(http: RunningServer, body: object) -> None:
    """An error in JSON, of fixed text."""
    answer = http.send(machine(body, Authorization=basic("author")))
    assert (answer.status, list(json.loads(answer.body))) == (400, ["error"])
    assert SECRET.encode() not in answer.body


def test_a_refused_machine_is_403_without_detail(http: RunningServer) -> None:
    """The operation's error has a status; its detail stays here."""
    answer = http.send(machine({**GOOD, "platform": "6.6.6"}, Authorization=basic("author")))
    assert (answer.status, b"detail" in answer.body) == (403, False)


def test_X7_a_machine_request_above_16_kib_is_413(http: RunningServer) -> None:
    """X7: every path but those of SOAP."""
    assert http.send(machine(b" " * 16_385, Authorization=basic("author"))).status == 413


def test_health_and_readiness(http: RunningServer, wire_server: WireServer) -> None:
    """Alive is not the same as ready."""
    assert http.send(request("/readyz", method="GET")).status == 200
    wire_server.is_ready = False
    try:
        assert http.send(request("/readyz", method="GET")).status == 503
        assert http.send(request("/healthz", method="GET")).status == 200
    finally:
        wire_server.is_ready = True


def test_metrics_count_operations(http: RunningServer) -> None:
    """By name and outcome."""
    http.send(request(LICENSE, acquire()))
    answer = http.send(request("/metrics", method="GET")).body
    assert b'rmsserver_requests_total{operation="AcquireLicense",outcome="ok"}' in answer


def test_X16_a_long_request_line_leaves_no_log(http: RunningServer, capfd: pytest.CaptureFixture[str]) -> None:
    """X16: there is no access log to fill."""
    http.send(request("/" + SECRET * 1000, method="GET"))
    time.sleep(0.05)
    output = capfd.readouterr()
    assert SECRET not in output.out + output.err


def test_a_client_that_leaves_does_no_harm(http: RunningServer) -> None:
    """Gone before its answer; the next one is served."""
    with http.connect() as wire:
        wire.write(certify())
        wire.socket.shutdown(socket.SHUT_RDWR)
    assert http.send(certify()).status == 200
