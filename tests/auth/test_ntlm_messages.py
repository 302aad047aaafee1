"""NTLM messages are read strictly ([MS-NLMP] 2.2)."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spnego._ntlm_raw.messages import Challenge as PeerChallenge

from rmsserver.auth.ntlm_messages import (
    MESSAGE_LIMIT_BYTES,
    AuthenticateMessage,
    AvId,
    ChallengeMessage,
    ClientChallenge,
    Flags,
    NegotiateMessage,
    NtlmMessageError,
    message_type,
    read_pairs,
    write_pairs,
)

# The AUTHENTICATE_MESSAGE of [MS-NLMP] 4.2.4.3.
EXAMPLE = bytes.fromhex(
    "4e544c4d5353500003000000180018006c00000054005400840000000c000c004800000008000800540000001000"
    "10005c00000010001000d8000000358288e20501280a0000000f44006f006d00610069006e00550073006500720043004f00"
    "4d0050005500540045005200"
    "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
    "68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"
    "02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"
    "c5dad2544fc9799094ce1ce90bc9d03e"
)


def _bent(at: int, fmt: str, value: int) -> bytes:
    message = bytearray(EXAMPLE)
    struct.pack_into(fmt, message, at, value)
    return bytes(message)


def test_example_message_is_read() -> None:
    """Names, responses and key of the example of 4.2.4.3; it is older than the MIC and has no place for one."""
    message = AuthenticateMessage.read(EXAMPLE)
    assert (message.domain, message.user) == ("Domain", "User")
    assert message.lm_response.hex() == "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
    assert message.encrypted_session_key.hex() == "c5dad2544fc9799094ce1ce90bc9d03e"
    assert message.mic is None
    assert message.without_mic == EXAMPLE


def test_example_response_is_read() -> None:
    """Proof, time and pairs of the example's NTLMv2 response."""
    response = ClientChallenge.read(AuthenticateMessage.read(EXAMPLE).nt_response)
    assert response.proof.hex() == "68cd0ab851e51c96aabc927bebef6a1c"
    assert response.timestamp == 0
    assert response.pairs == {2: "Domain".encode("utf-16-le"), 1: "Server".encode("utf-16-le")}
    assert not response.announces_mic
    assert response.channel_bindings is None


@pytest.mark.parametrize("length", [0, 8, 11, 12, 40, 63, 64, 88, len(EXAMPLE) - 1])
def test_A6_truncated_message_is_refused(length: int) -> None:
    """Cut anywhere, the message is refused."""
    with pytest.raises(NtlmMessageError):
        AuthenticateMessage.read(EXAMPLE[:length])


@pytest.mark.parametrize("field", range(6))
@pytest.mark.parametrize("offset", [0, 12, 63, len(EXAMPLE), 0x7FFFFFFF, 0xFFFFFFFF])
def test_A6_field_outside_the_payload_is_refused(field: int, offset: int) -> None:
    """No field may lie in the fixed header, beyond the end, or wrap round."""
    with pytest.raises(NtlmMessageError):
        AuthenticateMessage.read(_bent(12 + 8 * field + 4, "<I", offset))


@pytest.mark.parametrize("field", range(6))
def test_A6_overlapping_fields_are_refused(field: int) -> None:
    """Two fields on the same octets are refused: here each is moved one octet towards its neighbour."""
    (offset,) = struct.unpack_from("<I", EXAMPLE, 12 + 8 * field + 4)
    moved = offset - 1 if offset > 72 else offset + 1
    with pytest.raises(NtlmMessageError, match="overlap"):
        AuthenticateMessage.read(_bent(12 + 8 * field + 4, "<I", moved))


def test_A6_user_and_domain_on_the_same_octets_are_refused() -> None:
    """The same place for two names is an overlap too."""
    (domain_at,) = struct.unpack_from("<I", EXAMPLE, 32)
    with pytest.raises(NtlmMessageError, match="overlap"):
        AuthenticateMessage.read(_bent(40, "<I", domain_at))


def test_oem_message_is_refused() -> None:
    """Names in an unknown code page are not guessed."""
    with pytest.raises(NtlmMessageError, match="OEM"):
        AuthenticateMessage.read(_bent(60, "<I", 0xE2888234))


def test_odd_and_control_names_are_refused() -> None:
    """Half a character, a lone surrogate or a control character in a name is refused."""
    with pytest.raises(NtlmMessageError):
        AuthenticateMessage.read(_bent(36, "<H", 7))
    with pytest.raises(NtlmMessageError):
        AuthenticateMessage.read(_bent(84, "<H", 0xD800))
    with pytest.raises(NtlmMessageError):
        AuthenticateMessage.read(_bent(84, "<H", 0x000A))


def test_message_of_another_type_or_size_is_refused() -> None:
    """Type, signature and size are looked at first."""
    for bad in (b"NTLMSSP\x00", b"KRBSSP\x00\x00" + bytes(8), EXAMPLE + bytes(MESSAGE_LIMIT_BYTES)):
        with pytest.raises(NtlmMessageError):
            message_type(bad)
    opening = b"NTLMSSP\x00\x01\x00\x00\x00" + bytes(4)
    assert NegotiateMessage.read(opening).flags == 0
    for bad in (EXAMPLE, opening[:-1], opening + bytes(1024)):
        with pytest.raises(NtlmMessageError):
            NegotiateMessage.read(bad)
    with pytest.raises(NtlmMessageError):
        AuthenticateMessage.read(b"NTLMSSP\x00\x01\x00\x00\x00" + bytes(60))


def test_challenge_is_read_by_the_peer() -> None:
    """pyspnego reads back every field of our CHALLENGE_MESSAGE."""
    info = {int(AvId.NB_DOMAIN_NAME): "EXAMPLE".encode("utf-16-le"), int(AvId.TIMESTAMP): bytes(8)}
    flags = Flags.UNICODE | Flags.VERSION | Flags.TARGET_INFO
    peer = PeerChallenge.unpack(ChallengeMessage(flags, b"12345678", "EXAMPLE", info).write())
    assert peer.server_challenge == b"12345678"
    assert peer.target_name == "EXAMPLE"
    assert peer.flags == int(flags)
    assert peer.target_info is not None
    assert peer.target_info.pack() == write_pairs(info)


@pytest.mark.parametrize("length", [0, 16, 24, 47])
def test_A6_lm_and_ntlmv1_responses_are_no_ntlmv2_response(length: int) -> None:
    """A response of 0 or 24 octets, or one too short, is not NTLMv2."""
    with pytest.raises(NtlmMessageError):
        ClientChallenge.read(bytes(length))


@pytest.mark.parametrize(
    "pairs",
    [
        b"",
        b"\x00",
        b"\x01\x00\x04\x00ab",
        b"\x01\x00\x02\x00ab",
        b"\x0a\x00\x01\x00a\x0a\x00\x01\x00b" + bytes(4),
        bytes(4) + b"\x0a\x00\x01\x00a" + bytes(4),
        b"\x00\x00\x01\x00a",
    ],
    ids=["empty", "short", "cut", "no end", "repeated", "behind the end", "end with a value"],
)
def test_malformed_pairs_are_refused(pairs: bytes) -> None:
    """A list of pairs has one end, each name once, and only zeros behind it."""
    with pytest.raises(NtlmMessageError):
        read_pairs(pairs)


def test_flags_and_bindings_of_a_wrong_size_are_refused() -> None:
    """MsvAvFlags has 4 octets, MsvAvChannelBindings 16."""
    temp = b"\x01\x01" + bytes(26)
    response = ClientChallenge.read(
        bytes(16) + temp + write_pairs({AvId.FLAGS: b"\x02", AvId.CHANNEL_BINDINGS: b"a" * 8})
    )
    with pytest.raises(NtlmMessageError):
        _ = response.announces_mic
    with pytest.raises(NtlmMessageError):
        _ = response.channel_bindings


@given(st.binary(max_size=400))
def test_any_octets_give_a_message_or_an_error(noise: bytes) -> None:
    """Noise behind a genuine header raises nothing but NtlmMessageError."""
    try:
        message = AuthenticateMessage.read(EXAMPLE[:12] + noise)
        ClientChallenge.read(message.nt_response)
    except NtlmMessageError:
        pass


@given(st.dictionaries(st.integers(1, 0xFFFF), st.binary(max_size=50), max_size=8))
def test_pairs_come_back(pairs: dict[int, bytes]) -> None:
    """What is written is read."""
    assert read_pairs(write_pairs(pairs)) == pairs


def test_repr_shows_no_response() -> None:
    """What could be cracked offline does not reach a log through repr."""
    message = AuthenticateMessage.read(EXAMPLE)
    for text in (repr(message), repr(ClientChallenge.read(message.nt_response))):
        assert "\\xaa" not in text
