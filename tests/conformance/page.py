"""docs/conformance.md, and what is missing in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from tests.conformance.catalogue import SPECIFICATIONS, Requirement, Section
from tests.conformance.marks import Proofs

HEAD = """# Conformance

Every MUST and SHOULD that binds a server in [MS-RMPR], [MS-RMSI] and [MS-RMPRS], chapters 2 and 3, by section, in our own
words: with the tests that prove it, or with words of its line in [divergences.md](divergences.md). What binds clients alone
is not listed.

Made by `scripts/conformance --write` from the marks `@conforms` in the tests and from `tests/conformance/requirements/`;
do not edit. `scripts/test` checks that nothing is missing and that this page is the current one. With the specifications
at hand, `scripts/conformance --specifications DIRECTORY` also holds the list against their text: each keyword is there,
with its level.
"""


@dataclass(frozen=True)
class Count:
    """A line of the table of counts. keywords: all of the listed sections; must, should: requirements on the server."""

    specification: str
    sections: int
    keywords: int
    of_others: int
    must: int
    should: int
    tested: int
    divergences: int
    missing: int


def counts(sections: Iterable[Section], proofs: Proofs) -> list[Count]:
    """A line for each specification; tested and divergences may both count a requirement."""
    return [_count(name, [s for s in sections if s.specification == name], proofs) for name in SPECIFICATIONS]


def _count(name: str, sections: list[Section], proofs: Proofs) -> Count:
    demands = [requirement for section in sections for requirement in section.requirements]
    levels = Counter(requirement.level.split()[0] for requirement in demands)
    return Count(
        name,
        len(sections),
        sum(section.keywords for section in sections),
        sum(len(section.others) for section in sections),
        levels["MUST"],
        levels["SHOULD"],
        sum(requirement.key in proofs for requirement in demands),
        sum(requirement.diverges is not None for requirement in demands),
        sum(unproved(requirement, proofs) for requirement in demands),
    )


def unproved(requirement: Requirement, proofs: Proofs) -> bool:
    """Neither a test nor a divergence."""
    return requirement.key not in proofs and requirement.diverges is None


def defects(sections: tuple[Section, ...], proofs: Proofs, divergences: str) -> Iterator[str]:
    """One line for each requirement without proof, mark without requirement, and divergence that the document lacks."""
    demands = [requirement for section in sections for requirement in section.requirements]
    for requirement in demands:
        if unproved(requirement, proofs):
            yield f"{requirement.section}: no test and no divergence: {requirement.sentence}"
        if requirement.diverges is not None:
            found = sum(requirement.diverges in line for line in divergences.splitlines())
            if found != 1:
                yield f"{requirement.section}: {found} lines of docs/divergences.md have: {requirement.diverges}"
    known = {requirement.key for requirement in demands}
    for (number, sentence), tests in proofs.items():
        if (number, sentence) not in known:
            yield f"{tests[0]}: no such requirement: {number}: {sentence}"


def render(sections: tuple[Section, ...], proofs: Proofs) -> str:
    """The page."""
    lines = [HEAD, *_table(counts(sections, proofs))]
    for name in SPECIFICATIONS:
        lines += ["", f"## {name}"]
        for section in sections:
            if section.specification == name and section.requirements:
                lines += ["", f"### {section.number} {section.title}", "", "| | | |", "| --- | --- | --- |"]
                lines += [_row(requirement, proofs) for requirement in section.requirements]
    return "\n".join(lines) + "\n"


def _table(rows: list[Count]) -> Iterator[str]:
    names = [name.replace("_", " ") for name in asdict(rows[0])]
    yield f"| {' | '.join(names)} |"
    yield "| --- " + "| ---: " * (len(names) - 1) + "|"
    for row in rows:
        yield f"| {' | '.join(str(value) for value in asdict(row).values())} |"


def _row(requirement: Requirement, proofs: Proofs) -> str:
    proof = [f"`{test}`" for test in sorted(proofs.get(requirement.key, ()))]
    if requirement.diverges is not None:
        proof.insert(0, f"divergence: {requirement.diverges}")
    return f"| {requirement.level} | {_cell(requirement.sentence)} | {_cell('<br>'.join(proof)) or '**missing**'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
