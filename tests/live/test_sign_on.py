"""Real clients sign on over real HTTP: requests with requests_ntlm, pyspnego by hand, and Basic."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ssl
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests
import spnego
from requests_ntlm import HttpNtlmAuth

from tests.auth.accounts import PASSWORD
from tests.conformance import conforms

BODY = b"x" * 100_000
DIGEST = hashlib.sha256(BODY).hexdigest()


@contextmanager
def _server(transport: str, binding: str) -> Iterator[int]:
    command = [sys.executable, "-m", "tests.live.sign_on_server", transport, binding]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def plain() -> Iterator[str]:
    with _server("plain", "optional") as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="module")
def bound() -> Iterator[str]:
    with _server("tls", "required") as port:
        yield f"https://127.0.0.1:{port}/"


def _session(auth: object) -> requests.Session:
    session = requests.Session()
    session.auth = auth  # type: ignore[assignment]
    session.verify = False
    session.trust_env = False  # an environment with a CA bundle of its own would switch verification on again
    warnings.filterwarnings("ignore", message="Unverified HTTPS request")
    return session


@conforms("MS-RMPR 3.1.4.3", "Any other sign-on is told by the name of its scheme.")
@conforms("MS-RMPR 3.1.4.3", "The account of an NTLM sign-on is named DOMAIN and user.")
def test_requests_ntlm_posts_a_body_and_keeps_its_connection(plain: str) -> None:
    """A POST with a body signs on, and the next requests go over the same connection with the same identity."""
    with _session(HttpNtlmAuth("EXAMPLE\\alice", PASSWORD)) as session:
        first = session.post(plain, data=BODY)
        assert (first.status_code, len(first.history)) == (200, 2)
        account, how, number, digest = first.text.split()
        assert (account, how, digest) == ("EXAMPLE\\alice", "NTLM", DIGEST)
        session.auth = None
        again = session.post(plain, data=BODY)
        assert again.text == f"EXAMPLE\\alice NTLM {number} {DIGEST}"
        assert "Authorization" not in again.request.headers


def test_requests_ntlm_with_a_wrong_password(plain: str) -> None:
    """401, and nobody afterwards."""
    with _session(HttpNtlmAuth("EXAMPLE\\alice", "wrong")) as session:
        assert session.post(plain, data=BODY).status_code == 401
        session.auth = None
        assert session.get(plain).status_code == 401


def test_requests_basic_on_loopback(plain: str) -> None:
    """Basic in the clear, as the demonstration on 127.0.0.1 is configured."""
    with _session(("alice@example.com", PASSWORD)) as session:
        assert session.post(plain, data=BODY).text.split()[:2] == ["EXAMPLE\\alice", "Basic"]
        session.auth = None
        assert session.get(plain).status_code == 401


def test_offer_over_the_wire(plain: str) -> None:
    """One WWW-Authenticate header for each scheme, strongest first."""
    connection = http.client.HTTPConnection("127.0.0.1", int(plain.rsplit(":", 1)[1].strip("/")))
    connection.request("GET", "/")
    offers = connection.getresponse().msg.get_all("WWW-Authenticate") or []
    assert [offer.split()[0] for offer in offers] == ["Negotiate", "NTLM", "Basic"]
    connection.close()


def test_A1_answer_sent_over_a_second_connection(plain: str) -> None:
    """The genuine answer of the first connection is refused on the second, and there nobody is signed on."""
    port = int(plain.rsplit(":", 1)[1].strip("/"))
    one, two = (http.client.HTTPConnection("127.0.0.1", port) for _ in range(2))
    client = _ntlm_client()
    answer = _send(one, "NTLM", client.step() or b"")[1]
    assert _send(two, "NTLM", client.step(answer) or b"")[0] == 401
    two.request("GET", "/")
    assert two.getresponse().status == 401
    one.close()
    two.close()


def _send(connection: http.client.HTTPConnection, scheme: str, token: bytes) -> tuple[int, bytes]:
    """Status, and the token of the answer's first WWW-Authenticate header."""
    connection.request("POST", "/", BODY, {"Authorization": f"{scheme} {base64.b64encode(token).decode()}"})
    response = connection.getresponse()
    response.read()
    words = (response.getheader("WWW-Authenticate") or "").split(",")[0].split()
    return response.status, base64.b64decode(words[1]) if len(words) == 2 and "=" not in words[1][:-2] else b""


def _spnego_client() -> spnego.ContextProxy:
    return spnego.client("alice", PASSWORD, protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)


def _ntlm_client() -> spnego.ContextProxy:
    return spnego.client("alice", PASSWORD, protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)


@pytest.mark.parametrize(
    ("scheme", "make"),
    [("Negotiate", _spnego_client), ("Negotiate", _ntlm_client), ("NTLM", _ntlm_client)],
    ids=["SPNEGO", "bare in Negotiate", "NTLM"],
)
@conforms("MS-RMPR 3.1.4.3", "Negotiate is offered, with Kerberos and NTLM in it.")
def test_pyspnego_over_http(plain: str, scheme: str, make: Callable[[], spnego.ContextProxy]) -> None:
    """Each way of carrying NTLM over HTTP, and the client knows itself complete."""
    connection = http.client.HTTPConnection("127.0.0.1", int(plain.rsplit(":", 1)[1].strip("/")))
    client = make()
    status, token = _send(connection, scheme, client.step() or b"")
    assert status == 401
    status, token = _send(connection, scheme, client.step(token) or b"")
    assert status == 200
    if token:
        client.step(token)
    assert client.complete
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


def test_A4_bound_client_over_tls(bound: str) -> None:
    """requests_ntlm binds itself to the certificate and signs on where binding is required."""
    with _session(HttpNtlmAuth("EXAMPLE\\alice", PASSWORD)) as session:
        assert session.post(bound, data=BODY).text.split()[:2] == ["EXAMPLE\\alice", "NTLM"]


def test_A4_unbound_client_over_tls_is_refused(bound: str) -> None:
    """The same client without binding is refused; so is one bound to another certificate."""
    with _session(HttpNtlmAuth("EXAMPLE\\alice", PASSWORD, send_cbt=False)) as session:
        assert session.post(bound, data=BODY).status_code == 401
    port = int(bound.rsplit(":", 1)[1].strip("/"))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
    foreign = spnego.channel_bindings.GssChannelBindings(application_data=b"tls-server-end-point:" + bytes(32))
    client = spnego.client(
        "alice", PASSWORD, protocol="ntlm", channel_bindings=foreign, options=spnego.NegotiateOptions.use_ntlm
    )
    _, token = _send(connection, "NTLM", client.step() or b"")
    assert _send(connection, "NTLM", client.step(token) or b"")[0] == 401
    connection.close()


def test_A5_plain_server_that_requires_binding_offers_none() -> None:
    """Extended protection without TLS: Negotiate and NTLM are not offered."""
    with _server("plain", "required") as port:
        response = requests.get(f"http://127.0.0.1:{port}/", timeout=10)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic ")
