"""Mutation of every signed kind: an XrmlError, or the same meaning with a signature that fails; never acceptance."""

from __future__ import annotations

import contextlib
from functools import cached_property

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import SignatureError, XrmlError
from rmsserver.xrml.files import split_documents
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.report import inspect
from rmsserver.xrml.rights import RightsData
from rmsserver.xrml.surface import parse, render, scan_envelope
from tests.xrml.hierarchy import READERS, SIGNED_KINDS, Hierarchy, body_of

SCRAPS = st.sampled_from(
    ["<", ">", "&", '"', "'", "/", "=", " ", "\n", "\r", "\0", "é", "\ud800", "\ufffe", "\u0085", "0", "A", "</BODY>",
     "<BODY>", "<x/>", "<!--", "-->", "<?", "]]>", "&#x41;", "&lt;", "<SIGNATURE>", "<ID>", "</ID>", "<OBJECT>", "{", "}",
     "99999999999999999999", "-1", "1e9", "2026", ' type="x"', ' xmlns="y"', "<PRINCIPAL />", "<TIME></TIME>"]
)  # fmt: skip


@st.composite
def mutations(draw: st.DrawFn, text: str) -> str:
    """A few flips, insertions, deletions and transpositions, in a text that was well made."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        until = at + draw(st.sampled_from([0, 0, 1, 2, 7, 40]))
        text = text[:at] + draw(st.just("") | SCRAPS | st.characters()) + text[until:]
    return text


@settings(max_examples=150)
@given(st.data(), st.sampled_from(SIGNED_KINDS), st.sampled_from(list(CryptoMode)))
def test_a_mutated_document_is_never_accepted(
    hierarchies: dict[CryptoMode, Hierarchy], data: st.DataObject, kind: str, mode: CryptoMode
) -> None:
    """Where it verifies all the same, BODY is untouched: only the root or SIGNATURE was spelled otherwise."""
    genuine = hierarchies[mode].text(kind)
    text = data.draw(mutations(genuine))
    try:
        document = READERS[kind](text)
        assert document.text == text
        assert parse(render(parse(text))).tag == "XrML"
        document.verify()
    except XrmlError:
        return
    assert body_of(text) == body_of(genuine)


@settings(max_examples=100)
@given(st.data(), st.sampled_from([*SIGNED_KINDS, "rights_data"]))
def test_a_signed_mutation_is_read_or_an_xrml_error(mode1: Hierarchy, data: st.DataObject, kind: str) -> None:
    """The same where the signature covers the change, and everything a caller may ask is answered or refused."""
    body = body_of(mode1.text(kind))
    document: Document
    changed = data.draw(mutations(body))
    try:
        if kind == "rights_data":
            document = RightsData.read(mode1.text(kind).replace(body, changed))
        else:
            signer = mode1.signer(kind)
            document = READERS[kind](mode1.respelled(kind, body, changed))
            document.verify(signer.public)
    except (XrmlError, UnicodeEncodeError):
        # The latter is our own signing of unpaired surrogates, in `respelled`.
        return
    ask(document, mode1)


def ask(document: object, mode1: Hierarchy) -> None:
    """Every public attribute: read ones cannot fail any more, except those that say so."""
    for name in dir(type(document)):
        if not name.startswith("_") and isinstance(getattr(type(document), name), property | cached_property):
            try:
                getattr(document, name)
            except XrmlError:
                assert name in LATE, f"{name} fails after reading"
    if isinstance(document, PublishingLicense):
        document.acquisition_urls()
        try:
            document.addressed_to(IssuingCertificate.read(mode1.slc).principal)
        except XrmlError as error:
            raise AssertionError("a licence that was read can be asked whom it addresses") from error


LATE = {"mode", "machine", "security_processor_version", "issuer", "principal", "guid", "kind", "issuance"}
"""What says in its docstring that it raises, or is not of that kind of document."""


@settings(max_examples=60)
@given(st.data())
def test_mutated_files_and_envelopes_are_read_or_an_xrml_error(mode1: Hierarchy, data: st.DataObject) -> None:
    """The other readers of hostile text: files, reports, SOAP bodies."""
    text = data.draw(mutations(f"<e><Certificate>{mode1.rac}</Certificate></e>"))
    body = text.encode("utf-8", "surrogatepass")
    with contextlib.suppress(XrmlError):
        for cut in scan_envelope(body, frozenset({"Certificate"})).cuts:
            READERS["rac"](cut)
    file = data.draw(mutations(mode1.pl + mode1.clc))
    with contextlib.suppress(XrmlError):
        inspect(split_documents(file), {})


@settings(max_examples=100)
@given(st.text(alphabet="<>/ab&;!?-'\"= x:\n\r[]\u00e9\ud800", max_size=40))
def test_random_markup_is_parsed_or_an_xrml_error(text: str) -> None:
    """And what is parsed renders to a fixed point."""
    try:
        root = parse(text)
    except XrmlError:
        return
    assert root.surface == text
    once = render(root)
    assert render(parse(once)) == once


@pytest.mark.parametrize("kind", SIGNED_KINDS)
def test_every_single_character_of_the_body_counts(mode1: Hierarchy, kind: str) -> None:
    """One changed letter or digit anywhere in BODY, and it is not accepted."""
    text = mode1.text(kind)
    start, end = text.index("<BODY") + 1, text.rindex("</BODY>")
    for at in range(start, end, 37):
        changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
        with pytest.raises(XrmlError):
            READERS[kind](changed).verify()


def test_the_mutations_would_be_caught(mode1: Hierarchy) -> None:
    """The property above is not vacuous: a well-formed change of BODY reads, and fails by its signature."""
    text = mode1.rac.replace("author@", "others@")
    with pytest.raises(SignatureError):
        READERS["rac"](text).verify()
