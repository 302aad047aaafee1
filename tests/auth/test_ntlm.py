"""The NTLMv2 acceptor: who is let in, and the attacks that are not (A4 to A7)."""

from __future__ import annotations

import datetime as dt

import pytest

from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Accepted, Channel, ChannelBinding, Continue, Handshake, SignOnError
from rmsserver.auth.ntlm import HashVerifier, NtlmMechanism, NtlmSettings, ServerNames
from rmsserver.auth.ntlm_keys import channel_bindings_hash
from rmsserver.state import AuthenticationType
from tests.auth.accounts import ALICE, Accounts, Time
from tests.auth.ntlm_client import FLAGS, KEY_EXCHANGE, SIGN, UNICODE, Answer, filetime, negotiate_message, v1_response

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
HOME = "192.0.2.1"
PLAIN = Channel()
TLS = Channel(secure=True, bindings=b"tls-server-end-point:" + bytes(range(32)))
OWN_HASH = channel_bindings_hash(TLS.bindings or b"")
CBT = 10


def _mechanism(accounts: Accounts | None = None, **settings: object) -> NtlmMechanism:
    return NtlmMechanism(
        HashVerifier(accounts or Accounts(), ServerNames("EXAMPLE", "RMS", "example.com", "rms.example.com")),
        PasswordGuessing(monotonic=Time()),
        NtlmSettings(**settings),  # type: ignore[arg-type]
        now=lambda: NOW,
    )


def _begun(
    mechanism: NtlmMechanism | None = None, channel: Channel = PLAIN, flags: int = FLAGS
) -> tuple[Handshake, Answer]:
    """A handshake that has sent its challenge, and the genuine answer to it."""
    handshake = (mechanism or _mechanism()).begin(channel)
    negotiate = negotiate_message(flags)
    result = handshake.step(negotiate, client_address=HOME)
    assert isinstance(result, Continue)
    return handshake, Answer(result.token, negotiate=negotiate)


def _accepted(handshake: Handshake, answer: Answer) -> bool:
    try:
        result = handshake.step(answer.pack(), client_address=HOME)
    except SignOnError:
        return False
    assert isinstance(result, Accepted)
    assert result.identity.account == ALICE
    assert result.identity.authentication is AuthenticationType.NTLM
    return True


def test_genuine_answer_is_accepted() -> None:
    """Name, password, MIC and time right: the directory's account, whatever the spelling."""
    handshake, answer = _begun()
    answer.user, answer.domain = "ALICE", "example"
    assert _accepted(handshake, answer)


@pytest.mark.parametrize(("user", "domain"), [("alice", ""), ("alice@example.com", ""), ("alice", "EXAMPLE")])
def test_spellings_of_a_login(user: str, domain: str) -> None:
    """DOMAIN and user, user@domain, and a bare login."""
    handshake, answer = _begun()
    answer.user, answer.domain = user, domain
    assert _accepted(handshake, answer)


def test_client_that_leaves_the_domain_out_of_its_key_is_accepted() -> None:
    """3.2.5.1.2: servers support clients that compute the response key with no domain."""
    handshake, answer = _begun()
    answer.key_domain = ""
    assert _accepted(handshake, answer)


@pytest.mark.parametrize("without", [0, KEY_EXCHANGE, SIGN, SIGN | KEY_EXCHANGE, 0x80000])
def test_flag_combinations_of_genuine_clients(without: int) -> None:
    """With and without signing, key exchange and extended session security the MIC is computed with the right key."""
    handshake, answer = _begun(flags=FLAGS & ~without)
    assert _accepted(handshake, answer)


def test_wrong_password_and_unknown_user_are_refused_alike() -> None:
    """N6: same exception, same reason, one look into the directory each."""
    reasons = []
    for user, password in (("alice", "wrong"), ("nobody", "wrong")):
        accounts = Accounts()
        handshake, answer = _begun(_mechanism(accounts))
        answer.user, answer.password = user, password
        with pytest.raises(SignOnError) as refused:
            handshake.step(answer.pack(), client_address=HOME)
        reasons.append(refused.value.reason)
        assert accounts.lookups == 1
    assert reasons[0] == reasons[1]


def test_disabled_account_is_refused() -> None:
    """The port hands out no hash for a disabled account."""
    handshake, answer = _begun(_mechanism(Accounts(disabled=frozenset({ALICE}))))
    assert not _accepted(handshake, answer)


def test_A7_right_password_is_refused_while_locked() -> None:
    """Six failures, then the right password: refused."""
    mechanism = _mechanism()
    for _ in range(6):
        handshake, answer = _begun(mechanism)
        answer.password = "wrong"
        assert not _accepted(handshake, answer)
    assert not _accepted(*_begun(mechanism))


def test_A6_ntlmv1_response_is_refused() -> None:
    """A right NTLMv1 response, with or without the LM response beside it."""
    for with_lm in (True, False):
        handshake, answer = _begun(flags=FLAGS & ~0x80000)
        answer.nt, lm = v1_response(answer.challenge)
        answer.lm = lm if with_lm else b""
        assert not _accepted(handshake, answer)


def test_A6_lm_response_alone_is_refused() -> None:
    """A right LM response without an NT response."""
    handshake, answer = _begun(flags=FLAGS & ~0x80000)
    _, answer.lm = v1_response(answer.challenge)
    answer.nt = b""
    assert not _accepted(handshake, answer)


@pytest.mark.parametrize("lm", [b"", b"\x00"])
def test_A6_anonymous_is_refused(lm: bytes) -> None:
    """The null session of 3.2.5.1.2."""
    handshake, answer = _begun()
    answer.user, answer.domain, answer.nt, answer.lm = "", "", b"", lm
    assert not _accepted(handshake, answer)


def test_A6_anonymous_flag_is_refused() -> None:
    """A message that asks for an anonymous connection, whatever else it proves."""
    handshake, answer = _begun()
    answer.flags = FLAGS | 0x800000 | 0x800
    assert not _accepted(handshake, answer)


def test_A6_missing_mic_is_refused() -> None:
    """No announcement and no MIC: refused by default."""
    handshake, answer = _begun()
    answer.announce_mic = False
    assert not _accepted(handshake, answer)


def test_A6_announced_mic_is_demanded_even_where_none_is_required() -> None:
    """Where the client says it sends a MIC, its removal, a zero one or a message without its place is refused."""
    for mic, header_bytes in ((bytes(16), 88), (b"\x01" * 16, 88), (None, 72), (None, 64)):
        handshake, answer = _begun(_mechanism(require_mic=False))
        answer.mic, answer.header_bytes = mic, header_bytes
        assert not _accepted(handshake, answer)


def test_client_without_mic_is_accepted_where_configured() -> None:
    """With require_mic off a client that ignores the timestamp signs on; its message has no place for a MIC."""
    handshake, answer = _begun(_mechanism(require_mic=False))
    answer.announce_mic, answer.header_bytes = False, 72
    assert _accepted(handshake, answer)


def test_A6_mic_covers_the_first_message() -> None:
    """Flags changed on the way in the NEGOTIATE_MESSAGE break the MIC."""
    handshake, answer = _begun()
    answer.negotiate = negotiate_message(FLAGS | 0x20)
    assert not _accepted(handshake, answer)


def test_A6_replay_in_the_same_handshake_is_refused() -> None:
    """The second use of a message that was accepted."""
    handshake, answer = _begun()
    assert _accepted(handshake, answer)
    assert not _accepted(handshake, answer)


def test_A6_replay_in_another_handshake_is_refused() -> None:
    """A message recorded in one handshake proves nothing in another."""
    mechanism = _mechanism()
    _, recorded = _begun(mechanism)
    other, _ = _begun(mechanism)
    assert not _accepted(other, recorded)


def test_A6_failed_answer_uses_the_challenge_up() -> None:
    """After a wrong answer the right one to the same challenge is refused too."""
    handshake, answer = _begun()
    right, answer.password = answer.pack(), "wrong"
    with pytest.raises(SignOnError):
        handshake.step(answer.pack(), client_address=HOME)
    with pytest.raises(SignOnError):
        handshake.step(right, client_address=HOME)


def test_A6_session_key_of_a_wrong_length_is_refused() -> None:
    """3.2.5.1.2: with key exchange the client must send a key of 16 octets, whatever else is right."""
    handshake, answer = _begun()
    answer.session_key = b"\x55" * 15
    assert not _accepted(handshake, answer)


def test_A1_answer_without_a_challenge_is_refused() -> None:
    """An AUTHENTICATE_MESSAGE first."""
    _, answer = _begun()
    assert not _accepted(_mechanism().begin(Channel()), answer)


def test_A6_truncated_answer_is_refused() -> None:
    """A genuine message cut at any of its last octets."""
    for cut in (1, 16, 60, 200):
        handshake, answer = _begun()
        with pytest.raises(SignOnError):
            handshake.step(answer.pack()[:-cut], client_address=HOME)


@pytest.mark.parametrize("hours", [-37, 37])
def test_A6_timestamp_far_off_is_refused(hours: int) -> None:
    """More than MaxLifetime away from the server's clock."""
    handshake, answer = _begun()
    answer.timestamp = filetime(NOW + dt.timedelta(hours=hours))
    assert not _accepted(handshake, answer)


def test_oem_client_is_refused() -> None:
    """A client without Unicode gets no challenge."""
    with pytest.raises(SignOnError):
        _mechanism().begin(Channel()).step(negotiate_message(FLAGS & ~UNICODE), client_address=HOME)


def test_challenges_differ() -> None:
    """Each handshake has a server challenge of its own."""
    assert len({_begun()[1].challenge[24:32] for _ in range(50)}) == 50


def test_A6_lm_key_and_datagram_are_never_granted() -> None:
    """The challenge grants none of the old session securities."""
    _, answer = _begun(flags=FLAGS | 0x80 | 0x40 | 0x2 | 0x400000)
    granted = int.from_bytes(answer.challenge[20:24], "little")
    assert granted & (0x80 | 0x40 | 0x2 | 0x400000) == 0


def test_key_exchange_is_granted_only_with_signing_or_sealing() -> None:
    """A key that nothing would use is not exchanged."""
    for flags, granted in ((FLAGS, True), (FLAGS & ~SIGN | 0x20, True), (FLAGS & ~SIGN, False)):
        _, answer = _begun(flags=flags)
        assert bool(int.from_bytes(answer.challenge[20:24], "little") & KEY_EXCHANGE) is granted


@pytest.mark.parametrize("setting", list(ChannelBinding))
def test_right_channel_binding_is_accepted(setting: ChannelBinding) -> None:
    """Bound to the server's own channel, under every setting."""
    handshake, answer = _begun(_mechanism(channel_binding=setting), TLS)
    answer.extra_pairs = {CBT: OWN_HASH}
    assert _accepted(handshake, answer)


@pytest.mark.parametrize("pairs", [{}, {CBT: bytes(16)}], ids=["missing", "all zero"])
def test_A4_missing_or_all_zero_binding_is_refused_where_required(pairs: dict[int, bytes]) -> None:
    """An all-zero hash means "no binding" and does not count as one."""
    handshake, answer = _begun(_mechanism(channel_binding=ChannelBinding.REQUIRED), TLS)
    answer.extra_pairs = pairs
    assert not _accepted(handshake, answer)


@pytest.mark.parametrize("pairs", [{}, {CBT: bytes(16)}], ids=["missing", "all zero"])
def test_absent_binding_is_accepted_where_optional(pairs: dict[int, bytes]) -> None:
    """Clients that know no channel bindings sign on where they are optional."""
    handshake, answer = _begun(_mechanism(channel_binding=ChannelBinding.OPTIONAL), TLS)
    answer.extra_pairs = pairs
    assert _accepted(handshake, answer)


@pytest.mark.parametrize("setting", [ChannelBinding.OPTIONAL, ChannelBinding.REQUIRED])
def test_A4_binding_of_another_channel_is_refused(setting: ChannelBinding) -> None:
    """A relay: the client was bound to the attacker's certificate."""
    handshake, answer = _begun(_mechanism(channel_binding=setting), TLS)
    answer.extra_pairs = {CBT: channel_bindings_hash(b"tls-server-end-point:" + bytes(32))}
    assert not _accepted(handshake, answer)


def test_A4_bound_client_on_a_plain_connection_is_refused() -> None:
    """The client spoke TLS with somebody, this server did not: a relay, unless the setting is NEVER."""
    for setting, accepted in ((ChannelBinding.OPTIONAL, False), (ChannelBinding.NEVER, True)):
        handshake, answer = _begun(_mechanism(channel_binding=setting), Channel())
        answer.extra_pairs = {CBT: OWN_HASH}
        assert _accepted(handshake, answer) is accepted


def test_A4_binding_cannot_be_added_or_cut_out_on_the_way() -> None:
    """The pairs are part of what the password proves."""
    handshake, answer = _begun(_mechanism(channel_binding=ChannelBinding.OPTIONAL), TLS)
    answer.extra_pairs = {CBT: channel_bindings_hash(b"tls-server-end-point:" + bytes(32))}
    genuine = answer.pack()
    forged = genuine.replace(answer.extra_pairs[CBT], OWN_HASH)
    assert forged != genuine
    with pytest.raises(SignOnError):
        handshake.step(forged, client_address=HOME)


def test_A5_mechanism_is_not_available_without_tls_where_binding_is_required() -> None:
    """Extended protection needs a channel to bind to."""
    mechanism = _mechanism(channel_binding=ChannelBinding.REQUIRED)
    assert mechanism.available(TLS)
    assert not mechanism.available(Channel())
    assert not mechanism.available(Channel(secure=True))


class _Remote(HashVerifier):
    is_remote = True


def test_A7_a_domain_is_not_asked_while_a_lock_holds() -> None:
    """Six wrong passwords reach it; those that follow do not, nor does the right one."""
    accounts = Accounts()
    mechanism = NtlmMechanism(
        _Remote(accounts, ServerNames("EXAMPLE", "RMS")), PasswordGuessing(monotonic=Time()), now=lambda: NOW
    )
    for _ in range(20):
        handshake, answer = _begun(mechanism)
        answer.password = "wrong"
        assert not _accepted(handshake, answer)
    assert accounts.lookups == 6
    handshake, answer = _begun(mechanism)
    assert not _accepted(handshake, answer)
    assert accounts.lookups == 6
