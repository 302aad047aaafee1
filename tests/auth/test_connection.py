"""The identity of a TCP connection: threats A1, A2, A3, A5, A6 as the web layer meets them."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
import spnego
import structlog

from rmsserver.auth import Challenge, ConnectionAuth, Identity
from rmsserver.auth.basic import BasicScheme, BasicUse
from rmsserver.auth.connection import HttpAuthenticator, SignOnSettings
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import ChannelBinding
from rmsserver.auth.ntlm import HashVerifier, NtlmMechanism, NtlmSettings, ServerNames
from rmsserver.state import AuthenticationType
from tests.auth.accounts import ALICE, BOB, PASSWORD, Accounts, Time
from tests.auth.ntlm_client import Answer, header, negotiate_message, token_of

HOME = "192.0.2.1"
BASIC_OFFER = 'Basic realm="Rights Management", charset="UTF-8"'
ALL = Challenge(("Negotiate", "NTLM", BASIC_OFFER))


def _authenticator(
    *, basic: BasicUse = BasicUse.ALWAYS, time: Time | None = None, ntlm: bool = True, **settings: object
) -> HttpAuthenticator:
    accounts, guessing = Accounts(), PasswordGuessing(monotonic=Time())
    mechanism = NtlmMechanism(
        HashVerifier(accounts, ServerNames("EXAMPLE", "RMS")),
        guessing,
        NtlmSettings(**settings),  # type: ignore[arg-type]
        now=lambda: dt.datetime(2026, 11, 22, tzinfo=dt.UTC),
    )
    return HttpAuthenticator(
        [mechanism] if ntlm else [],
        BasicScheme(accounts, guessing),
        SignOnSettings(basic=basic),
        monotonic=time or Time(),
    )


def _connection(authenticator: HttpAuthenticator | None = None) -> ConnectionAuth:
    return (authenticator or _authenticator()).connection(secure=False, channel_bindings=None)


def _step(connection: ConnectionAuth, authorization: str | None) -> Identity | Challenge:
    return connection.step(authorization, client_address=HOME)


def _challenge(connection: ConnectionAuth, scheme: str = "NTLM") -> bytes:
    result = _step(connection, header(scheme, negotiate_message()))
    assert isinstance(result, Challenge)
    assert len(result.headers) == 1
    assert result.headers[0].startswith(scheme + " ")
    return token_of(result.headers[0])


def _sign_on(connection: ConnectionAuth, scheme: str = "NTLM") -> Identity | Challenge:
    return _step(connection, header(scheme, Answer(_challenge(connection, scheme)).pack()))


def _basic(login: str = "alice", password: str = PASSWORD) -> str:
    return header("Basic", f"{login}:{password}".encode())


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_identity_stays_with_the_connection(scheme: str) -> None:
    """After the handshake requests without a header keep the identity."""
    connection = _connection()
    assert _sign_on(connection, scheme) == Identity(AuthenticationType.NTLM, ALICE)
    for _ in range(3):
        assert _step(connection, None) == Identity(AuthenticationType.NTLM, ALICE)


def test_basic_is_for_one_request() -> None:
    """The next request without a header is challenged."""
    connection = _connection()
    assert _step(connection, _basic()) == Identity(AuthenticationType.BASIC, ALICE)
    assert _step(connection, None) == ALL


def test_schemes_are_read_in_any_letter_case() -> None:
    """RFC 9110: scheme names have no case."""
    assert isinstance(_step(_connection(), _basic().replace("Basic", "bAsIc")), Identity)


def test_offer_is_in_order() -> None:
    """Negotiate, NTLM, Basic; and each only where it may be used."""
    assert _step(_connection(), None) == ALL
    assert _step(_connection(_authenticator(basic=BasicUse.SECURE)), None) == Challenge(("Negotiate", "NTLM"))
    assert _step(_connection(_authenticator(ntlm=False)), None) == Challenge((BASIC_OFFER,))
    tls = _authenticator(basic=BasicUse.SECURE).connection(secure=True, channel_bindings=b"x")
    assert _step(tls, None) == ALL


def test_A1_type3_on_another_connection_is_refused() -> None:
    """The answer to one connection's challenge, sent on another: fresh, waiting for an answer, or signed on."""
    authenticator = _authenticator()
    answer = header("NTLM", Answer(_challenge(_connection(authenticator))).pack())
    fresh, waiting, signed_on = (_connection(authenticator) for _ in range(3))
    _challenge(waiting)
    _sign_on(signed_on)
    for other in (fresh, waiting, signed_on):
        assert _step(other, answer) == ALL
        assert _step(other, None) == ALL


def test_A1_challenge_is_for_the_very_next_request() -> None:
    """A request between the two, of whatever kind, ends the handshake."""
    for between in (None, _basic()):
        connection = _connection()
        answer = header("NTLM", Answer(_challenge(connection)).pack())
        _step(connection, between)
        assert _step(connection, answer) == ALL


def test_A1_half_handshake_ends_after_a_minute() -> None:
    """59 seconds after the first message the answer is taken, 60 seconds after it no more."""
    for waited, accepted in ((59.0, True), (60.0, False)):
        connection = _connection(_authenticator(time=(time := Time())))
        answer = header("NTLM", Answer(_challenge(connection)).pack())
        time.seconds += waited
        assert isinstance(_step(connection, answer), Identity) is accepted


def test_identity_of_a_connection_ends_after_ten_minutes() -> None:
    """Long connections sign on again; a request in between does not stretch the time."""
    connection = _connection(_authenticator(time=(time := Time())))
    _sign_on(connection)
    for _ in range(2):
        time.seconds += 299
        assert isinstance(_step(connection, None), Identity)
    time.seconds += 2
    assert _step(connection, None) == ALL
    assert isinstance(_sign_on(connection), Identity)


def test_A1_scheme_may_not_change_in_between() -> None:
    """A challenge sent under Negotiate is not answered under NTLM."""
    connection = _connection()
    answer = Answer(_challenge(connection, "Negotiate")).pack()
    assert _step(connection, header("NTLM", answer)) == ALL


def test_client_may_start_anew() -> None:
    """A second first message replaces the half handshake; the old challenge is gone."""
    connection = _connection()
    old = Answer(_challenge(connection)).pack()
    _challenge(connection)
    assert _step(connection, header("NTLM", old)) == ALL
    connection = _connection()
    _challenge(connection)
    new = Answer(_challenge(connection)).pack()
    assert isinstance(_step(connection, header("NTLM", new)), Identity)


def test_A2_pooled_upstream_connection_gives_nobodys_identity_away() -> None:
    """Through a proxy: Basic alone, for one request; nothing is offered or kept that a second client could inherit."""
    connection = _connection()
    through = {"client_address": "127.0.0.1", "forwarded": True}
    assert connection.step(None, **through) == Challenge((BASIC_OFFER,))  # type: ignore[arg-type]
    for scheme in ("NTLM", "Negotiate"):
        token = header(scheme, negotiate_message())
        assert connection.step(token, **through) == Challenge((BASIC_OFFER,))  # type: ignore[arg-type]
    assert isinstance(connection.step(_basic(), **through), Identity)  # type: ignore[arg-type]
    assert connection.step(None, **through) == Challenge((BASIC_OFFER,))  # type: ignore[arg-type]


def _checked(accounts: Accounts) -> ConnectionAuth:
    basic = BasicScheme(accounts, PasswordGuessing(monotonic=Time()))
    return _connection(HttpAuthenticator([], basic, SignOnSettings(basic=BasicUse.ALWAYS), monotonic=Time()))


def test_A2_no_password_is_remembered_through_a_proxy() -> None:
    """A2: what came directly is forgotten when a proxy shows itself, and what came through it is never remembered."""
    accounts = Accounts()
    connection = _checked(accounts)
    for forwarded in (False, True, True, False):
        assert isinstance(connection.step(_basic(), client_address=HOME, forwarded=forwarded), Identity)
    assert accounts.checks == 4


def test_A3_a_remembered_password_is_no_identity() -> None:
    """A3: a request without the header is challenged; with another scheme's the password is forgotten."""
    accounts = Accounts()
    connection = _checked(accounts)
    assert isinstance(_step(connection, _basic()), Identity)
    assert isinstance(_step(connection, None), Challenge)
    assert isinstance(_step(connection, _basic()), Identity)
    assert accounts.checks == 1
    assert isinstance(_step(connection, "Bearer abcd"), Challenge)
    assert isinstance(_step(connection, _basic()), Identity)
    assert accounts.checks == 2


def test_A2_forwarded_request_on_a_signed_on_connection_is_nobodys() -> None:
    """The identity is dropped as soon as a proxy shows itself, and does not come back."""
    connection = _connection()
    _sign_on(connection)
    assert connection.step(None, client_address=HOME, forwarded=True) == Challenge((BASIC_OFFER,))
    assert _step(connection, None) == ALL


def test_proxy_that_keeps_connections_apart() -> None:
    """Where the operator promises so, NTLM works through the proxy."""
    authenticator = _authenticator()
    authenticator.settings = SignOnSettings(proxy_keeps_connections_apart=True)
    connection = _connection(authenticator)
    challenged = connection.step(header("NTLM", negotiate_message()), client_address=HOME, forwarded=True)
    assert isinstance(challenged, Challenge)
    answer = header("NTLM", Answer(token_of(challenged.headers[0])).pack())
    assert isinstance(connection.step(answer, client_address=HOME, forwarded=True), Identity)
    assert isinstance(connection.step(None, client_address=HOME, forwarded=True), Identity)


def test_forwarded_request_is_not_from_loopback() -> None:
    """A proxy on this machine does not make its clients local: no Basic in the clear for them."""
    connection = _connection(_authenticator(basic=BasicUse.SECURE_OR_LOOPBACK))
    assert isinstance(connection.step(_basic(), client_address="127.0.0.1"), Identity)
    assert connection.step(_basic(), client_address="127.0.0.1", forwarded=True) == Challenge(())


def test_client_may_start_anew_under_spnego() -> None:
    """A second NegTokenInit begins a second negotiation, not an error."""
    connection = _connection()
    for _ in range(2):
        token = spnego.client("alice", PASSWORD, options=spnego.NegotiateOptions.use_negotiate).step()
        assert token is not None
        result = _step(connection, header("Negotiate", token))
        assert isinstance(result, Challenge)
        assert len(result.headers) == 1


def test_A2_other_connections_know_nothing_of_an_identity() -> None:
    """Same authenticator, same address: a second connection is nobody."""
    authenticator = _authenticator()
    _sign_on(_connection(authenticator))
    assert _step(_connection(authenticator), None) == ALL


@pytest.mark.parametrize(
    "authorization",
    [_basic(password="wrong"), "Bearer abcd", "NTLM !!!", "", header("NTLM", b"NTLMSSP\x00\x03\x00\x00\x00")],
    ids=["wrong", "unknown scheme", "no base64", "empty", "type 3"],
)
def test_A3_any_new_header_drops_the_old_identity(authorization: str) -> None:
    """Refused with the new header, and nobody afterwards."""
    connection = _connection()
    _sign_on(connection)
    assert _step(connection, authorization) == ALL
    assert _step(connection, None) == ALL


def test_A3_half_handshake_on_a_signed_on_connection_drops_the_identity() -> None:
    """The challenge goes out, and a request without a header is nobody's."""
    connection = _connection()
    _sign_on(connection)
    _challenge(connection)
    assert _step(connection, None) == ALL


def test_A3_new_identity_takes_the_old_ones_place() -> None:
    """Another person signs on over the same connection, for one request; then nobody."""
    connection = _connection()
    _sign_on(connection)
    assert _step(connection, _basic("bob")) == Identity(AuthenticationType.BASIC, BOB)
    assert _step(connection, None) == ALL


def test_A5_nothing_with_challenge_and_response_without_tls_where_binding_is_required() -> None:
    """Not offered, and refused if a client comes with it all the same."""
    authenticator = _authenticator(channel_binding=ChannelBinding.REQUIRED)
    plain = authenticator.connection(secure=False, channel_bindings=None)
    assert _step(plain, None) == Challenge((BASIC_OFFER,))
    for scheme in ("NTLM", "Negotiate"):
        assert _step(plain, header(scheme, negotiate_message())) == Challenge((BASIC_OFFER,))
    tls = authenticator.connection(secure=True, channel_bindings=b"tls-server-end-point:x")
    assert _step(tls, None) == ALL


def test_basic_where_it_is_not_offered_is_refused_unchecked() -> None:
    """The right password in the clear is refused as well."""
    assert _step(_connection(_authenticator(basic=BasicUse.SECURE)), _basic()) == Challenge(("Negotiate", "NTLM"))


RIGHT = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic " + RIGHT.rstrip("="),
        "Basic " + RIGHT[:-3] + chr(ord(RIGHT[-3]) + 1) + "==",
        "Basic " + RIGHT[:4] + " " + RIGHT[4:],
        "Basic " + RIGHT + ",x",
        "Basic é" + RIGHT,
        "Basic " + RIGHT + "\n",
        "Basic" + " " * 16384 + RIGHT,
        "NTLM " + "A" * 16384,
        "Negotiate YII=",
        header("NTLM", b"NTLMSSP\x00\x02\x00\x00\x00" + bytes(48)),
        "Digest username=alice",
    ],
    ids=["no token", "empty", "no padding", "stray bits", "blank", "behind", "not ASCII", "line end", "long", "long NTLM",
         "cut", "type 2", "Digest"],
)  # fmt: skip
def test_A6_malformed_headers_are_answered_like_any_refusal(authorization: str) -> None:
    """Base64 is strict, sizes are bounded, and the answer tells nothing."""
    assert isinstance(_step(_connection(), "Basic " + RIGHT), Identity)
    assert _step(_connection(), authorization) == ALL


def test_A6_refusals_are_alike_and_leave_the_connection_usable() -> None:
    """Wrong password, unknown user, malformed message: the same challenge; then the right password is served."""
    connection = _connection()
    for bend in ({"password": "wrong"}, {"user": "nobody"}, {"announce_mic": False}):
        answer = Answer(_challenge(connection), **bend)
        assert _step(connection, header("NTLM", answer.pack())) == ALL
    assert isinstance(_sign_on(connection), Identity)


def test_closed_connection_is_nobody() -> None:
    """After close neither the identity nor a half handshake is there, and nobody can sign on."""
    connection = _connection()
    _sign_on(connection)
    connection.close()
    connection.close()
    assert _step(connection, None) == ALL
    assert _step(connection, _basic()) == ALL


def test_closing_token_is_for_one_answer() -> None:
    """Under SPNEGO the accepted request carries the closing token, later ones do not."""
    client = spnego.client("alice", PASSWORD, protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)
    connection = _connection()
    first = client.step()
    assert first is not None
    challenged = _step(connection, header("Negotiate", first))
    assert isinstance(challenged, Challenge)
    reply = client.step(token_of(challenged.headers[0]))
    assert reply is not None
    identity = _step(connection, header("Negotiate", reply))
    assert isinstance(identity, Identity)
    assert identity.confirmation is not None
    client.step(token_of(identity.confirmation))
    assert client.complete
    later = _step(connection, None)
    assert isinstance(later, Identity)
    assert later.confirmation is None


def test_X16_refusal_is_one_short_line_without_secrets() -> None:
    """The log names reason and address; no password, no token, no hash."""
    with structlog.testing.capture_logs() as lines:
        connection = _connection()
        _step(connection, _basic(password="Tr0ub4dor"))
        _step(connection, header("NTLM", Answer(_challenge(connection), password="wrong").pack()))
        _step(connection, "NTLM " + "A" * 20000)
    assert len(lines) == 3
    for line in lines:
        text = repr(line)
        assert len(text) < 400
        assert "Tr0ub4dor" not in text
        assert base64.b64encode(b"NTLMSSP").decode()[:8] not in text


def test_realm_cannot_break_the_header() -> None:
    """A quotation mark or line end in the configured realm is refused at start."""
    for realm in ('a"b', "a\r\nb", "a\\b", "é"):
        with pytest.raises(ValueError, match="realm"):
            SignOnSettings(realm=realm)
