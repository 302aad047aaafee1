"""The server's side of NTLMv2 ([MS-NLMP] 3.2.5.1) for accounts whose NT hash the `Credentials` port hands out.

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

from rmsserver.auth import Identity
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import Accepted, Channel, ChannelBinding, Continue, Handshake, SignOnError
from rmsserver.auth.ntlm_keys import SessionKeys, channel_bindings_hash, proof, response_key
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


class NtlmMechanism:
    """Makes the handshakes. `now` gives aware UTC time."""

    oids: tuple[str, ...] = (NTLMSSP_OID,)

    def __init__(
        self,
        credentials: Credentials,
        guessing: PasswordGuessing,
        names: ServerNames,
        settings: NtlmSettings | None = None,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self.credentials = credentials
        self.guessing = guessing
        self.names = names
        self.settings = settings or NtlmSettings()
        self.now = now
        # The stand-in hash of unknown users: they fail after the same work, against a secret nobody holds.
        self.nobody = secrets.token_bytes(16)

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
        message = ChallengeMessage(
            flags=flags,
            server_challenge=secrets.token_bytes(8),
            target_name=self._mechanism.names.netbios_domain,
            target_info=self._target_info(),
        )
        self._challenged = _Challenged(token, message.write(), message)
        return Continue(self._challenged.challenge)

    def _target_info(self) -> dict[int, bytes]:
        names = self._mechanism.names
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
        account, key = self._prove(challenged, message, response, client_address)
        self._check_mic(challenged, message, response, keys := self._keys(challenged, message, response, key))
        self._check_channel(response)
        if abs(response.timestamp - _filetime(self._mechanism.now())) > self._max_difference():
            raise SignOnError("timestamp too far from the server's clock")
        return Accepted(Identity(AuthenticationType.NTLM, account), keys)

    def _prove(
        self,
        challenged: _Challenged,
        message: AuthenticateMessage,
        response: ClientChallenge,
        client_address: str,
    ) -> tuple[DomainAccount, bytes]:
        """The account and its response key, if the client knows the password. Unknown users cost the same (N6)."""
        login = f"{message.domain}\\{message.user}" if message.domain else message.user
        found = self._mechanism.credentials.nt_hash(login)
        nt_hash = found[1] if found else self._mechanism.nobody
        proven_key: bytes | None = None
        # 3.2.5.1.2: some clients compute with no domain although they send one.
        for domain in (message.domain, ""):
            key = response_key(nt_hash, message.user, domain)
            expected = proof(key, challenged.message.server_challenge, response.temp)
            if hmac.compare_digest(expected, response.proof):
                proven_key = key
        proven = found is not None and proven_key is not None
        if not self._mechanism.guessing.admits(login, client_address, proven=proven):
            raise SignOnError("wrong password, unknown account or too many failures", login)
        assert found is not None  # noqa: S101  # `admits` never admits what is not proven
        assert proven_key is not None  # noqa: S101
        return found[0], proven_key

    def _keys(
        self, challenged: _Challenged, message: AuthenticateMessage, response: ClientChallenge, key: bytes
    ) -> SessionKeys:
        agreed = message.flags & challenged.message.flags
        try:
            return SessionKeys.derive(agreed, key, response.proof, message.encrypted_session_key)
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
