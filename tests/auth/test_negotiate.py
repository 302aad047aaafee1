"""SPNEGO round NTLM: choice of mechanism, the MICs over it, and bare NTLM as Windows sends it."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import dataclass

import pytest
import spnego
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, unpack_token

from rmsserver.auth import Identity, der
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Accepted, Channel, ChannelBinding, Continue, Handshake, SignOnError
from rmsserver.auth.negotiate import NegotiateHandshake
from rmsserver.auth.ntlm import NTLMSSP_OID, HashVerifier, NtlmMechanism, NtlmSettings, ServerNames
from rmsserver.auth.ntlm_keys import SessionKeys
from rmsserver.auth.ntlm_messages import Flags
from rmsserver.state import AuthenticationType
from tests.auth.accounts import ALICE, PASSWORD, Accounts
from tests.auth.ntlm_client import FLAGS, Answer, negotiate_message

KERBEROS, MS_KERBEROS = "1.2.840.113554.1.2.2", "1.2.840.48018.1.2.2"
HOME = "192.0.2.1"


def _handshake(**settings: object) -> NegotiateHandshake:
    ntlm = NtlmMechanism(
        HashVerifier(Accounts(), ServerNames("EXAMPLE", "RMS")),
        PasswordGuessing(),
        NtlmSettings(**settings),  # type: ignore[arg-type]
        now=lambda: dt.datetime.now(dt.UTC),
    )
    return NegotiateHandshake([ntlm], Channel())


def _step(handshake: NegotiateHandshake, token: bytes) -> bytes:
    result = handshake.step(token, client_address=HOME)
    assert isinstance(result, Continue)
    return result.token


def _init(mechs: list[str], token: bytes | None = None) -> bytes:
    return NegTokenInit(mechs, mech_token=token).pack()


def _client_mic(answer: Answer, mechs: list[str]) -> bytes:
    from spnego._ntlm_raw.crypto import rc4init, sealkey, signkey
    from spnego._ntlm_raw.security import sign
    from spnego._spnego import pack_mech_type_list

    flags = FLAGS | 0x800000
    key = answer.exported
    return sign(
        flags, rc4init(sealkey(flags, key, "initiate")), signkey(flags, key, "initiate"), 0, pack_mech_type_list(mechs)
    )


def test_pyspnego_client_completes() -> None:
    """A whole exchange with pyspnego's SPNEGO client, which verifies our mechListMIC and knows itself complete."""
    client = spnego.client(
        "EXAMPLE\\alice", PASSWORD, protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate
    )
    handshake = _handshake()
    token = client.step()
    assert token is not None
    reply = client.step(_step(handshake, token))
    assert reply is not None
    result = handshake.step(reply, client_address=HOME)
    assert isinstance(result, Accepted)
    assert result.identity.account == ALICE
    assert client.step(result.token) is None
    assert client.complete


def test_bare_ntlm_inside_negotiate() -> None:
    """Windows puts bare NTLM messages into Negotiate; the answers are bare as well, without a closing token."""
    handshake = _handshake()
    challenge = _step(handshake, negotiate_message())
    assert challenge.startswith(b"NTLMSSP\x00\x02")
    result = handshake.step(Answer(challenge).pack(), client_address=HOME)
    assert isinstance(result, Accepted)
    assert result.token is None


def test_kerberos_first_asks_for_ntlm() -> None:
    """A client that prefers Kerberos gets, octet for octet, what a Windows server without Kerberos answers."""
    reply = _step(_handshake(), _init([MS_KERBEROS, KERBEROS, NTLMSSP_OID], b"`\x06not for us"))
    assert reply == base64.b64decode("oRUwE6ADCgEDoQwGCisGAQQBgjcCAgo=")


def _kerberos_first() -> tuple[NegotiateHandshake, Answer, list[str]]:
    mechs = [MS_KERBEROS, KERBEROS, NTLMSSP_OID]
    handshake = _handshake()
    _step(handshake, _init(mechs, b"`\x00"))
    reply = unpack_token(_step(handshake, NegTokenResp(response_token=negotiate_message()).pack()))
    return handshake, Answer(reply.response_token), mechs


def test_kerberos_first_completes_with_mic() -> None:
    """After the detour the client's MIC over its list is verified and answered with the server's."""
    handshake, answer, mechs = _kerberos_first()
    message = answer.pack()
    result = handshake.step(
        NegTokenResp(response_token=message, mech_list_mic=_client_mic(answer, mechs)).pack(), client_address=HOME
    )
    assert isinstance(result, Accepted)
    closing = unpack_token(result.token or b"")
    assert closing.neg_state == NegState.accept_complete
    keys = SessionKeys(Flags(FLAGS), answer.exported)
    from spnego._spnego import pack_mech_type_list

    assert closing.mech_list_mic == keys.server_mic(pack_mech_type_list(mechs))


def test_A6_changed_list_of_mechanisms_is_refused() -> None:
    """Somebody removed a mechanism from the list on the way: the MIC is over another list."""
    handshake, answer, mechs = _kerberos_first()
    message = answer.pack()
    token = NegTokenResp(response_token=message, mech_list_mic=_client_mic(answer, mechs[1:])).pack()
    with pytest.raises(SignOnError, match="mechListMIC wrong"):
        handshake.step(token, client_address=HOME)


def test_A6_missing_mic_over_the_list_is_refused() -> None:
    """Where the choice was not the client's first, the MIC is not optional."""
    handshake, answer, _ = _kerberos_first()
    with pytest.raises(SignOnError, match="mechListMIC missing"):
        handshake.step(NegTokenResp(response_token=answer.pack()).pack(), client_address=HOME)


def test_no_common_mechanism_is_refused() -> None:
    """Kerberos alone is not spoken here yet."""
    with pytest.raises(SignOnError, match="no mechanism in common"):
        _handshake().step(_init([KERBEROS], b"`\x00"), client_address=HOME)


def test_A5_ntlm_is_not_taken_where_binding_is_required_without_tls() -> None:
    """Neither inside SPNEGO nor bare."""
    for token in (_init([NTLMSSP_OID], negotiate_message()), negotiate_message()):
        with pytest.raises(SignOnError, match="no mechanism in common"):
            _handshake(channel_binding=ChannelBinding.REQUIRED).step(token, client_address=HOME)


def test_bare_message_in_a_wrapped_exchange_is_refused() -> None:
    """One exchange is either wrapped or bare: stripping SPNEGO would strip its MIC."""
    handshake = _handshake()
    reply = unpack_token(_step(handshake, _init([NTLMSSP_OID], negotiate_message())))
    with pytest.raises(SignOnError):
        handshake.step(Answer(reply.response_token).pack(), client_address=HOME)


def test_list_without_a_token_asks_for_one() -> None:
    """No optimistic token: the server names its choice and waits."""
    reply = unpack_token(_step(_handshake(), _init([NTLMSSP_OID])))
    assert (reply.neg_state, reply.supported_mech) == (NegState.accept_incomplete, NTLMSSP_OID)
    assert reply.response_token is None


@dataclass(frozen=True)
class _Ticket:
    """A mechanism of one leg, as Kerberos is: it tests the port, and proves nothing."""

    oids: tuple[str, ...] = (KERBEROS, MS_KERBEROS)
    has_integrity: bool = False

    def available(self, channel: Channel) -> bool:
        return True

    def begin(self, channel: Channel) -> Handshake:
        return self

    def step(self, token: bytes, *, client_address: str) -> Continue | Accepted:
        if token != b"ticket":
            raise SignOnError("no ticket")
        return Accepted(Identity(AuthenticationType.KERBEROS, ALICE), self, b"reply")

    def client_mic_is_valid(self, message: bytes, mic: bytes) -> bool:
        return False

    def server_mic(self, message: bytes) -> bytes:
        return b""


def test_another_mechanism_takes_its_place_in_the_clients_order() -> None:
    """The port for Kerberos: one leg, chosen by the name the client used first, its last token in the closing one."""
    for mechs in ([MS_KERBEROS, KERBEROS, NTLMSSP_OID], [KERBEROS]):
        result = NegotiateHandshake([_Ticket()], Channel()).step(_init(mechs, b"ticket"), client_address=HOME)
        assert isinstance(result, Accepted)
        assert result.identity.authentication is AuthenticationType.KERBEROS
        closing = unpack_token(result.token or b"")
        assert (closing.neg_state, closing.supported_mech) == (NegState.accept_complete, mechs[0])
        assert (closing.response_token, closing.mech_list_mic) == (b"reply", None)


def test_bare_ntlm_is_refused_where_only_another_mechanism_is() -> None:
    """NTLM switched off is off in every wrapping."""
    with pytest.raises(SignOnError, match="no mechanism in common"):
        NegotiateHandshake([_Ticket()], Channel()).step(negotiate_message(), client_address=HOME)


def test_response_without_a_token_is_refused() -> None:
    """In the middle of a negotiation every message carries a token."""
    handshake = _handshake()
    _step(handshake, _init([NTLMSSP_OID]))
    with pytest.raises(SignOnError, match="out of order"):
        handshake.step(NegTokenResp(neg_state=NegState.accept_incomplete).pack(), client_address=HOME)


@pytest.mark.parametrize(
    "token",
    [
        b"`",
        b"\xa1\x00",
        _init([NTLMSSP_OID], negotiate_message())[:-1],
        _init([NTLMSSP_OID], negotiate_message()) + b"\x00",
        _init([KERBEROS] * 33 + [NTLMSSP_OID]),
        _init([]),
        NegTokenResp(response_token=negotiate_message()).pack(),
        bytes.fromhex("600c06062b0601050502a0023000"),
        _init([KERBEROS], b"x").replace(bytes.fromhex("06062b0601050502"), bytes.fromhex("06062b0601050503")),
    ],
    ids=["cut", "empty", "short", "trailing", "many", "none", "response first", "no list", "not SPNEGO"],
)
def test_malformed_tokens_are_refused(token: bytes) -> None:
    """Whatever does not parse is refused, not raised."""
    with pytest.raises(SignOnError):
        _handshake().step(token, client_address=HOME)


def test_a_bare_token_of_a_mechanism_not_spoken_here() -> None:
    """A Kerberos token without SPNEGO round it, where there is no Kerberos; and one of no mechanism at all."""
    for oid in (KERBEROS, MS_KERBEROS, "1.2.3.4"):
        token = der.write(der.APPLICATION_0, der.write(der.OBJECT_IDENTIFIER, der.oid_octets(oid)) + b"\x01\x00rest")
        with pytest.raises(SignOnError, match="no mechanism in common"):
            _handshake().step(token, client_address=HOME)
