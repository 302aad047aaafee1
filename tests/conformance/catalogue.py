"""What the specifications demand of a server: requirements/*.toml as values.

A file holds sections. A section counts its keywords (MUST, MUST NOT, SHOULD, SHOULD NOT, in the order of its text) and gives
each of them away once: to a requirement of the server (`at`), or to `others`, where it binds the client, an administrator or
nobody. So what is missing shows, without a word of the specifications in this repository.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent / "requirements"
SPECIFICATIONS = ("MS-RMPR", "MS-RMSI", "MS-RMPRS")
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT")


@dataclass(frozen=True)
class Requirement:
    """One demand on the server. at: the keywords of its section, from 1, that it covers; all of them are its level.

    diverges: where we depart, words of the line in docs/divergences.md that says so.
    """

    section: str
    at: tuple[int, ...]
    level: str
    sentence: str
    diverges: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What a mark names it by."""
        return self.section, self.sentence


@dataclass(frozen=True)
class Section:
    """A section that has keywords. number: with its specification, "MS-RMPR 3.4.4.1"."""

    number: str
    title: str
    keywords: int
    others: tuple[int, ...]
    requirements: tuple[Requirement, ...]

    @property
    def specification(self) -> str:
        """Its first word."""
        return self.number.split()[0]

    @property
    def order(self) -> tuple[int, tuple[int, ...]]:
        """Where it stands among all sections."""
        specification, number = self.number.split()
        return SPECIFICATIONS.index(specification), tuple(map(int, number.split(".")))


def read(directory: Path = REQUIREMENTS) -> tuple[Section, ...]:
    """All sections of all files, in order; ValueError names the file and the section where something is wrong."""
    sections: list[Section] = []
    for path in sorted(directory.glob("*.toml")):
        with path.open("rb") as file:
            tables = tomllib.load(file)
        try:
            sections += [_section(tables["specification"], table) for table in tables["section"]]
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path.name}: {error}") from error
    _refuse_doubles(section.number for section in sections)
    return tuple(sorted(sections, key=lambda section: section.order))


def _section(specification: str, table: dict[str, Any]) -> Section:
    number = f"{specification} {table['number']}"
    section = Section(
        number,
        table["title"],
        table["keywords"],
        tuple(table.get("others", ())),
        tuple(_requirement(number, row) for row in table.get("server", ())),
    )
    if unknown := set(table) - {"number", "title", "keywords", "others", "server"}:
        raise ValueError(f"{number}: unknown {sorted(unknown)}")
    given = sorted((*section.others, *(at for requirement in section.requirements for at in requirement.at)))
    if given != list(range(1, section.keywords + 1)):
        raise ValueError(f"{number}: of {section.keywords} keywords these are given away: {given}")
    _refuse_doubles(requirement.sentence for requirement in section.requirements)
    return section


def _requirement(number: str, row: dict[str, Any]) -> Requirement:
    levels = [level for level in LEVELS if level in row]
    if len(levels) != 1 or set(row) - {"at", "diverges", *levels} or not row["at"]:
        raise ValueError(f"{number}: {row} is not {{ at = [...], MUST = '...' }}")
    return Requirement(number, tuple(row["at"]), levels[0], row[levels[0]], row.get("diverges"))


def _refuse_doubles(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"twice: {name}")
        seen.add(name)
