"""X1 to X6: what is hostile is refused, and costs no more than three times what is benign.

Processor times are compared within one run, against a benign document of the same size read by the same function; the best of
several rounds stands for each, so that a busy machine slows both alike.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from collections.abc import Callable

import pytest

from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import split_documents
from rmsserver.xrml.surface import parse, render, scan_envelope
from rmsserver.xrml.template import parse_names

ROUNDS = 5
MOST = 3.0
CUT = frozenset({"Certificate"})
UNIT = '<OBJECT type="MS-DRM-Server"><ID type="MS-GUID">{96c4ca87-b3ff}</ID><NAME>RMS</NAME></OBJECT>'


def benign(size: int) -> str:
    return "<r>" + UNIT * max(1, size // len(UNIT)) + "</r>"


def best(work: Callable[[str], object], text: str) -> float:
    """Processor seconds of the best round, without the collector: it looks at the whole test run's heap."""
    times = []
    gc.collect()
    gc.disable()
    # Nor with a tracer: measuring coverage costs lines of Python much, and what C does nothing.
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        for _ in range(ROUNDS):
            started = time.thread_time()
            with contextlib.suppress(XrmlError):
                work(text)
            times.append(time.thread_time() - started)
    finally:
        sys.settrace(tracer)
        gc.enable()
    return min(times)


def envelope(text: str) -> object:
    return scan_envelope(text.encode(), CUT)


_LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    + "]><r>&a9;</r>"
)
_QUADRATIC = f'<!DOCTYPE r [<!ENTITY a "{"x" * 100_000}">]><r>{"&a;" * 30_000}</r>'
_XXE = '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>'
HOSTILE = {
    "X1-nested": "<a>" * 15_000 + "</a>" * 15_000,
    "X2-laughs": _LAUGHS,
    "X2-quadratic": _QUADRATIC,
    "X3-external": _XXE,
    "X4-attributes": "<r " + " ".join(f'a{i}=""' for i in range(160_000)) + "/>",
    "X5-alike-names": "<r " + " ".join(f'{"a" * (i % 97)}b{i}=""' for i in range(20_000)) + "/>",
    "X6-long-name": f"<{'a' * 200_000}/>",
    "X6-long-attribute": f'<r {"a" * 200_000}=""/>',
    "X6-many-long-names": "<r>" + "".join(f"<{'a' * 199_990}{i}/>" for i in range(10)) + "</r>",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_document_is_refused_at_the_cost_of_a_benign_one(name: str) -> None:
    """X1 to X6 in a document."""
    text = HOSTILE[name]
    with pytest.raises(XrmlError):
        parse(text)
    assert best(parse, text) <= MOST * best(parse, benign(len(text)))


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_envelope_is_refused_at_the_cost_of_a_benign_one(name: str) -> None:
    """X1 to X6 in a request body."""
    text = HOSTILE[name]
    with pytest.raises(XrmlError):
        envelope(text)
    assert best(envelope, text) <= MOST * best(envelope, benign(len(text)))


@pytest.mark.parametrize(
    ("work", "hostile", "size"),
    [
        (parse, "<r>" + "a" * 400_000 + "<a/>x" * 20_000 + "</r>", 500_000),
        (parse, "<r>" + " " * 400_000 + "<a/> " * 20_000 + "</r>", 500_000),
        (parse, "<r>" + "&amp;" * 100_000 + "</r>", 500_000),
        (envelope, "<r>" + "<Certificate>" * 40_000 + "</r>", 500_000),
        (envelope, "<r>" + "<Certificate " * 40_000, 500_000),
        (envelope, "<r>" + "<Certificate><x/></Certificat>" * 16_000 + "</r>", 500_000),
        (envelope, "<r>" + "<Certificate><Certificate/></Certificate>" * 12_000 + "</r>", 500_000),
        (envelope, "<r>" + "<" + "x" * 500_000, 500_000),
    ],
    ids=["mixed", "blanks", "references", "unclosed", "open tags", "other ends", "nested cuts", "one name"],
)
def test_nothing_takes_quadratic_time(work: Callable[[str], object], hostile: str, size: int) -> None:
    """Shapes on which a careless reader copies or scans again and again."""
    assert best(work, hostile) <= MOST * best(work, benign(size))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: (parse, "<a>" * 60 + "<b/>" * n + "</a>" * 60),
        lambda n: (lambda text: parse(text).find("c"), "<r>" + "<b/>" * n + "</r>"),
        lambda n: (lambda text: render(parse(text)), "<a>" * 60 + "<b/>" * n + "</a>" * 60),
        lambda n: (split_documents, "<XrML >" * n),
        lambda n: (split_documents, "<XrML >" * n + "</XrML>"),
        lambda n: (split_documents, "<XrML></XrML>" + " " * (7 * n) + "x"),
        lambda n: (parse_names, "LCID 1:NAME " * n),
        lambda n: (parse_names, "LCID 1:NAME a:DESCRIPTION " + ":DESCRIPTION ;" * n + "x"),
        lambda n: (parse_names, ";" + " " * (12 * n) + "LCID"),
    ],
    ids=["flat", "find", "render", "open documents", "one end", "blanks", "names", "descriptions", "blanks in names"],
)
def test_scanning_takes_linear_time(make: Callable[[int], tuple[Callable[[str], object], str]]) -> None:
    """Eight times the text takes nowhere near sixty-four times the time."""
    small, large = make(4_000), make(32_000)
    assert best(*large) <= 32 * best(*small) + 0.005
