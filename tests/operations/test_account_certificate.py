"""The checks of a presented rights account certificate."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from rmsserver.errors import (
    BlackBoxIsInvalid,
    DrmacIsExcluded,
    InvalidPersonaCertSignature,
    InvalidPersonaCertTime,
    RmsError,
    UnauthorizedAccess,
    UnexpectedPersonaCert,
    UnsupportedCryptographicSet,
    UntrustedPersonaCert,
)
from rmsserver.operations.account_certificate import verify_account_certificate
from rmsserver.state import AuthenticationType, FederatedAccount, RequestContext
from rmsserver.stores.license_cache import BoundedLicenseCache
from rmsserver.xrml.document import range_xml, signed_document
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.values import TimeRange, Version
from tests.cluster import DAY, NOW, Account, Cluster, key, server_hierarchy
from tests.conformance import conforms
from tests.shared import genuine

READER = "reader@example.com"


def verify(cluster: Cluster, chain: tuple[str, ...], **changes: object) -> RightsAccountCertificate:
    state = dataclasses.replace(cluster.state, **changes)  # type: ignore[arg-type]
    return verify_account_certificate(chain, cluster.caller(READER), state, NOW)


def refused(cluster: Cluster, chain: tuple[str, ...], error: type[RmsError], **changes: object) -> None:
    with pytest.raises(RmsError) as caught:
        verify(cluster, chain, **changes)
    assert type(caught.value) is error


def precertified(cluster: Cluster) -> Account:
    """A RAC without FEDERATIONPRINCIPALS, as PreCertify issues it, alone."""
    account = cluster.account(READER)
    body = account.rac.body.surface
    start, end = body.index("<FEDERATIONPRINCIPALS>"), body.index("</FEDERATIONPRINCIPALS>")
    bare = body[:start] + body[end + len("</FEDERATIONPRINCIPALS>") :]
    text = signed_document(bare, cluster.state.licensor.key, cluster.mode)
    return dataclasses.replace(account, chain=(text,))


def resigned(cluster: Cluster, account: Account, old: str, new: str) -> tuple[str, ...]:
    """The RAC with a change, signed again by the cluster."""
    body = account.rac.body.surface
    assert old in body
    return (signed_document(body.replace(old, new), cluster.state.licensor.key, cluster.mode),)


def test_whole_chain_and_leaf_alone_are_accepted(cluster: Cluster) -> None:
    """Callers send everything, a part, or the leaf alone."""
    chain = cluster.account(READER).chain
    for sent in (chain, chain[:2], chain[:1]):
        rac = verify(cluster, sent)
        assert rac.text == chain[0]
        assert rac.account == ("Windows", cluster.sid(READER))
        assert rac.email == READER


def test_order_and_exact_duplicates_do_not_matter_for_the_leaf(cluster: Cluster) -> None:
    """The leaf is the only RAC among the documents; a second identical copy is the same document."""
    chain = cluster.account(READER).chain
    assert verify(cluster, (chain[0], chain[0], chain[1], chain[1])).text == chain[0]
    assert verify(cluster, (*chain[1:], chain[0])).text == chain[0]


@conforms("MS-RMPR 2.2.9.5", "FEDERATIONPRINCIPALS has the account's private key.")
def test_precertified_rac_is_accepted(cluster: Cluster) -> None:
    """A RAC without FEDERATIONPRINCIPALS is fine for licences, and no security processor is asked for (rulings 6, 26)."""
    account = precertified(cluster)
    rac = verify(cluster, account.chain, minimum_security_processor=Version(9, 0))
    assert rac.machine is None


def test_changed_rac_is_refused(cluster: Cluster) -> None:
    """A RAC whose text was changed after signing."""
    leaf = cluster.account(READER).chain[0]
    refused(cluster, (leaf.replace(READER, "writer@example.com"),), InvalidPersonaCertSignature)


def test_rac_with_the_signature_of_another_is_refused(cluster: Cluster) -> None:
    """A genuine SIGNATURE on another BODY."""
    one, other = cluster.account(READER).chain[0], cluster.account("author@example.com").chain[0]
    mixed = one[: one.index("<SIGNATURE>")] + other[other.index("<SIGNATURE>") :]
    refused(cluster, (mixed,), InvalidPersonaCertSignature)


def test_foreign_certificate_in_the_chain_is_refused(mode_2: Cluster, stranger: Cluster) -> None:
    """Documents sent above the RAC must close as its chain."""
    chain = mode_2.account(READER).chain
    foreign = stranger.state.licensor.chain
    refused(mode_2, (chain[0], foreign[0]), InvalidPersonaCertSignature)
    refused(mode_2, (*chain[:2], *foreign[1:]), InvalidPersonaCertSignature)
    refused(mode_2, (chain[0], chain[2]), InvalidPersonaCertSignature)


@conforms("MS-RMPR 3.4.4.1", "Every signature of a RAC chain is verified, and the RAC's issuer must be trusted.")
@conforms("MS-RMPR 3.5.4.2", "Every signature of the RAC chain is verified, and the RAC's issuer must be trusted.")
def test_changed_certificate_in_the_chain_is_refused(cluster: Cluster) -> None:
    """Every link is verified, the last certificate with the key in its own ISSUER."""
    chain = cluster.account(READER).chain
    for position in range(1, len(chain)):
        changed = chain[position].replace("<FROM>2002", "<FROM>2003")
        refused(cluster, (*chain[:position], changed, *chain[position + 1 :]), InvalidPersonaCertSignature)


@conforms("MS-RMPR 3.4.4.1", "Every signature of a RAC chain is verified, and the RAC's issuer must be trusted.")
@conforms("MS-RMPR 3.5.4.2", "Every signature of the RAC chain is verified, and the RAC's issuer must be trusted.")
@conforms("MS-RMPR 3.4.4.1.3.3", "A RAC whose issuer is not trusted is refused.")
def test_L9_self_made_server_certificate_is_not_trusted(mode_2: Cluster) -> None:
    """L9: a RAC under an own SLC is refused, with a chain up to a root of its own or alone."""
    forged = server_hierarchy(mode_2.mode, "forger").licensor
    account = mode_2.account(READER, licensor=forged)
    refused(mode_2, account.chain, UntrustedPersonaCert)
    refused(mode_2, account.chain[:1], UntrustedPersonaCert)


def test_L9_genuine_chain_behind_a_forged_rac_does_not_help(mode_2: Cluster) -> None:
    """L9: the genuine SLC chain appended to a RAC that another key signed."""
    forged = server_hierarchy(mode_2.mode, "forger").licensor
    account = mode_2.account(READER, licensor=forged)
    refused(mode_2, (account.chain[0], *mode_2.state.licensor.chain), InvalidPersonaCertSignature)


def test_L9_rac_with_the_genuine_issuer_and_a_forged_signature_is_refused(mode_2: Cluster) -> None:
    """L9: the ISSUER names the genuine SLC, another key signed."""
    forged = server_hierarchy(mode_2.mode, "forger").licensor
    genuine = mode_2.account(READER)
    text = signed_document(genuine.rac.body.surface, forged.key, mode_2.mode)
    refused(mode_2, (text, *genuine.chain[1:]), InvalidPersonaCertSignature)


def test_two_accounts_in_one_chain_are_refused(cluster: Cluster) -> None:
    """Nobody is left to guess which account is meant."""
    one, other = cluster.account(READER).chain[0], cluster.account("author@example.com").chain[0]
    refused(cluster, (one, other), UnexpectedPersonaCert)


@conforms("MS-RMPR 3.4.4.1", "Whatever else is wrong with a RAC chain gets UnexpectedPersonaCert.")
@pytest.mark.parametrize("text", ["", "<XrML", "no document", "<a/>", "Group-Identity-Credential"])
def test_what_is_no_document_is_refused(mode_2: Cluster, text: str) -> None:
    """A chain without a readable RAC."""
    refused(mode_2, (text,), UnexpectedPersonaCert)


@conforms("MS-RMPR 3.4.4.1", "Whatever else is wrong with a RAC chain gets UnexpectedPersonaCert.")
@conforms("MS-RMPR 3.5.4.2", "Whatever else is wrong with a RAC chain gets UnexpectedPersonaCert.")
def test_another_kind_of_document_is_refused(mode_2: Cluster) -> None:
    """SLC, SPC and CLC do not stand in for a RAC."""
    author = mode_2.author()
    for chain in (mode_2.state.licensor.chain, mode_2.machine().chain, author.chain):
        refused(mode_2, chain, UnexpectedPersonaCert)


@conforms(
    "MS-RMPR 2.2.9.5.4",
    "The type of the ID says how the user signed on, and account certificates of other types are refused.",
)
def test_unknown_type_of_account_is_refused(mode_2: Cluster) -> None:
    """Windows, Federation and Passport are the types of 2.2.9.5.4."""
    refused(mode_2, mode_2.account(READER, id_type="Internal").chain, UnexpectedPersonaCert)


@conforms("MS-RMPR 3.4.4.1", "A RAC that is over or has not begun gets InvalidPersonaCertTime.")
@conforms("MS-RMPR 3.5.4.2", "A RAC that is over or has not begun gets InvalidPersonaCertTime.")
@pytest.mark.parametrize(
    ("offset", "accepted"),
    [(-dt.timedelta(minutes=1), False), (dt.timedelta(), True), (DAY, True), (2 * DAY, False)],
)
@conforms(
    "MS-RMPR 2.2.9.1.2",
    "Before the first and from the last minute of its VALIDITYTIME on, a certificate or licence is refused.",
)
def test_validity_is_compared_with_now(mode_2: Cluster, offset: dt.timedelta, accepted: bool) -> None:
    """VALIDITYTIME is half-open: from its first minute on, no longer in its last."""
    chain = mode_2.account(READER, validity=TimeRange(NOW - offset, NOW - offset + 2 * DAY)).chain
    if accepted:
        verify(mode_2, chain)
    else:
        refused(mode_2, chain, InvalidPersonaCertTime)


@conforms(
    "MS-RMPR 2.2.9.1.2",
    "Before the first and from the last minute of its VALIDITYTIME on, a certificate or licence is refused.",
)
def test_validity_above_the_rac_is_compared_with_now(mode_2: Cluster) -> None:
    """An SLC with a VALIDITYTIME makes nothing valid outside it, remembered or not."""
    account, licensor, cache = mode_2.account(READER), mode_2.state.licensor, BoundedLicenseCache()
    validity = range_xml("VALIDITYTIME", TimeRange(NOW - DAY, NOW + DAY))
    body = licensor.certificate.body.surface.replace("</ISSUEDTIME>", f"</ISSUEDTIME>{validity}")
    chain = (account.chain[0], signed_document(body, key("example service", 2048), mode_2.mode), *account.chain[2:])
    for _ in range(2):
        verify_account_certificate(chain, mode_2.caller(READER), mode_2.state, NOW, verified=cache)
        with pytest.raises(InvalidPersonaCertTime):
            verify_account_certificate(chain, mode_2.caller(READER), mode_2.state, NOW + DAY, verified=cache)


def test_rac_without_validity_is_accepted(mode_2: Cluster) -> None:
    """VALIDITYTIME may be missing: it alone would end a RAC."""
    account = mode_2.account(READER)
    body = account.rac.body.surface
    validity = body[body.index("<VALIDITYTIME>") : body.index("</VALIDITYTIME>") + len("</VALIDITYTIME>")]
    assert verify(mode_2, resigned(mode_2, account, validity, "")).validity is None


def test_L11_rac_of_the_other_mode_is_refused(mode_1: Cluster, mode_2: Cluster) -> None:
    """L11: key length and hash must be of the cluster's mode, whoever signed."""
    for own, other in ((mode_1, mode_2), (mode_2, mode_1)):
        trusted = {**own.state.trusted_rac_issuers, **other.state.trusted_rac_issuers}
        chain = other.account(READER).chain
        refused(own, chain, UnsupportedCryptographicSet, trusted_rac_issuers=trusted)


@conforms("MS-RMPR 3.4.4.1", "A RAC of the other cryptographic mode gets UnsupportedCryptographicSet.")
@conforms("MS-RMPR 3.5.4.2", "A RAC of the other cryptographic mode gets UnsupportedCryptographicSet.")
def test_L11_hash_and_key_length_each_count(mode_1: Cluster, mode_2: Cluster) -> None:
    """L11: a long key under SHA-1 is refused on a mode 2 cluster, and so is a short one under SHA-256."""
    slc_key = mode_2.state.licensor.key
    long, short = mode_2.account(READER), mode_2.account(READER, mode=mode_1.mode)
    refused(mode_2, (signed_document(long.rac.body.surface, slc_key, mode_1.mode),), UnsupportedCryptographicSet)
    refused(mode_2, (signed_document(short.rac.body.surface, slc_key, mode_2.mode),), UnsupportedCryptographicSet)


def test_excluded_rac_is_refused(cluster: Cluster) -> None:
    """racExclusionPolicy lists public keys of RACs."""
    account = cluster.account(READER)
    excluded = frozenset({account.rac.principal.public_key.id})
    refused(cluster, account.chain, DrmacIsExcluded, excluded_racs=excluded)
    assert verify(cluster, cluster.account("author@example.com").chain, excluded_racs=excluded)


@conforms("MS-RMPR 3.4.4.1", "A RAC for a security processor below the minimum gets BlackBoxIsInvalid.")
def test_security_processor_below_the_minimum_is_refused(mode_2: Cluster) -> None:
    """spcExclusionPolicy compares the last dotted number of the Repository level."""
    chain = mode_2.account(READER, machine=mode_2.machine(repository="A repository 6.1.7600.16385")).chain
    assert verify(mode_2, chain, minimum_security_processor=Version.parse("6.1.7600.16385"))
    refused(mode_2, chain, BlackBoxIsInvalid, minimum_security_processor=Version.parse("6.1.7600.16386"))


def test_security_processor_without_a_version_is_refused_where_one_is_asked_for(mode_2: Cluster) -> None:
    """An unreadable Repository level does not pass the exclusion."""
    chain = mode_2.account(READER, machine=mode_2.machine(repository="no version")).chain
    assert verify(mode_2, chain)
    refused(mode_2, chain, BlackBoxIsInvalid, minimum_security_processor=Version(1))


@conforms("MS-RMPR 3.4.4.1", "A federated RAC is refused while federation is off.")
def test_federated_rac_needs_federation(mode_2: Cluster) -> None:
    """While federation is off a federated RAC is untrusted (rulings 27)."""
    chain = mode_2.account(READER, id_type="Federation").chain
    refused(mode_2, chain, UntrustedPersonaCert)
    assert verify(mode_2, chain, federation_enabled=True)


def test_faults_come_in_the_order_of_the_rulings(mode_2: Cluster) -> None:
    """Where several things are wrong, the first in the order of the rulings is named."""
    old = mode_2.account(READER, validity=TimeRange(NOW - 3 * DAY, NOW - DAY), id_type="Federation")
    excluded = frozenset({old.rac.principal.public_key.id})
    minimum = Version(99)
    common = {"excluded_racs": excluded, "minimum_security_processor": minimum}
    refused(mode_2, (old.chain[0].replace(READER, "x@example.com"),), InvalidPersonaCertSignature, **common)
    refused(mode_2, old.chain, UntrustedPersonaCert, trusted_rac_issuers={}, **common)
    refused(mode_2, old.chain, InvalidPersonaCertTime, **common)
    current = mode_2.account(READER, id_type="Federation")
    refused(mode_2, current.chain, DrmacIsExcluded, **common)
    refused(mode_2, current.chain, BlackBoxIsInvalid, minimum_security_processor=minimum)
    refused(mode_2, current.chain, UntrustedPersonaCert)


def test_L5_rac_of_another_is_allowed_and_recorded(mode_2: Cluster) -> None:
    """L5: by default V's RAC over M's connection is served, and the audit says so."""
    caller = mode_2.caller("outsider@example.com")
    verify_account_certificate(mode_2.account(READER).chain, caller, mode_2.state, NOW)
    assert caller.trail.facts["account_certificate_of_another"] == [READER]
    own = mode_2.caller(READER)
    verify_account_certificate(mode_2.account(READER).chain, own, mode_2.state, NOW)
    assert "account_certificate_of_another" not in own.trail.facts


def test_L5_own_racs_only(mode_2: Cluster) -> None:
    """L5: where it is switched on, another's RAC needs a listed account; nobody means nobody."""
    state = dataclasses.replace(mode_2.state, require_own_rac=True)
    chain = mode_2.account(READER).chain
    verify_account_certificate(chain, mode_2.caller(READER), state, NOW)
    for caller in (mode_2.caller("outsider@example.com"), mode_2.caller(None)):
        with pytest.raises(UnauthorizedAccess):
            verify_account_certificate(chain, caller, state, NOW)
    proxy = dataclasses.replace(state, rac_proxies=frozenset({mode_2.sid("outsider@example.com").lower()}))
    verify_account_certificate(chain, mode_2.caller("outsider@example.com"), proxy, NOW)


def test_L5_federated_caller_owns_the_rac_of_the_same_address(mode_2: Cluster) -> None:
    """L5: a federated account is known by its e-mail address."""
    state = dataclasses.replace(mode_2.state, require_own_rac=True, federation_enabled=True)
    chain = mode_2.account(READER, id_type="Federation").chain
    for email, allowed in ((READER.upper(), True), ("outsider@example.com", False)):
        caller = RequestContext(AuthenticationType.FEDERATION, FederatedAccount(email))
        if allowed:
            verify_account_certificate(chain, caller, state, NOW)
        else:
            with pytest.raises(UnauthorizedAccess):
                verify_account_certificate(chain, caller, state, NOW)


def test_remembered_signatures_give_the_same_document(mode_2: Cluster) -> None:
    """The second time the RAC is not parsed again."""
    cache = BoundedLicenseCache()
    chain, caller = mode_2.account(READER).chain, mode_2.caller(READER)
    first = verify_account_certificate(chain, caller, mode_2.state, NOW, verified=cache)
    assert verify_account_certificate(chain, caller, mode_2.state, NOW, verified=cache) is first


def test_remembered_signatures_do_not_outlive_trust_time_or_exclusion(mode_2: Cluster) -> None:
    """Everything but the signatures is checked each time."""
    cache = BoundedLicenseCache()
    account, caller = mode_2.account(READER), mode_2.caller(READER)
    verify_account_certificate(account.chain, caller, mode_2.state, NOW, verified=cache)
    excluded = frozenset({account.rac.principal.public_key.id})
    for changes, now, error in (
        ({"trusted_rac_issuers": {}}, NOW, UntrustedPersonaCert),
        ({}, NOW + 400 * DAY, InvalidPersonaCertTime),
        ({"excluded_racs": excluded}, NOW, DrmacIsExcluded),
    ):
        state = dataclasses.replace(mode_2.state, **changes)
        with pytest.raises(error):
            verify_account_certificate(account.chain, caller, state, now, verified=cache)


def test_L4_changed_rac_is_refused_before_and_after_the_genuine_one(mode_2: Cluster) -> None:
    """L4: nothing is remembered by the SIGNATURE: the whole text is the key."""
    cache = BoundedLicenseCache()
    genuine, caller = mode_2.account(READER).chain, mode_2.caller(READER)
    changed = (genuine[0].replace(READER, "writer@example.com"), *genuine[1:])
    for _ in range(2):
        with pytest.raises(InvalidPersonaCertSignature):
            verify_account_certificate(changed, caller, mode_2.state, NOW, verified=cache)
        verify_account_certificate(genuine, caller, mode_2.state, NOW, verified=cache)


def test_remembered_certificates_are_weighed(mode_2: Cluster) -> None:
    """The cache that is bounded in bytes knows what a parsed certificate takes."""
    cache, chain = BoundedLicenseCache(), mode_2.account(READER).chain
    verify_account_certificate(chain, mode_2.caller(READER), mode_2.state, NOW, verified=cache)
    assert cache.held_bytes > len(chain[0])


def test_strangers_do_not_fill_the_cache(mode_2: Cluster, stranger: Cluster) -> None:
    """Well-signed RACs of untrusted issuers are not remembered."""
    cache = BoundedLicenseCache()
    with pytest.raises(UntrustedPersonaCert):
        verify_account_certificate(
            stranger.account(READER).chain, mode_2.caller(READER), mode_2.state, NOW, verified=cache
        )
    assert len(cache) == 0


def test_genuine_rac_is_accepted_while_it_lasts(mode_1: Cluster) -> None:
    """The RAC of [MS-RMPR] 4.5, where its issuer is trusted, within its VALIDITYTIME."""
    text = genuine("mode1-rac")
    issuer = RightsAccountCertificate.read(text).issuer.public_key
    state = dataclasses.replace(
        mode_1.state,
        trusted_rac_issuers={issuer.id: issuer},
        minimum_security_processor=Version.parse("6.1.7600.16385"),
    )
    then = dt.datetime(2010, 6, 12, tzinfo=dt.UTC)
    rac = verify_account_certificate((text,), mode_1.caller(READER), state, then)
    assert rac.email == "owner@contoso.com"
    with pytest.raises(InvalidPersonaCertTime):
        verify_account_certificate((text,), mode_1.caller(READER), state, NOW)
