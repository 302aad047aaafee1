"""Files in which documents stand one after the other (wire facts 2): licence streams, chain files, exports."""

from __future__ import annotations

import codecs
import re

from rmsserver.xrml.errors import XrmlSyntaxError

MAX_DOCUMENTS = 200
_START, _END = re.compile(r"<XrML(?=[ \t\r\n>])"), "</XrML>"
_BLANKS = re.compile(r"[\0 \t\r\n]*")
_DECLARATION = re.compile(r"\A<\?xml [^<>?]{0,200}\?>")


def decode_documents(data: bytes) -> str:
    """Bytes to text: a byte-order mark says which UTF; none means UTF-8. Trailing NULs are cut. Raises XrmlSyntaxError."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16").rstrip("\0")
        return data.decode("utf-8-sig").rstrip("\0")
    except UnicodeDecodeError:
        raise XrmlSyntaxError("the file is neither UTF-8 nor UTF-16 text") from None


def split_documents(text: str) -> list[str]:
    """The documents of a file in order, each as it stands; blanks between them are allowed.

    Raises XrmlSyntaxError where there is anything else, nothing, or more than 200 documents.
    """
    rest = _DECLARATION.sub("", text.lstrip("\ufeff").rstrip("\0"), count=1)
    documents: list[str] = []
    at = _skip_blanks(rest, 0)
    while at < len(rest):
        end = rest.find(_END, at) + len(_END)
        if not _START.match(rest, at) or end < len(_END) or len(documents) >= MAX_DOCUMENTS:
            raise XrmlSyntaxError("there is something else than documents in the file, or too many of them")
        documents.append(rest[at:end])
        at = _skip_blanks(rest, end)
    if not documents:
        raise XrmlSyntaxError("the file holds no XrML documents")
    return documents


def _skip_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()
