"""A federation partner in the role of requestor IP/STS ([MS-MWBF] 3.1.1.3): its name, keys, address, and what it may say."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rmsserver.auth.federation import TokenRefused

MINIMUM_KEY_BITS = 2048
ANY_DOMAIN = "*"


@dataclass(frozen=True)
class FederationIssuer:
    """`name` is the Issuer of its tokens, compared as text; `email_domains` in small letters, "*" for all.

    A certificate is trusted as a whole: by being one of `certificates`, or by its SHA-256 in `thumbprints` (small hex)
    where it travels in the token. No chain makes a certificate trusted, and no revocation list is asked: an operator who
    no longer trusts one takes it out.
    """

    name: str
    sign_in_url: str
    certificates: tuple[x509.Certificate, ...]
    thumbprints: frozenset[str]
    email_domains: frozenset[str]
    realm: str | None = None
    """What the issuer calls this cluster: `wtrealm` and Audience. None: the URL of the directory that was asked for."""
    allow_sha1: bool = False
    proxy_addresses: bool = False
    """Whether its ProxyAddresses claims count. The product's default is no, too."""
    fingerprint: str = field(init=False)
    """Changes whenever any of the above does; binds sessions to what the issuer was trusted with."""

    def __post_init__(self) -> None:
        for certificate in self.certificates:
            check_key(certificate)
        parts = [self.name, self.sign_in_url, self.realm or "", str(self.allow_sha1), str(self.proxy_addresses)]
        parts += sorted(self.email_domains) + sorted(self.thumbprints | {thumbprint(c) for c in self.certificates})
        whole = hashlib.sha256("\0".join(parts).encode()).hexdigest()
        object.__setattr__(self, "fingerprint", whole[:32])

    def certificate(self, offered: bytes | None, key_identifier: bytes | None, now: dt.datetime) -> x509.Certificate:
        """The trusted certificate that a token names: by itself (`offered`, DER) or by its subject key identifier.

        Raises TokenRefused where it is none of this issuer's, or its time is over or has not come ([MS-MWBF] 5.1.2).
        """
        found = self._find(offered, key_identifier)
        if found is None:
            raise TokenRefused("signed with a certificate that is not the issuer's")
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise TokenRefused("the issuer's certificate has expired or is not yet valid")
        return found

    def _find(self, offered: bytes | None, key_identifier: bytes | None) -> x509.Certificate | None:
        if offered is None:
            named = (c for c in self.certificates if key_identifier and subject_key_identifier(c) == key_identifier)
            return next(named, None)
        for certificate in self.certificates:
            if certificate.public_bytes(serialization.Encoding.DER) == offered:
                return certificate
        if hashlib.sha256(offered).hexdigest() not in self.thumbprints:
            return None
        return _load_listed(offered)

    def speaks_for(self, email: str) -> bool:
        """Whether it may say so of an address. Only ASCII is folded, so that no other character becomes a letter."""
        domain = email.rpartition("@")[2]
        folded = domain.lower() if domain.isascii() else domain
        return ANY_DOMAIN in self.email_domains or folded in self.email_domains


def find_issuer(issuers: Iterable[FederationIssuer], name: str | None) -> FederationIssuer:
    """Raises TokenRefused."""
    for issuer in issuers:
        if issuer.name == name:
            return issuer
    raise TokenRefused("not the name of a configured issuer")


def thumbprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def check_key(certificate: x509.Certificate) -> None:
    """Raises ValueError: [MS-MWBF] knows RSA alone (<87>), and a short key is nobody's in particular."""
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MINIMUM_KEY_BITS:
        raise ValueError(f"the certificate's key is not RSA of at least {MINIMUM_KEY_BITS} bits")


def subject_key_identifier(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, ValueError):
        return None


def _load_listed(offered: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(offered)
        check_key(certificate)
    except ValueError:
        raise TokenRefused("the listed certificate cannot be used") from None
    return certificate
