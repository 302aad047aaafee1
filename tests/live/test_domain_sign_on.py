"""Sign-on against a real Active Directory: the real server over real HTTP, genuine clients and thieves."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import http.client
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import spnego
from cryptography import x509

pytest.importorskip("gssapi", reason="gssapi is not installed (extra [ad])")

from rmsserver.auth import der
from rmsserver.auth.kerberos import KERBEROS_OID, MICROSOFT_KERBEROS_OID, KerberosSettings, TicketAcceptor
from rmsserver.auth.mechanism import SignOnError
from rmsserver.auth.negotiate import SPNEGO_OID
from tests.conformance import conforms
from tests.live import people
from tests.live.domain_server import LICENSING, LIFETIME_S, SERVICE, DomainServer, free_port
from tests.live.samba import Domain
from tests.live.tickets import KERBEROS, SPNEGO, Client, service_key, sid_octets, with_end, with_forged_pac

pytestmark = pytest.mark.xdist_group("domain")

SIGNED_ON = 415
"""What a request without SOAP gets from the endpoint itself, behind sign-on."""


@pytest.fixture(scope="module")
def server(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainServer]:
    made = DomainServer(domain, tmp_path_factory.mktemp("plain"), free_port())
    made.create()
    with made.serving():
        yield made


@pytest.fixture(scope="module")
def bound(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainServer]:
    """With TLS, and extended protection required."""
    made = DomainServer(domain, tmp_path_factory.mktemp("bound"), free_port(), tls=True)
    made.create(channel_binding="required", basic="never")
    with made.serving():
        yield made


class Connection:
    """One TCP connection to the server."""

    def __init__(self, server: DomainServer) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        if server.tls:
            context = ssl.create_default_context(cafile=str(server.domain.certificate_authority))
            self._http = http.client.HTTPSConnection("localhost", server.port, timeout=20, context=context)
            self._http.connect()

    @property
    def end_point(self) -> bytes:
        socket = self._http.sock
        assert isinstance(socket, ssl.SSLSocket)
        certificate = socket.getpeercert(binary_form=True)
        assert certificate is not None
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
        assert algorithm is not None
        return b"tls-server-end-point:" + hashlib.new(algorithm.name, certificate).digest()

    def post(self, scheme: str = "", token: bytes = b"") -> tuple[int, list[str]]:
        """Status and WWW-Authenticate headers."""
        headers = {"Authorization": f"{scheme} {base64.b64encode(token).decode()}"} if scheme else {}
        self._http.request("POST", LICENSING, b"nothing", {"Content-Type": "text/plain", **headers})
        answer = self._http.getresponse()
        answer.read()
        return answer.status, answer.msg.get_all("WWW-Authenticate") or []

    def exchange(self, scheme: str, client: spnego.ContextProxy) -> int:
        """A whole NTLM handshake; the last status."""
        status, offers = self.post(scheme, client.step() or b"")
        assert status == 401
        return self.post(scheme, client.step(_token(offers)) or b"")[0]


def _token(offers: list[str]) -> bytes:
    return base64.b64decode(offers[0].split(" ")[1])


def _ntlm(user: str = "RMSTEST\\alice", password: str = people.PASSWORD, **more: object) -> spnego.ContextProxy:
    options = spnego.NegotiateOptions.use_ntlm
    return spnego.client(user, password, protocol="ntlm", options=options, **more)  # type: ignore[arg-type]


def _basic(user: str, password: str = people.PASSWORD) -> bytes:
    return f"{user}:{password}".encode()


def _refusal(server: DomainServer, token: bytes, scheme: str = "Negotiate") -> str:
    """Expects 401 with the usual offer; the reason that stands in the log."""
    before = len(server.log)
    status, offers = Connection(server).post(scheme, token)
    assert status == 401
    assert [offer.split()[0] for offer in offers] == ["Negotiate", "NTLM", "Basic"]
    return server.log[before:]


# --- Kerberos -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", [SPNEGO, KERBEROS], ids=["SPNEGO", "bare"])
@conforms("MS-RMPR 3.1.4.3", "Negotiate is offered, with Kerberos and NTLM in it.")
def test_kerberos_signs_on_and_the_server_proves_itself(server: DomainServer, mechanism: object) -> None:
    """One request signs on, its answer carries the server's proof, and the connection stays signed on."""
    connection, client = Connection(server), Client(server.tickets("alice"), SERVICE, mechanism=mechanism)
    status, headers = connection.post("Negotiate", client.token())
    assert status == SIGNED_ON
    assert client.knows_server(_token(headers))
    assert connection.post()[0] == SIGNED_ON
    assert Connection(server).post()[0] == 401


def test_computers_have_tickets_too(server: DomainServer) -> None:
    """An account of a machine signs on like any other."""
    assert Connection(server).post("Negotiate", Client(server.tickets("PC1$"), SERVICE).token())[0] == SIGNED_ON


def test_kerberos_under_the_number_of_an_early_windows(server: DomainServer) -> None:
    """SPNEGO with the legacy identifier first is answered with that identifier."""
    oids = (der.write(der.OBJECT_IDENTIFIER, der.oid_octets(oid)) for oid in (MICROSOFT_KERBEROS_OID, KERBEROS_OID))
    token = Client(server.tickets("alice"), SERVICE).token()
    init = der.write(der.context(0), der.write(der.SEQUENCE, b"".join(oids)))
    init += der.write(der.context(2), der.write(der.OCTET_STRING, token))
    spnego_oid = der.write(der.OBJECT_IDENTIFIER, der.oid_octets(SPNEGO_OID))
    whole = der.write(der.APPLICATION_0, spnego_oid + der.write(der.context(0), der.write(der.SEQUENCE, init)))
    status, headers = Connection(server).post("Negotiate", whole)
    assert status == SIGNED_ON
    fields = der.read_fields(der.read_all(der.read_all(_token(headers), der.context(1)), der.SEQUENCE))
    assert der.oid_text(der.read_all(fields[1], der.OBJECT_IDENTIFIER)) == MICROSOFT_KERBEROS_OID


def test_disabled_account_with_a_ticket(server: DomainServer) -> None:
    """Who was disabled after the ticket was issued is refused when the directory's memory has run out."""
    carol, tickets = people.person_dn("carol"), server.tickets("carol")
    assert Connection(server).post("Negotiate", Client(tickets, SERVICE).token())[0] == SIGNED_ON
    server.domain.change(carol, userAccountControl="514")
    try:
        time.sleep(LIFETIME_S)
        assert "disabled" in _refusal(server, Client(tickets, SERVICE).token())
    finally:
        server.domain.change(carol, userAccountControl="512")
    time.sleep(LIFETIME_S)
    assert Connection(server).post("Negotiate", Client(tickets, SERVICE).token())[0] == SIGNED_ON


def test_A8_replayed_ap_req(server: DomainServer) -> None:
    """The very same octets on another connection are refused, and nobody is signed on there."""
    token = Client(server.tickets("alice"), SERVICE).token()
    assert Connection(server).post("Negotiate", token)[0] == SIGNED_ON
    assert "replay" in _refusal(server, token)


def test_A8_ap_req_that_comes_six_times_at_once(server: DomainServer) -> None:
    """However the worker threads meet, one of them signs on."""
    token = Client(server.tickets("alice"), SERVICE).token()
    connections = [Connection(server) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = [status for status, _ in pool.map(lambda c: c.post("Negotiate", token), connections)]
    assert sorted(statuses) == [401] * 5 + [SIGNED_ON]


def test_A8_ticket_for_another_service_of_the_same_account(server: DomainServer) -> None:
    """The key would open it, the name on it is not ours."""
    assert "another service" in _refusal(server, Client(server.tickets("alice"), "HTTP/rms.rms.test").token())


def test_A8_ticket_for_another_account(server: DomainServer, tmp_path: Path) -> None:
    """A ticket for the domain controller is refused by its name; and by its key where the name is let through."""
    other = f"ldap/{server.domain.controllers[0].address}"
    token = Client(server.tickets("alice"), other).token()
    assert "another service" in _refusal(server, token)
    acceptor = TicketAcceptor(KerberosSettings(server.domain.service_keytab, (other,), tmp_path / "replays"))
    with pytest.raises(SignOnError, match="ticket refused"):
        acceptor.accept(token, None)


def test_A8_expired_ticket(server: DomainServer) -> None:
    """A ticket that ended an hour ago is refused; one that ends in an hour, written by the same hand, is not."""
    key, now = service_key(server.domain.service_keytab, SERVICE), dt.datetime.now(dt.UTC)
    alive, ended = (Client(server.tickets("alice"), SERVICE).token() for _ in range(2))
    assert Connection(server).post("Negotiate", with_end(alive, key, now + dt.timedelta(hours=1)))[0] == SIGNED_ON
    assert "expired" in _refusal(server, with_end(ended, key, now - dt.timedelta(hours=1)))


def test_A8_forged_pac(server: DomainServer) -> None:
    """Another account's SID in the PAC, under the genuine signatures: refused, not taken for the principal either."""
    domain = server.domain
    key = service_key(domain.service_keytab, SERVICE)
    token = Client(server.tickets("alice"), SERVICE).token()
    alice, bob = sid_octets(domain.sid("alice")), sid_octets(domain.sid("bob"))
    unchanged = with_forged_pac(Client(server.tickets("alice"), SERVICE).token(), key, alice, alice)
    assert Connection(server).post("Negotiate", unchanged)[0] == SIGNED_ON  # the forger's tools are good
    assert "PAC" in _refusal(server, with_forged_pac(token, key, alice, bob))


def test_nonsense_in_negotiate(server: DomainServer) -> None:
    """Cut, swapped and random tokens are refused without harm."""
    token = Client(server.tickets("alice"), SERVICE).token()
    for broken in (token[:-1], token[:40], b"`" + bytes(20), token[:300] + bytes(50) + token[350:]):
        _refusal(server, broken)
    assert Connection(server).post("Negotiate", token)[0] == SIGNED_ON


# --- NTLM ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
@pytest.mark.parametrize("user", ["RMSTEST\\alice", "alice@rms.test", "rms.test\\ALICE"])
def test_ntlm_signs_on(server: DomainServer, scheme: str, user: str) -> None:
    """In each way of writing the account, in both schemes; the connection stays signed on."""
    connection = Connection(server)
    assert connection.exchange(scheme, _ntlm(user)) == SIGNED_ON
    assert connection.post()[0] == SIGNED_ON


@conforms("MS-RMPR 3.1.4.3", "Negotiate is offered, with Kerberos and NTLM in it.")
def test_spnego_picks_ntlm_and_its_mic_holds(server: DomainServer) -> None:
    """A client that offers Kerberos first but has no ticket ends with NTLM, and both sides verify the choice."""
    options = spnego.NegotiateOptions.use_negotiate
    client = spnego.client("RMSTEST\\alice", people.PASSWORD, protocol="negotiate", options=options)
    connection = Connection(server)
    _, headers = connection.post("Negotiate", client.step() or b"")
    status, headers = connection.post("Negotiate", client.step(_token(headers)) or b"")
    assert status == SIGNED_ON
    client.step(_token(headers))
    assert client.complete
    assert client.negotiated_protocol == "ntlm"


@pytest.mark.parametrize(
    ("user", "password"),
    [("RMSTEST\\alice", "wrong"), ("RMSTEST\\dave", people.PASSWORD), ("RMSTEST\\nobody", "x"), ("OTHER\\alice", "x")],
    ids=["wrong password", "disabled", "unknown", "other domain"],
)
def test_ntlm_refused(server: DomainServer, user: str, password: str) -> None:
    """401, and nobody is signed on."""
    connection = Connection(server)
    assert connection.exchange("NTLM", _ntlm(user, password)) == 401
    assert connection.post()[0] == 401


def test_A1_stolen_ntlm_message(server: DomainServer) -> None:
    """An answer to the challenge of one connection is worth nothing on another, nor a second time on its own."""
    one, two, client = Connection(server), Connection(server), _ntlm()
    _, headers = one.post("NTLM", client.step() or b"")
    answer = client.step(_token(headers)) or b""
    assert two.post("NTLM", answer)[0] == 401
    two.post("NTLM", _ntlm().step() or b"")
    assert two.post("NTLM", answer)[0] == 401
    assert one.post("NTLM", answer)[0] == SIGNED_ON
    assert one.post("NTLM", answer)[0] == 401


# --- Basic --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", ["alice", "RMSTEST\\alice", "alice@rms.test", "a.author@rms.test"])
def test_basic_signs_on(server: DomainServer, user: str) -> None:
    """With the domain's password, under login, principal name or e-mail address."""
    assert Connection(server).post("Basic", _basic(user))[0] == SIGNED_ON


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice", "wrong"), ("dave", people.PASSWORD), ("nobody", people.PASSWORD), ("alice", ""), ("*", "x")],
    ids=["wrong password", "disabled", "unknown", "no password", "wildcard"],
)
def test_basic_refused(server: DomainServer, user: str, password: str) -> None:
    """401."""
    _refusal(server, _basic(user, password), "Basic")


# --- extended protection ------------------------------------------------------------------------------------------------


def test_A4_right_channel_binding(bound: DomainServer) -> None:
    """Clients bound to the server's certificate sign on."""
    kerberos, ntlm = Connection(bound), Connection(bound)
    token = Client(bound.tickets("alice"), SERVICE, mechanism=SPNEGO, bindings=kerberos.end_point).token()
    assert kerberos.post("Negotiate", token)[0] == SIGNED_ON
    own = spnego.channel_bindings.GssChannelBindings(application_data=ntlm.end_point)
    assert ntlm.exchange("NTLM", _ntlm(channel_bindings=own)) == SIGNED_ON


@pytest.mark.parametrize("bindings", [None, b"tls-server-end-point:" + bytes(32)], ids=["missing", "wrong"])
def test_A4_other_channel_binding(bound: DomainServer, bindings: bytes | None) -> None:
    """Clients that are not bound, or bound to another certificate, are refused."""
    token = Client(bound.tickets("alice"), SERVICE, mechanism=SPNEGO, bindings=bindings).token()
    assert Connection(bound).post("Negotiate", token)[0] == 401
    given = spnego.channel_bindings.GssChannelBindings(application_data=bindings) if bindings else None
    assert Connection(bound).exchange("NTLM", _ntlm(channel_bindings=given)) == 401


def test_A4_client_bound_to_a_tls_that_is_not_ours(server: DomainServer) -> None:
    """Over plain HTTP a client that is bound came through somebody else's TLS."""
    token = Client(server.tickets("alice"), SERVICE, bindings=b"tls-server-end-point:" + bytes(32)).token()
    assert "channel binding" in _refusal(server, token)


def test_A5_not_offered_without_tls(domain: Domain, tmp_path: Path) -> None:
    """Extended protection that is required and cannot be had: neither offered nor taken."""
    plain = DomainServer(domain, tmp_path, free_port())
    plain.create(channel_binding="required")
    with plain.serving():
        status, offers = Connection(plain).post()
        assert (status, [offer.split()[0] for offer in offers]) == (401, ["Basic"])
        assert Connection(plain).post("Negotiate", Client(plain.tickets("alice"), SERVICE).token())[0] == 401
        assert Connection(plain).post("NTLM", _ntlm().step() or b"")[0] == 401


# --- a controller that hangs --------------------------------------------------------------------------------------------


def test_K6_hung_controller_is_a_fault_in_time(server: DomainServer) -> None:
    """Each way to sign on answers 503 within five seconds or so, no failure is counted, and all is well when it is back."""
    token = Client(server.tickets("alice"), SERVICE).token()
    time.sleep(LIFETIME_S)
    with server.domain.controllers[0].frozen():
        for scheme, octets in (("Negotiate", token), ("Basic", _basic("alice"))):
            begun = time.monotonic()
            assert Connection(server).post(scheme, octets)[0] == 503
            assert time.monotonic() - begun < 5.5
    deadline = time.monotonic() + 20
    while Connection(server).post("Basic", _basic("alice"))[0] != SIGNED_ON:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert Connection(server).exchange("NTLM", _ntlm()) == SIGNED_ON
