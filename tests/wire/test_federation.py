"""Federated sign-on end to end over TLS: a partner's token, the session, Certify, a licence; and those who try otherwise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from rmsserver.auth.federation.seen_tokens import MemorySeenTokens
from rmsserver.auth.federation.session import NAME, cookie_header
from rmsserver.auth.federation.wsfed import FORM_LIMIT_BYTES, FederatedSignOn
from rmsserver.auth.policy import Demand, Rule
from rmsserver.state import FederatedAccount
from rmsserver.web.routes import EXTERNAL_DIRECTORIES, ROUTES, is_external
from rmsserver.web.tls import Tls
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import Right
from rmsserver.xrml.use_license import UseLicense
from tests.auth.federation.partner import CLAIMS, EMAIL, MINUTE, SIGN_IN_URL, Partner, form, response, rsa_key
from tests.cluster import NOW, grantee, make_cluster
from tests.conformance import conforms
from tests.http_server import Response, request
from tests.soap_messages import LICENSING, envelope
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import certificates
from tests.wire.test_endpoints import PARAMETERS

PARTNER = Partner()
CERTIFY = "/_wmcs/certificationexternal/certification.asmx"
EXTERNAL = sorted(path for path, route in ROUTES.items() if is_external(route))
FORM = "application/x-www-form-urlencoded"
_numbers = iter(range(10_000))


def serving(tls: Tls | None, **changes: object) -> RealServer:
    sign_on = FederatedSignOn((PARTNER.issuer(proxy_addresses=True, **changes),), MemorySeenTokens())
    server = RealServer(make_cluster(CryptoMode.MODE_2), federation=sign_on, tls=tls)
    server.configure(federation_enabled=True)
    return server


@pytest.fixture(scope="module")
def running(tls: Tls) -> Iterator[RealServer]:
    server = serving(tls)
    yield server
    server.http.stop()


@pytest.fixture
def server(running: RealServer) -> Iterator[RealServer]:
    running.now = NOW
    running.configure(federation_enabled=True)
    yield running
    # Whatever was sent, the next one is served.
    running.now = NOW
    running.configure(federation_enabled=True)
    assert sign_in(running).status == 302


def fresh(**changes: object) -> Partner:
    return PARTNER.with_(id=f"_{next(_numbers)}", **changes)


def post(server: RealServer, token: str, path: str = CERTIFY, context: str = CERTIFY, **headers: str) -> Response:
    return server.http.send(request(path, form(token, context), content_type=FORM, **headers))


def sign_in(server: RealServer, **changes: object) -> Response:
    return post(server, fresh(**changes).token())


def session(server: RealServer, **changes: object) -> str:
    """A Cookie header."""
    answer = sign_in(server, **changes)
    assert answer.status == 302, answer
    return answer.headers["set-cookie"].partition(";")[0]


def ask(server: RealServer, operation: str, parameters: str, cookie: str | None, person: str | None = None) -> Response:
    """On the external path of an operation."""
    data = calls.call(operation, parameters, person=person)
    for directory in (b"certification", b"licensing"):
        data = data.replace(b"/_wmcs/" + directory + b"/", b"/_wmcs/" + directory + b"external/", 1)
    return server.http.send(data.replace(b"\r\n\r\n", f"\r\nCookie: {cookie}\r\n\r\n".encode(), 1) if cookie else data)


def certify(server: RealServer, cookie: str | None, person: str | None = None) -> Response:
    return ask(server, "Certify", calls.certify(server.cluster.machine().chain), cookie, person)


def rac_of(answer: Response) -> RightsAccountCertificate:
    return RightsAccountCertificate.read(certificates(answer)[0])


# --- who is served ------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.1.4.1", "Users of a partner sign on by federation.")
@conforms("MS-RMPR 3.1.4.1", "The e-mail address of a federated sign-on reaches Certify.")
@conforms("MS-RMPR 3.1.4.3", "A federated sign-on is told as MWBF.")
@conforms("MS-RMPR 3.3.4.1", "A federated caller gets a RAC of type Federation.")
def test_the_whole_way_of_a_client(server: RealServer) -> None:
    """302 to the issuer; its token posted; a cookie and 302 back; then SOAP: a RAC of type Federation for one day."""
    asked = certify(server, None)
    away = urlsplit(asked.headers["location"])
    assert (asked.status, asked.headers["location"].partition("?")[0]) == (302, SIGN_IN_URL)
    (context,) = parse_qs(away.query)["wctx"]

    signed_in = post(server, fresh().token(), context=context)
    assert (signed_in.status, signed_in.headers["location"]) == (302, CERTIFY)
    cookie = signed_in.headers["set-cookie"]
    assert cookie.startswith(f"{NAME}=")
    assert cookie.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax")

    rac = rac_of(certify(server, cookie.partition(";")[0]))
    assert (rac.account[0], rac.email) == ("Federation", EMAIL)
    assert rac.validity is not None
    assert rac.validity[1] - NOW == dt.timedelta(days=1)
    records = server.audit[-2:]
    assert [(r.operation, r.outcome) for r in records] == [("FederatedSignIn", "ok"), ("Certify", "ok")]
    assert {(r.authentication.value, r.account) for r in records} == {("MWBF", EMAIL)}


@conforms("MS-RMPR 3.3.4.1", "Each federated e-mail address has a GUID of its own, always the same.")
def test_one_guid_for_each_address(server: RealServer) -> None:
    """The same after another sign-in, whatever the letter case; another for another person."""
    same = [rac_of(certify(server, session(server, email=email))).account for email in (EMAIL, EMAIL.title(), EMAIL)]
    other = rac_of(certify(server, session(server, email="other@partner.example"))).account
    assert len(set(same)) == 1
    assert other not in same
    assert same[0][1].startswith("{")


def test_licence_client_certificate_and_publishing(server: RealServer) -> None:
    """Through licensingexternal: a use licence for what was protected for the address, a CLC, a signed licence."""
    cookie = session(server)
    chain = certificates(certify(server, cookie))
    published = server.cluster.publish(server.cluster.author(), (Right.of("VIEW", grantee(EMAIL)),))
    answer = ask(server, "AcquireLicense", calls.acquire_license((chain, published.chain)), cookie)
    assert [right.name for right in UseLicense.read(certificates(answer)[0]).rights] == ["VIEW"]
    clc = ask(server, "GetClientLicensorCert", calls.get_client_licensor_cert(chain), cookie)
    assert EMAIL in certificates(clc)[0]
    unsigned = server.cluster.publish(None, (Right.of("VIEW", grantee(EMAIL)),))
    signed = ask(server, "AcquireIssuanceLicense", calls.acquire_issuance_license(unsigned.text), cookie)
    assert "<SIGNATURE>" in certificates(signed)[0]


def test_server_services(server: RealServer) -> None:
    """The SLC chain, and service locations from the server's own directory."""
    cookie = session(server)
    slc = ask(server, "GetLicensorCertificate", "", cookie)
    assert certificates(slc)[0] == server.cluster.state.licensor.chain[0]
    where = ask(server, "FindServiceLocationsForUser", calls.find_service_locations("LicensingService"), cookie)
    assert server.cluster.state.base_url + "/licensing" in where.body.decode()


@conforms("MS-RMPR 3.1.4.3", "The account of a federated sign-on has the claims EmailAddress and ProxyAddresses.")
@conforms("MS-RMPR 3.3.4.1", "The proxy addresses of a federated sign-on are the aliases in its RAC.")
@conforms("MS-RMPR 3.3.4.1", "The address in a federated RAC is that of the sign-on.")
def test_claims_reach_the_certificate(server: RealServer) -> None:
    """Both of them, where the issuer is trusted with aliases."""
    claims = ((CLAIMS, "ProxyAddresses", ("smtp:alias@partner.example",)),)
    rac = rac_of(certify(server, session(server, claims=claims)))
    assert (rac.email, rac.email_aliases) == (EMAIL, ("alias@partner.example",))


STRUCTURE = (
    ("/certificationexternal/certification.asmx", "Certify"),
    ("/certificationexternal/server.asmx", "GetLicensorCertificate"),
    ("/certificationexternal/ServiceLocator.asmx", "FindServiceLocationsForUser"),
    ("/licensingexternal/license.asmx", "AcquireLicense"),
    ("/licensingexternal/publish.asmx", "AcquireIssuanceLicense"),
    ("/licensingexternal/publish.asmx", "GetClientLicensorCert"),
    ("/licensingexternal/server.asmx", "GetLicensorCertificate"),
    ("/licensingexternal/ServiceLocator.asmx", "FindServiceLocationsForUser"),
)
"""The table of 3.1.4.2 for federation."""


@conforms("MS-RMPR 3.1.4.2", "With federation on, its operations are served at the external paths.")
@pytest.mark.parametrize(("path", "operation"), STRUCTURE, ids=[f"{path}-{name}" for path, name in STRUCTURE])
def test_the_external_structure(server: RealServer, path: str, operation: str) -> None:
    """Served, and answered with the operation's own response."""
    data = calls.call(operation, PARAMETERS[operation](server.cluster), person=None)
    rest = data.partition(b"\r\n")[2].replace(b"\r\n\r\n", f"\r\nCookie: {session(server)}\r\n\r\n".encode(), 1)
    answer = server.http.send(f"POST /_wmcs{path} HTTP/1.1\r\n".encode() + rest)
    assert answer.status == 200, answer.body
    assert f"</{operation}Response></soap:Body>".encode() in answer.body


def test_pre_licensing_is_closed(server: RealServer) -> None:
    """Its specification has it at licensing alone; a partner's user does not ask for others."""
    body = envelope(f'<AcquirePreLicense xmlns="{LICENSING}" />').encode()
    answer = server.http.send(request("/_wmcs/licensingexternal/license.asmx", body, Cookie=session(server)))
    assert answer.status == 500
    assert "System.UnauthorizedAccessException" in answer.body.decode()
    assert (server.audit[-1].operation, server.audit[-1].account) == ("AcquirePreLicense", EMAIL)


def test_directories_take_tokens_too(server: RealServer) -> None:
    """Where the product's issuers send them; then the client goes on to where it wanted."""
    for directory in EXTERNAL_DIRECTORIES:
        path = "/_wmcs" + directory
        for context, target in (
            (EXTERNAL[3], EXTERNAL[3]),
            ("https://evil.example/", path),
            ("//evil", path),
            ("", path),
        ):
            answer = post(server, fresh().token(), path, context)
            assert (answer.status, answer.headers["location"].lower()) == (302, target)
    cookie = session(server)
    assert server.http.send(request(path, method="GET", Cookie=cookie)).status == 200
    assert server.http.send(request(path, method="GET")).status == 302


def test_sign_out(server: RealServer) -> None:
    """wsignout1.0 goes on to the issuer, wsignoutcleanup1.0 ends here; `wreply` leads nowhere; attributes are not asked."""
    out = server.http.send(request(CERTIFY + "?wa=wsignout1.0&wreply=https://evil.example/", method="GET"))
    assert (out.status, out.headers["location"]) == (302, SIGN_IN_URL + "?wa=wsignout1.0")
    up = server.http.send(request(CERTIFY + "?wa=wsignoutcleanup1.0&wreply=https://evil.example/", method="GET"))
    assert (up.status, up.headers.get("location")) == (200, None)
    assert all("Max-Age=0" in answer.headers["set-cookie"] for answer in (out, up))
    assert server.http.send(request(CERTIFY + "?wa=wattr1.0", method="GET")).status == 403


# --- who is not ---------------------------------------------------------------------------------------------------------


def test_tokens_that_are_refused(server: RealServer) -> None:
    """Each with one and the same answer, no cookie, and nothing of the token in it; the audit says why, without it."""
    good = fresh().token()
    assert post(server, good).status == 302
    sha1 = fresh(method=SignatureMethod.RSA_SHA1, digest=DigestAlgorithm.SHA1)
    tokens = {
        "replayed": good,
        "unsigned": response(fresh().assertion()),
        "wrong key": fresh(key=rsa_key(1)).token(),
        "hmac": fresh(method=SignatureMethod.HMAC_SHA256).token(),
        "sha1": sha1.token(),
        "audience": fresh(audience="urn:rms:other").token(),
        "expired": fresh(not_before=-90 * MINUTE).token(),
        "not yet": fresh(not_before=10 * MINUTE).token(),
        "two": response(fresh().signed(), fresh().signed()),
        "wrapped": response(fresh(email="author@example.com").assertion(), fresh().signed()),
        "comment": fresh().token().replace(EMAIL, "guest@partner.example<!---->.evil.example"),
        "dtd": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + fresh().token(),
        "one of ours": fresh(email="author@example.com").token(),
        "long": fresh().token() + " " * 70_000,
        "noise": "<",
        "empty": "",
    }
    records = len(server.audit)
    for what, token in tokens.items():
        answer = post(server, token)
        assert (answer.status, answer.body) == (500, b"The sign-in was not accepted\n"), what
        assert "set-cookie" not in answer.headers
    refused = server.audit[records:]
    assert [(record.operation, record.outcome, record.account) for record in refused] == [("SignOn", "500", "")] * len(
        tokens
    )
    assert not any("guest" in repr(record) for record in refused)


def test_X7_oversized_form(server: RealServer) -> None:
    """413, whatever is in it."""
    assert post(server, "a" * FORM_LIMIT_BYTES).status == 413


@conforms("MS-RMPR 2.1", "Federated requests are served over HTTPS only.")
def test_plain_http() -> None:
    """[MS-RMPR] 2.1: nothing of federation without TLS, good token or not, and with a good session."""
    server = serving(None)
    cookie = cookie_header(
        FederatedAccount(EMAIL), PARTNER.issuer(proxy_addresses=True), NOW + MINUTE, server.ports.secrets
    )
    try:
        answers = [post(server, PARTNER.token()), certify(server, cookie.partition(";")[0]), certify(server, None)]
        answers.append(server.http.send(request(CERTIFY, method="GET", X_Forwarded_Proto="https")))
        assert {answer.status for answer in answers} == {403}
        assert not any("set-cookie" in answer.headers for answer in answers)
    finally:
        server.http.stop()


@pytest.mark.parametrize("path", [*EXTERNAL, *("/_wmcs" + directory for directory in EXTERNAL_DIRECTORIES)])
def test_federation_switched_off(server: RealServer, path: str) -> None:
    """federationEnabled false: there is no such path; sessions that were given count no more."""
    cookie = session(server)
    server.configure(federation_enabled=False)
    assert server.http.send(request(path, method="GET", Cookie=cookie)).status == 404
    assert post(server, fresh().token(), path).status == 404


def test_no_issuer_configured(tls: Tls) -> None:
    """Without issuers the directories are not there."""
    server = RealServer(make_cluster(CryptoMode.MODE_2), tls=tls)
    server.configure(federation_enabled=True)
    try:
        assert {server.http.send(request(path)).status for path in EXTERNAL} == {404}
    finally:
        server.http.stop()


@pytest.mark.parametrize("path", EXTERNAL)
@conforms("MS-RMPR 3.1.4.2", "The external paths take federated sign-on alone, and no other path takes it.")
@conforms("MS-RMPR 2.1", "Every endpoint of the URL table answers.")
def test_other_sign_on_does_not_count(server: RealServer, path: str) -> None:
    """A password that is good elsewhere, on the same connection or not, is not even looked at (3.1.4.2)."""
    with server.http.connect() as wire:
        internal = calls.call("GetLicensorCertificate", person="author")
        assert wire.ask(internal).status == 200
        answer = wire.ask(request(path, b"<x/>", Authorization=calls.signed_on("author")))
    assert (answer.status, answer.headers["location"].partition("?")[0]) == (302, SIGN_IN_URL)
    assert "www-authenticate" not in answer.headers


@conforms("MS-RMPR 3.1.4.2", "The external paths take federated sign-on alone, and no other path takes it.")
def test_session_counts_nowhere_else(server: RealServer) -> None:
    """The cookie on the internal paths: as if it were not there."""
    cookie = session(server)
    data = calls.call("Certify", calls.certify(server.cluster.machine().chain), person=None)
    answer = server.http.send(data.replace(b"\r\n\r\n", f"\r\nCookie: {cookie}\r\n\r\n".encode(), 1))
    assert answer.status == 401
    assert server.http.send(request("/_rmsserver/machine-certificate", b"{}", content_type="application/json",
                                    Cookie=cookie)).status == 401  # fmt: skip


def test_forged_and_ended_sessions(server: RealServer) -> None:
    """Sent to sign in again."""
    cookie = session(server)
    assert certify(server, cookie[:-3] + "AAA").status == 302
    assert certify(server, f"{cookie}; {cookie}").status == 302
    server.now = NOW + 61 * MINUTE
    assert certify(server, cookie).status == 302


def test_an_endpoint_may_be_closed(tls: Tls) -> None:
    """`nobody` for one of the paths; the others go on. More than that cannot be said of them."""
    path = "/licensingexternal/publish.asmx"
    sign_on = FederatedSignOn((PARTNER.issuer(),), MemorySeenTokens())
    rules = {path: Rule(Demand.NOBODY)}
    server = RealServer(make_cluster(CryptoMode.MODE_2), rules=rules, federation=sign_on, tls=tls)
    server.configure(federation_enabled=True)
    try:
        cookie = session(server)
        assert ask(server, "AcquireIssuanceLicense", "", cookie).status == 403
        assert certify(server, cookie).status == 200
    finally:
        server.http.stop()
    for demand in (Demand.ANONYMOUS, Demand.REQUIRED, Demand.LISTED):
        with pytest.raises(ValueError, match="federated accounts"):
            server._policy.changed(path, Rule(demand))


def test_methods(server: RealServer) -> None:
    assert server.http.send(request(CERTIFY, method="PUT")).status == 405
