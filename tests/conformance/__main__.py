"""scripts/conformance: counts, checks and writes docs/conformance.md."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.conformance import catalogue, marks, page, specification

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
DIVERGENCES = ROOT / "docs" / "divergences.md"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/conformance",
        description="What the specifications demand of a server, and the tests that prove it.",
        epilog="example: scripts/conformance --missing 'MS-RMPR 3.4'",
    )
    parser.add_argument("--write", action="store_true", help="make docs/conformance.md anew")
    parser.add_argument("--json", action="store_true", help="the counts as JSON")
    parser.add_argument(
        "--missing", metavar="SECTION", nargs="?", const="", help="what is wrong in SECTION and below, or anywhere"
    )
    parser.add_argument(
        "--specifications",
        metavar="DIRECTORY",
        type=Path,
        help="hold the list against MS-RMPR.md, MS-RMSI.md, MS-RMPRS.md",
    )
    parser.add_argument(
        "--outline", metavar="SECTION", help="with --specifications: the keywords of SECTION and below, numbered"
    )
    return parser.parse_args()


def main() -> int:
    """Prints; 1 where something is missing or the page is not the current one."""
    asked = _arguments()
    specified = specification.read(asked.specifications) if asked.specifications else ()
    if asked.outline is not None:
        _outline(specified, asked.outline)
        return 0
    sections = catalogue.read()
    proofs = marks.collect(str(ROOT / "tests"))
    defects = list(page.defects(sections, proofs, DIVERGENCES.read_text("utf-8")))
    if specified:
        defects += specification.differences(specified, sections)
    current = page.render(sections, proofs)
    if asked.write:
        PAGE.write_text(current, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != current:
        defects.append("docs/conformance.md is not the current one: scripts/conformance --write makes it")
    _report(page.counts(sections, proofs), as_json=asked.json)
    for defect in defects:
        if asked.missing is None or asked.missing in defect:
            print(defect, file=sys.stderr)
    return 1 if defects else 0


def _outline(specified: tuple[specification.SpecifiedSection, ...], asked: str) -> None:
    for section in specified:
        if section.number == asked or section.number.startswith(f"{asked}."):
            print(f"\n{section.number} {section.title}: {len(section.keywords)} keywords")
            for keyword in section.keywords:
                print(f"  {keyword.at:3} {keyword.level:10} ... {keyword.context}")


def _report(rows: list[page.Count], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    for row in rows:
        print(
            f"{row.specification}: {row.must} MUST and {row.should} SHOULD in {row.sections} sections; {row.tested} tested, "
            f"{row.divergences} divergences, {row.missing} missing"
        )


if __name__ == "__main__":
    sys.exit(main())
