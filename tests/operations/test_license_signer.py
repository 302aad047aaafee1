"""Who signed a publishing licence: the cases of wire facts 5, and what must not pass for one of them."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.errors import InvalidRightsLabelSignature, RightsLabelNoMatchingIssuedPrincipal, RmsError
from rmsserver.ports import IssuedLicensor
from rmsserver.state import TrustedLicensingServer
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.rights import Right
from rmsserver.xrml.values import TimeRange
from tests.cluster import DAY, NOW, Author, Cluster, grantee, key
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, Desk, altered, resigned

VIEW = [Right.of("VIEW", grantee(READER))]


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


def refused(desk: Desk, documents: tuple[str, ...], error: type[RmsError] = InvalidRightsLabelSignature) -> None:
    with pytest.raises(RmsError) as caught:
        desk.ask(documents)
    assert type(caught.value) is error, caught.value


def recognised(desk: Desk) -> str:
    return desk.facts["signer"][0].partition(":")[0]


def remembered(author: Author, issuer: KeyId, **changes: object) -> IssuedLicensor:
    """What GetClientLicensorCert keeps of a CLC."""
    clc = author.clc
    licensor = IssuedLicensor(
        clc.principal.public_key.id,
        clc.descriptor.guid if clc.descriptor else clc.principal.object.guid,
        clc.principal.object.id_type,
        clc.principal.object.id,
        clc.principal.object.name or "",
        clc.issuance.start,
        clc.issuance.end,
        issuer,
    )
    return dataclasses.replace(licensor, **changes)  # type: ignore[arg-type]


# --- the cases ---------------------------------------------------------------------------------------------------------


def test_signed_by_the_server_itself(desk: Desk) -> None:
    """Case 3, as leaf alone and with the whole SLC chain."""
    signed = desk.sign(desk.cluster.publish(None, VIEW))
    for documents in (signed.chain, signed.chain[:1]):
        desk.ask(documents)
        assert recognised(desk) == "server"


def test_signed_by_a_client_with_its_certificate(desk: Desk) -> None:
    """Case 4: PL and CLC, in any order, with the whole chain, with copies."""
    author = desk.cluster.author()
    text, clc = desk.cluster.publish(author, VIEW).chain
    for documents in ((text, clc), (clc, text), (text, *author.chain), (text, clc, text, clc)):
        desk.ask(documents)
        assert recognised(desk) == "certified"


def test_office_sends_the_owner_licence_and_its_chain_as_well(desk: Desk) -> None:
    """Wire facts 5: two chains one after the other; the owner licence is not looked at, however it is spelled."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    owner_licence = (
        '<XrML version="1.2" xmlns="" purpose="Content-License"><BODY type="LICENSE" version="3.0"><ISSUER>'
        + author.clc.principal.object_and_key_surface
        + "</ISSUER><ACCESS></ACCESS></BODY></XrML>"
    )
    desk.ask((*published.chain, owner_licence, *author.chain))
    assert recognised(desk) == "certified"


def test_leaf_alone_of_a_remembered_licensor(desk: Desk) -> None:
    """Case 5: MS-RMSI callers send the leaf alone; the cluster remembers whom it certified."""
    author = desk.cluster.author()
    desk.ports.licensors.remember(remembered(author, desk.cluster.state.licensor.key.public.id))
    desk.configure(serve_unknown_licensors=False)
    desk.ask(desk.cluster.publish(author, VIEW).chain[:1])
    assert recognised(desk) == "remembered"


@conforms("MS-RMPR 3.4.4.1.3.3", "A publishing licence whose signer is not trusted is refused.")
def test_leaf_alone_of_an_unknown_licensor_is_policy_and_recorded(desk: Desk) -> None:
    """Case 6: served by default where the principal is ours and the bits open."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(published.chain[:1])
    assert recognised(desk) == "unknown"
    assert AUTHOR in desk.facts["unknown_licensor"][0]
    desk.ask(published.chain[:1])
    assert desk.facts["unknown_licensor"]
    desk.configure(serve_unknown_licensors=False)
    refused(desk, published.chain[:1])


# --- what must not pass ------------------------------------------------------------------------------------------------


@conforms(
    "MS-RMPR 3.4.4.1", "The signature of a publishing licence holds, and its issuer is trusted, or it is refused."
)
@conforms("MS-RMPR 3.4.4.1.3.3", "A publishing licence whose signer is not trusted is refused.")
def test_L9_licensor_certificate_of_an_untrusted_server_is_refused(desk: Desk, stranger: Cluster) -> None:
    """Case 6 does not make up for it, and neither does a remembered key."""
    author = stranger.author(stranger.account(AUTHOR))
    published = desk.cluster.publish(author, VIEW)
    refused(desk, (published.text, *author.chain))
    desk.ports.licensors.remember(remembered(author, desk.cluster.state.licensor.key.public.id))
    refused(desk, (published.text, *author.chain))
    desk.configure(trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),))
    desk.ask((published.text, *author.chain))


@conforms(
    "MS-RMPR 3.4.4.1", "The signature of a publishing licence holds, and its issuer is trusted, or it is refused."
)
@conforms("MS-RMPR 3.4.4.1.3.3", "A publishing licence whose signer is not trusted is refused.")
@pytest.mark.parametrize("seen", [False, True], ids=["first", "after the genuine one"])
def test_L9_forged_licensor_certificate_beside_a_genuine_licence(desk: Desk, seen: bool) -> None:
    """Refused also where the genuine licence is in the cache: another set of documents is looked at anew."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    genuine = author.chain[0]
    body = author.clc.body.surface
    issuer = desk.cluster.state.licensor.certificate.principal.public_key.modulus_base64
    impostor = key("impostor", 2048)
    forgeries = {
        "altered": genuine.replace("2027-", "2037-", 1),
        "two bodies": genuine.replace("</BODY>", "</BODY><BODY></BODY>"),
        "comment": genuine.replace("<ISSUER>", "<ISSUER><!-- -->", 1),
        "signed by another key": signed_document(body, impostor, desk.cluster.mode),
        "own issuer key": signed_document(
            body.replace(issuer, impostor.public.modulus_base64), impostor, desk.cluster.mode
        ),
    }
    if seen:
        desk.ask(published)
    for forged in forgeries.values():
        assert forged != genuine
        refused(desk, (published.text, forged))
        refused(desk, (published.text, forged, genuine))
    desk.ask(published)


def test_licence_issued_outside_the_range_of_its_certificate(desk: Desk) -> None:
    """Case 4 and 5: with a day of tolerance; compared with the licence's ISSUEDTIME, never with now."""
    issued = NOW - 5 * DAY
    own = desk.cluster.state.licensor.key.public.id
    for end, good in ((issued - DAY / 2, True), (issued - 2 * DAY, False)):
        author = desk.cluster.author(issuance=TimeRange(issued - 90 * DAY, end))
        published = desk.cluster.publish(author, VIEW)
        for documents in (published.chain, published.chain[:1]):
            desk.ports.licensors.remember(remembered(author, own))
            if good:
                desk.ask(documents)
            else:
                refused(desk, documents)


@conforms(
    "MS-RMPR 2.2.9.7.2",
    "A licence whose issuer is another than the principal of the certificate that signed it is refused.",
)
def test_remembered_key_under_another_name_is_refused(desk: Desk) -> None:
    """Case 5: key and account belong together; the licence cannot name another account as its issuer."""
    author = desk.cluster.author()
    desk.ports.licensors.remember(remembered(author, desk.cluster.state.licensor.key.public.id))
    published = desk.cluster.publish(author, VIEW)
    sid, other = desk.cluster.sid(AUTHOR), desk.cluster.sid(OUTSIDER)
    refused(desk, resigned(published, author, (sid, other)).chain[:1])


@conforms(
    "MS-RMPR 2.2.9.7.2",
    "A licence whose issuer is another than the principal of the certificate that signed it is refused.",
)
def test_key_of_a_sent_certificate_under_another_name_is_refused(desk: Desk) -> None:
    """Case 4: nor is it taken for a licence whose licensor nobody knows."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    changed = resigned(published, author, (desk.cluster.sid(AUTHOR), desk.cluster.sid(OUTSIDER)))
    refused(desk, changed.chain)
    desk.ask(published)


def test_remembered_licensor_of_a_server_no_longer_trusted(desk: Desk, stranger: Cluster) -> None:
    author = desk.cluster.author()
    desk.ports.licensors.remember(remembered(author, stranger.state.licensor.key.public.id))
    refused(desk, desk.cluster.publish(author, VIEW).chain[:1])


def test_XW11_two_licences_or_none(desk: Desk) -> None:
    author = desk.cluster.author()
    one, other = (desk.cluster.publish(author, VIEW, name=name) for name in ("one", "other"))
    refused(desk, (*one.chain, *other.chain))
    refused(desk, author.chain)


@conforms("MS-RMPR 3.4.4.1", "A request without a signed publishing licence or without a RAC is refused.")
@conforms("MS-RMPR 3.8.4.3", "An unsigned licence is not good for a use licence.")
@conforms("MS-RMPR 3.4.4.1", "A publishing licence with a bad signature gets InvalidRightsLabelSignature.")
@conforms("MS-RMPR 2.2.9.7", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.7", "The signature is made with the issuer's private key.")
def test_XW_tampered_licences_are_refused(cluster: Cluster) -> None:
    """Altered digest, two bodies, two signatures, nested body, comment in an address: one clean fault."""
    desk, author = Desk(cluster), cluster.author()
    published = cluster.publish(author, VIEW)
    signature = published.text[published.text.index("<SIGNATURE>") : -len("</XrML>")]
    digest = published.license.signature
    assert digest is not None
    body = published.license.body.surface
    for change in (
        (digest.digest_text, digest.digest_text[::-1].lstrip("=") + "="),
        ("</BODY>", "</BODY>" + body),
        ("</XrML>", signature + "</XrML>"),
        ("<WORK>", f"<WORK>{body}"),
        ("author@", "author<!-- -->@"),
        ("<METADATA>", "<METADATA><?pi?>"),
        ("author@example.com</NAME>", "<![CDATA[author@example.com]]></NAME>"),
        ("<XrML", "<!DOCTYPE XrML><XrML"),
        (signature, ""),
    ):
        refused(desk, altered(published, change).chain)
    assert desk.opened == 0
    desk.ask(published)


def test_L9_reaching_the_same_root_proves_nothing(desk: Desk, stranger: Cluster) -> None:
    """A server-signed licence of a server that is not known here, whole chain sent along."""
    signed = Desk(stranger).sign(stranger.publish(None, VIEW, sealed_to=stranger.state.licensor))
    refused(desk, signed.chain, RightsLabelNoMatchingIssuedPrincipal)
    desk.configure(serve_unknown_licensors=False)
    refused(desk, signed.chain)
