"""The specifications' own text, where one has it: which keywords stand where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.catalogue import LEVELS, SPECIFICATIONS, Section

_HEADING = re.compile(r"^#{1,9} (\d+(?:\.\d+)*) (.+)$")
_KEYWORD = re.compile(r"\b(?:MUST|SHOULD)\b(?: NOT\b)?")
_CHAPTERS = ("2", "3")
"""1 defines the keywords, 4 shows examples, 5 is for implementers, 6 repeats the WSDL, 7 tells of products."""


@dataclass(frozen=True)
class Keyword:
    """One keyword: its place in the section from 1, its level, and the text around it."""

    at: int
    level: str
    context: str


@dataclass(frozen=True)
class SpecifiedSection:
    """A section that has keywords, as the specification has it."""

    number: str
    title: str
    keywords: tuple[Keyword, ...]


def read(directory: Path) -> tuple[SpecifiedSection, ...]:
    """Sections with keywords of the chapters on messages and protocol details.

    directory: holds MS-RMPR.md, MS-RMSI.md and MS-RMPRS.md, or a folder of that name with the file. FileNotFoundError else.
    """
    found: list[SpecifiedSection] = []
    for name in SPECIFICATIONS:
        path = directory / f"{name}.md"
        text = (path if path.exists() else directory / name / f"{name}.md").read_text("utf-8")
        found += _sections(name, text)
    return tuple(found)


def _sections(specification: str, text: str) -> Iterator[SpecifiedSection]:
    number, title, lines = "0", "", list[str]()
    for line in (*text.splitlines(), "# 99 end"):
        if heading := _HEADING.match(line):
            keywords = tuple(_keywords("\n".join(lines)))
            if keywords and number.split(".")[0] in _CHAPTERS:
                yield SpecifiedSection(f"{specification} {number}", title, keywords)
            number, title, lines = heading[1], heading[2], []
        else:
            lines.append(line)


def _keywords(text: str) -> Iterator[Keyword]:
    for at, match in enumerate(_KEYWORD.finditer(text), start=1):
        around = (
            text[max(0, match.start() - 160) : match.start()]
            + f">>>{match[0]}<<<"
            + text[match.end() : match.end() + 240]
        )
        yield Keyword(at, match[0], " ".join(around.split()))


def differences(specified: tuple[SpecifiedSection, ...], catalogue: tuple[Section, ...]) -> Iterator[str]:
    """One line for each thing the catalogue has otherwise than the specifications."""
    ours = {section.number: section for section in catalogue}
    for theirs in specified:
        section = ours.pop(theirs.number, None)
        if section is None:
            yield f"{theirs.number} ({theirs.title}) is missing: {len(theirs.keywords)} keywords"
        elif section.keywords != len(theirs.keywords):
            yield f"{theirs.number} has {len(theirs.keywords)} keywords, not {section.keywords}"
        else:
            yield from _wrong_levels(theirs, section)
    yield from (f"{number} has no keyword in the specification" for number in ours)


def _wrong_levels(theirs: SpecifiedSection, section: Section) -> Iterator[str]:
    for requirement in section.requirements:
        levels = {theirs.keywords[at - 1].level for at in requirement.at}
        assert requirement.level in LEVELS
        if levels != {requirement.level}:
            yield f"{section.number} {requirement.at}: {requirement.level}, but the specification says {sorted(levels)}"
