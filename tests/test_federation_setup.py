"""`[federation]` in rmsserver.toml."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from rmsserver.auth.federation.issuer import thumbprint
from rmsserver.auth.federation.seen_tokens import MemorySeenTokens
from rmsserver.config import ConfigError, load_config
from rmsserver.errors import OperatorError
from rmsserver.federation_setup import federated_sign_on
from tests.auth.federation.partner import Partner, certificate, pem, rsa_key

PARTNER = Partner()
TLS = 'tls_certificate = "server.pem"\ntls_key = "key.pem"\n'
ISSUER = """
[[federation.issuers]]
name = "urn:federation:partner"
sign_in_url = "https://sts.partner.example/adfs/ls/"
email_domains = ["Partner.example", "@sub.partner.example"]
"""


def write(home: Path, text: str) -> Path:
    (home / "rmsserver.toml").write_text(text)
    return home


def test_an_issuer(tmp_path: Path) -> None:
    """Certificates from files, thumbprints as people write them, domains folded."""
    (tmp_path / "signing.pem").write_bytes(pem(PARTNER.certificate, certificate(rsa_key(1))))
    shown = ":".join(thumbprint(PARTNER.certificate)[i : i + 2] for i in range(0, 64, 2)).upper()
    keys = f'certificate_files = ["{tmp_path / "signing.pem"}"]\nthumbprints = ["{shown}"]\n'
    settings = "[federation]\nsession_minutes = 5\nclock_skew_seconds = 0\n"
    table = load_config(write(tmp_path, TLS + settings + ISSUER + keys)).federation
    service = federated_sign_on(table, MemorySeenTokens(), has_tls=True)
    assert service is not None
    (issuer,) = service.issuers
    assert (service.session, service.clock_skew) == (dt.timedelta(minutes=5), dt.timedelta())
    assert (issuer.name, len(issuer.certificates)) == ("urn:federation:partner", 2)
    assert issuer.thumbprints == {thumbprint(PARTNER.certificate)}
    assert issuer.email_domains == {"partner.example", "sub.partner.example"}
    assert (issuer.realm, issuer.allow_sha1, issuer.proxy_addresses) == (None, False, False)


def test_no_issuer(tmp_path: Path) -> None:
    """Federation is not there."""
    assert federated_sign_on(load_config(tmp_path).federation, MemorySeenTokens(), has_tls=False) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TLS + ISSUER, "certificate_files or thumbprints"),
        (TLS + ISSUER + 'thumbprints = ["abcd"]\n', "64 hexadecimal digits"),
        (TLS + ISSUER.replace("https:", "http:") + 'thumbprints = ["' + "0" * 64 + '"]\n', "sign_in_url"),
        (TLS + (ISSUER + 'thumbprints = ["' + "0" * 64 + '"]\n') * 2, "the same name"),
        (TLS + ISSUER.replace('["Partner.example", "@sub.partner.example"]', "[]"), "email_domains"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, reason: str) -> None:
    """Each named at the start."""
    with pytest.raises(ConfigError, match=reason):
        load_config(write(tmp_path, text))


def test_tls_is_for_the_server_to_have(tmp_path: Path) -> None:
    """It may come from the command line of `serve`: other commands read the same file without it."""
    table = load_config(write(tmp_path, ISSUER + 'thumbprints = ["' + "0" * 64 + '"]\n')).federation
    assert federated_sign_on(table, MemorySeenTokens(), has_tls=True) is not None
    with pytest.raises(OperatorError, match="set tls_certificate"):
        federated_sign_on(table, MemorySeenTokens(), has_tls=False)


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    """No file, no PEM, a short key."""
    path = tmp_path / "signing.pem"
    table = load_config(write(tmp_path, TLS + ISSUER + f'certificate_files = ["{path}"]\n')).federation
    for content in (None, b"x", pem(certificate(rsa_key(2, 1024)))):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(OperatorError, match=r"federation\.issuers"):
            federated_sign_on(table, MemorySeenTokens(), has_tls=True)
