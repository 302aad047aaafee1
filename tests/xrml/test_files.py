"""Files in which documents stand one after the other (wire facts 2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml.errors import XrmlError, XrmlSyntaxError
from rmsserver.xrml.files import MAX_DOCUMENTS, decode_documents, split_documents
from tests.xrml.hierarchy import Hierarchy

DECLARATION = '<?xml version="1.0"?>'


@pytest.mark.parametrize("before", ["", "\ufeff", DECLARATION, "\ufeff" + DECLARATION, DECLARATION + "\r\n"])
@pytest.mark.parametrize("after", ["", "\0", "\0" * 9, "\n"])
@pytest.mark.parametrize("between", ["", "\r\n", "\n\n"])
def test_documents_come_out_as_they_stand(mode1: Hierarchy, before: str, between: str, after: str) -> None:
    """Byte-order mark, one declaration, blanks between and NULs after are no part of them."""
    documents = [mode1.pl, mode1.clc, mode1.ul, mode1.clc]
    assert split_documents(before + between.join(documents) + after) == documents


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_which_encoding(mode1: Hierarchy, encoding: str) -> None:
    """None means UTF-8; trailing NULs are cut."""
    text = mode1.pl.replace("author@", "äuthor@")
    assert split_documents(decode_documents((text + "\0").encode(encoding))) == [text]
    big_endian = b"\xfe\xff" + text.encode("utf-16-be")
    assert split_documents(decode_documents(big_endian)) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        DECLARATION,
        "x<XrML></XrML>",
        "<XrML></XrML>x",
        "<XrML></XrML>x<XrML></XrML>",
        "<XrML>",
        "</XrML>",
        "<XrMLx></XrMLx></XrML>",
        "<XrML></XrML><XrML>",
        DECLARATION * 2 + "<XrML></XrML>",
        "<XrML></XrML>" + DECLARATION + "<XrML></XrML>",
        "<XrML></XrML>\u00a0<XrML></XrML>",
        "<XrML></XrML>" * (MAX_DOCUMENTS + 1),
    ],
)
def test_what_is_no_file_of_documents_is_refused(text: str) -> None:
    """Anything else than documents in it, nothing, or too many."""
    with pytest.raises(XrmlSyntaxError):
        split_documents(text)


@pytest.mark.parametrize("data", [b"\xff", b"\xff\xfe\x00", b"\xff\xfe\x00\xd8", b"<\xe9"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(XrmlSyntaxError):
        decode_documents(data)


@given(st.lists(st.sampled_from(["<XrML>", "</XrML>", "<XrML", "\0", " ", "x", "\ufeff", DECLARATION]), max_size=8))
def test_every_part_of_a_file_is_accounted_for(parts: list[str]) -> None:
    """What is taken apart and put together again lacks blanks alone."""
    text = "".join(parts)
    try:
        documents = split_documents(text)
    except XrmlError:
        return
    rest = text
    for document in documents:
        assert document.startswith("<XrML")
        assert document.endswith("</XrML>")
        assert document in rest
        rest = rest.replace(document, "", 1)
    assert not rest.replace(DECLARATION, "", 1).strip("\0 \ufeff")


@given(st.binary(max_size=60))
def test_random_bytes_are_text_or_an_xrml_error(data: bytes) -> None:
    try:
        split_documents(decode_documents(data))
    except XrmlError:
        return
    raise AssertionError("no random bytes are a document")
