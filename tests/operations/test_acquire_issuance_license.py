"""AcquireIssuanceLicense: what the server signs, what it refuses, and threat L1."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt

import pytest

from rmsserver.errors import (
    ArgumentNull,
    ClusterDecommissioned,
    CryptoUnsupportedSymKey,
    EnablingBitsHashDoesNotMatch,
    InvalidOfficialRightsTemplate,
    OnlinePublishingDisabled,
    RmsError,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.state import TrustedLicensingServer
from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.stores.memory import MemoryContentKeyWitness
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import ANYONE, Grantee, Policy, Right, RightsData, owner_metadata_xml, referral_xml
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.use_license import OWNER_RIGHT
from tests.cluster import NOW, Cluster, Published, grantee, guid
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, Desk, altered
from tests.operations.malformed_bits import MALFORMED, Sealer, bits_xml, des_session

VIEW = [Right.of("VIEW", grantee(READER))]


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


def refused(desk: Desk, unsigned: Published, error: type[RmsError], *, caller: str | None = AUTHOR) -> None:
    with pytest.raises(RmsError) as caught:
        desk.sign(unsigned, caller=caller)
    assert type(caught.value) is error, caught.value


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def with_bits(desk: Desk, unsigned: Published, data: bytes) -> Published:
    return altered(unsigned, (bits_of(unsigned), bits_xml(data, desk.cluster.mode)))


def bits_of(published: Published) -> str:
    start = published.text.index("<ENABLINGBITS")
    return published.text[start : published.text.index("</ENABLINGBITS>") + len("</ENABLINGBITS>")]


# --- what is signed ----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.5.4.1", "A valid request is served.")
@conforms("MS-RMPR 3.5.4.1", "The hash in the enabling bits is made anew over ISSUEDPRINCIPALS as signed.")
def test_signed_licence_opens_for_the_reader(cluster: Cluster) -> None:
    """The story of online publishing, in both modes."""
    desk = Desk(cluster)
    unsigned = cluster.publish(None, VIEW)
    signed = desk.sign(unsigned)
    license_ = desk.ask(signed)
    assert license_.open_content_key(cluster.account(READER).key, bytes(16)) == unsigned.content_key
    assert desk.ask(signed, AUTHOR).rights == (OWNER_RIGHT,)


@conforms("MS-RMPR 3.5.4.1", "ISSUEDTIME is the time of signing, in UTC.")
def test_what_the_server_sets_and_what_it_keeps(desk: Desk) -> None:
    """Rulings 17: own ISSUER, ISSUEDTIME, acquisition points and principal; the rest stands as it was."""
    referral = referral_xml("An Author", "mailto:author@example.com")
    kept = '<DESCRIPTOR><OBJECT><ID type="MS-GUID">{11111111-2222-4333-8444-555555555555}</ID></OBJECT></DESCRIPTOR>'
    validity = "<VALIDITYTIME><FROM>2026-05-01T00:00</FROM><UNTIL>2027-05-01T00:00</UNTIL></VALIDITYTIME>"
    policy = '<POLICYLIST type="exclusion"><POLICY><OBJECT><ID type="filename">a.exe</ID>'
    policy += '<VERSIONSPAN min="1.0.0.0" max="2.0.0.0" /></OBJECT></POLICY></POLICYLIST>'
    unsigned = altered(
        desk.cluster.publish(None, VIEW),
        ("</ISSUEDTIME>", "</ISSUEDTIME>" + validity + kept),
        ("<WORK>", referral + "<WORK>"),
        ("</BODY>", policy + "</BODY>"),
    )
    desk.configure(external_licensing_url="https://rms.example.com/_wmcs/licensing")
    license_ = desk.sign(unsigned).license
    state = desk.cluster.state
    assert license_.issuer.inner_surface == state.licensor.certificate.principal.inner_surface
    assert license_.issued_time == NOW
    assert license_.acquisition_urls() == {
        "License-Acquisition-URL": state.internal_licensing_url,
        "Extranet-License-Acquisition-URL": state.external_licensing_url,
        "Referral-Info": "mailto:author@example.com",
    }
    for text in (kept, validity, referral, policy):
        assert text in license_.text
    assert license_.body.one("WORK").surface in unsigned.text
    assert license_.encrypted_rights == unsigned.content_key.encrypt_text(
        unsigned.content_key.decrypt_text(license_.encrypted_rights)
    )
    assert license_.policies == (Policy("exclusion", "a.exe", "1.0.0.0", "2.0.0.0"),)
    tags = [child.tag for child in license_.principal.element.children]
    assert tags == ["OBJECT", "PUBLICKEY", "ENABLINGBITS", "SECURITYLEVEL", "SECURITYLEVEL"]
    assert render(parse(license_.text)) == license_.text


@conforms("MS-RMPR 3.5.4.1", "Every Referral-Info point of the unsigned licence is in the signed one.")
def test_every_point_of_referral_is_kept(desk: Desk) -> None:
    """3.5.4.1: any DISTRIBUTIONPOINT of type Referral-Info, to the letter; other points of the client are not."""
    points = [referral_xml(name, f"mailto:{name}@example.com") for name in ("author", "boss")]
    foreign = points[0].replace("Referral-Info", "Elsewhere")
    unsigned = altered(desk.cluster.publish(None, VIEW), ("<WORK>", points[0] + foreign + points[1] + "<WORK>"))
    text = desk.sign(unsigned).text
    assert points[0] + points[1] in text
    assert "Elsewhere" not in text


@conforms(
    "MS-RMPR 3.5.4.1",
    "The signed licence has the server's License-Acquisition-URL, and the extranet one where there is one.",
)
@conforms("MS-RMPR 3.5.4.1", "The addresses are licensingUrl and externalLicensingUrl.")
@conforms("MS-RMPR 3.5.4.1", "The acquisition points are named DRM Server Cluster.")
@conforms("MS-RMPR 3.5.4.1", "The acquisition points have GUIDs of their own.")
@pytest.mark.parametrize(
    ("changes", "internal", "external"),
    [
        ({}, "http://rms.example.com/_wmcs/licensing", None),
        ({"licensing_url": "https://in/_wmcs/licensing"}, "https://in/_wmcs/licensing", None),
        (
            {"licensing_url": "https://in/_wmcs/licensing", "external_licensing_url": "https://out/_wmcs/licensing"},
            "https://in/_wmcs/licensing",
            "https://out/_wmcs/licensing",
        ),
    ],
)
def test_acquisition_points_are_the_servers(
    desk: Desk, changes: dict[str, str], internal: str, external: str | None
) -> None:
    """Type, GUID, name and URL of each; the unsigned licence's own do not stay."""
    unsigned = altered(desk.cluster.publish(None, VIEW), ("http://rms.example.com/_wmcs/", "http://evil.example.com/"))
    desk.configure(**changes)
    points = [(p.type, p.id, p.name, p.address("URL")) for p in desk.sign(unsigned).license.distribution_points()]
    name = "DRM Server Cluster"
    expected = [("License-Acquisition-URL", "{0F45FD50-383B-43EE-90A4-ED013CD0CFE5}", name, internal)]
    if external is not None:
        expected.append(("Extranet-License-Acquisition-URL", "{94BF969A-CA04-44d6-AA96-51071281FEF2}", name, external))
    assert points == expected


def test_L2_every_answer_is_sealed_anew(desk: Desk) -> None:
    """Rulings 16: what the server signs never shares a block with what it was sent or signed before."""
    unsigned = desk.cluster.publish(None, VIEW)
    blocks = {bits_of(unsigned), bits_of(desk.sign(unsigned)), bits_of(desk.sign(unsigned))}
    assert len(blocks) == 3


@conforms("MS-RMPR 3.5.4.1", "The hash in the enabling bits is made anew over ISSUEDPRINCIPALS as signed.")
@conforms(
    "MS-RMPR 3.5.4.1",
    "The principal must be this server or an imported domain, by ID and by size and value of the modulus.",
)
def test_licence_for_a_former_or_imported_key_is_sealed_to_our_own(
    desk: Desk, mode_1: Cluster, stranger: Cluster
) -> None:
    """Rulings 2: opened with the key it is sealed to, mode 1 included, signed and sealed with the own key."""
    desk.configure(
        former_licensors=(mode_1.state.licensor,),
        trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),),
    )
    for licensor in (mode_1.state.licensor, stranger.state.licensor):
        unsigned = desk.cluster.publish(None, VIEW, sealed_to=licensor)
        signed = desk.sign(unsigned)
        assert signed.license.addressed_to(desk.cluster.state.licensor.certificate.principal)
        assert signed.license.mode is CryptoMode.MODE_2
        desk.configure(former_licensors=(), trusted_licensing_servers=())
        desk.ask(signed)
        desk.configure(
            former_licensors=(mode_1.state.licensor,),
            trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),),
        )


def test_L3_audit_has_signer_and_owner(desk: Desk) -> None:
    desk.sign(desk.cluster.publish(None, VIEW, owner="boss@example.com"), caller=OUTSIDER)
    assert desk.facts["owner"] == ["boss@example.com"]
    assert desk.facts["signer"][0].startswith("server: ")


@conforms("MS-RMPR 2.2.9.8.1", "Names and descriptions of a template stay in the licence as the server wrote them.")
def test_official_template_is_signed_as_it_stands(desk: Desk) -> None:
    template = desk.cluster.template("Secret", VIEW)
    signed = desk.sign(desk.cluster.publish(None, rights_data=template.text))
    assert signed.content_key.decrypt_text(signed.license.encrypted_rights) == template.text
    assert [right.name for right in desk.ask(signed).rights] == ["VIEW"]


# --- the order of checks -----------------------------------------------------------------------------------------------


@conforms(
    "MS-RMPR 3.8.4.3",
    "An unsigned licence whose principal has not the ID and the key of a server known here is refused.",
)
@conforms("MS-RMPR 3.5.4.1", "Rights data that is a badly signed official template gets InvalidOfficialRightsTemplate.")
def test_order_of_checks(desk: Desk, stranger: Cluster) -> None:
    """Rulings 17: each fault with everything after it wrong as well."""
    template = desk.cluster.template("Secret", VIEW)
    forged = template.text.replace("<VIEW>", "<EDIT>").replace("</VIEW>", "</EDIT>")
    bad_template = desk.cluster.publish(None, rights_data=forged)
    bad_bits = with_bits(desk, bad_template, bytes(400))
    bad_principal = altered(bad_bits, (guid("example server").braced, guid("other").braced))
    bad_syntax = altered(bad_principal, ("<WORK>", "<WORK><OBJECT></OBJECT>"))
    refused(desk, bad_template, InvalidOfficialRightsTemplate)
    refused(desk, bad_bits, EnablingBitsHashDoesNotMatch)
    refused(desk, bad_principal, UnsignedIssuanceLicenseNoMatchingIssuedPrincipal)
    refused(desk, bad_syntax, UnspecifiedError)
    desk.configure(online_publishing_enabled=False)
    refused(desk, bad_syntax, OnlinePublishingDisabled)
    desk.configure(decommissioned=True)
    refused(desk, bad_syntax, ClusterDecommissioned)
    desk.configure(online_publishing_enabled=True, decommissioned=False)
    refused(
        desk,
        desk.cluster.publish(None, rights_data=stranger.template("Theirs", VIEW).text),
        InvalidOfficialRightsTemplate,
    )
    refused(
        desk,
        desk.cluster.publish(None, VIEW, sealed_to=stranger.state.licensor),
        UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    )


@conforms("MS-RMPR 3.5.4.1", "Whatever else is wrong with the licence gets UnspecifiedError.")
def test_signed_licence_is_not_signed_again(desk: Desk) -> None:
    """Rulings 17: one that has a SIGNATURE is refused."""
    refused(desk, desk.cluster.publish(desk.cluster.author(), VIEW), UnspecifiedError)
    refused(desk, desk.sign(desk.cluster.publish(None, VIEW)), UnspecifiedError)


@conforms("MS-RMPR 3.8.4.3", "An unsigned licence without a principal is refused.")
@conforms("MS-RMPR 3.5.4.1", "An unsigned licence whose ISSUEDPRINCIPALS has another structure is refused.")
@conforms("MS-RMPR 3.5.4.1", "ISSUEDPRINCIPALS of another structure gets UnspecifiedError.")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("ISSUEDPRINCIPALS>", "PRINCIPALS>"),
        ('<PRINCIPAL internal-id="1">', "<PRINCIPAL>"),
        ('<PRINCIPAL internal-id="1">', '<PRINCIPAL internal-id="2">'),
        ('<PRINCIPAL internal-id="1">', '<PRINCIPAL internal-id="1" kind="x">'),
        ("</ISSUEDPRINCIPALS>", '<PRINCIPAL internal-id="1"></PRINCIPAL></ISSUEDPRINCIPALS>'),
        ("</ISSUEDPRINCIPALS>", "<X></X></ISSUEDPRINCIPALS>"),
        ("</PRINCIPAL>", "<X></X></PRINCIPAL>"),
        ("</PRINCIPAL>", '<SECURITYLEVEL name="Server-SKU"></SECURITYLEVEL></PRINCIPAL>'),
        ('<OBJECT type="MS-DRM-Server">', '<OBJECT type="Group-Identity">'),
        ('<OBJECT type="MS-DRM-Server">', '<OBJECT type="MS-DRM-Server"><X></X>'),
        ('<OBJECT type="MS-DRM-Server"><ID type="MS-GUID">', '<OBJECT type="MS-DRM-Server"><ID type="Windows">'),
        ('type="URL">HTTP://', 'type="mail">HTTP://'),
        ('<ADDRESS type="URL">HTTP://rms.example.com/_wmcs</ADDRESS>', ""),
        ("PUBLICKEY>", "KEY>"),
        ("<ALGORITHM>RSA", "<ALGORITHM>DSA"),
        ("65537", "3"),
        ("ENABLINGBITS", "BITS"),
    ],
)
def test_issued_principals_of_another_structure_are_refused(desk: Desk, old: str, new: str) -> None:
    """3.5.4.1: as 2.2.9.7.4 has it, or UnspecifiedError; nothing is signed."""
    unsigned = desk.cluster.publish(None, VIEW)
    assert old in unsigned.text
    refused(desk, dataclasses.replace(unsigned, text=unsigned.text.replace(old, new)), UnspecifiedError)
    assert "signer" not in desk.facts


@conforms("MS-RMPR 3.5.4.1", "Format and syntax of the unsigned licence are checked.")
@conforms("MS-RMPR 3.5.4.1.2.3", "An unsigned licence that is not in the form of a publishing licence is refused.")
@conforms("MS-RMPR 3.5.4.1.3.3", "An item whose document is not in the form of a publishing licence is refused.")
@pytest.mark.parametrize(
    "text",
    [
        "no document",
        '<XrML version="1.2" xmlns=""><BODY type="LICENSE" version="3.0"></BODY></XrML>',
        '<XrML version="1.2" xmlns=""><BODY type="Microsoft Rights Label" version="3.0"></BODY></XrML>',
    ],
)
def test_what_is_no_publishing_licence_is_refused(desk: Desk, text: str) -> None:
    """No XML, another kind of document, a licence without its parts."""
    with pytest.raises(UnspecifiedError):
        desk.sign_batch([text])


@conforms(
    "MS-RMPR 3.8.4.3",
    "An unsigned licence whose principal has not the ID and the key of a server known here is refused.",
)
@conforms(
    "MS-RMPR 3.5.4.1",
    "The principal must be this server or an imported domain, by ID and by size and value of the modulus.",
)
def test_the_same_id_with_another_key_is_another_server(desk: Desk, stranger: Cluster) -> None:
    """ID and modulus count, its size and its value."""
    unsigned = desk.cluster.publish(None, VIEW)
    own, other = (cluster.state.licensor.key.public for cluster in (desk.cluster, stranger))
    changed = altered(unsigned, (own.modulus_base64, other.modulus_base64))
    refused(desk, changed, UnsignedIssuanceLicenseNoMatchingIssuedPrincipal)
    refused(desk, altered(unsigned, (f'size="{own.bits}"', 'size="1024"')), UnspecifiedError)


@conforms("MS-RMPR 3.5.4.1", "A request without an unsigned publishing licence is refused.")
def test_null_arguments(desk: Desk) -> None:
    good = desk.cluster.publish(None, VIEW).text
    for items in ([], [None], [good, None], [""]):
        with pytest.raises(ArgumentNull):
            desk.sign_batch(items)


def test_X8_items_and_sizes(desk: Desk) -> None:
    """A hundred items and a licence at the limit are signed; one above is refused."""
    text = desk.cluster.publish(None, VIEW).text
    desk.configure(batch_limit=3, issuance_license_limit_bytes=len(text.encode()))
    assert len(desk.sign_batch([text] * 3)) == 3
    with pytest.raises(UnspecifiedError):
        desk.sign_batch([text] * 4)
    desk.configure(issuance_license_limit_bytes=len(text.encode()) - 1)
    with pytest.raises(UnspecifiedError):
        desk.sign_batch([text])


def test_nothing_is_signed_where_one_of_several_is_refused(desk: Desk) -> None:
    """The operation has no per-item errors: one bad licence and the request is a fault, nothing remembered."""
    good, bad = desk.cluster.publish(None, VIEW), with_bits(desk, desk.cluster.publish(None, VIEW), bytes(400))
    with pytest.raises(EnablingBitsHashDoesNotMatch):
        desk.sign_batch([good.text, bad.text])
    assert witnessed(desk) == 0
    assert "signer" not in desk.facts


@conforms("MS-RMPR 3.1.6.2", "Nothing is issued outside the range of the SLC.")
def test_K4_nothing_is_signed_before_the_own_certificate(desk: Desk) -> None:
    with pytest.raises(UnspecifiedError):
        desk.sign(desk.cluster.publish(None, VIEW), now=dt.datetime(2025, 6, 1, tzinfo=dt.UTC))


# --- C1, C4 ------------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.5.4.1", "Enabling bits that do not open, or are not this licence's, are refused.")
@conforms("MS-RMPR 3.5.4.1", "A wrong hash in the enabling bits gets EnablingBitsHashDoesNotMatch.")
@pytest.mark.parametrize("kind", MALFORMED)
def test_C1_malformed_enabling_bits_have_one_outcome(cluster: Cluster, kind: str) -> None:
    """Rulings 15: EnablingBitsHashDoesNotMatch for every kind, alone and among good ones; the next one is signed."""
    desk, good = Desk(cluster), cluster.publish(None, VIEW)
    sealer = Sealer(as_read(good, cluster), cluster.state.licensor)
    bad = with_bits(desk, good, MALFORMED[kind](sealer))
    for texts in ([bad.text], [good.text, bad.text]):
        with pytest.raises(RmsError) as caught:
            desk.sign_batch(texts)
        assert type(caught.value) is EnablingBitsHashDoesNotMatch
        assert caught.value.text == EnablingBitsHashDoesNotMatch.text
    desk.sign(good)


def as_read(unsigned: Published, cluster: Cluster) -> Published:
    """The licence with a signature, because `Published.license` reads signed ones."""
    body = unsigned.text[unsigned.text.index("<BODY") : unsigned.text.index("</BODY>") + len("</BODY>")]
    issuer = f"<ISSUER>{cluster.state.licensor.certificate.issuer_inner_surface}</ISSUER>"
    body = body.replace("<DISTRIBUTIONPOINT>", issuer + "<DISTRIBUTIONPOINT>", 1)
    return dataclasses.replace(unsigned, text=signed_document(body, cluster.state.licensor.key, cluster.mode))


@conforms("MS-RMPR 3.5.4.1", "A DES session key gets CryptoUnsupportedSymKey.")
def test_L11_des_session_key_that_opens_everything_has_its_name(cluster: Cluster) -> None:
    """Rulings 15: CryptoUnsupportedSymKey only where a DES key opened the rest and the hash matched."""
    desk, good = Desk(cluster), cluster.publish(None, VIEW)
    sealer = Sealer(as_read(good, cluster), cluster.state.licensor)
    refused(desk, with_bits(desk, good, des_session(sealer)), CryptoUnsupportedSymKey)


def test_C4_budget_of_a_caller(desk: Desk) -> None:
    """After so many failures of one caller everything of hers is refused for a while, without private-key work."""
    desk.ports = dataclasses.replace(desk.ports, budget=TokenBucketBudget(failures=2, clock=lambda: 0.0))
    good = desk.cluster.publish(None, VIEW)
    bad = with_bits(desk, good, bytes(400))
    refused(desk, bad, EnablingBitsHashDoesNotMatch)
    refused(desk, bad, EnablingBitsHashDoesNotMatch)
    assert desk.alerts
    refused(desk, bad, UnspecifiedError)
    refused(desk, good, UnspecifiedError)
    assert desk.alerts
    desk.sign(good, caller=OUTSIDER)


# --- L1 ----------------------------------------------------------------------------------------------------------------


def witnessed(desk: Desk) -> int:
    witness = desk.ports.witness
    assert isinstance(witness, MemoryContentKeyWitness)
    return len(witness._signers)


def copied(desk: Desk, victim: Published, *, rights_data: bool, owner: str = OUTSIDER) -> Published:
    """The victim's enabling bits in a thief's unsigned licence, with the victim's rights data or the thief's own."""
    mine = desk.cluster.publish(None, [Right.of("EDIT", ANYONE)], owner=owner)
    changes = [(bits_of(mine), bits_of(victim))]
    if rights_data:
        theirs = victim.license.encrypted_rights
        start = mine.text.index('"Encrypted-Rights-Data">') + len('"Encrypted-Rights-Data">')
        changes.append((mine.text[start : mine.text.index("</AUTHENTICATEDDATA>")], encoded(theirs)))
    return altered(mine, *changes)


@pytest.fixture(params=["offline", "online"])
def victim(request: pytest.FixtureRequest, desk: Desk) -> Published:
    """A victim's licence that nobody has opened yet: signed with a CLC, or by the server."""
    if request.param == "offline":
        return desk.cluster.publish(desk.cluster.author(), VIEW)
    return desk.sign(desk.cluster.publish(None, VIEW))


@conforms("MS-RMPR 3.5.4.1", "Enabling bits that do not open, or are not this licence's, are refused.")
@pytest.mark.parametrize("seen", [False, True], ids=["never opened", "opened"])
@pytest.mark.parametrize("rights_data", [False, True], ids=["own rights data", "copied rights data"])
def test_L1_copied_enabling_bits_are_refused(desk: Desk, victim: Published, seen: bool, rights_data: bool) -> None:
    """Refused, nothing signed or remembered; the victim's licence works before and after."""
    if seen:
        desk.ask(victim)
    before = witnessed(desk)
    for _ in range(2):
        refused(desk, copied(desk, victim, rights_data=rights_data), EnablingBitsHashDoesNotMatch, caller=OUTSIDER)
    assert witnessed(desk) == before
    desk.ask(victim)
    assert not desk.alerts
    refused(desk, copied(desk, victim, rights_data=rights_data), EnablingBitsHashDoesNotMatch, caller=OUTSIDER)


@pytest.mark.parametrize(
    "owner",
    [
        Grantee("Windows", "S-1-5-21-1004336348-1177238915-682003330-1107", ""),
        Grantee("Windows", "S-1-5-21-1004336348-1177238915-682003330-1107", AUTHOR),
    ],
    ids=["by SID alone", "the victim's address and the thief's SID"],
)
def test_L1_thief_named_by_sid_does_not_become_owner(desk: Desk, owner: Grantee) -> None:
    """An owner that cannot be compared with the rights data's is refused; one that only adds a SID gains nothing."""
    victim = desk.cluster.publish(desk.cluster.author(), VIEW)
    name = f"<NAME>{owner.email}</NAME>" if owner.email else ""
    metadata = f'<METADATA><OWNER><OBJECT><ID type="Windows">{owner.id}</ID>{name}</OBJECT></OWNER></METADATA>'
    stolen = altered(copied(desk, victim, rights_data=True), (owner_metadata_xml(OUTSIDER), metadata))
    if not owner.email:
        refused(desk, stolen, EnablingBitsHashDoesNotMatch)
        return
    signed = desk.sign(stolen)
    with pytest.raises(RmsError) as caught:
        desk.ask(signed, OUTSIDER)
    assert caught.value.short_name == "NoRightsForRequestedPrincipalException"


@conforms("MS-RMPR 3.5.4.1", "Enabling bits that do not open, or are not this licence's, are refused.")
def test_L1_template_licence_that_was_opened_once(desk: Desk) -> None:
    """A template names no owner: here the witness alone refuses, from the first use of the victim's licence on."""
    template = desk.cluster.template("Secret", VIEW)
    desk.configure(published_templates={template.guid: template})
    offline = desk.cluster.publish(desk.cluster.author(), rights_data=template.text)
    online = desk.sign(desk.cluster.publish(None, rights_data=template.text))
    desk.ask(offline)
    for victim in (offline, online):
        refused(desk, copied(desk, victim, rights_data=True), EnablingBitsHashDoesNotMatch, caller=OUTSIDER)
        assert desk.alerts


def test_L1_template_licence_never_opened_is_found_out_when_it_is(desk: Desk) -> None:
    """What remains (docs/security.md): nothing tells such a licence from an honest one; the victim's use is an alert."""
    template = desk.cluster.template("Secret", VIEW)
    victim = desk.cluster.publish(desk.cluster.author(), rights_data=template.text)
    desk.sign(copied(desk, victim, rights_data=True), caller=OUTSIDER)
    desk.ask(victim)
    assert any("content key" in alert for alert in desk.alerts)


@conforms("MS-RMPR 3.5.4.1", "Enabling bits that do not open, or are not this licence's, are refused.")
def test_L1_signature_cut_off_a_signed_licence(desk: Desk, victim: Published) -> None:
    """The whole signed licence, its signature cut off, and another owner: refused where it is known as signed."""
    desk.ask(victim)
    unsigned = victim.text[: victim.text.index("<SIGNATURE>")] + "</XrML>"
    stripped = dataclasses.replace(victim, text=unsigned, chain=(unsigned,))
    refused(desk, stripped, EnablingBitsHashDoesNotMatch)
    refused(
        desk,
        altered(stripped, (owner_metadata_xml(AUTHOR), owner_metadata_xml(OUTSIDER))),
        EnablingBitsHashDoesNotMatch,
    )


def test_honest_client_may_repeat_its_request(desk: Desk) -> None:
    """What it sends was never inside a signed licence, so a lost answer does no harm, also after the first was used."""
    unsigned = desk.cluster.publish(None, VIEW)
    desk.ask(desk.sign(unsigned))
    signed = desk.sign(unsigned)
    desk.ask(signed)
    assert not desk.alerts


def test_victim_is_never_locked_out(desk: Desk) -> None:
    """First come must not lock the victim out: no failed attempt with her fresh enabling bits is remembered."""
    unsigned = desk.cluster.publish(None, VIEW)
    thiefs = altered(unsigned, (owner_metadata_xml(AUTHOR), owner_metadata_xml(OUTSIDER)))
    refused(desk, thiefs, EnablingBitsHashDoesNotMatch, caller=OUTSIDER)
    desk.sign(unsigned)
    assert not desk.alerts


# --- L12 ---------------------------------------------------------------------------------------------------------------


def test_L12_rearranged_blocks_never_give_partial_rights(desk: Desk) -> None:
    """ECB blocks swapped, repeated, dropped in an unsigned licence: a strict reading of all of it, or a clean fault."""
    unsigned = desk.cluster.publish(None, [Right.of(name, grantee(READER)) for name in ("VIEW", "EDIT", "PRINT")])
    start = unsigned.text.index('"Encrypted-Rights-Data">') + len('"Encrypted-Rights-Data">')
    old = unsigned.text[start : unsigned.text.index("</AUTHENTICATEDDATA>")]
    data = base64.b64decode(old)
    blocks = [data[at : at + 16] for at in range(0, len(data), 16)]
    faults = 0
    for at in range(len(blocks) - 1):
        head, one, two, tail = blocks[:at], blocks[at], blocks[at + 1], blocks[at + 2 :]
        for changed in ([*head, two, one, *tail], [*head, two, *tail], [*head, one, one, two, *tail]):
            desk.ports = desk.cluster.ports(desk.directory)
            try:
                signed = desk.sign(altered(unsigned, (old, encoded(b"".join(changed)))))
            except (UnspecifiedError, EnablingBitsHashDoesNotMatch):
                faults += 1
                continue
            read = RightsData.read(unsigned.content_key.decrypt_text(signed.license.encrypted_rights))
            assert len(read.rights) == 3
    assert faults > len(blocks)


@conforms("MS-RMPR 3.5.4.1", "Whatever else is wrong with the licence gets UnspecifiedError.")
def test_rights_data_under_another_key_is_refused(desk: Desk) -> None:
    other = ContentKey.build(bytes(32), 0xFFFF)
    unsigned = desk.cluster.publish(None, VIEW)
    start = unsigned.text.index('"Encrypted-Rights-Data">') + len('"Encrypted-Rights-Data">')
    old = unsigned.text[start : unsigned.text.index("</AUTHENTICATEDDATA>")]
    data = unsigned.content_key.decrypt_text(base64.b64decode(old))
    refused(desk, altered(unsigned, (old, encoded(other.encrypt_text(data)))), EnablingBitsHashDoesNotMatch)
    broken = unsigned.content_key.encrypt_text(data.replace("<RIGHTSLIST>", "<RIGHTSLIST><X></X>"))
    refused(desk, altered(unsigned, (old, encoded(broken))), UnspecifiedError)


def test_anonymous_caller_is_the_pipelines_question(desk: Desk) -> None:
    """Who may call is configuration of the endpoint; the operation itself takes anybody the endpoint lets in."""
    desk.sign(desk.cluster.publish(None, VIEW), caller=None)
