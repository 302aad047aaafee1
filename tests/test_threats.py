"""docs/security.md says what proves each outcome; here every id of its table is looked up in the tests."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECURITY = ROOT / "docs" / "security.md"
_ROW = re.compile(r"^\| ([A-Z]{1,2}[0-9]{1,2}) \|(.*)\|$", re.MULTILINE)
_FILE = re.compile(r"`((?:[a-z0-9_]+/)*test_[a-z0-9_]+\.py|(?:[a-z0-9_]+/)*contract\.py)`")
_ID = re.compile(r"(?<![A-Za-z0-9])([A-Z]{1,2})([0-9]{1,2})(?:(?: to |-|_to_)\1?([0-9]{1,2}))?(?![0-9A-Za-z])")

CONCERNED = frozenset(
    f"{letter}{number}"
    for letter, numbers in (
        ("L", range(1, 14)),
        ("C", (1, 2, 4, 5, 7, 8)),
        ("K", (1, 4, 5, 6)),
        ("X", (*range(1, 14), 15, 16)),
        ("XW", range(1, 12)),
        ("W", range(1, 5)),
        ("A", range(1, 9)),
        ("N", range(1, 7)),
    )
    for number in numbers
)
"""What is built has to do with these."""


def rows() -> dict[str, str]:
    """Id and the rest of its row."""
    found = _ROW.findall(SECURITY.read_text("utf-8"))
    assert len(found) == len(dict(found)), "an id stands twice"
    return dict(found)


def ids_in(text: str) -> Iterator[str]:
    """The ids that a name or a sentence mentions; `X1 to X6` is six of them."""
    for letters, first, last in _ID.findall(text.replace("_", " ").replace("  ", " ")):
        for number in range(int(first), int(last or first) + 1):
            yield f"{letters}{number}"


@functools.cache
def ids_of(path: Path) -> frozenset[str]:
    """The ids in names, docstrings and parameters of a file's tests."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            texts = [node.name, ast.get_docstring(node) or ""]
            texts += [
                c.value
                for d in node.decorator_list
                for c in ast.walk(d)
                if isinstance(c, ast.Constant) and isinstance(c.value, str)
            ]
            found |= {threat for text in texts for threat in ids_in(text)}
    return frozenset(found)


def test_the_table_has_every_threat_that_concerns_what_is_built() -> None:
    """One row each; further ones come with what they concern."""
    assert set(rows()) >= CONCERNED


def _in_order(threat: str) -> tuple[str, int]:
    letters = threat.rstrip("0123456789")
    return letters, int(threat.removeprefix(letters))


_ALL: list[str] = sorted(CONCERNED, key=_in_order)


@pytest.mark.parametrize("threat", _ALL)
def test_a_row_names_tests_that_name_the_threat(threat: str) -> None:
    """Every file in the row is there, and a test in it carries the id in its name, docstring or parameters."""
    files = _FILE.findall(rows()[threat])
    assert files
    for name in files:
        assert threat in ids_of(ROOT / "tests" / name), f"{name} has no test of {threat}"


def test_ids_are_found_in_names_and_sentences() -> None:
    """The reader itself."""
    assert set(ids_in("test_X1_to_X3_of_K6")) == {"X1", "X2", "X3", "K6"}
    assert set(ids_in("XW1 and W2, not UTF16 or RSA2048")) == {"XW1", "W2"}
