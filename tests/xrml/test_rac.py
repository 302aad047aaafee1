"""The rights account certificate."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmsserver.xrml.document import body_xml, signed_document
from rmsserver.xrml.errors import SealError, WrongKindError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.rac import (
    RightsAccountCertificate,
    account_object_xml,
    account_principal,
    write_public_account_certificate,
    write_rights_account_certificate,
)
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.values import Guid
from tests.xrml.hierarchy import AUTHOR, NOW, STAND_IN, YEAR, Hierarchy, body_of, guid


def test_what_is_written_reads_back(hierarchy: Hierarchy) -> None:
    """Account, times, machine, levels."""
    rac = RightsAccountCertificate.read(hierarchy.rac)
    assert (rac.account, rac.email, rac.email_aliases) == (("Windows", "S-1-5-21-1-2-3-1118"), AUTHOR, ())
    assert (rac.issued_time, rac.validity) == (NOW, YEAR)
    assert rac.principal.levels["Group-Identity-Credential-Type"] == "Persistent"
    assert rac.machine is not None
    assert rac.machine.object.guid == guid("machine")
    assert list(rac.machine.levels) == ["Manufacturer", "Platform", "Repository"]
    assert rac.credential_creation_time is None


def test_the_account_key_opens_on_its_machine_alone(hierarchy: Hierarchy) -> None:
    rac = RightsAccountCertificate.read(hierarchy.rac)
    assert rac.open_private_key(hierarchy.keys.machine, STAND_IN) == hierarchy.keys.account
    with pytest.raises(SealError):
        rac.open_private_key(hierarchy.keys.slc, STAND_IN)


def test_a_sealed_key_of_another_certificate_is_refused(mode1: Hierarchy) -> None:
    """The blob opens, but is not the key named."""
    other = mode1.keys.licensor.public.modulus_base64
    rac = RightsAccountCertificate.read(mode1.respelled("rac", mode1.keys.account.public.modulus_base64, other))
    with pytest.raises(SealError):
        rac.open_private_key(mode1.keys.machine, STAND_IN)


def test_creation_time_is_read_from_its_level(mode1: Hierarchy) -> None:
    """Credential-Creation-Time (3.4.4.1)."""
    level = '<SECURITYLEVEL name="Credential-Creation-Time" value="{}" />'
    at = "</PRINCIPAL></ISSUEDPRINCIPALS>"
    good = mode1.respelled("rac", at, level.format("2026-11-22T17:00") + at)
    assert RightsAccountCertificate.read(good).credential_creation_time == NOW
    with pytest.raises(XrmlSyntaxError):
        RightsAccountCertificate.read(mode1.respelled("rac", at, level.format("yesterday") + at))


def test_a_level_that_stands_twice_has_one_value(mode1: Hierarchy) -> None:
    """Two values are refused."""
    level = '<SECURITYLEVEL name="Group-Identity-Type" value="Group" />'
    RightsAccountCertificate.read(mode1.respelled("rac", level, level * 2))
    with pytest.raises(XrmlSyntaxError):
        RightsAccountCertificate.read(mode1.respelled("rac", level, level + level.replace('"Group"', '"User"')))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("<NAME>author@example.com</NAME>", "", WrongKindError),
        ("<NAME>author@example.com</NAME>", "<NAME></NAME>", WrongKindError),
        ("<NAME>author@example.com</NAME>", "<NAME><b>author@example.com</b></NAME>", XrmlSyntaxError),
        ('type="Group-Identity">', 'type="MS-DRM-Server">', WrongKindError),
        ('type="Group-Identity-Credential">', 'type="Client-Licensor-Certificate">', WrongKindError),
        ("<FEDERATIONPRINCIPALS>", "<FEDERATIONPRINCIPALS><PRINCIPAL />", XrmlSyntaxError),
        ("<VALIDITYTIME><FROM>", "<VALIDITYTIME><FROM>x", XrmlSyntaxError),
    ],
)
def test_another_structure_is_refused(mode1: Hierarchy, old: str, new: str, error: type[Exception]) -> None:
    """Where the signature covers it as well."""
    with pytest.raises(error):
        RightsAccountCertificate.read(mode1.respelled("rac", old, new))


@settings(max_examples=60)
@given(st.text(min_size=1), st.text(min_size=1), st.lists(st.text(), max_size=3))
def test_any_account_reads_back(mode1: Hierarchy, sid: str, email: str, aliases: list[str]) -> None:
    """Arbitrary Unicode in SID, e-mail address and aliases: the same values, or not written."""
    try:
        object_ = account_object_xml("Federation", sid, email, tuple(aliases))
    except XrmlError:
        return
    plain = RightsAccountCertificate.read(mode1.rac).principal.object.surface
    body = body_of(mode1.rac).replace(plain, object_)
    text = signed_document(body, mode1.keys.slc, mode1.mode)
    rac = RightsAccountCertificate.read(text)
    rac.verify()
    assert (rac.account, rac.email, rac.email_aliases) == (("Federation", sid), email, tuple(aliases))
    assert render(parse(text)) == text


def test_the_machine_is_rendered_whatever_the_machine_wrote(mode1: Hierarchy) -> None:
    """What a machine spelled oddly goes into the RAC in the spelling that survives a DOM (wire facts 1)."""

    odd = mode1.respelled("spc", '<SECURITYLEVEL name="Platform" value="', "<SECURITYLEVEL  name = 'Platform' value=\"")
    odd_machine = SecurityProcessorCertificate.read(odd)
    slc = IssuingCertificate.read(mode1.slc)
    text = write_rights_account_certificate(
        certificate_id=Guid(guid("other rac")),
        issuer_inner=slc.issuer_inner_surface,
        account_object=account_object_xml("Windows", "S-1", AUTHOR),
        account_key=mode1.keys.account,
        persistent=False,
        validity=YEAR,
        certification_url="http://x/_wmcs/certification",
        extranet_url="http://y/_wmcs/certification",
        machine=odd_machine,
        session_key=bytes(16),
        issued=NOW,
        signing_key=mode1.keys.slc,
        mode=mode1.mode,
    )
    assert render(parse(text)) == text
    rac = RightsAccountCertificate.read(text)
    assert rac.principal.levels["Group-Identity-Credential-Type"] == "Temporary"
    assert [p.type for p in rac.distribution_points()] == ["Activation", "Extranet-Activation"]


def test_the_signed_part_is_the_body_as_written(mode1: Hierarchy) -> None:
    """`signed_document` changes nothing in BODY."""
    body = body_xml("LICENSE", "<A>é</A>")
    assert body_of(signed_document(body, mode1.keys.slc, mode1.mode)) == body


def test_a_pre_certified_one_is_the_same_without_the_machine(hierarchy: Hierarchy) -> None:
    """All of the RAC's elements, to the letter, but FEDERATIONPRINCIPALS ([MS-RMSI] 3.3.1); no key is in it."""
    rac, slc = RightsAccountCertificate.read(hierarchy.rac), IssuingCertificate.read(hierarchy.slc)
    text = write_public_account_certificate(
        certificate_id=rac.descriptor.guid if rac.descriptor else Guid(""),
        issuer_inner=slc.issuer_inner_surface,
        account_object=account_object_xml("Windows", "S-1-5-21-1-2-3-1118", AUTHOR),
        account_key=hierarchy.keys.account.public,
        validity=YEAR,
        certification_url=rac.distribution_points()[0].addresses[0].text,
        extranet_url=None,
        issued=NOW,
        signing_key=hierarchy.keys.slc,
        mode=hierarchy.mode,
    )
    public = RightsAccountCertificate.read(text)
    slc.issued(public)
    assert public.machine is None
    assert "ENABLINGBITS" not in text
    whole = [render(element) for element in rac.body.children if element.tag != "FEDERATIONPRINCIPALS"]
    assert [render(element) for element in public.body.children] == whole
    with pytest.raises(SealError):
        public.open_private_key(hierarchy.keys.machine, STAND_IN)


def test_the_principal_of_an_account_is_that_of_its_certificate(hierarchy: Hierarchy) -> None:
    """To the letter, so that a use licence made without the certificate is the one made with it."""
    principal = account_principal(
        account_object_xml("Windows", "S-1-5-21-1-2-3-1118", AUTHOR), hierarchy.keys.account.public
    )
    expected = RightsAccountCertificate.read(hierarchy.rac).principal
    assert principal.object_and_key_surface == expected.object_and_key_surface
    assert principal.public_key == expected.public_key
