"""Files of requirements become sections, and what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.catalogue import Requirement, read

GOOD = """
specification = "MS-RMPR"

[[section]]
number = "3.4.4.1"
title = "AcquireLicense"
keywords = 4
others = [2]
server = [
    { at = [1, 4], MUST = "A licence is signed." },
    { at = [3], "SHOULD NOT" = "It waits.", diverges = "it waits" },
]
"""


def written(directory: Path, text: str) -> Path:
    (directory / "some.toml").write_text(text, "utf-8")
    return directory


def test_a_section_is_read(tmp_path: Path) -> None:
    """Number with its specification, keywords, and the server's requirements."""
    (section,) = read(written(tmp_path, GOOD))
    assert (section.number, section.keywords, section.others) == ("MS-RMPR 3.4.4.1", 4, (2,))
    assert section.requirements == (
        Requirement("MS-RMPR 3.4.4.1", (1, 4), "MUST", "A licence is signed."),
        Requirement("MS-RMPR 3.4.4.1", (3,), "SHOULD NOT", "It waits.", "it waits"),
    )


def test_sections_are_in_the_order_of_the_specifications(tmp_path: Path) -> None:
    """10 after 9, MS-RMSI after MS-RMPR."""
    section = "[[section]]\nnumber = '{}'\ntitle = 't'\nkeywords = 1\nothers = [1]\n"
    (tmp_path / "a.toml").write_text("specification = 'MS-RMSI'\n" + section.format("2.1"), "utf-8")
    (tmp_path / "b.toml").write_text(
        "specification = 'MS-RMPR'\n" + section.format("3.10") + section.format("3.9"), "utf-8"
    )
    assert [found.number for found in read(tmp_path)] == ["MS-RMPR 3.9", "MS-RMPR 3.10", "MS-RMSI 2.1"]


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ("others = [2]", "others = []", r"MS-RMPR 3\.4\.4\.1: of 4 keywords these are given away: \[1, 3, 4\]"),
        ("others = [2]", "others = [2, 3]", r"\[1, 2, 3, 3, 4\]"),
        ("keywords = 4", "keywords = 3", "of 3 keywords"),
        ("MUST =", "MAY =", "is not"),
        ("It waits.", "A licence is signed.", "twice: A licence is signed."),
        ("others", "client", "unknown"),
        ("title = ", "name = ", "title"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, was: str, becomes: str, named: str) -> None:
    """A keyword given to nobody or twice, an unknown level, a sentence that stands twice, a name that is none."""
    assert was in GOOD
    with pytest.raises(ValueError, match=named):
        read(written(tmp_path, GOOD.replace(was, becomes)))


def test_a_section_stands_once(tmp_path: Path) -> None:
    """Also in two files."""
    (tmp_path / "other.toml").write_text(GOOD, "utf-8")
    with pytest.raises(ValueError, match=r"twice: MS-RMPR 3\.4\.4\.1"):
        read(written(tmp_path, GOOD))
