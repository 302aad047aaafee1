"""Federation partners from `[federation]` in rmsserver.toml: files read and checked once, at the start."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509

from rmsserver.auth.federation.issuer import FederationIssuer
from rmsserver.auth.federation.seen_tokens import SeenTokens
from rmsserver.auth.federation.wsfed import FederatedSignOn
from rmsserver.config import FederationIssuerTable, FederationTable
from rmsserver.errors import OperatorError


def federated_sign_on(table: FederationTable, seen: SeenTokens, *, has_tls: bool) -> FederatedSignOn | None:
    """None where no issuer is configured. `has_tls`: this process itself ends TLS, by file or by command line.

    Raises OperatorError where it does not ([MS-RMPR] 2.1), or where a certificate cannot be used.
    """
    if not table.issuers:
        return None
    if not has_tls:
        raise OperatorError(
            "federation.issuers: federation is served over TLS of this server alone: set tls_certificate, tls_key"
        )
    return FederatedSignOn(
        tuple(_issuer(issuer) for issuer in table.issuers),
        seen,
        session=dt.timedelta(minutes=table.session_minutes),
        clock_skew=dt.timedelta(seconds=table.clock_skew_seconds),
    )


def _issuer(table: FederationIssuerTable) -> FederationIssuer:
    certificates = tuple(c for path in table.certificate_files for c in _certificates(path))
    try:
        return FederationIssuer(
            name=table.name,
            sign_in_url=table.sign_in_url,
            certificates=certificates,
            thumbprints=frozenset(table.thumbprints),
            email_domains=frozenset(domain.lower().removeprefix("@") for domain in table.email_domains),
            realm=table.realm,
            allow_sha1=table.allow_sha1,
            proxy_addresses=table.proxy_addresses,
        )
    except ValueError as error:
        raise OperatorError(f"federation.issuers: {table.name}: {error}: ask the partner for another") from None


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise OperatorError(f"federation.issuers: {path} is no PEM file of certificates: {error}") from None
