"""SPNEGO as acceptor ([RFC4178], [MS-SPNG]): which mechanism client and server use, and that nobody changed the choice.

The scheme Negotiate carries SPNEGO tokens, but Windows puts a bare NTLM message in as well, and other clients a bare
Kerberos token; all are served. A mechanism is
taken by the client's order of preference among those that are available on this channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rmsserver.auth import der
from rmsserver.auth.mechanism import Accepted, Channel, Continue, Handshake, Mechanism, SignOnError
from rmsserver.auth.ntlm import NTLMSSP_OID
from rmsserver.auth.ntlm_messages import SIGNATURE as NTLM_SIGNATURE

SPNEGO_OID = "1.3.6.1.5.5.2"
_ACCEPT_COMPLETED, _ACCEPT_INCOMPLETE, _REQUEST_MIC = 0, 1, 3
_MECHANISM_LIMIT = 32


@dataclass(frozen=True)
class _Init:
    """NegTokenInit ([RFC4178] 4.2.1). `mech_list` is the DER of MechTypeList as it came: what the MICs are over."""

    mech_types: tuple[str, ...]
    mech_list: bytes
    mech_token: bytes | None = field(repr=False)
    mech_list_mic: bytes | None = field(repr=False)


@dataclass(frozen=True)
class _Response:
    """NegTokenResp from the client ([RFC4178] 4.2.2)."""

    token: bytes | None = field(repr=False)
    mech_list_mic: bytes | None = field(repr=False)


def _mechanism_of(token: bytes) -> str:
    """Whose InitialContextToken this is ([RFC2743] 3.1)."""
    outer = der.read_all(token, der.APPLICATION_0)
    return der.oid_text(der.read(outer, der.OBJECT_IDENTIFIER)[0])


def _read_init(token: bytes) -> _Init:
    outer = der.read_all(token, der.APPLICATION_0)
    oid, rest = der.read(outer, der.OBJECT_IDENTIFIER)
    if der.oid_text(oid) != SPNEGO_OID:
        raise der.DerError("not a SPNEGO token")
    fields = der.read_fields(der.read_all(der.read_all(rest, der.context(0)), der.SEQUENCE))
    if 0 not in fields:
        raise der.DerError("NegTokenInit without mechTypes")
    oids = der.read_many(der.read_all(fields[0], der.SEQUENCE), der.OBJECT_IDENTIFIER, _MECHANISM_LIMIT)
    # In [3] Windows as a server puts hints ([MS-SPNG] 2.2.1); from a client only the MIC stands there.
    return _Init(tuple(map(der.oid_text, oids)), fields[0], _octets(fields, 2), _octets(fields, 3))


def _read_response(token: bytes) -> _Response:
    fields = der.read_fields(der.read_all(der.read_all(token, der.context(1)), der.SEQUENCE))
    return _Response(_octets(fields, 2), _octets(fields, 3))


def _octets(fields: dict[int, bytes], number: int) -> bytes | None:
    return der.read_all(fields[number], der.OCTET_STRING) if number in fields else None


def _write_response(
    state: int, *, mechanism: str | None = None, token: bytes | None = None, mic: bytes | None = None
) -> bytes:
    parts = [der.write(der.context(0), der.write(der.ENUMERATED, bytes([state])))]
    if mechanism is not None:
        parts.append(der.write(der.context(1), der.write(der.OBJECT_IDENTIFIER, der.oid_octets(mechanism))))
    if token is not None:
        parts.append(der.write(der.context(2), der.write(der.OCTET_STRING, token)))
    if mic is not None:
        parts.append(der.write(der.context(3), der.write(der.OCTET_STRING, mic)))
    return der.write(der.context(1), der.write(der.SEQUENCE, b"".join(parts)))


class NegotiateHandshake:
    """A `Handshake` that finds its mechanism by SPNEGO."""

    def __init__(self, mechanisms: Sequence[Mechanism], channel: Channel) -> None:
        self._available = {oid: m for m in mechanisms if m.available(channel) for oid in m.oids}
        self._channel = channel
        self._inner: Handshake | None = None
        self._mech_list: bytes | None = None
        self._mic_required = False

    def step(self, token: bytes, *, client_address: str) -> Continue | Accepted:
        try:
            if token.startswith(NTLM_SIGNATURE):
                return self._bare(token, client_address)
            if self._inner is None and (bare := _mechanism_of(token)) != SPNEGO_OID:
                self._inner = self._begin(bare)
                return self._inner.step(token, client_address=client_address)
            if self._inner is None:
                return self._first(_read_init(token), client_address)
            return self._next(_read_response(token), client_address)
        except der.DerError as error:
            raise SignOnError(str(error)) from None

    def _bare(self, token: bytes, client_address: str) -> Continue | Accepted:
        if self._mech_list is not None:
            raise SignOnError("bare NTLM message inside a SPNEGO negotiation")
        if self._inner is None:
            self._inner = self._begin(NTLMSSP_OID)
        return self._inner.step(token, client_address=client_address)

    def _begin(self, oid: str) -> Handshake:
        if oid not in self._available:
            raise SignOnError("no mechanism in common")
        return self._available[oid].begin(self._channel)

    def _first(self, init: _Init, client_address: str) -> Continue | Accepted:
        chosen = next((oid for oid in init.mech_types if oid in self._available), "")
        self._inner = self._begin(chosen)
        self._mech_list = init.mech_list
        self._mic_required = chosen != init.mech_types[0]
        if self._mic_required or init.mech_token is None:
            # The optimistic token is of a mechanism that is not spoken here: ask for one of the chosen ([RFC4178] 5).
            state = _REQUEST_MIC if self._mic_required else _ACCEPT_INCOMPLETE
            return Continue(_write_response(state, mechanism=chosen))
        result = self._inner.step(init.mech_token, client_address=client_address)
        if isinstance(result, Continue):
            return Continue(_write_response(_ACCEPT_INCOMPLETE, mechanism=chosen, token=result.token))
        return self._complete(result, init.mech_list_mic, chosen)

    def _next(self, response: _Response, client_address: str) -> Continue | Accepted:
        if self._mech_list is None or self._inner is None or response.token is None:
            raise SignOnError("SPNEGO token out of order")
        result = self._inner.step(response.token, client_address=client_address)
        if isinstance(result, Continue):
            return Continue(_write_response(_ACCEPT_INCOMPLETE, token=result.token))
        return self._complete(result, response.mech_list_mic, None)

    def _complete(self, accepted: Accepted, mic: bytes | None, mechanism: str | None) -> Accepted:
        """Verify the client's mechListMIC and add the server's ([RFC4178] 5, d and e)."""
        context, mech_list = accepted.context, self._mech_list or b""
        own_mic: bytes | None = None
        if context.has_integrity:
            if mic is None and self._mic_required:
                raise SignOnError("mechListMIC missing")
            if mic is not None:
                if not context.client_mic_is_valid(mech_list, mic):
                    raise SignOnError("mechListMIC wrong")
                own_mic = context.server_mic(mech_list)
        token = _write_response(_ACCEPT_COMPLETED, mechanism=mechanism, token=accepted.token, mic=own_mic)
        return replace(accepted, token=token)
