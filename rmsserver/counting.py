"""Numbers of things in words, for whoever tells people something: the commands and the doctor."""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """A number of things in words: 1 template, 2 days, 3 entries."""
    many = f"{thing[:-1]}ies" if thing.endswith("y") and thing[-2] not in "aeou" else f"{thing}s"
    return f"{number} {thing if number == 1 else many}"
