"""Kerberos with the tickets that are there already (`kinit`), through GSSAPI, which the extra `[ad]` brings."""

from __future__ import annotations

import hashlib

import gssapi
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from gssapi.raw.types import RequirementFlag

from rmsserver.client.errors import SignOnError

_SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
_FLAGS = (RequirementFlag.mutual_authentication, RequirementFlag.integrity, RequirementFlag.replay_detection)


def ticket_holder() -> str | None:
    """Whose tickets there are, as `user@REALM`; None where there are none that still hold."""
    try:
        found = gssapi.raw.acquire_cred(None, mechs=[gssapi.MechType.kerberos], usage="initiate")
        if found.lifetime == 0:
            return None
        name = gssapi.raw.inquire_cred(found.creds, lifetime=False, usage=False, mechs=False).name
        return gssapi.raw.display_name(name, name_type=False).name.decode() if name is not None else None
    except (gssapi.raw.GSSError, UnicodeDecodeError):
        return None


class KerberosSignOn:
    """One attempt to sign on to `HTTP/host`, and the check that it was this host that answered."""

    def __init__(self, host: str, certificate: bytes | None) -> None:
        """`certificate` (DER) is the server's for TLS; the attempt is then good on this channel alone ([RFC5929])."""
        self._host = host
        self._bindings = gssapi.raw.ChannelBindings(application_data=_end_point(certificate)) if certificate else None
        self._context: gssapi.raw.SecurityContext | None = None
        self._name = gssapi.raw.import_name(f"HTTP@{host}".encode(), gssapi.NameType.hostbased_service)
        self._credentials = gssapi.raw.acquire_cred(None, mechs=[_SPNEGO], usage="initiate").creds
        # GSSAPI would also negotiate NTLM where a library for it is installed.
        gssapi.raw.set_neg_mechs(self._credentials, [gssapi.MechType.kerberos])

    def first_token(self) -> bytes:
        """For the Authorization header. Raises SignOnError where there is no ticket for the host."""
        try:
            return self._step(None)[0]
        except gssapi.raw.GSSError as error:
            raise SignOnError(f"No Kerberos ticket for HTTP/{self._host}: {_words(error)}.") from None

    def check_server(self, token: bytes) -> None:
        """Raises SignOnError unless the closing token proves that the server could read the ticket."""
        try:
            _, more, mutual = self._step(token)
        except gssapi.raw.GSSError:
            more, mutual = True, False
        if more or not mutual:
            raise SignOnError(f"{self._host} did not prove that it is HTTP/{self._host}; do not trust its answers.")

    def _step(self, token: bytes | None) -> tuple[bytes, bool, bool]:
        result = gssapi.raw.init_sec_context(
            self._name,
            self._credentials,
            self._context,
            mech=_SPNEGO,
            flags=_FLAGS,
            channel_bindings=self._bindings,
            input_token=token,
        )
        self._context = result.context
        return result.token or b"", result.more_steps, bool(result.flags & RequirementFlag.mutual_authentication)


def _end_point(certificate: bytes) -> bytes:
    """`tls-server-end-point` ([RFC5929] 4.1): SHA-256 where the certificate itself is signed with MD5 or SHA-1."""
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    name = "sha256" if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1) else algorithm.name
    return b"tls-server-end-point:" + hashlib.new(name, certificate).digest()


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
