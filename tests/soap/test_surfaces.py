"""Signed text put in place of marks."""

from __future__ import annotations

import pytest

from rmsserver.soap.surfaces import Surfaces


def test_every_mark_becomes_its_text() -> None:
    """In order, repeated or not, and nothing else changes."""
    surfaces = Surfaces()
    marks = [surfaces.add(f'<X xmlns="" n="{n}"/>') for n in range(12)]
    document = "|".join(("a", *marks, marks[1], "z")).encode()
    expected = "|".join(("a", *(f'<X xmlns="" n="{n}"/>' for n in (*range(12), 1)), "z"))
    assert surfaces.splice(document).decode() == expected


def test_a_text_that_holds_another_mark_stays_as_it_is() -> None:
    """Marks are looked for in what Spyne wrote, not in what was spliced."""
    surfaces = Surfaces()
    first = surfaces.add('<A xmlns=""/>')
    second = surfaces.add(f'<B xmlns="">{first}</B>')
    assert surfaces.splice(second.encode()).decode() == f'<B xmlns="">{first}</B>'


def test_marks_of_two_answers_differ() -> None:
    """So that no text can be prepared to look like one."""
    assert Surfaces().add("<a/>") != Surfaces().add("<a/>")


@pytest.mark.parametrize(
    ("text", "spliced"),
    [
        ('<XrML version="1.2"><A/></XrML>', '<XrML xmlns="" version="1.2"><A/></XrML>'),
        ("<XrML/>", '<XrML xmlns=""/>'),
        ('<XrML version="1.2" xmlns=""/>', '<XrML version="1.2" xmlns=""/>'),
        ("<XrML\nxmlns = ''></XrML>", "<XrML\nxmlns = ''></XrML>"),
    ],
)
def test_a_root_without_a_namespace_declaration_gets_one(text: str, spliced: str) -> None:
    """Else it would fall into the service's namespace; what has one is left alone."""
    surfaces = Surfaces()
    assert surfaces.splice(surfaces.add(text).encode()).decode() == spliced
