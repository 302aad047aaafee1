"""A hint for rights that the product does not know: custom rights are legitimate, and so are slips of the pen."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

PRODUCT_RIGHTS = (
    "VIEW",
    "EDIT",
    "DOCEDIT",
    "PRINT",
    "EXTRACT",
    "EXPORT",
    "FORWARD",
    "REPLY",
    "REPLYALL",
    "OBJMODEL",
    "SIGN",
    "VIEWRIGHTSDATA",
    "EDITRIGHTSDATA",
    "OWNER",
)
"""The names that the product's templates and applications use (reserved ones: [MS-RMPR] 2.2.9.8.5)."""
_MEANT = {
    "READ": "VIEW",
    "OPEN": "VIEW",
    "WRITE": "EDIT",
    "SAVE": "EDIT",
    "CHANGE": "EDIT",
    "COPY": "EXTRACT",
    "SAVEAS": "EXPORT",
    "MACROS": "OBJMODEL",
    "FULLCONTROL": "OWNER",
    "ALL": "OWNER",
}
"""What people write for them."""


def hint_at_rights(names: Iterable[str]) -> None:
    """One line on standard error for each name that is no right of the product; nothing is refused."""
    for name in dict.fromkeys(name.strip().upper() for name in names):
        if name not in PRODUCT_RIGHTS:
            click.echo(
                f"hint: {_plain(name)} is no right of the product; taken as a custom right{_asked(name)}", err=True
            )


def _asked(name: str) -> str:
    words = "".join(c for c in name if c.isalnum())
    close = [_MEANT[words]] if words in _MEANT else difflib.get_close_matches(words, PRODUCT_RIGHTS, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _plain(name: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in name)[:60]
