"""The keywords of a specification's text, and the list held against them. The text is made for the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.catalogue import Requirement, Section
from tests.conformance.specification import differences, read

TEXT = """# [MS-RMPR]: A protocol
# 1 Introduction
This MUST not count.
# 3 Details
## 3.1 First
The server MUST answer and MUST NOT
wait. It SHOULD sleep<3>; MUSTARD is none.
##### 3.1.1.1.1 Deep
Nothing.
# 4 Examples
A server SHOULD be shown.
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "MS-RMPR.md").write_text(TEXT, "utf-8")
    for name in ("MS-RMSI", "MS-RMPRS"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.md").write_text("", "utf-8")
    return tmp_path


def section(*requirements: Requirement, number: str = "MS-RMPR 3.1", keywords: int = 3) -> Section:
    return Section(number, "First", keywords, (), requirements)


def test_keywords(directory: Path) -> None:
    """Of chapters 2 and 3, numbered within their section."""
    (found,) = read(directory)
    assert (found.number, found.title) == ("MS-RMPR 3.1", "First")
    assert [(keyword.at, keyword.level) for keyword in found.keywords] == [(1, "MUST"), (2, "MUST NOT"), (3, "SHOULD")]
    assert ">>>SHOULD<<< sleep" in found.keywords[2].context


def test_what_differs(directory: Path) -> None:
    """A section missing or too many, another number of keywords, another level."""
    specified = read(directory)
    good = Requirement("MS-RMPR 3.1", (3,), "SHOULD", "It sleeps.")
    assert list(differences(specified, (section(good),))) == []
    assert list(differences(specified, ())) == ["MS-RMPR 3.1 (First) is missing: 3 keywords"]
    assert list(differences(specified, (section(keywords=4),))) == ["MS-RMPR 3.1 has 3 keywords, not 4"]
    other = section(number="MS-RMPR 3.2")
    assert list(differences(specified, (section(), other))) == ["MS-RMPR 3.2 has no keyword in the specification"]
    wrong = section(Requirement("MS-RMPR 3.1", (1, 2), "MUST", "It answers."))
    assert list(differences(specified, (wrong,))) == [
        "MS-RMPR 3.1 (1, 2): MUST, but the specification says ['MUST', 'MUST NOT']"
    ]
