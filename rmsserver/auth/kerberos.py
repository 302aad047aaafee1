"""Kerberos as acceptor ([RFC4120], [RFC4121], [MS-KILE]): tickets for this service, decrypted with its keytab by GSSAPI.

Needs the extra `[ad]`. Who is calling is the SID of the ticket's PAC, authenticated by the key of this service alone: a
PAC whose signature does not fit is refused, not ignored. A ticket without a PAC counts by its verified principal. GSSAPI
checks lifetime and clock, keeps the replay cache and compares channel bindings. But it accepts a ticket for any name
whose key is in the keytab, so the name in the ticket is looked at here. That name stands outside the encrypted part:
whoever steals a ticket for another service *of the same account* can write ours on it. The account should therefore have
no other service names (docs/security.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import gssapi
from gssapi.raw.exceptions import BadChannelBindingsError
from gssapi.raw.types import RequirementFlag

from rmsserver.auth import Identity, der
from rmsserver.auth.domain_accounts import DomainAccounts
from rmsserver.auth.mechanism import Accepted, Channel, ChannelBinding, Continue, Handshake, SignOnError
from rmsserver.auth.pac import PacAccount, PacError, read_logon_info, read_upn_dns_info
from rmsserver.errors import OperatorError
from rmsserver.state import AuthenticationType, DomainAccount

KERBEROS_OID = "1.2.840.113554.1.2.2"
MICROSOFT_KERBEROS_OID = "1.2.840.48018.1.2.2"
"""The same mechanism under a number that an early Windows cut short ([MS-SPNG] 3.1.5.2, note on KRB5)."""

_MECHANISM = gssapi.MechType.kerberos
_AP_REQ = b"\x01\x00"
_AP_REQ_TAG, _TICKET_TAG, _GENERAL_STRING = 0x6E, 0x61, 0x1B
_PAC, _UPN_DNS_INFO, _LOGON_INFO = b"urn:mspac:", b"urn:mspac:upn-dns-info", b"urn:mspac:logon-info"
_NO_TLS = b"this server ended no TLS here"


@dataclass(frozen=True)
class KerberosSettings:
    """`service_names` are those a ticket may be for, for example `HTTP/rms.example.com`, without realm; case is ignored."""

    keytab: Path
    service_names: tuple[str, ...]
    replay_cache: Path
    """A file that the server writes. Servers of one cluster have one each: a replay at another server is caught by nothing
    but the five minutes that an authenticator is good for."""
    channel_binding: ChannelBinding = ChannelBinding.OPTIONAL


@dataclass(frozen=True)
class AcceptedTicket:
    """A ticket that GSSAPI has accepted. `pac` None where it has none."""

    principal: str
    pac: PacAccount | None
    token: bytes | None = field(repr=False)
    """AP-REP, where the client wants mutual authentication."""
    keys: GssKeys = field(repr=False)


class GssKeys:
    """A `SecurityContext` over an established GSSAPI context."""

    def __init__(self, context: gssapi.raw.SecurityContext, *, has_integrity: bool) -> None:
        self._context = gssapi.SecurityContext(base=context)
        self.has_integrity = has_integrity

    def client_mic_is_valid(self, message: bytes, mic: bytes) -> bool:
        try:
            self._context.verify_signature(message, mic)
        except gssapi.raw.GSSError:
            return False
        return True

    def server_mic(self, message: bytes) -> bytes:
        return self._context.get_signature(message)


class TicketAcceptor:
    """Accepts tickets with one keytab. The keytab is read for every ticket, so that a new one counts at once."""

    def __init__(self, settings: KerberosSettings) -> None:
        """Raises OperatorError where the keytab cannot be used."""
        self.settings = settings
        self._store: dict[bytes | str, bytes | str] = {
            b"keytab": b"FILE:" + bytes(settings.keytab),
            b"rcache": b"file2:" + bytes(settings.replay_cache),
        }
        self._names = frozenset(name.lower() for name in settings.service_names)
        try:
            with settings.keytab.open("rb"):
                self._credentials()
        except (OSError, gssapi.raw.GSSError) as error:
            raise OperatorError(
                f"sign_on.keytab: {settings.keytab} cannot be used: {_words(error)}; export it with the service's keys and "
                "make it readable for this account"
            ) from None

    def accept(self, token: bytes, bindings: bytes | None) -> AcceptedTicket:
        """`bindings`: what the client's must equal where it sends some; None: not looked at. Raises SignOnError."""
        if target_name(token).lower() not in self._names:
            raise SignOnError("ticket for another service")
        channel = gssapi.raw.ChannelBindings(application_data=bindings) if bindings is not None else None
        try:
            result = gssapi.raw.accept_sec_context(token, self._credentials(), None, channel)
            if result.more_steps:
                raise SignOnError("Kerberos of more than one step")
            if self._must_be_bound(bindings) and not result.flags & RequirementFlag.channel_bound:
                raise SignOnError("channel binding missing")
            principal = gssapi.raw.display_name(result.initiator_name, name_type=False).name.decode()
            keys = GssKeys(result.context, has_integrity=bool(result.flags & RequirementFlag.integrity))
            return AcceptedTicket(principal, _pac_of(result.initiator_name), result.token or None, keys)
        except BadChannelBindingsError:
            raise SignOnError("channel binding of another connection") from None
        except (gssapi.raw.GSSError, UnicodeDecodeError) as error:
            raise SignOnError(f"ticket refused: {_words(error)}") from None

    def _must_be_bound(self, bindings: bytes | None) -> bool:
        return bindings is not None and self.settings.channel_binding is ChannelBinding.REQUIRED

    def _credentials(self) -> gssapi.raw.Creds:
        return gssapi.raw.acquire_cred_from(self._store, mechs=[_MECHANISM], usage="accept").creds


class KerberosMechanism:
    """Makes the handshakes: one token of the client, one of the server."""

    oids: tuple[str, ...] = (KERBEROS_OID, MICROSOFT_KERBEROS_OID)

    def __init__(self, acceptor: TicketAcceptor, accounts: DomainAccounts) -> None:
        self.acceptor = acceptor
        self.accounts = accounts

    def available(self, channel: Channel) -> bool:
        """Extended protection without TLS would promise what nothing can keep: not offered (A5)."""
        return self.acceptor.settings.channel_binding is not ChannelBinding.REQUIRED or channel.bindings is not None

    def begin(self, channel: Channel) -> Handshake:
        return _KerberosHandshake(self, channel)


class _KerberosHandshake:
    def __init__(self, mechanism: KerberosMechanism, channel: Channel) -> None:
        self._mechanism = mechanism
        self._channel = channel

    def step(self, token: bytes, *, client_address: str) -> Continue | Accepted:  # noqa: ARG002 - the interface
        ticket = self._mechanism.acceptor.accept(token, self._expected_bindings())
        account = account_of(ticket, self._mechanism.accounts)
        return Accepted(Identity(AuthenticationType.KERBEROS, account), ticket.keys, ticket.token)

    def _expected_bindings(self) -> bytes | None:
        """What a client that is bound must be bound to. Where this server ended no TLS, to nothing: a client that is bound
        all the same came through somebody else's (A4)."""
        if self._mechanism.acceptor.settings.channel_binding is ChannelBinding.NEVER:
            return None
        return self._channel.bindings if self._channel.bindings is not None else _NO_TLS


def account_of(ticket: AcceptedTicket, accounts: DomainAccounts) -> DomainAccount:
    """By the SID of the PAC, else by the principal. Raises SignOnError for who is unknown or disabled."""
    if ticket.pac is not None:
        return accounts.of_sid(ticket.pac.sid, ticket.pac.name)
    name, _, realm = ticket.principal.rpartition("@")
    if not name or not realm or any(c in "/@\\" for c in name):
        raise SignOnError("a principal that is no account", ticket.principal)
    return accounts.of_name(f"{realm}\\{name}")


def target_name(token: bytes) -> str:
    """The name of the service in the ticket of an AP-REQ ([RFC4120] 5.3, 5.5.1; framing: [RFC4121] 4.1). Raises SignOnError.

    Not protected by any key: see the top of this module.
    """
    try:
        mechanism, message = der.read(der.read_all(token, der.APPLICATION_0), der.OBJECT_IDENTIFIER)
        if der.oid_text(mechanism) not in KerberosMechanism.oids or not message.startswith(_AP_REQ):
            raise SignOnError("no AP-REQ")
        request = der.read_fields(der.read_all(der.read_all(message[2:], _AP_REQ_TAG), der.SEQUENCE))
        ticket = der.read_fields(der.read_all(der.read_all(request[3], _TICKET_TAG), der.SEQUENCE))
        name = der.read_fields(der.read_all(ticket[2], der.SEQUENCE))
        parts = der.read_many(der.read_all(name[1], der.SEQUENCE), _GENERAL_STRING, 8)
        return "/".join(part.decode() for part in parts)
    except (der.DerError, KeyError, UnicodeDecodeError):
        raise SignOnError("malformed AP-REQ") from None


def _pac_of(name: gssapi.raw.Name) -> PacAccount | None:
    """Raises SignOnError for a PAC that the service's key does not vouch for, or that says nothing."""
    if _PAC not in gssapi.raw.inquire_name(name).attrs:
        return None
    for attribute, read in ((_UPN_DNS_INFO, read_upn_dns_info), (_LOGON_INFO, read_logon_info)):
        try:
            buffer = gssapi.raw.get_name_attribute(name, attribute)
        except gssapi.raw.GSSError:  # not in this PAC
            continue
        if not buffer.authenticated or len(buffer.values) != 1:
            raise SignOnError("PAC with a signature that does not fit")
        try:
            account = read(buffer.values[0])
        except PacError as error:
            raise SignOnError(f"PAC: {error}") from None
        if account is not None:
            return account
    raise SignOnError("PAC without an account")


def _words(error: Exception) -> str:
    """GSSAPI's explanation on one line. It names principals and files, never keys."""
    return " ".join(str(error).split())[:200]
