"""Whether an answer is compressed."""

from __future__ import annotations

import gzip

import pytest

from rmsserver.web.exchange import HttpAnswer, compressed, plain, takes_gzip


@pytest.mark.parametrize(
    ("accept", "takes"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP ; Q=0.5", True),
        ("x-gzip", True),
        ("deflate", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *;q=1", False),
        ("gzip;q=nonsense", False),
        ("gzip;q=0.4, identity;q=0.5", False),
        ("gzip;q=0.5, identity;q=0.5", True),
    ],
)
def test_weights_of_accept_encoding(accept: str | None, takes: bool) -> None:
    """gzip's own weight, else that of `*`; nought is a no."""
    assert takes_gzip(accept) is takes


def test_a_small_answer_is_sent_as_it_is() -> None:
    """Packing would make it larger."""
    assert compressed(plain(404), "gzip") == plain(404)


def test_a_packed_answer_unpacks_to_the_same() -> None:
    """With the headers that say so, after those it had."""
    answer = compressed(HttpAnswer(200, body=b"x" * 5000, headers=(("A", "b"),)), "gzip")
    assert gzip.decompress(answer.body) == b"x" * 5000
    assert answer.headers == (("A", "b"), ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
