"""Which e-mail addresses may stand in a certificate."""

from __future__ import annotations

import time

import pytest

from rmsserver.operations.email_address import is_email_address


@pytest.mark.parametrize(
    "text",
    [
        "author@example.com",
        "first.last+tag@sub.example.co.uk",
        "o'neil@example.com",
        "user@localhost",
        "a@1-2.example",
        "müller@exämple.de",
        "x" * 64 + "@example.com",
    ],
)
def test_addresses(text: str) -> None:
    """Dot-atoms at domain names, in any script."""
    assert is_email_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "author",
        "@example.com",
        "author@",
        "a@b@c",
        "a b@example.com",
        "a(comment)@example.com",
        "author@example.com(comment)",
        '"quoted"@example.com',
        "author@[127.0.0.1]",
        ".author@example.com",
        "author.@example.com",
        "a..b@example.com",
        "author@-example.com",
        "author@example..com",
        "author@example.com.",
        "author@example.com\n",
        " author@example.com",
        "<author@example.com>",
        "author@example.com,reader@example.com",
        "a@" + "b" * 254,
        "a\x00b@example.com",
    ],
)
def test_no_addresses(text: str) -> None:
    """Comments, quotes, literals, blanks and lists are not addresses."""
    assert not is_email_address(text)


@pytest.mark.parametrize("text", ["a" * 250, "a." * 120 + "@", "a@" + "b-" * 120 + "."])
def test_hostile_text_takes_no_time(text: str) -> None:
    """No catastrophic backtracking."""
    start = time.perf_counter()
    assert not is_email_address(text)
    # Backtracking would take years; a busy machine does not take this long for a thousand characters.
    assert time.perf_counter() - start < 5
