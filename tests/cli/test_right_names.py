"""rmsserver.cli.right_names"""

from __future__ import annotations

import pytest

from rmsserver.cli.right_names import PRODUCT_RIGHTS, hint_at_rights


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("FORWRAD", "taken as a custom right; did you mean FORWARD?\n"),
        ("forwrad", "taken as a custom right; did you mean FORWARD?\n"),
        ("REPLY-ALL", "; did you mean REPLYALL or REPLY?\n"),
        ("copy", "; did you mean EXTRACT?\n"),
        ("save as", "; did you mean EXPORT?\n"),
        ("FROB", "hint: FROB is no right of the product; taken as a custom right\n"),
        ("\x1b[2J" + "x" * 100, "taken as a custom right\n"),
    ],
)
def test_a_name_of_another_kind(name: str, end: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says what it is taken for, with what is close; nothing that commands a terminal."""
    hint_at_rights([name, name])
    out, told = capsys.readouterr()
    assert (out, told.count("\n")) == ("", 1)
    assert told.endswith(end)
    assert told[:-1].isprintable()
    assert len(told) < 200


def test_names_of_the_product(capsys: pytest.CaptureFixture[str]) -> None:
    """In any letter case: not a word."""
    hint_at_rights([*PRODUCT_RIGHTS, "view", " Print "])
    assert capsys.readouterr() == ("", "")
