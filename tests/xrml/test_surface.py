"""Surface text: the tree knows where it stands, and what has no place in a document is refused."""

from __future__ import annotations

import gc

import pytest

from rmsserver.xrml import surface
from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.surface import parse, render, scan_envelope

CUT = frozenset({"Certificate"})


def elements_inside(text: str) -> list[str]:
    return [element.surface for element in parse(text).walk()]


@pytest.mark.parametrize(
    "inner",
    [
        '<a x="1" />',
        "<a></a>",
        "<a\n x = '1'\t></a >",
        "<a x=\"a>b\"><b y='/>' /></a>",
        '<a x="&gt;&quot;>"/>',
        "<a>Grüße, 世界 \U0001f600</a>",
        "<ä>é</ä>",
        "<a>\u0085\u2028\u00a0\ufeff</a>",
        "<a>line\nfeed</a>",
    ],
)
def test_an_element_knows_its_own_characters(inner: str) -> None:
    """Offsets hold for blanks, both quotes, `>` in attributes, references and text outside ASCII and the first plane."""
    text = f"<r>{inner}<z>é</z>{inner}</r>"
    root = parse(text)
    assert root.surface == text
    assert [child.surface for child in root.children] == [inner, "<z>é</z>", inner]
    assert root.inner_surface == text[3:-4]


def test_a_carriage_return_stays_in_the_surface() -> None:
    """The text as it stands is what is signed; the value has the line ends of XML 1.0 section 2.11."""
    text = "<r><a>1\r\n2\r3&#13;</a></r>"
    child = parse(text).children[0]
    assert child.surface == "<a>1\r\n2\r3&#13;</a>"
    assert child.text == "1\n2\n3\r"


def test_text_in_pieces_is_one_value() -> None:
    """References and buffer limits of the parser do not cut a value."""
    long = "x" * 200_000
    assert parse(f"<r>a&amp;{long}&#x41;</r>").text == f"a&{long}A"


def test_white_space_between_elements_is_no_value() -> None:
    """An element with elements inside has no text of its own."""
    assert parse("<r>\n <a>1</a>\t\r\n</r>").text == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        " <r/>",
        "<r/> ",
        "<r/>\n",
        "<r/><r/>",
        "<r/>x",
        "\ufeff<r/>",
        '<?xml version="1.0"?><r/>',
        "<r/><!-- -->",
        "<!-- --><r/>",
        "<r><!-- --></r>",
        "<r>a<!---->b</r>",
        "<r><?php x?></r>",
        "<r><![CDATA[x]]></r>",
        "<!DOCTYPE r><r/>",
        '<!DOCTYPE r SYSTEM "file:///etc/passwd"><r/>',
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>',
        "<r>&x;</r>",
        "<r>&nbsp;</r>",
        "<r>a<b/></r>",
        "<r><b/>a</r>",
        "<r><b/>\u00a0</r>",
        "<r><b/>\u0085</r>",
        "<r>\u2003<b/></r>",
        "<x:r/>",
        '<r xmlns="urn:x"/>',
        '<r xmlns:x="urn:x"/>',
        '<r xml:space="preserve"/>',
        '<r xml:base="http://x"/>',
        '<r a="1" a="2"/>',
        "<r a=1/>",
        '<r a="<"/>',
        "<r>]]></r>",
        "<r>&#0;</r>",
        "<r>&#xFFFE;</r>",
        "<r>&#xD800;</r>",
        "<r>\x00</r>",
        "<r>\x0b</r>",
        "<r>\ufffe</r>",
        "<r>\uffff</r>",
        "<r>\ud800</r>",
        "<r>\udc00\ud800</r>",
        "<r",
        "<r>",
        "<r></s>",
        "<r><a></r></a>",
        "<R></r>",
        "<>",
        "<r/",
        '<r a="',
    ],
)
def test_what_has_no_place_in_a_document_is_refused(text: str) -> None:
    """One kind of error for all of it, and none of the input in it."""
    with pytest.raises(XrmlSyntaxError) as caught:
        parse(text)
    assert "passwd" not in str(caught.value)


def test_X1_the_depth_limit() -> None:
    """At the limit read, one above refused."""
    depth = surface.MAX_DEPTH
    assert len(list(parse("<a>" * depth + "</a>" * depth).walk())) == depth
    with pytest.raises(XrmlSyntaxError):
        parse("<a>" * (depth + 1) + "</a>" * (depth + 1))


def test_X4_the_attribute_limit() -> None:
    """At the limit read, one above refused."""

    def tag(count: int) -> str:
        return "<a " + " ".join(f'a{i}=""' for i in range(count)) + "/>"

    assert len(parse(tag(surface.MAX_ATTRIBUTES)).attributes) == surface.MAX_ATTRIBUTES
    with pytest.raises(XrmlSyntaxError):
        parse(tag(surface.MAX_ATTRIBUTES + 1))


def test_X6_the_name_limit() -> None:
    """At the limit read, one above refused."""
    assert parse(f"<{'a' * surface.MAX_NAME_LENGTH}/>")
    with pytest.raises(XrmlSyntaxError):
        parse(f"<{'a' * (surface.MAX_NAME_LENGTH + 1)}/>")


@pytest.mark.parametrize("character", ["a", "é", "世"])
def test_the_length_limit_counts_bytes(character: str) -> None:
    """The limit is on the UTF-8 form."""
    text = f"<r>{character * 100}</r>"
    size = len(text.encode())
    assert parse(text, limit=size).text == character * 100
    with pytest.raises(XrmlSyntaxError):
        parse(text, limit=size - 1)


def test_a_child_that_stands_twice_is_refused() -> None:
    """Neither the first nor the last counts."""
    root = parse("<r><a/><b/><a/></r>")
    assert len(root.all("a")) == 2
    with pytest.raises(XrmlSyntaxError):
        root.find("a")
    assert root.find("c") is None
    with pytest.raises(XrmlSyntaxError):
        root.one("c")


def test_an_element_with_children_has_no_leaf_text() -> None:
    """A value hidden behind an element is no value."""
    with pytest.raises(XrmlSyntaxError):
        parse("<ID><x>owner</x></ID>").leaf_text()


def test_a_parsed_document_is_freed_without_the_collector() -> None:
    """Memory stays flat over many documents: nothing holds a tree once its last user lets go."""
    gc.collect()
    gc.disable()
    try:
        before = _living_elements()
        parse("<r><a>1</a></r>")
        with pytest.raises(XrmlSyntaxError):
            parse("<r><a>1</a>x</r>")
        assert _living_elements() == before
    finally:
        gc.enable()


def _living_elements() -> int:
    return sum(isinstance(found, surface.Element) for found in gc.get_objects())


# --- rendering ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ('<RIGHT name = "OWNER"></RIGHT>', '<RIGHT name="OWNER"></RIGHT>'),
        ("<a x='1'/>", '<a x="1" />'),
        ("<a   x='\"'\n/>", '<a x="&quot;" />'),
        ("<a>x > y &#65; &#xE9;</a>", "<a>x &gt; y A é</a>"),
        ("<a>\r\n</a>", "<a>\n</a>"),
        ("<a>&#13;</a>", "<a>&#xD;</a>"),
        ("<a x='&#10;&#9;'/>", '<a x="&#xA;&#x9;" />'),
        ("<a> <b/> </a>", "<a><b /></a>"),
        ("<a></a>", "<a></a>"),
        ("<a  ></a  >", "<a></a>"),
    ],
)
def test_rendering_gives_the_spelling_a_dom_would(text: str, rendered: str) -> None:
    """What answers copy survives a .NET round trip, and rendering again changes nothing."""
    assert render(parse(text)) == rendered
    assert render(parse(rendered)) == rendered


def test_rendering_keeps_the_meaning() -> None:
    """Attributes and text read back the same."""
    tree = parse("""<r a="&lt;&amp;'&#10;" b='"'><c>&lt;&#13;&amp;</c></r>""")
    again = parse(render(tree))
    assert again.attributes == tree.attributes
    assert again.children[0].text == tree.children[0].text


# --- envelopes -------------------------------------------------------------------------------------------------------


def soap(inner: str) -> bytes:
    return f'<s:Envelope xmlns:s="urn:s"><s:Body>{inner}</s:Body></s:Envelope>'.encode()


def test_a_certificate_is_cut_out_unchanged() -> None:
    """The surface of the element inside; the rest of the body holds its index."""
    document = "<XrML xmlns=''  version = \"1.2\"><BODY>é > x</BODY></XrML>"
    envelope = scan_envelope(soap(f"<Certificate> {document}\n</Certificate>"), CUT)
    assert envelope.cuts == (document,)
    assert b"<Certificate>0</Certificate>" in envelope.skeleton


@pytest.mark.parametrize(
    "spelled",
    [
        "<Certificate>{raw}</Certificate>",
        "<Certificate>{escaped}</Certificate>",
        "<Certificate><![CDATA[{raw}]]></Certificate>",
        "<x:Certificate>{raw}</x:Certificate>",
        "<Certificate >{raw}</Certificate >",
        "<Certificate><!-- -->{raw}</Certificate>",
    ],
)
def test_element_escapes_and_cdata_give_the_same_cut(spelled: str) -> None:
    """All forms that clients send (wire facts 1), by whichever of the two scanners."""
    raw = "<XrML><BODY>a &amp; b</BODY></XrML>"
    escaped = raw.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert scan_envelope(soap(spelled.format(raw=raw, escaped=escaped)), CUT).cuts == (raw,)


def test_several_certificates_keep_their_order() -> None:
    """Empty ones give no cut."""
    inner = "<Certificate><a/></Certificate><Certificate/><Certificate></Certificate><Certificate><b/></Certificate>"
    assert scan_envelope(soap(inner), CUT).cuts == ("<a/>", "<b/>")


def test_line_ends_are_those_of_xml() -> None:
    """CR LF and a lone CR are read as LF before anything is cut (XML 1.0 section 2.11)."""
    assert scan_envelope(soap("<Certificate><a>1\r\n2\r3</a></Certificate>"), CUT).cuts == ("<a>1\n2\n3</a>",)


def test_two_documents_in_one_certificate_are_never_read() -> None:
    """Refused by the scanner or by `parse`: no cut of it is a document."""

    def read_all() -> None:
        for text in scan_envelope(soap("<Certificate><a/><b/></Certificate>"), CUT).cuts:
            parse(text)

    with pytest.raises(XrmlSyntaxError):
        read_all()


def test_a_certificate_inside_a_certificate_is_one_cut() -> None:
    """The outer one counts."""
    inner = "<Certificate><XrML><Certificate>x</Certificate></XrML></Certificate>"
    assert scan_envelope(soap(inner), CUT).cuts == ("<XrML><Certificate>x</Certificate></XrML>",)


def test_names_in_comments_and_cdata_are_no_elements() -> None:
    """Nothing is cut out of what is no markup."""
    inner = "<a><!-- <Certificate><x/></Certificate> --><![CDATA[<Certificate><y/></Certificate>]]></a>"
    assert scan_envelope(soap(inner), CUT).cuts == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"<a>",
        b"<a></b>",
        b"<!DOCTYPE a><a/>",
        b"<a><Certificate><x/></a></Certificate>",
        b"<a><Certificate><x></Certificate></a>",
        b"<a><Certificate ",
        b"<a><Certificate>&x;</Certificate></a>",
        b"<a><?pi <Certificate>?></a>",
        b"<a>\xff</a>",
        b"<a><Certificate><x>\xff</x></Certificate></a>",
        b"<a><Certificate><x>\xed\xa0\x80</x></Certificate></a>",
        b'<a x="<Certificate><x/></Certificate>"/>',
        b"<e>" * 129 + b"</e>" * 129,
        b"<r>" + b"<e>" * 129 + b"</e>" * 129 + b"<Certificate><x/></Certificate></r>",
        b"<r><" + b"a" * 200 + b"/><Certificate><x/></Certificate></r>",
        b"<r " + b" ".join(b'a%d=""' % i for i in range(100)) + b"><Certificate><x/></Certificate></r>",
    ],
)
def test_a_hostile_envelope_is_refused_by_either_scanner(body: bytes) -> None:
    """The quick scanner refuses what the careful one refuses: syntax, encodings, depth, names, attributes."""
    with pytest.raises(XrmlSyntaxError):
        scan_envelope(body, CUT)
