"""Account certificates of other clusters: accepted and served within what their trusted user domain allows."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.errors import NoRightsForRequestedPrincipal, RmsError, UntrustedPersonaCert
from rmsserver.operations.account_certificate import FEDERATED, verify_account_certificate
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.operations.rights_evaluation import identify
from rmsserver.state import TrustedUserDomain
from rmsserver.xrml.rights import Grantee, Right
from tests.cluster import NOW, Account, Cluster, grantee
from tests.operations.licensing import Desk

PARTNER = "anna@partner.example"


def trusting(cluster: Cluster, other: Cluster, domain: TrustedUserDomain, **changes: object) -> Cluster:
    """`cluster`, with `other` imported as a trusted user domain."""
    key = other.state.licensor.key.public
    issuers = {**cluster.state.trusted_rac_issuers, key.id: key}
    return cluster.with_state(trusted_rac_issuers=issuers, trusted_user_domains={key.id: domain}, **changes)


def listed(*domains: str, **changes: bool) -> TrustedUserDomain:
    return TrustedUserDomain("Partner", frozenset(domains), **changes)


def verify(cluster: Cluster, account: Account) -> None:
    verify_account_certificate(account.chain, cluster.caller(None), cluster.state, NOW)


def refused(cluster: Cluster, account: Account) -> None:
    with pytest.raises(RmsError) as caught:
        verify(cluster, account)
    assert type(caught.value) is UntrustedPersonaCert


# --- accepted or not ---------------------------------------------------------------------------------------------------


def test_L9_without_import_nobody_is_trusted(mode_2: Cluster, stranger: Cluster) -> None:
    """L9: a genuine certificate of another cluster is refused until that cluster was imported."""
    refused(mode_2, stranger.account(PARTNER))
    verify(trusting(mode_2, stranger, TrustedUserDomain("Partner")), stranger.account(PARTNER))


@pytest.mark.parametrize("email", ["anna@partner.example", "anna@PARTNER.Example"])
def test_a_listed_domain(mode_2: Cluster, stranger: Cluster, email: str) -> None:
    """Addresses of a listed e-mail domain are accepted, in any letter case."""
    verify(trusting(mode_2, stranger, listed("other.example", "partner.example")), stranger.account(email))


@pytest.mark.parametrize(
    "email",
    [
        "boss@example.com",
        "anna@sub.partner.example",
        "anna@evilpartner.example",
        "partner.example",
        "a@partner.example.com",
    ],
)
def test_every_other_domain(mode_2: Cluster, stranger: Cluster, email: str) -> None:
    """Whatever is not exactly in a listed domain is refused, our own domain first of all."""
    refused(trusting(mode_2, stranger, listed("partner.example")), stranger.account(email))


def test_no_letter_becomes_another(mode_2: Cluster, stranger: Cluster) -> None:
    """U+212A (Kelvin sign) lower-cases to k: it must not pass for one."""
    refused(trusting(mode_2, stranger, listed("kite.example")), stranger.account("anna@\u212aite.example"))


def test_our_own_certificates_are_not_restricted(mode_2: Cluster, stranger: Cluster) -> None:
    """The conditions are those of the other cluster alone."""
    verify(trusting(mode_2, stranger, listed("partner.example")), mode_2.account("reader@example.com"))


@pytest.mark.parametrize("trusted", [True, False])
def test_federated_accounts(mode_2: Cluster, stranger: Cluster, trusted: bool) -> None:
    """Certificates of type Federation count only where the domain is trusted with them."""
    domain = TrustedUserDomain("Partner", federated_trusted=trusted)
    cluster = trusting(mode_2, stranger, domain, federation_enabled=True)
    account = stranger.account(PARTNER, id_type=FEDERATED)
    if trusted:
        verify(cluster, account)
    else:
        refused(cluster, account)


def test_licensor_certificates_too(mode_2: Cluster, stranger: Cluster) -> None:
    """GetClientLicensorCert accepts and refuses as licensing does."""
    cluster = trusting(mode_2, stranger, listed("partner.example"))

    def ask(email: str) -> None:
        request = GetClientLicensorCertRequest((stranger.account(email).chain,))
        get_client_licensor_cert(request, cluster.caller(None), cluster.state, cluster.ports(), NOW)

    ask(PARTNER)
    with pytest.raises(UntrustedPersonaCert):
        ask("boss@example.com")


# --- what they may open ------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(mode_2: Cluster, stranger: Cluster) -> Desk:
    return Desk(trusting(mode_2, stranger, listed("partner.example")))


def _open(desk: Desk, account: Account, *rights: Right) -> list[str]:
    published = desk.cluster.publish(desk.cluster.author(), rights)
    return [right.name for right in desk.ask(published, account).rights]


def test_rights_granted_to_the_address(desk: Desk, stranger: Cluster) -> None:
    """What is granted to the address of another cluster's user is hers."""
    assert _open(desk, stranger.account(PARTNER), Right.of("VIEW", grantee(PARTNER))) == ["VIEW"]


def _sid_of_author(desk: Desk, stranger: Cluster) -> Account:
    """Another cluster's certificate with the SID of our author in it."""
    sid = desk.cluster.sid("author@example.com")
    return dataclasses.replace(stranger, emails={**stranger.emails, PARTNER: sid}).account(PARTNER)


def test_a_sid_does_not_count(desk: Desk, stranger: Cluster) -> None:
    """A SID is whatever the other cluster writes: not trusted, it opens nothing, and is in no group."""
    account = _sid_of_author(desk, stranger)
    with pytest.raises(NoRightsForRequestedPrincipal):
        _open(desk, account, Right.of("VIEW", Grantee("Windows", desk.cluster.sid("author@example.com"), "")))
    with pytest.raises(NoRightsForRequestedPrincipal):
        _open(desk, account, Right.of("VIEW", grantee("all@example.com")))
    reader = identify(account.rac, desk.cluster.state, desk.directory)
    assert reader is not None
    assert not reader.ids
    assert reader.emails == {PARTNER}


def test_a_trusted_sid_is_our_account(mode_2: Cluster, stranger: Cluster) -> None:
    """Where SIDs are trusted, the SID means our account and its groups."""
    desk = Desk(trusting(mode_2, stranger, listed("partner.example", sids_trusted=True)))
    assert _open(desk, _sid_of_author(desk, stranger), Right.of("VIEW", grantee("all@example.com"))) == ["OWNER"]


def test_aliases_of_other_domains_do_not_count(mode_2: Cluster, stranger: Cluster) -> None:
    """An alias outside the trusted domains is not an address of hers."""
    domain = listed("partner.example", federated_trusted=True)
    cluster = trusting(mode_2, stranger, domain, federation_enabled=True)
    aliases = ("a@partner.example", "boss@example.com")
    rac = stranger.account(PARTNER, id_type=FEDERATED, aliases=aliases).rac
    reader = identify(rac, cluster.state, cluster.directory())
    assert reader is not None
    assert not reader.ids
    assert reader.emails == {PARTNER, "a@partner.example"}


def test_removal_after_a_rollover(mode_2: Cluster, stranger: Cluster) -> None:
    """An account of ours that is gone stays gone: also with a certificate of a former key."""
    former = stranger.state.licensor
    cluster = mode_2.with_state(former_licensors=(former,))
    account = stranger.account("gone@example.com", licensor=former)
    assert identify(account.rac, cluster.state, cluster.directory()) is None
