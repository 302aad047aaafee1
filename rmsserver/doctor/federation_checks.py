"""Federation: whether it is switched on in both places, its URLs, and each partner's certificates, sign-in URL and domains.

Nothing is asked of a partner: users are sent to its issuer, this server never is (threat N1).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from rmsserver.auth.federation.issuer import ANY_DOMAIN, check_key
from rmsserver.config import FederationIssuerTable
from rmsserver.counting import counted
from rmsserver.doctor.finding import Finding, failure, ok, warning
from rmsserver.state import ServerState

_CHECK = "federation"
_SOON = dt.timedelta(days=30)


@dataclass(frozen=True)
class Federation:
    """What is configured, in rmsserver.toml and in the database."""

    issuers: tuple[FederationIssuerTable, ...]
    is_enabled: bool
    urls: tuple[tuple[str, str], ...]
    """Setting and URL: the cluster's own and the external ones that are set."""
    own_domains: frozenset[str] = frozenset()
    """Of addresses in the embedded directory, small letters; empty where the directory is a domain."""

    @classmethod
    def of(
        cls,
        issuers: tuple[FederationIssuerTable, ...],
        state: ServerState,
        own_domains: frozenset[str] = frozenset(),
    ) -> Federation:
        urls = (
            ("baseUrl", state.base_url),
            ("externalCertificationUrl", state.external_certification_url),
            ("externalLicensingUrl", state.external_licensing_url),
        )
        given = tuple((name, url) for name, url in urls if url is not None)
        return cls(issuers, state.federation_enabled, given, own_domains)


def check_federation(federation: Federation, now: dt.datetime) -> Iterator[Finding]:
    """Nothing where nobody wants federation."""
    if not federation.is_enabled and not federation.issuers:
        return
    yield from _switches(federation)
    yield from _urls(federation)
    for issuer in federation.issuers:
        yield from _issuer(issuer, federation.own_domains, now)


def _switches(federation: Federation) -> Iterator[Finding]:
    """It takes both: the cluster's switch, and an issuer on this server."""
    if not federation.issuers:
        yield failure(_CHECK, "federationEnabled is true, and no issuer is configured", "see [[federation.issuers]]")
    elif not federation.is_enabled:
        yield warning(
            _CHECK,
            "issuers are configured, and federationEnabled is false: nobody signs on through them",
            "rmsserver config set federationEnabled true, or remove the issuers",
        )
    else:
        yield ok(_CHECK, f"is on, with {counted(len(federation.issuers), 'issuer')}")


def _urls(federation: Federation) -> Iterator[Finding]:
    """Federation is served over TLS alone ([MS-RMPR] 2.1), so clients must be sent to https URLs."""
    for name, url in federation.urls:
        if urlsplit(url).scheme.lower() != "https":
            yield failure(
                _CHECK, f"{name} is {url}: federation answers under https alone", f"set {name} to an https URL"
            )


def _issuer(issuer: FederationIssuerTable, own_domains: frozenset[str], now: dt.datetime) -> Iterator[Finding]:
    found = [*_certificates(issuer, now), *_sign_in_url(issuer), *_domains(issuer, own_domains)]
    host = urlsplit(issuer.sign_in_url).hostname
    yield from found or [ok(_CHECK, f"{issuer.name}: certificates are good; people sign in at {host}")]


def _sign_in_url(issuer: FederationIssuerTable) -> Iterator[Finding]:
    url = urlsplit(issuer.sign_in_url)
    if url.scheme.lower() != "https" or not url.hostname:
        yield failure(
            _CHECK, f"{issuer.name}: sign_in_url is no https URL with a host", "write the partner's address there"
        )


def _domains(issuer: FederationIssuerTable, own_domains: frozenset[str]) -> Iterator[Finding]:
    """Rights go by e-mail address: who may speak for a domain may open what is granted to it."""
    listed = {domain.lower().removeprefix("@") for domain in issuer.email_domains}
    if ANY_DOMAIN in listed:
        yield warning(
            _CHECK,
            f'{issuer.name} may speak for every e-mail address: email_domains is ["*"]',
            "list the domains that the partner owns, unless the issuer is your own",
        )
    if own := sorted(listed & own_domains):
        yield warning(
            _CHECK,
            f"{issuer.name} may speak for {', '.join(own)}, where people of this directory have addresses",
            "take the domain out of its email_domains",
        )


def _certificates(issuer: FederationIssuerTable, now: dt.datetime) -> Iterator[Finding]:
    """Each file is readable; one certificate at least is good now, and will be in a month."""
    certificates: list[x509.Certificate] = []
    for path in issuer.certificate_files:
        try:
            certificates += _read(path)
        except (OSError, ValueError) as error:
            yield failure(
                _CHECK,
                f"{issuer.name}: {path} cannot be used ({getattr(error, 'strerror', None) or error})",
                "put a PEM file with the partner's signing certificate there",
            )
    # Of what is known by its thumbprint alone, nobody here can tell the end.
    if certificates and not issuer.thumbprints:
        yield from _times(issuer.name, certificates, now)


def _read(path: Path) -> list[x509.Certificate]:
    """Raises OSError, ValueError."""
    certificates = x509.load_pem_x509_certificates(path.read_bytes())
    for certificate in certificates:
        check_key(certificate)
    return certificates


def _times(issuer: str, certificates: list[x509.Certificate], now: dt.datetime) -> Iterator[Finding]:
    """By the certificate that lasts longest: beside it an old one may stand until it is taken out."""
    good = [c for c in certificates if c.not_valid_before_utc <= now <= c.not_valid_after_utc]
    last = max(certificate.not_valid_after_utc for certificate in good or certificates)
    remedy = "get the partner's new signing certificate, and list it beside the old one"
    if not good and last >= now:
        yield failure(_CHECK, f"{issuer}: no certificate is valid yet", "see the clock; else list the one in use")
    elif not good:
        yield failure(_CHECK, f"{issuer}: its certificate expired {last:%Y-%m-%d}", remedy)
    elif last - now < _SOON:
        yield warning(_CHECK, f"{issuer}: its certificate expires {last:%Y-%m-%d}", remedy)
