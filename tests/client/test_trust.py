"""Whom the client believes: pinned keys, kinds of issuers, owners' licences."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import TrustError
from rmsserver.client.publish import Grant, new_content_key, policy_of_grants, publish_offline
from rmsserver.client.trust import ClusterTrust
from rmsserver.operations.enroll import STANDARD, EnrollRequest, RevocationInformation, enroll
from rmsserver.operations.sub_enroll import SubEnrollRequest, sub_enroll
from rmsserver.state import Licensor
from rmsserver.xrml.document import Document
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind, issuer_xml, server_object_xml
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.use_license import UseLicense
from tests import cluster as clusters
from tests.client.peer import CLUSTER, TRUST, account, licensor
from tests.cluster import NOW, guid, key, make_cluster, server_hierarchy
from tests.operations.enrollees import INFORMATION, key_of, sent_by
from tests.operations.test_enroll import enrollment_service

OTHER = make_cluster(CryptoMode.MODE_2, "other")


def test_a_chain_pins_its_root_and_its_server() -> None:
    """Without a bundle the root is the one the chain ends at; with one it must be that."""
    chain = CLUSTER.servers.licensor.chain
    assert ClusterTrust.pin(chain) == TRUST
    assert ClusterTrust.pin(chain, CLUSTER.servers.root.public) == TRUST
    assert TRUST.mode is CryptoMode.MODE_2
    with pytest.raises(TrustError, match="another root"):
        ClusterTrust.pin(chain, OTHER.servers.root.public)


def test_L8_a_chain_with_a_strange_link_pins_nothing() -> None:
    """Each link is verified with the parent at its position: a foreign CA at the end does not help."""
    own, other = CLUSTER.servers.licensor.chain, OTHER.servers.licensor.chain
    for chain in ([*own[:3], other[3]], [own[0], *own[2:]], [own[0]], [], list(reversed(own))):
        with pytest.raises(TrustError, match="not valid"):
            ClusterTrust.pin(chain)


def test_a_machine_issuer_cannot_be_a_server() -> None:
    """Whoever holds a client bundle can sign under the SPC issuer, but nothing a client takes for a
    server."""
    machines = CLUSTER.machines
    forged = clusters._issue(
        IssuingKind.SERVER,
        "forged slc",
        server_object_xml(guid("forged"), "EXAMPLE", "HTTP://rms.example.com/_wmcs"),
        key("forged slc", 2048),
        machines.licensor.certificate.issuer_inner_surface,
        machines.licensor.key,
        CryptoMode.MODE_2,
    )
    with pytest.raises(TrustError, match="machine issuer"):
        ClusterTrust.pin([forged.text, *machines.licensor.chain], machines.root.public)


def test_L9_another_server_under_the_same_root_is_not_ours() -> None:
    """Trust is by exact server key: a chain that closes at the pinned root is not enough."""
    sibling = dataclasses.replace(TRUST, server=key("sibling", 2048).public)
    rac = CLUSTER.account("reader@example.com")
    with pytest.raises(TrustError, match="another server"):
        sibling.close(Document.read(rac.chain[0]), rac.chain[1:], "The account certificate")
    TRUST.close(Document.read(rac.chain[0]), rac.chain[1:], "The account certificate")


def test_a_forged_server_certificate_with_the_right_key_name_fails() -> None:
    """A chain of another root with the same server key does not close."""
    rac = CLUSTER.account("reader@example.com")
    with pytest.raises(TrustError):
        TRUST.close(Document.read(rac.chain[0]), OTHER.servers.licensor.chain, "The account certificate")
    with pytest.raises(TrustError):
        TRUST.close(Document.read(rac.chain[0]), [], "The account certificate")


def test_altered_text_is_not_trusted() -> None:
    """One changed letter in the body."""
    rac = CLUSTER.account("reader@example.com")
    altered = rac.chain[0].replace("reader@example.com", "reader@exampIe.com")
    with pytest.raises(TrustError, match="digest"):
        TRUST.close(Document.read(altered), rac.chain[1:], "The account certificate")


def test_an_owner_licence_needs_a_licensor_certificate_of_the_cluster() -> None:
    """The owner's licence verifies with its CLC, and the CLC with the pinned server; other CLCs do not
    count."""
    author = account("author@example.com")
    signer = licensor(author)
    policy = policy_of_grants(author.email, [Grant.parse("a@b.example=VIEW")], NOW, None)
    texts = publish_offline(policy, new_content_key(ContentCipher.CBC4K), author, signer, NOW)
    license_, chain = UseLicense.read(texts[2]), list(texts[3:])
    assert TRUST.close_owner_license(license_, chain).text == signer.clc.text
    foreign = OTHER.author(OTHER.account("author@example.com"))
    for wrong in ([], chain[1:], [*foreign.chain], [foreign.chain[0], *chain[1:]]):
        with pytest.raises(TrustError):
            TRUST.close_owner_license(license_, wrong)


def test_a_self_made_root_is_not_the_pinned_one() -> None:
    """A whole hierarchy with the same names but its own keys."""
    copy = server_hierarchy(CryptoMode.MODE_2, "copy")
    assert issuer_xml("", copy.root.public) != issuer_xml("", TRUST.root)
    with pytest.raises(TrustError, match="another root"):
        ClusterTrust.pin(copy.licensor.chain, TRUST.root)


def _branch_chain() -> tuple[str, ...]:
    """What a licensing-only cluster under ours has: its certificate, then our chain."""
    enrolling = CLUSTER.with_state(sub_enrollment_enabled=True)
    sent = SubEnrollRequest(sent_by(enrolling), INFORMATION)
    return sub_enroll(sent, enrolling.caller(None), enrolling.state, enrolling.ports(), NOW)


def test_a_licensing_only_cluster_licenses_and_does_not_certify() -> None:
    """[MS-RMPRS] 3.3: pinned beside the certifying server, for everything but account certificates."""
    chain = _branch_chain()
    trust = TRUST.with_licensor(chain)
    branch = Licensor(IssuingCertificate.read(chain[0]), chain, key_of(CLUSTER))
    assert (trust.server, trust.licensing) == (TRUST.server, branch.key.public)
    rac = CLUSTER.account(issued=NOW)
    clc = CLUSTER.author(rac, licensor=branch, issued=NOW)
    trust.close(rac.rac, rac.chain[1:], "The account certificate")
    trust.close(clc.clc, clc.chain[1:], "The licensor certificate")
    trust.close_leaf(CLUSTER.template(licensor=branch, issued=NOW), "The template")
    forged = CLUSTER.account(licensor=branch, issued=NOW)
    own = CLUSTER.author(rac)
    for leaf, above in ((forged.rac, forged.chain[1:]), (own.clc, own.chain[1:])):
        with pytest.raises(TrustError, match="another server"):
            trust.close(leaf, above, "It")


def test_L9_another_server_does_not_become_the_licensing_one() -> None:
    """L9: the certifying server itself, or one that it enrolled; a chain to the root is not enough."""
    assert TRUST.with_licensor(CLUSTER.servers.licensor.chain) is TRUST
    beside = CLUSTER.with_state(enrollment_enabled=True, enrollment_service=enrollment_service(CLUSTER))
    request = EnrollRequest(sent_by(beside), INFORMATION, RevocationInformation(STANDARD))
    enrolled = enroll(request, beside.caller(None), beside.state, beside.ports(), NOW)
    for chain in (enrolled, OTHER.servers.licensor.chain):
        with pytest.raises(TrustError):
            TRUST.with_licensor(chain)
