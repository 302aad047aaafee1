"""Keys of NTLMv2 against the worked example of [MS-NLMP] 4.2.4, and signatures against 4.2.4.4."""

from __future__ import annotations

import pytest
from spnego.channel_bindings import GssChannelBindings

from rmsserver.auth.ntlm_keys import SessionKeys, channel_bindings_hash, proof, response_key, session_base_key
from rmsserver.auth.ntlm_messages import Flags

NT_HASH = bytes.fromhex("a4f49c406510bdcab6824ee7c30fd852")
SERVER_CHALLENGE = bytes.fromhex("0123456789abcdef")
TEMP = bytes.fromhex(
    "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e00"
    "01000c005300650072007600650072000000000000000000"
)
FLAGS = Flags(0xE28A8233)
KEY = bytes.fromhex("0c868a403bfd7a93a3001ef22ef02e3f")
PROOF = bytes.fromhex("68cd0ab851e51c96aabc927bebef6a1c")
ENCRYPTED = bytes.fromhex("c5dad2544fc9799094ce1ce90bc9d03e")


def test_response_key_of_the_example() -> None:
    """NTOWFv2("Password", "User", "Domain") is the one of 4.2.4.1.1."""
    assert response_key(NT_HASH, "User", "Domain") == KEY


def test_response_key_takes_the_user_in_any_case_but_the_domain_as_written() -> None:
    """User names have no case in the key; domain names have."""
    assert response_key(NT_HASH, "uSER", "Domain") == KEY
    assert response_key(NT_HASH, "User", "DOMAIN") != KEY


def test_response_key_maps_each_character_to_one() -> None:
    """A sharp s stays one character, as Windows maps it."""
    assert response_key(NT_HASH, "straße", "") == response_key(NT_HASH, "STRAßE", "")
    assert response_key(NT_HASH, "straße", "") != response_key(NT_HASH, "STRASSE", "")


def test_proof_of_the_example() -> None:
    """NTProofStr is the one of 4.2.4.2.2."""
    assert proof(KEY, SERVER_CHALLENGE, TEMP) == PROOF


def test_session_key_of_the_example() -> None:
    """The encrypted session key of 4.2.4.2.3 opens to sixteen times 55."""
    assert SessionKeys.derive(FLAGS, session_base_key(KEY, PROOF), ENCRYPTED).exported == b"\x55" * 16


def test_session_key_without_key_exchange_is_the_base_key() -> None:
    """Without KEY_EXCH, or anything to use it for, the session key is the SessionBaseKey of 4.2.4.1.2."""
    for without in (Flags.KEY_EXCHANGE, Flags.SIGN | Flags.SEAL):
        keys = SessionKeys.derive(FLAGS & ~without, session_base_key(KEY, PROOF), b"")
        assert keys.exported.hex() == "8de40ccadbc14a82f15cb0ad0de95ca3"


@pytest.mark.parametrize("length", [0, 1, 15, 17])
def test_session_key_of_a_wrong_length_is_refused(length: int) -> None:
    """3.2.5.1.2: with KEY_EXCH a valid encrypted session key must have come."""
    with pytest.raises(ValueError, match="16 octets"):
        SessionKeys.derive(FLAGS, session_base_key(KEY, PROOF), bytes(length))


def test_signature_is_the_one_a_pyspnego_client_makes() -> None:
    """The client's first signature verifies, any other octet string does not."""
    from spnego._ntlm_raw.crypto import rc4init, sealkey, signkey
    from spnego._ntlm_raw.security import sign

    exported = b"\x55" * 16
    for flags in (FLAGS, FLAGS & ~Flags.KEY_128, FLAGS & ~Flags.KEY_128 & ~Flags.KEY_56, FLAGS & ~Flags.KEY_EXCHANGE):
        keys = SessionKeys(flags, exported)
        for usage in ("initiate", "accept"):
            theirs = sign(
                int(flags),
                rc4init(sealkey(int(flags), exported, usage)),
                signkey(int(flags), exported, usage),
                0,
                b"mechs",
            )
            if usage == "initiate":
                assert keys.client_mic_is_valid(b"mechs", theirs)
                assert not keys.client_mic_is_valid(b"mechz", theirs)
                assert not keys.client_mic_is_valid(b"mechs", b"")
            else:
                assert keys.server_mic(b"mechs") == theirs


def test_channel_bindings_hash_equals_pyspnego() -> None:
    """The hash is MD5 over the packed structure of RFC 4121."""
    from spnego._ntlm_raw.crypto import md5

    data = b"tls-server-end-point:" + bytes(range(32))
    assert channel_bindings_hash(data) == md5(GssChannelBindings(application_data=data).pack())


def test_repr_shows_no_key() -> None:
    """Keys do not reach a log through repr."""
    assert "5555" not in repr(SessionKeys(FLAGS, b"\x55" * 16))
    assert "UUUU" not in repr(SessionKeys(FLAGS, b"\x55" * 16))
