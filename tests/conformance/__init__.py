"""Which sentence of a specification a test proves. docs/conformance.md is made of these marks (scripts/conformance)."""

from __future__ import annotations

import pytest


def conforms(section: str, sentence: str) -> pytest.MarkDecorator:
    """Marks a test as the proof of a requirement on the server.

    section: specification and number, "MS-RMPR 3.4.4.1". sentence: the requirement in our own words, letter by letter as in
    requirements/*.toml, where every MUST and SHOULD of the section has its line. A test may have several marks, and a
    requirement several tests.
    """
    return pytest.mark.conforms(section, sentence)
