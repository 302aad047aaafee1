"""OBJECT, PUBLICKEY, SECURITYLEVEL, PRINCIPAL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml.errors import XrmlError, XrmlSyntaxError
from rmsserver.xrml.principal import (
    Address,
    Principal,
    XrmlObject,
    distribution_point_xml,
    level_xml,
    object_xml,
    public_key_xml,
    read_public_key,
)
from rmsserver.xrml.surface import parse, render
from tests.xrml.hierarchy import Hierarchy, guid

ID = guid("someone")


def read(text: str) -> XrmlObject:
    return XrmlObject.read(parse(text))


@given(
    st.text(),
    st.text(),
    st.text(),
    st.none() | st.text(),
    st.lists(st.builds(Address, st.text(), st.text()), max_size=3).map(tuple),
)
def test_any_object_reads_back(
    type_: str, id_type: str, id_: str, name: str | None, addresses: tuple[Address, ...]
) -> None:
    """The same values, in a spelling that a DOM keeps; or not written."""
    try:
        text = object_xml(type_, id_type, id_, name, addresses)
    except XrmlError:
        return
    found = read(text)
    assert (found.type, found.id_type, found.id, found.name, found.addresses) == (type_, id_type, id_, name, addresses)
    assert found.surface == text
    assert render(parse(text)) == text


def test_guids_are_the_same_identity_in_any_spelling() -> None:
    """Other IDs are compared to the letter."""
    plain = read(object_xml("x", "MS-GUID", ID))
    assert plain.same_identity(read(object_xml("y", "MS-GUID", ID.braced.upper(), "other name")))
    assert not plain.same_identity(read(object_xml("x", "Windows", ID)))
    assert not read(object_xml("x", "Windows", "a")).same_identity(read(object_xml("x", "Windows", "A")))
    with pytest.raises(XrmlSyntaxError):
        plain.same_identity(read(object_xml("x", "MS-GUID", "no guid")))
    with pytest.raises(XrmlSyntaxError):
        _ = read(object_xml("x", "Windows", ID)).guid


@pytest.mark.parametrize(
    "text",
    [
        "<OBJECT></OBJECT>",
        "<OBJECT><ID /><ID /></OBJECT>",
        "<OBJECT><ID /><NAME /><NAME /></OBJECT>",
        "<OBJECT><ID><x /></ID></OBJECT>",
        "<OBJECT><ID /><ADDRESS><x /></ADDRESS></OBJECT>",
    ],
)
def test_an_object_of_another_structure_is_refused(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        read(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ALGORITHM>RSA</ALGORITHM>", "<ALGORITHM>DSA</ALGORITHM>"),
        ("<ALGORITHM>RSA</ALGORITHM>", ""),
        ("<ALGORITHM>RSA</ALGORITHM>", "<ALGORITHM>RSA</ALGORITHM><ALGORITHM>RSA</ALGORITHM>"),
        ("integer32", "integer64"),
        ("base64", "hex"),
        ("public-exponent", "exponent"),
        ("public-exponent", "modulus"),
        ("</PUBLICKEY>", '<PARAMETER name="modulus"><VALUE /></PARAMETER></PUBLICKEY>'),
        ("</PUBLICKEY>", "<X /></PUBLICKEY>"),
        ("<VALUE encoding", "<VALUE /><VALUE encoding"),
    ],
)
def test_a_public_key_of_another_structure_is_refused(mode1: Hierarchy, old: str, new: str) -> None:
    """Exactly algorithm, exponent and modulus, each once."""
    text = public_key_xml(mode1.keys.slc.public)
    assert read_public_key(parse(text)) == mode1.keys.slc.public
    assert old in text
    with pytest.raises(XrmlSyntaxError):
        read_public_key(parse(text.replace(old, new, 1)))


def test_a_principal_without_a_key_says_so() -> None:
    """The machine in a RAC has none."""
    principal = Principal.read(parse(f"<PRINCIPAL>{object_xml('x', 'MS-GUID', ID)}</PRINCIPAL>"))
    assert principal.key is None
    with pytest.raises(XrmlSyntaxError):
        _ = principal.public_key


@pytest.mark.parametrize(
    "text", ["<PRINCIPAL />", '<PRINCIPAL><OBJECT><ID /></OBJECT><SECURITYLEVEL name="a" /></PRINCIPAL>']
)
def test_a_principal_of_another_structure_is_refused(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        Principal.read(parse(text))


def test_N4_written_parts_are_escaped() -> None:
    """Names, values and URLs cannot become markup or attributes."""
    hostile = '"><x a="&'
    for text in (level_xml(hostile, hostile), distribution_point_xml(hostile, hostile, hostile, hostile)):
        assert "x" not in {element.tag for element in parse(text).walk()}
    assert parse(level_xml(hostile, hostile)).attributes == {"name": hostile, "value": hostile}
