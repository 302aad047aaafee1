"""What an inspector is told of documents: kind, names and three verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml.document import Document
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.report import Verdict, inspect, kind_of
from tests.xrml.hierarchy import SIGNED_KINDS, Hierarchy, resign

KINDS = {
    "ca": "CA certificate",
    "slc": "server licensor certificate",
    "spc_issuer": "SPC issuer certificate",
    "spc": "security processor certificate",
    "rac": "rights account certificate",
    "clc": "client licensor certificate",
    "template": "rights policy template",
    "pl": "publishing licence",
    "server_pl": "publishing licence",
    "ul": "use licence",
    "rights_data": "rights data",
}


def verdicts(hierarchy: Hierarchy, *texts: str) -> list[Verdict]:
    root = hierarchy.keys.root.public
    return inspect(texts, {root.id: root})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_kinds_are_told_in_words(mode1: Hierarchy, kind: str) -> None:
    assert kind_of(Document.read(mode1.text(kind))) == KINDS[kind]


def test_a_whole_file_is_trusted_by_its_root(hierarchy: Hierarchy) -> None:
    """Every signed document links to a parent in the file or to the anchor."""
    found = verdicts(hierarchy, *(hierarchy.text(kind) for kind in SIGNED_KINDS))
    for kind, verdict in zip(SIGNED_KINDS, found, strict=True):
        expected = "root" if kind == "ca" else "ok"
        assert (kind, verdict.signature, verdict.link, verdict.trust) == (kind, "ok", expected, "ok")
        assert verdict.mode == f"mode {hierarchy.mode.value}"
        assert not verdict.wrong


def test_unknown_trust_alone_is_nothing_wrong(mode1: Hierarchy) -> None:
    """A leaf alone, and rights data, which has no signature."""
    leaf, data = verdicts(mode1, mode1.rac, mode1.rights_data)
    assert (leaf.signature, leaf.link, leaf.trust, leaf.wrong) == ("ok", "none", "unknown", False)
    assert (data.signature, data.mode, data.trust, data.wrong) == ("none", "unsigned", "unknown", False)


def test_names_are_those_of_issuer_and_subject(mode1: Hierarchy) -> None:
    (verdict,) = verdicts(mode1, mode1.clc)
    assert (verdict.issuer, verdict.subject) == ("Example & Sons", "author@example.com")


def test_a_broken_signature_is_wrong(mode1: Hierarchy, attacker_key: PrivateKey) -> None:
    """A changed body; a signature of another key; with and without the parent at hand."""
    changed = mode1.rac.replace("author@", "others@")
    foreign = resign(mode1.rac, "2026", "2026", attacker_key, CryptoMode.MODE_1)
    for text in (changed, foreign):
        for found in (verdicts(mode1, text)[0], verdicts(mode1, text, mode1.slc, mode1.ca)[0]):
            assert found.wrong
            assert found.trust == "unknown"


def test_a_document_issued_outside_its_parents_range_is_wrong(mode1: Hierarchy) -> None:
    late = mode1.respelled("rac", "<ISSUEDTIME>2026", "<ISSUEDTIME>2090")
    found = verdicts(mode1, late, mode1.slc, mode1.ca)[0]
    assert (found.signature, found.wrong, found.trust) == ("ok", True, "unknown")


def test_an_unreadable_document_is_wrong_and_quotes_nothing(mode1: Hierarchy) -> None:
    found = verdicts(mode1, "<secret>")[0]
    assert (found.kind, found.wrong) == ("unreadable", True)
    assert "secret" not in repr(found)


def test_certificates_in_a_circle_end(mode1: Hierarchy) -> None:
    """A certificate that names itself as issuer, and two that name each other."""
    own = mode1.keys.root.public
    issuer = Document.read(mode1.ca).issuer.object.surface
    principal = Document.read(mode1.ca).principal.object.surface
    circle = resign(mode1.ca, principal, issuer, mode1.keys.root, mode1.mode)
    circle = resign(circle, mode1.keys.ca.public.modulus_base64, own.modulus_base64, mode1.keys.root, mode1.mode)
    again = circle.replace('xmlns="" version="1.2"', 'version="1.2" xmlns=""')
    for found in inspect([circle, again], {}):
        assert found.trust == "unknown"


@given(st.lists(st.text(max_size=30) | st.just("<XrML version='1.2'><BODY type='LICENSE'/></XrML>"), max_size=3))
def test_any_texts_have_verdicts(texts: list[str]) -> None:
    """Never an exception."""
    assert len(inspect(texts, {})) == len(texts)
