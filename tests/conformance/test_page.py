"""The page of requirements and proofs, and what is wrong with it."""

from __future__ import annotations

from tests.conformance.catalogue import Requirement, Section
from tests.conformance.page import counts, defects, render

NUMBER = "MS-RMPR 3.4.4.1"
SIGNED = Requirement(NUMBER, (1,), "MUST", "A licence is signed.")
WAITS = Requirement(NUMBER, (2,), "SHOULD NOT", "It | waits.", "it waits")
SECTIONS = (Section(NUMBER, "AcquireLicense", 3, (3,), (SIGNED, WAITS)),)
PROOFS = {SIGNED.key: ("wire/test_b.py::test_b", "wire/test_a.py::test_a")}
DIVERGENCES = "| 3.4.4.1 | waiting | it waits |\n"


def test_complete() -> None:
    """A test or a divergence for each requirement: no defect, and the counts say so."""
    assert list(defects(SECTIONS, PROOFS, DIVERGENCES)) == []
    count = counts(SECTIONS, PROOFS)[0]
    assert (count.must, count.should, count.tested, count.divergences, count.missing) == (1, 1, 1, 1, 0)
    assert (count.keywords, count.of_others) == (3, 1)


def test_a_requirement_without_proof() -> None:
    """It is named, counted, and marked on the page."""
    assert list(defects(SECTIONS, {}, DIVERGENCES)) == [f"{NUMBER}: no test and no divergence: A licence is signed."]
    assert counts(SECTIONS, {})[0].missing == 1
    assert "| MUST | A licence is signed. | **missing** |" in render(SECTIONS, {})


def test_a_mark_without_requirement() -> None:
    """A slip in a mark's sentence does not pass for a proof."""
    proofs = {**PROOFS, (NUMBER, "A licence is sealed."): ("test_x.py::test_x",)}
    assert list(defects(SECTIONS, proofs, DIVERGENCES)) == [
        f"test_x.py::test_x: no such requirement: {NUMBER}: A licence is sealed."
    ]


def test_a_divergence_that_is_not_written_down() -> None:
    """Its words must be in one line of docs/divergences.md."""
    assert list(defects(SECTIONS, PROOFS, "")) == [f"{NUMBER}: 0 lines of docs/divergences.md have: it waits"]
    assert list(defects(SECTIONS, PROOFS, DIVERGENCES * 2)) == [
        f"{NUMBER}: 2 lines of docs/divergences.md have: it waits"
    ]


def test_the_page() -> None:
    """A row for each requirement: tests by name, a divergence in its words, no broken table."""
    page = render(SECTIONS, PROOFS)
    assert "### MS-RMPR 3.4.4.1 AcquireLicense" in page
    assert "| MUST | A licence is signed. | `wire/test_a.py::test_a`<br>`wire/test_b.py::test_b` |" in page
    assert "| SHOULD NOT | It \\| waits. | divergence: it waits |" in page
