"""Signed text on its way into an answer: Spyne writes a mark, the text itself takes its place in the bytes."""

from __future__ import annotations

import re
import secrets

_ROOT_TAG = re.compile(r"<[^\s<>/]+(?=[\s/>])")
_DECLARES_DEFAULT = re.compile(r"""\sxmlns\s*=""")


class Surfaces:
    """The texts of one answer. Marks are random, so that no other text of the answer can be taken for one."""

    def __init__(self) -> None:
        self._secret = secrets.token_hex(12)
        self._texts: list[str] = []

    def add(self, text: str) -> str:
        """The mark to hand to Spyne for this text, which is one XML element."""
        self._texts.append(text)
        return f"{self._secret}-{len(self._texts) - 1}-"

    def splice(self, document: bytes) -> bytes:
        """The document with every mark replaced by its text."""
        if not self._texts:
            return document
        first, *rest = document.split(self._secret.encode() + b"-")
        pieces = [first]
        for piece in rest:
            number, _, tail = piece.partition(b"-")
            pieces += (_in_no_namespace(self._texts[int(number)]).encode(), tail)
        return b"".join(pieces)


def _in_no_namespace(text: str) -> str:
    """The text, with `xmlns=""` in its root tag if it has none: the answer's default namespace is the service's.

    Documents carry it already (wire facts 1, 7); only one that was stored without it changes, outside its signed BODY.
    """
    root = _ROOT_TAG.match(text)
    if root is None or _DECLARES_DEFAULT.search(text, root.end(), text.index(">", root.end())):
        return text
    return f'{root.group()} xmlns=""{text[root.end() :]}'
