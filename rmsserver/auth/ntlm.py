"""The server's side of NTLMv2 ([MS-NLMP] 3.2.5.1). Who knows the passwords is asked through a `ResponseVerifier`: the
embedded directory by its NT hashes (`HashVerifier`), a domain by winbind (`winbind.WinbindVerifier`).

What is refused here, each with the same answer: LM and NTLMv1 responses, anonymous sign-on, a message without the MIC it
announces (and, unless configured otherwise, any without a MIC), a channel binding that is wrong, or absent or all zero where
one is required, a timestamp far off, and any message out of order. A server challenge serves one AUTHENTICATE_MESSAGE.
"""

from __future__ import annotations

import datetime as dt
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rmsserver.auth import Identity
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Accepted, Channel, ChannelBinding, Continue, Handshake, SignOnError
from rmsserver.auth.ntlm_keys import SessionKeys, channel_bindings_hash, proof, response_key, session_base_key
from rmsserver.auth.ntlm_messages import (
    AuthenticateMessage,
    AvId,
    ChallengeMessage,
    ClientChallenge,
    Flags,
    NegotiateMessage,
    NtlmMessageError,
    message_type,
)
from rmsserver.ports import Credentials
from rmsserver.state import AuthenticationType, DomainAccount

NTLMSSP_OID = "1.3.6.1.4.1.311.2.2.10"

_EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)
_TAKEN_OVER = (
    Flags.UNICODE | Flags.SIGN | Flags.SEAL | Flags.EXTENDED_SESSION_SECURITY
    | Flags.VERSION | Flags.KEY_128 | Flags.KEY_EXCHANGE | Flags.KEY_56
)  # fmt: skip
"""Client's wishes that the server grants. LM session keys, datagrams and OEM names are never granted."""
_ALWAYS = (
    Flags.REQUEST_TARGET | Flags.NTLM | Flags.ALWAYS_SIGN | Flags.TARGET_INFO | Flags.TARGET_TYPE_DOMAIN
)  # fmt: skip


@dataclass(frozen=True)
class ServerNames:
    """How the server calls itself in the CHALLENGE_MESSAGE. NetBIOS names have at most 15 characters."""

    netbios_domain: str
    netbios_computer: str
    dns_domain: str = ""
    dns_computer: str = ""


@dataclass(frozen=True)
class NtlmSettings:
    channel_binding: ChannelBinding = ChannelBinding.OPTIONAL
    require_mic: bool = True
    """Off only for clients that break 3.1.5.1.2 by ignoring the server's timestamp (libcurl's own NTLM)."""
    max_clock_difference: dt.timedelta = dt.timedelta(hours=36)
    """MaxLifetime (3.1.1.1)."""


@dataclass(frozen=True)
class Proven:
    """Whose password it was, and the SessionBaseKey (3.3.2) that only its knower can compute."""

    account: DomainAccount
    base_key: bytes = field(repr=False)


class ResponseVerifier(Protocol):
    """Knows passwords, or somebody who does. Every method may raise `PortUnavailable`."""

    @property
    def is_remote(self) -> bool:
        """True where each check reaches a domain controller, which counts failures itself. While a lock of our own holds it
        is then not asked, so that guessing here locks nobody out of the domain; and no time tells, as nothing is checked."""

    def names(self) -> ServerNames:
        """For the CHALLENGE_MESSAGE. Domain controllers check that a response was made for the computer that sends it in."""

    def verify(self, message: AuthenticateMessage, response: ClientChallenge, server_challenge: bytes) -> Proven | None:
        """Who proves to know the password of the message's account; None for a wrong password or an unknown account."""


class HashVerifier:
    """Verifies by the NT hashes that the `Credentials` port hands out."""

    is_remote = False

    def __init__(self, credentials: Credentials, names: ServerNames) -> None:
        self._credentials = credentials
        self._names = names
        # The stand-in hash of unknown users: they fail after the same work, against a secret nobody holds.
        self._nobody = secrets.token_bytes(16)

    def names(self) -> ServerNames:
        return self._names

    def verify(self, message: AuthenticateMessage, response: ClientChallenge, server_challenge: bytes) -> Proven | None:
        """Unknown users cost the same (N6)."""
        found = self._credentials.nt_hash(login_of(message))
        nt_hash = found[1] if found else self._nobody
        proven_key: bytes | None = None
        # 3.2.5.1.2: some clients compute with no domain although they send one.
        for domain in (message.domain, ""):
            key = response_key(nt_hash, message.user, domain)
            expected = proof(key, server_challenge, response.temp)
            if hmac.compare_digest(expected, response.proof):
                proven_key = key
        if found is None or proven_key is None:
            return None
        return Proven(found[0], session_base_key(proven_key, response.proof))


def login_of(message: AuthenticateMessage) -> str:
    """`DOMAIN\\user`, or the user alone where the client names no domain."""
    return f"{message.domain}\\{message.user}" if message.domain else message.user


class NtlmMechanism:
    """Makes the handshakes. `now` gives aware UTC time."""

    oids: tuple[str, ...] = (NTLMSSP_OID,)

    def __init__(
        self,
        verifier: ResponseVerifier,
        guessing: PasswordGuessing,
        settings: NtlmSettings | None = None,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.verifier = verifier
        self.guessing = guessing
        self.settings = settings or NtlmSettings()
        self.now = now

    def available(self, channel: Channel) -> bool:
        """Extended protection without TLS would promise what nothing can keep: not offered (A5)."""
        return self.settings.channel_binding is not ChannelBinding.REQUIRED or channel.bindings is not None

    def begin(self, channel: Channel) -> Handshake:
        return _NtlmHandshake(self, channel)


@dataclass(frozen=True)
class _Challenged:
    """The state between CHALLENGE_MESSAGE and AUTHENTICATE_MESSAGE: both messages as they went over the wire."""

    negotiate: bytes = field(repr=False)
    challenge: bytes = field(repr=False)
    message: ChallengeMessage


class _NtlmHandshake:
    def __init__(self, mechanism: NtlmMechanism, channel: Channel) -> None:
        self._mechanism = mechanism
        self._channel = channel
        self._challenged: _Challenged | None = None

    def step(self, token: bytes, *, client_address: str) -> Continue | Accepted:
        # Used up before the message is even read: a server challenge is for one answer, whatever becomes of it (A6).
        challenged, self._challenged = self._challenged, None
        try:
            if challenged is None:
                return self._challenge(token)
            return self._accept(challenged, AuthenticateMessage.read(token), client_address)
        except NtlmMessageError as error:
            raise SignOnError(str(error)) from None

    def _challenge(self, token: bytes) -> Continue:
        if message_type(token) != 1:
            raise NtlmMessageError("AUTHENTICATE_MESSAGE without a challenge on this connection")
        wished = NegotiateMessage.read(token).flags
        if not wished & Flags.UNICODE:
            raise NtlmMessageError("client without Unicode")
        flags = (wished & _TAKEN_OVER) | _ALWAYS
        if not flags & (Flags.SIGN | Flags.SEAL):
            # Without either, an exchanged key has no use (3.2.5.1.2), and clients differ in what they then send.
            flags &= ~Flags.KEY_EXCHANGE
        names = self._mechanism.verifier.names()
        message = ChallengeMessage(
            flags=flags,
            server_challenge=secrets.token_bytes(8),
            target_name=names.netbios_domain,
            target_info=self._target_info(names),
        )
        self._challenged = _Challenged(token, message.write(), message)
        return Continue(self._challenged.challenge)

    def _target_info(self, names: ServerNames) -> dict[int, bytes]:
        texts = {
            AvId.NB_DOMAIN_NAME: names.netbios_domain,
            AvId.NB_COMPUTER_NAME: names.netbios_computer,
            AvId.DNS_DOMAIN_NAME: names.dns_domain,
            AvId.DNS_COMPUTER_NAME: names.dns_computer,
        }
        info = {int(av_id): text.encode("utf-16-le") for av_id, text in texts.items() if text}
        # The timestamp obliges the client to send a MIC (3.1.5.1.2).
        return info | {int(AvId.TIMESTAMP): _filetime(self._mechanism.now()).to_bytes(8, "little")}

    def _accept(self, challenged: _Challenged, message: AuthenticateMessage, client_address: str) -> Accepted:
        if not message.user or message.flags & Flags.ANONYMOUS or not message.nt_response:
            raise SignOnError("anonymous sign-on, or an LM response alone")
        response = ClientChallenge.read(message.nt_response)
        proven = self._prove(challenged, message, response, client_address)
        keys = self._keys(challenged, message, proven.base_key)
        self._check_mic(challenged, message, response, keys)
        self._check_channel(response)
        if abs(response.timestamp - _filetime(self._mechanism.now())) > self._max_difference():
            raise SignOnError("timestamp too far from the server's clock")
        return Accepted(Identity(AuthenticationType.NTLM, proven.account), keys)

    def _prove(
        self,
        challenged: _Challenged,
        message: AuthenticateMessage,
        response: ClientChallenge,
        client_address: str,
    ) -> Proven:
        """Raises SignOnError unless the client knows the password and no lock holds."""
        login, verifier, guessing = login_of(message), self._mechanism.verifier, self._mechanism.guessing
        if verifier.is_remote and guessing.is_locked(login, client_address):
            raise SignOnError("too many failures", login)
        proven = verifier.verify(message, response, challenged.message.server_challenge)
        admitted = guessing.admits(login, client_address, proven=proven is not None)
        if proven is None or not admitted:
            raise SignOnError("wrong password, unknown account or too many failures", login)
        return proven

    def _keys(self, challenged: _Challenged, message: AuthenticateMessage, base_key: bytes) -> SessionKeys:
        agreed = message.flags & challenged.message.flags
        try:
            return SessionKeys.derive(agreed, base_key, message.encrypted_session_key)
        except ValueError as error:
            raise SignOnError(str(error)) from None

    def _check_mic(
        self,
        challenged: _Challenged,
        message: AuthenticateMessage,
        response: ClientChallenge,
        keys: SessionKeys,
    ) -> None:
        if not response.announces_mic:
            if self._mechanism.settings.require_mic:
                raise SignOnError("no MIC")
            return
        expected = keys.message_mic(challenged.negotiate, challenged.challenge, message.without_mic)
        if message.mic is None or not hmac.compare_digest(expected, message.mic):
            raise SignOnError("MIC missing or wrong")

    def _check_channel(self, response: ClientChallenge) -> None:
        """Extended protection (3.2.5.1.2; A4).

        Diverges: where the client was bound to a TLS channel and this server knows of none, somebody stands between;
        the specification would not look, this server refuses unless the setting is NEVER.
        """
        setting = self._mechanism.settings.channel_binding
        if setting is ChannelBinding.NEVER:
            return
        sent, own = response.channel_bindings, self._channel.bindings
        if sent is None:
            if setting is ChannelBinding.REQUIRED:
                raise SignOnError("channel binding missing or all zero")
            return
        if own is None or not hmac.compare_digest(sent, channel_bindings_hash(own)):
            raise SignOnError("channel binding of another connection")

    def _max_difference(self) -> int:
        return self._mechanism.settings.max_clock_difference // dt.timedelta(microseconds=1) * 10


def _filetime(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 10
