"""Spellings of genuine clients and servers (wire facts 1 and 8): read, given back, verified, and answered rightly."""

from __future__ import annotations

import pytest

from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.enabling_bits import open_enabling_bits
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import Grantee, Policy, RightsData
from rmsserver.xrml.signature import SignatureStyle
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.surface import parse
from tests.xrml.hierarchy import AUTHOR, READERS, SIGNED_KINDS, STAND_IN, Hierarchy, guid, resign

REFERRAL_START = '<DISTRIBUTIONPOINT><OBJECT type="Referral-Info">'


def respelled(hierarchy: Hierarchy, kind: str, old: str, new: str, *, count: int = -1) -> str:
    """Signed again, read, verified, and the same to the letter."""
    text = hierarchy.respelled(kind, old, new, count=count)
    document = READERS[kind](text)
    assert document.text == text
    assert parse(text).surface == text
    document.verify()
    return text


@pytest.mark.parametrize("kind", [kind for kind in SIGNED_KINDS if kind not in ("ca", "spc_issuer", "template")])
def test_a_level_with_an_end_tag(hierarchy: Hierarchy, kind: str) -> None:
    """`<SECURITYLEVEL ...></SECURITYLEVEL>`, as clients write it, side by side with the servers' spelling."""
    for count in (1, -1):
        text = respelled(hierarchy, kind, '" /><SECURITYLEVEL', '"></SECURITYLEVEL><SECURITYLEVEL', count=count)
        assert READERS[kind](text).issuer.levels == READERS[kind](hierarchy.text(kind)).issuer.levels


@pytest.mark.parametrize("kind", SIGNED_KINDS)
def test_blanks_round_the_equals_sign(hierarchy: Hierarchy, kind: str) -> None:
    """As in `<RIGHT name = "OWNER">`, anywhere."""
    respelled(hierarchy, kind, ' name="', ' name = "')


@pytest.mark.parametrize("kind", SIGNED_KINDS)
def test_a_line_feed_inside_a_name(hierarchy: Hierarchy, kind: str) -> None:
    """It belongs to the name."""
    text = respelled(hierarchy, kind, "</NAME>", "\nsecond line</NAME>")
    name = READERS[kind](text).issuer.object.name
    assert name is not None
    assert name.endswith("\nsecond line")


@pytest.mark.parametrize("kind", SIGNED_KINDS)
@pytest.mark.parametrize("name", ["Grüße & Söhne", "日本語 \U0001f512", "\u202eabc\u0301"])
def test_text_outside_ascii(hierarchy: Hierarchy, kind: str, name: str) -> None:
    """In every plane; the digest counts UTF-16 units."""
    text = respelled(hierarchy, kind, "</NAME>", f"{name.replace('&', '&amp;')}</NAME>")
    found = READERS[kind](text).issuer.object.name
    assert found is not None
    assert found.endswith(name)


@pytest.mark.parametrize("kind", SIGNED_KINDS)
def test_further_attributes_on_an_id(hierarchy: Hierarchy, kind: str) -> None:
    """Nobody asks for them."""
    respelled(hierarchy, kind, '<ID type="MS-GUID">', '<ID type="MS-GUID" subtype="x" flags="1">')


@pytest.mark.parametrize("kind", [kind for kind in SIGNED_KINDS if kind not in ("pl", "server_pl")])
def test_guids_without_braces_and_in_capitals(hierarchy: Hierarchy, kind: str) -> None:
    """In a DESCRIPTOR also without braces; they compare without both and are passed on as they stand (wire facts 2)."""
    plain = READERS[kind](hierarchy.text(kind))
    assert plain.descriptor is not None
    for id_ in (plain.descriptor.id.strip("{}"), plain.descriptor.id.upper()):
        text = respelled(hierarchy, kind, f">{plain.descriptor.id}<", f">{id_}<")
        again = READERS[kind](text).descriptor
        assert again is not None
        assert (again.guid, again.id) == (plain.descriptor.guid, id_)


@pytest.mark.parametrize("kind", SIGNED_KINDS)
@pytest.mark.parametrize("style", list(SignatureStyle))
def test_either_order_in_signature_and_root(hierarchy: Hierarchy, kind: str, style: SignatureStyle) -> None:
    """Both are read by name (wire facts 2)."""
    text = resign(hierarchy.text(kind), "2026", "2026", hierarchy.signer(kind), hierarchy.mode, style=style)
    for one, other in (
        ('xmlns="" version="1.2"', 'version="1.2" xmlns=""'),
        ('version="1.2" xmlns=""', 'xmlns="" version="1.2"'),
    ):
        READERS[kind](text.replace(one, other)).verify()


@pytest.mark.parametrize("kind", SIGNED_KINDS)
def test_carriage_returns_are_signed_as_they_stand(hierarchy: Hierarchy, kind: str) -> None:
    """A document with CR LF inside verifies where it comes unchanged, and not where its line ends were turned."""
    text = respelled(hierarchy, kind, "</NAME>", "\r\nx</NAME>")
    normalised = READERS[kind](text.replace("\r\n", "\n"))
    assert normalised.issuer.object == READERS[kind](text).issuer.object
    assert normalised.signature is not None
    digest = normalised.mode.digest(normalised.body.surface.encode("utf-16-le"))
    assert digest != normalised.signature.digest


# --- publishing licences -----------------------------------------------------------------------------------------------


def pl(hierarchy: Hierarchy, old: str, new: str) -> PublishingLicense:
    return PublishingLicense.read(respelled(hierarchy, "pl", old, new))


def test_a_licence_without_descriptor_or_with_one(hierarchy: Hierarchy) -> None:
    """Clients leave it out; a template's stands there with a GUID and localised names."""
    assert PublishingLicense.read(hierarchy.pl).descriptor is None
    id_ = guid("template")
    descriptor = f'<DESCRIPTOR><OBJECT><ID type="MS-GUID">{id_}</ID><NAME>x</NAME></OBJECT></DESCRIPTOR>'
    found = pl(hierarchy, "<ISSUER>", descriptor + "<ISSUER>").descriptor
    assert found is not None
    assert found.guid == id_


def test_an_issuer_with_a_client_level(hierarchy: Hierarchy) -> None:
    """The CLC's OBJECT and PUBLICKEY, plus level SDK."""
    licence = pl(hierarchy, "</ISSUER>", '<SECURITYLEVEL name="SDK" value="6.1.7600"></SECURITYLEVEL></ISSUER>')
    assert licence.issuer.levels == {"SDK": "6.1.7600"}
    assert licence.issuer.key == ClientLicensorCertificate.read(hierarchy.clc).principal.key


@pytest.mark.parametrize("address", ["mailto:x@y.example", "x@y.example", "https://help.example/ask?a=1&amp;b=2"])
@pytest.mark.parametrize("before", [True, False])
def test_referral_before_or_after_the_principals(hierarchy: Hierarchy, address: str, before: bool) -> None:
    """Its address in three forms; copied with what it says."""
    found = PublishingLicense.read(hierarchy.pl).referral
    assert found is not None
    assert found.startswith(REFERRAL_START)
    moved = found.replace(f"mailto:{AUTHOR}", address)
    principals = hierarchy.pl[hierarchy.pl.index("<ISSUEDPRINCIPALS>") : hierarchy.pl.index("</ISSUEDPRINCIPALS>") + 19]
    licence = pl(hierarchy, principals + found, moved + principals if before else principals + moved)
    assert licence.referral == moved
    assert PublishingLicense.read(hierarchy.pl).principal.object == licence.principal.object


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ("", None),
        ("<METADATA></METADATA>", None),
        ("<METADATA><SKU>x</SKU></METADATA>", None),
        ('<METADATA><OWNER><OBJECT><ID type="Unspecified" /><NAME>a@b.c</NAME></OBJECT></OWNER></METADATA>', "a@b.c"),
        ('<METADATA><SKU>x</SKU><OWNER><OBJECT><ID type="Windows">1</ID><NAME>a@b</NAME></OBJECT></OWNER></METADATA>', "a@b"),
        ('<METADATA><OWNER><OBJECT><ID type="Unspecified"></ID></OBJECT></OWNER></METADATA>', ""),
    ],
)  # fmt: skip
def test_metadata_and_owner_may_be_missing(hierarchy: Hierarchy, metadata: str, owner: str | None) -> None:
    """SKU may stand there; the owner is the e-mail in NAME."""
    start, end = hierarchy.pl.index("<METADATA>"), hierarchy.pl.index("</METADATA>") + len("</METADATA>")
    licence = pl(hierarchy, hierarchy.pl[start:end], metadata)
    assert (None if licence.owner is None else licence.owner.email) == owner
    assert licence.metadata == ("" if metadata in ("", "<METADATA></METADATA>") else metadata)


def test_a_policy_list_in_the_clear(hierarchy: Hierarchy) -> None:
    """Inclusions and exclusions, several lists."""
    lists = (
        '<POLICYLIST type="exclusion"><POLICY><OBJECT><ID type="filename">a.exe</ID>'
        '<VERSIONSPAN min="1.0.0.0" max="2.0.0.0"></VERSIONSPAN></OBJECT></POLICY></POLICYLIST>'
        '<POLICYLIST type="inclusion"></POLICYLIST>'
    )
    licence = pl(hierarchy, "<AUTHENTICATEDDATA", lists + "<AUTHENTICATEDDATA")
    assert licence.policies == (Policy("exclusion", "a.exe", "1.0.0.0", "2.0.0.0"),)


@pytest.mark.parametrize(
    "extra",
    [
        '<AUTHENTICATEDDATA name="VIEWER" id="APPSPECIFIC">1</AUTHENTICATEDDATA>',
        '<AUTHENTICATEDDATA id="APPSPECIFIC" name="NOLICCACHE">1</AUTHENTICATEDDATA>',
        '<AUTHENTICATEDDATA id="Other"></AUTHENTICATEDDATA>',
        "<AUTHENTICATEDDATA />",
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_authenticated_data_beside_the_rights_data(hierarchy: Hierarchy, extra: str, before: bool) -> None:
    """Any number, any attributes, before or after."""
    old = "<AUTHENTICATEDDATA id=" if before else "</AUTHENTICATEDDATA></BODY>"
    new = extra + old if before else f"</AUTHENTICATEDDATA>{extra}</BODY>"
    assert pl(hierarchy, old, new).encrypted_rights == PublishingLicense.read(hierarchy.pl).encrypted_rights


def test_two_encrypted_rights_data_are_refused(hierarchy: Hierarchy) -> None:
    """Which of them would count?"""
    start = hierarchy.pl.index("<AUTHENTICATEDDATA")
    data = hierarchy.pl[start : hierarchy.pl.index("</BODY>")]
    with pytest.raises(XrmlError, match="exactly one"):
        PublishingLicense.read(hierarchy.respelled("pl", data, data * 2))


def test_the_hash_with_and_without_enabling_bits(hierarchy: Hierarchy) -> None:
    """Of a licence respelled by a client the hash covers what stands there (wire facts 3)."""
    licence = PublishingLicense.read(hierarchy.pl)
    without, with_bits = licence.hashed_texts
    assert "ENABLINGBITS" not in without
    assert with_bits == licence.body.one("ISSUEDPRINCIPALS").surface
    assert without == with_bits.replace(licence.enabling_bits.surface, "")
    opened = open_enabling_bits(licence.enabling_bits, hierarchy.keys.slc, licence.hashed_texts, STAND_IN)
    assert opened.hash_reading == 0


# --- accounts, machines, rights ----------------------------------------------------------------------------------------


def test_federated_accounts_have_further_addresses(hierarchy: Hierarchy) -> None:
    """home_objectId and others are kept, email_alias is used (wire facts 8)."""
    addresses = (
        '<ADDRESS type="home_objectId">1</ADDRESS><ADDRESS type="email_alias">alias@example.com</ADDRESS>'
        '<ADDRESS type="home_puid">2</ADDRESS><ADDRESS type="idp">3</ADDRESS><ADDRESS>4</ADDRESS>'
    )
    account = f"<NAME>{AUTHOR}</NAME>"
    rac = RightsAccountCertificate.read(respelled(hierarchy, "rac", account, account + addresses))
    assert rac.email_aliases == ("alias@example.com",)
    assert rac.principal.object.address("home_puid") == "2"
    assert rac.principal.object.address("missing") is None
    assert addresses in rac.principal.object.surface


def test_a_precertified_account_has_no_machine(hierarchy: Hierarchy) -> None:
    """No FEDERATIONPRINCIPALS (rulings 6)."""
    start, end = hierarchy.rac.index("<FEDERATIONPRINCIPALS>"), hierarchy.rac.index("</BODY>")
    rac = RightsAccountCertificate.read(respelled(hierarchy, "rac", hierarchy.rac[start:end], ""))
    assert rac.machine is None


@pytest.mark.parametrize("prose", ["Microsoft Corporation Windows RMS Client v3.0 secure repository", "x 1.2", ""])
def test_the_version_of_a_security_processor_is_the_last_number(mode1: Hierarchy, prose: str) -> None:
    """Repository is prose that ends in the version (wire facts 8)."""
    text = mode1.respelled("spc", "Example secure repository 6.1", f"{prose} 6.1")
    assert str(SecurityProcessorCertificate.read(text).security_processor_version) == "6.1.7600.16385"


def test_the_hardware_digest_is_opaque(mode1: Hierarchy) -> None:
    """Its size does not agree with its data in genuine certificates (wire facts 2)."""
    old = '<VALUE encoding="base64" size="160">AAAAAAAAAAAAAAAAAAAAAAAAAAA='
    SecurityProcessorCertificate.read(respelled(mode1, "spc", old, '<VALUE encoding="base64" size="160">AAAA'))


def rights_data(mode1: Hierarchy, old: str, new: str) -> RightsData:
    assert old in mode1.rights_data
    return RightsData.read(mode1.rights_data.replace(old, new))


def test_rights_as_elements_and_by_name(mode1: Hierarchy) -> None:
    """Any right in either form, in any letter case, also several times; the form read is remembered."""
    view = mode1.rights_data[mode1.rights_data.index("<VIEW>") : mode1.rights_data.index("</VIEW>") + 7]
    inner = view[len("<VIEW>") : -len("</VIEW>")]
    spelled = (
        f'<RIGHT name = "View">{inner}</RIGHT><VIEW>{inner}</VIEW><FOO>{inner}</FOO><RIGHT name="X">{inner}</RIGHT>'
    )
    names = [(r.name, r.as_element) for r in rights_data(mode1, view, spelled).rights[1:]]
    assert names == [("View", False), ("VIEW", True), ("FOO", True), ("X", False)]


@pytest.mark.parametrize(
    ("spelled", "anyone", "owner"),
    [
        ("Owner", False, True),
        ("ANYONE", True, False),
        ("Anyone", True, False),
        ("owner", False, True),
        ("x", False, False),
    ],
)
def test_internal_names_have_no_letter_case(mode1: Hierarchy, spelled: str, anyone: bool, owner: bool) -> None:
    grantee = (
        rights_data(mode1, '<ID type="Internal">Owner</ID>', f'<ID type="Internal">{spelled}</ID>').rights[0].grantee
    )
    assert (grantee.is_anyone, grantee.is_owner) == (anyone, owner)
    assert not Grantee("Windows", spelled, "").is_anyone


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<CONDITIONLIST>", ""),
        ('<RIGHT name="OWNER">', "<RIGHT>"),
        ('<RIGHT name="OWNER">', '<RIGHT name=" ">'),
        ('name="Main-Rights"', 'name="Other-Rights"'),
        ("<ACCESS><PRINCIPAL>", "<ACCESS></ACCESS><ACCESS><PRINCIPAL>"),
        ("<PRINCIPAL><OBJECT><ID", "<PRINCIPAL><OBJECT></OBJECT><OBJECT><ID"),
        ('days="30"', 'days="-30"'),
        ('days="30"', 'days="3０"'),
        ('days="30"', 'days="' + "9" * 5000 + '"'),
        ("</RANGETIME>", "</RANGETIME><RANGETIME />"),
        ("<TIME>", "<TIME></TIME><TIME>"),
        ("<TIME>", "<TIME>tomorrow</TIME><TIME>"),
        ("</RIGHTSLIST>", "</RIGHTSLIST><RIGHTSLIST></RIGHTSLIST>"),
        ("</RIGHTSGROUP>", '</RIGHTSGROUP><RIGHTSGROUP name="Main-Rights"><RIGHTSLIST></RIGHTSLIST></RIGHTSGROUP>'),
        ("<ISSUEDTIME>", "<ISSUEDTIME>x"),
        ("</WORK>", "</WORK><WORK></WORK>"),
        ("</BODY>", '<POLICYLIST type="other"></POLICYLIST></BODY>'),
        ("</BODY>", '<POLICYLIST type="exclusion"><POLICY></POLICY></POLICYLIST></BODY>'),
        ("</BODY>", '<POLICYLIST type="exclusion"><RULE></RULE></POLICYLIST></BODY>'),
    ],
)
def test_L12_rights_data_that_is_not_whole_is_refused(mode1: Hierarchy, old: str, new: str) -> None:
    """Never partial rights."""
    with pytest.raises(XrmlError):
        rights_data(mode1, old, new)
