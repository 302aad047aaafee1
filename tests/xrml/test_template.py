"""Rights policy templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml.errors import WrongKindError, XrmlError, XrmlSyntaxError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.rights import THE_OWNER, ApplicationData, RightsData
from rmsserver.xrml.template import LocalizedName, RightsTemplate, format_names, parse_names
from tests.xrml.hierarchy import Hierarchy, guid


def test_what_is_written_reads_back(hierarchy: Hierarchy) -> None:
    """GUID, names, rights, application data; issuer without the two levels (wire facts 7)."""
    template = RightsTemplate.read(hierarchy.template)
    assert template.guid == guid("template")
    assert template.names == (LocalizedName(1033, "Confidential", "Colleagues may read"),)
    assert [(r.name, r.grantee.is_anyone) for r in template.rights] == [("OWNER", False), ("VIEW", True)]
    assert template.rights[0].grantee == THE_OWNER
    assert template.application_data == (ApplicationData("NOLICCACHE", "1"),)
    slc = IssuingCertificate.read(hierarchy.slc)
    assert template.issuer.inner_surface == slc.principal.object_and_key_surface
    assert template.referral is not None
    template.verify(hierarchy.keys.slc.public)


def test_the_hash_is_the_text_of_the_digest(hierarchy: Hierarchy) -> None:
    """3.4.4.2.3.2."""
    template = RightsTemplate.read(hierarchy.template)
    assert f">{template.hash_text}</VALUE></DIGEST>" in hierarchy.template


def test_a_template_is_rights_data_as_well(hierarchy: Hierarchy) -> None:
    """Inside a licence an official template may take its place; rights data is no template."""
    data = RightsData.read(hierarchy.template)
    assert data.official
    assert data.template_id == guid("template")
    with pytest.raises(WrongKindError):
        RightsTemplate.read(hierarchy.rights_data)


def test_an_official_template_has_a_signature_and_a_guid(mode1: Hierarchy) -> None:
    start = mode1.template.index("<SIGNATURE>")
    with pytest.raises(XrmlSyntaxError):
        RightsData.read(mode1.template[:start] + "</XrML>")
    for old, new in (("MS-GUID", "ascii-tag"), (guid("template").braced, "{x}")):
        with pytest.raises(XrmlSyntaxError):
            RightsTemplate.read(mode1.respelled("template", old, new))


PLAIN = st.text(st.characters(exclude_characters=":;\n", exclude_categories=("Cs", "Cc")), max_size=20)


@given(st.lists(st.builds(LocalizedName, st.integers(0, 99999), PLAIN, PLAIN), max_size=4))
def test_localised_names_read_back(names: list[LocalizedName]) -> None:
    """Any language, any text without the separators themselves."""
    assert parse_names(format_names(names)) == tuple(names)


@pytest.mark.parametrize("between", ["", " ", "\n", "\r\n  "])
def test_localised_names_with_separators_inside(between: str) -> None:
    """Semicolons and colons in texts, blanks between entries."""
    text = f"LCID 1033:NAME a: b;c:DESCRIPTION d; e: f;{between}LCID 1031:NAME Ä:DESCRIPTION ;"
    assert parse_names(text) == (LocalizedName(1033, "a: b;c", "d; e: f"), LocalizedName(1031, "Ä", ""))


@given(st.text(alphabet="LCID 1:NAMEDSRPTO;x\n", max_size=60))
def test_any_text_has_names_or_none(text: str) -> None:
    """Never an exception."""
    for name in parse_names(text):
        assert name.name in text


@given(st.text(), st.text())
def test_N4_application_data_is_escaped(name: str, value: str) -> None:
    """Markup in a value stays a value."""
    try:
        text = ApplicationData(name, value).xml()
    except XrmlError:
        return
    assert text.count("<") == 2
