"""AcquireContentKey: what a decommissioned cluster still does, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.errors import (
    ArgumentNull,
    ClusterNotDecommissioned,
    RmsError,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations.acquire_content_key import AcquireContentKeyRequest, acquire_content_key
from rmsserver.state import TrustedLicensingServer
from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.xrml.enabling_bits import RESERVED_ECB, ContentKey
from tests.cluster import NOW, Cluster, Published
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, Desk, altered, resigned
from tests.operations.malformed_bits import MALFORMED, Sealer, bits_xml, des_session


def ask(desk: Desk, *items: tuple[str, ...] | None) -> bytes:
    """The key. Raises RmsError."""
    desk.caller = desk.cluster.caller(OUTSIDER)
    request = AcquireContentKeyRequest(items)
    result = acquire_content_key(request, desk.caller, desk.cluster.state, desk.ports, NOW)
    assert result.key_type == "AES"
    return result.key


def refused(desk: Desk, error: type[RmsError], *items: tuple[str, ...] | None) -> None:
    with pytest.raises(RmsError) as caught:
        ask(desk, *items)
    assert type(caught.value) is error


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2.with_state(decommissioned=True))


@conforms("MS-RMSI 3.2.4.1", "A licence sealed to one of those is answered with its content key.")
def test_the_raw_key_of_a_licence(cluster: Cluster) -> None:
    """Without its header, whatever the caller was granted, of 16 and 32 bytes; the audit says whose document it was."""
    desk = Desk(cluster.with_state(decommissioned=True))
    for key in (bytes(range(16)), bytes(range(32))):
        published = cluster.publish(cluster.author(), content_key=ContentKey.build(key, RESERVED_ECB))
        assert ask(desk, (published.text,)) == ask(desk, published.chain) == key
    assert desk.facts["owner"] == [AUTHOR]
    assert len(desk.facts["signer"]) == 1


def test_a_licence_signed_online(cluster: Cluster) -> None:
    desk = Desk(cluster)
    signed = desk.sign(cluster.publish(None))
    desk.configure(decommissioned=True)
    assert ask(desk, signed.chain) == signed.content_key.key


@conforms("MS-RMSI 3.2.4.1", "Of several licences the first counts.")
@conforms("MS-RMSI 3.2.4.1.2.1", "Only the first element of a request is processed.")
def test_only_the_first_counts(desk: Desk) -> None:
    """First element, and its first licence (3.2.4.1)."""
    author = desk.cluster.author()
    one, other = desk.cluster.publish(author), desk.cluster.publish(author, name="other")
    assert ask(desk, one.chain, other.chain) == ask(desk, (*one.chain, *other.chain)) == one.content_key.key
    assert ask(desk, (author.chain[0], other.text, one.text)) == other.content_key.key
    assert ask(desk, one.chain, None, ("no document",)) == one.content_key.key


@conforms(
    "MS-RMSI 3.2.4.1",
    "The licence's principal is compared by ID and modulus with those of own, former and imported server certificates.",
)
def test_licences_of_former_and_imported_keys(desk: Desk, mode_1: Cluster, stranger: Cluster) -> None:
    """Whatever the cluster could license."""
    desk.configure(
        former_licensors=(mode_1.state.licensor,),
        trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),),
    )
    for cluster in (mode_1, stranger):
        published = cluster.publish(cluster.author())
        assert ask(desk, (published.text,)) == published.content_key.key


@conforms("MS-RMSI 3.2.4.1", "Only a decommissioned server hands out content keys.")
@conforms("MS-RMSI 3.2.4.1", "A server in service answers ClusterNotDecommissionedException.")
def test_a_cluster_in_service_hands_out_no_key(mode_2: Cluster) -> None:
    """Before the request is looked at, and however it looks."""
    desk = Desk(mode_2)
    for items in ((), (None,), (mode_2.publish(mode_2.author()).chain,)):
        refused(desk, ClusterNotDecommissioned, *items)


@conforms("MS-RMSI 3.2.4.1", "A request without a readable licence that holds gets no key.")
def test_the_form_of_a_request(desk: Desk) -> None:
    """No element, no licence, no document; too large."""
    published = desk.cluster.publish(desk.cluster.author())
    for items in ((), (None,), ((),), (("",),), (None, published.chain)):
        refused(desk, ArgumentNull, *items)
    refused(desk, UnspecifiedError, ("no document",))
    refused(desk, UnspecifiedError, (desk.cluster.author().chain[0],))
    refused(desk, UnspecifiedError, ("x" * (8 * 2**20 + 1),))
    with pytest.raises(ArgumentNull):
        acquire_content_key(
            AcquireContentKeyRequest(None), desk.cluster.caller(OUTSIDER), desk.cluster.state, desk.ports, NOW
        )


@conforms(
    "MS-RMSI 3.2.4.1",
    "A licence for another server is refused with UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException.",
)
def test_a_licence_for_another_server(desk: Desk, stranger: Cluster) -> None:
    published = desk.cluster.publish(desk.cluster.author(), sealed_to=stranger.state.licensor)
    refused(desk, UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, (published.text,))


@conforms(
    "MS-RMSI 3.2.4.1",
    "The licence's principal is compared by ID and modulus with those of own, former and imported server certificates.",
)
def test_id_and_modulus_must_both_be_ours(desk: Desk, stranger: Cluster) -> None:
    """Our ID with another's key, another's ID with our key; the letter case of the ID means nothing."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author)
    own, other = (c.state.licensor.certificate.principal for c in (desk.cluster, stranger))
    for ours, theirs in ((own.object.id, other.object.id), (modulus(desk.cluster), modulus(stranger))):
        refused(
            desk,
            UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
            (resigned(published, author, (ours, theirs)).text,),
        )
    assert own.object.id.upper() != own.object.id
    # Another spelling has another hash, which is sealed in; that it came so far says that the principal was found.
    refused(desk, UnspecifiedError, (resigned(published, author, (own.object.id, own.object.id.upper())).text,))


def modulus(cluster: Cluster) -> str:
    """As it stands in documents."""
    text = cluster.state.licensor.certificate.principal.object_and_key_surface
    return text[text.rindex('">') + 2 : text.rindex("</VALUE>")]


@conforms("MS-RMSI 3.2.4.1", "A request without a readable licence that holds gets no key.")
def test_L4_a_licence_that_does_not_hold(desk: Desk) -> None:
    """An altered one, and an unsigned one."""
    published = desk.cluster.publish(desk.cluster.author())
    refused(desk, UnspecifiedError, (altered(published, ("<ISSUEDTIME>2", "<ISSUEDTIME>3")).text,))
    refused(desk, UnspecifiedError, (desk.cluster.publish(None).text,))


@conforms("MS-RMSI 3.2.4.1", "The key's type is AES or DES.")
@pytest.mark.parametrize("kind", [*MALFORMED, "DES"])
def test_C1_one_outcome_for_whatever_does_not_open(desk: Desk, kind: str) -> None:
    """A DES key among them (threat L11)."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author)
    make = des_session if kind == "DES" else MALFORMED[kind]
    bits = bits_xml(make(Sealer(published, desk.cluster.state.licensor)), desk.cluster.mode)
    refused(desk, UnspecifiedError, (resigned(published, author, (block(published), bits)).text,))


def block(published: Published) -> str:
    text, end = published.text, "</ENABLINGBITS>"
    return text[text.index("<ENABLINGBITS") : text.index(end) + len(end)]


def test_C4_the_budget_holds_here_too(desk: Desk) -> None:
    """Two failures allowed: the third licence is not tried, though it would open."""
    desk.ports = dataclasses.replace(desk.ports, budget=TokenBucketBudget(failures=2, window_seconds=3600))
    author = desk.cluster.author()
    published = desk.cluster.publish(author)
    noise = bits_xml(bytes(400), desk.cluster.mode)
    for _ in range(2):
        refused(desk, UnspecifiedError, (resigned(published, author, (block(published), noise)).text,))
    refused(desk, UnspecifiedError, (published.text,))
    assert desk.alerts == ["too many licences that do not open: refused without trying"]
