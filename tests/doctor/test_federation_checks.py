"""rmsserver.doctor.federation_checks, with certificates in files and a home that has a federation partner"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pytest

from rmsserver.config import FederationIssuerTable, load_config
from rmsserver.doctor.examination import Examination, Wanted
from rmsserver.doctor.federation_checks import Federation, check_federation
from rmsserver.doctor.finding import Finding, Verdict
from rmsserver.home import Home
from tests.auth.federation.partner import certificate, pem, rsa_key
from tests.cluster import DAY, NOW
from tests.homes import PASSPHRASE, make_home

HTTPS = (("baseUrl", "https://rms.example.com/_wmcs"),)


def partner(folder: Path, *ends: dt.datetime, begins: dt.datetime = NOW - 300 * DAY) -> FederationIssuerTable:
    """A partner whose signing certificates end then, all in one file."""
    path = folder / "signing.pem"
    path.write_bytes(pem(*(certificate(rsa_key(n), begins=begins, ends=end) for n, end in enumerate(ends))))
    return FederationIssuerTable(
        name="urn:federation:partner",
        sign_in_url="https://sts.partner.example/adfs/ls/",
        email_domains=("partner.example",),
        certificate_files=(path,),
    )


def changed(issuer: FederationIssuerTable, **changes: object) -> FederationIssuerTable:
    return issuer.model_copy(update=changes)


def on(*issuers: FederationIssuerTable) -> Federation:
    return Federation(issuers, True, HTTPS)


def worst(federation: Federation) -> Finding:
    """The finding that is worst; of the good ones the last."""
    return list_of(check_federation(federation, NOW))[-1]


def list_of(findings: Iterable[Finding]) -> list[Finding]:
    ranked = (Verdict.OK, Verdict.WARNING, Verdict.FAILURE)
    return sorted(findings, key=lambda finding: ranked.index(finding.verdict))


def test_nobody_wants_it() -> None:
    """Off, and no partner: not a word."""
    assert list_of(check_federation(Federation((), False, (("baseUrl", "http://rms/_wmcs"),)), NOW)) == []


def test_all_well(tmp_path: Path) -> None:
    """One line for the switches, one for the partner."""
    found = list_of(check_federation(on(partner(tmp_path, NOW + 300 * DAY)), NOW))
    assert [finding.verdict for finding in found] == [Verdict.OK, Verdict.OK]
    assert found[0].seen == "is on, with 1 issuer"
    assert found[1].seen == "urn:federation:partner: certificates are good; people sign in at sts.partner.example"


def test_several_partners_are_counted(tmp_path: Path) -> None:
    """One of them has no plural; two have."""
    good = partner(tmp_path, NOW + 300 * DAY)
    assert list_of(check_federation(on(good, good), NOW))[0].seen == "is on, with 2 issuers"


def test_switched_on_in_one_place_alone(tmp_path: Path) -> None:
    """Without issuers all paths answer 404; with issuers and without the switch too."""
    without = worst(on())
    assert (without.verdict, without.remedy) == (Verdict.FAILURE, "see [[federation.issuers]]")
    off = worst(dataclasses.replace(on(partner(tmp_path, NOW + 300 * DAY)), is_enabled=False))
    assert (off.verdict, "config set federationEnabled true" in off.remedy) == (Verdict.WARNING, True)


@pytest.mark.parametrize("name", ["baseUrl", "externalCertificationUrl", "externalLicensingUrl"])
def test_a_url_without_tls(tmp_path: Path, name: str) -> None:
    """Clients would be sent where federation is refused."""
    federation = dataclasses.replace(on(partner(tmp_path, NOW + 300 * DAY)), urls=((name, "http://rms/_wmcs"),))
    found = worst(federation)
    assert (found.verdict, found.seen.startswith(f"{name} is http://rms/_wmcs")) == (Verdict.FAILURE, True)


@pytest.mark.parametrize(
    ("ends", "verdict", "told"),
    [
        ((31,), Verdict.OK, "certificates are good"),
        ((29,), Verdict.WARNING, "expires 2026-06-30"),
        ((-1,), Verdict.FAILURE, "expired 2026-05-31"),
        ((-1, 300), Verdict.OK, "certificates are good"),
        ((-20, -1), Verdict.FAILURE, "expired 2026-05-31"),
        ((5, 20), Verdict.WARNING, "expires 2026-06-21"),
    ],
)
def test_certificates_that_end(tmp_path: Path, ends: tuple[int, ...], verdict: Verdict, told: str) -> None:
    """A month ahead it is worth a word; the one that lasts longest counts."""
    found = worst(on(partner(tmp_path, *(NOW + days * DAY for days in ends))))
    assert (found.verdict, told in found.seen) == (verdict, True), found


def test_a_certificate_of_tomorrow(tmp_path: Path) -> None:
    """Tokens signed with it are refused today."""
    found = worst(on(partner(tmp_path, NOW + 300 * DAY, begins=NOW + DAY)))
    assert (found.verdict, "no certificate is valid yet" in found.seen) == (Verdict.FAILURE, True)


def test_thumbprints_alone(tmp_path: Path) -> None:
    """What travels in the token cannot be looked at here: an expired file beside it is no failure."""
    issuer = changed(partner(tmp_path, NOW - DAY), thumbprints=("0" * 64,))
    assert worst(on(issuer)).verdict is Verdict.OK


@pytest.mark.parametrize("content", [None, b"no PEM", pem(certificate(rsa_key(9, 1024)))])
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes | None) -> None:
    """None, no PEM, a short key: with the file's name."""
    issuer = partner(tmp_path, NOW + 300 * DAY)
    (path,) = issuer.certificate_files
    path.unlink() if content is None else path.write_bytes(content)
    found = worst(on(issuer))
    assert (found.verdict, str(path) in found.seen) == (Verdict.FAILURE, True)


@pytest.mark.parametrize("url", ["https:///adfs/ls/", "http://sts.partner.example/adfs/ls/"])
def test_a_sign_in_url_that_leads_nowhere(tmp_path: Path, url: str) -> None:
    """Without a host, or without TLS."""
    found = worst(on(changed(partner(tmp_path, NOW + 300 * DAY), sign_in_url=url)))
    assert (found.verdict, "sign_in_url" in found.seen) == (Verdict.FAILURE, True)


def test_whose_addresses(tmp_path: Path) -> None:
    """All of them, or those of our own people: worth a word."""
    issuer = partner(tmp_path, NOW + 300 * DAY)
    every = worst(on(changed(issuer, email_domains=("*",))))
    assert (every.verdict, "every e-mail address" in every.seen) == (Verdict.WARNING, True)
    ours = dataclasses.replace(
        on(changed(issuer, email_domains=("@Example.com", "partner.example"))), own_domains=frozenset({"example.com"})
    )
    found = worst(ours)
    assert found.verdict is Verdict.WARNING
    assert "may speak for example.com" in found.seen
    assert "partner.example" not in found.seen


def test_in_an_examination(tmp_path: Path) -> None:
    """A real home: the switch from its database, the partner from its file, domains from its accounts."""
    path = tmp_path / "signing.pem"
    path.write_bytes(pem(certificate(rsa_key(0), ends=NOW - DAY)))
    settings = (
        'tls_certificate = "server.pem"\ntls_key = "key.pem"\n[[federation.issuers]]\nname = "urn:partner"\n'
        f'sign_in_url = "https://sts.partner.example/"\nemail_domains = ["example.com"]\ncertificate_files = ["{path}"]\n'
    )
    home = Home(load_config(make_home(tmp_path / "home", settings)), lambda: PASSPHRASE)
    home.administration.add_user("alice", ["alice@Example.com"])
    found = [finding for finding in Examination(home, Wanted()).run() if finding.check == "federation"]
    home.database.close()
    told = " / ".join(finding.seen for finding in found)
    assert "federationEnabled is false" in told
    assert "urn:partner: its certificate expired 2026-05-31" in told
    assert "urn:partner may speak for example.com" in told
