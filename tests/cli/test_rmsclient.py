"""`rmsclient`: help, passwords, what reaches a terminal. The commands at work are in
tests/client/test_end_to_end.py."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from rmsserver.cli import client_files, client_session
from rmsserver.cli.client_session import progress_bar, read_password
from rmsserver.cli.rmsclient import program
from rmsserver.client.ciphers import BATCH_BYTES, ContentCipher, DecryptedContent, encrypt_stream
from rmsserver.client.errors import RefusedError, SignOnError
from rmsserver.client.store import Store
from tests.client.peer import CLUSTER, fill_store
from tests.client.served_cluster import Outcome, rmsclient
from tests.cluster import NOW

COMMANDS = ("bootstrap", "info", "open", "protect", "templates")


def _content(data: bytes) -> DecryptedContent:
    encrypted = b"".join(encrypt_stream(ContentCipher.CBC4K, bytes(16), [data]))
    return DecryptedContent(
        ContentCipher.CBC4K,
        bytes(16),
        io.BytesIO(encrypted),
        offset=0,
        encrypted_bytes=len(encrypted),
        original_bytes=len(data),
    )


def _shown(data: bytes, *, terminal: bool) -> bytes:
    target = io.BytesIO()
    client_files._show(_content(data), target, terminal=terminal)
    return target.getvalue()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str) -> None:
    """`--help` ends in a line that can be typed."""
    result = CliRunner().invoke(program, [command, "--help"])
    assert result.exit_code == 0
    assert f"rmsclient {command}" in result.output.partition("Example:")[2]


def test_the_commands_are_listed() -> None:
    """The program's help names each command once, with what it does."""
    output = CliRunner().invoke(program, ["--help"]).output
    assert all(f"  {command}  " in output for command in COMMANDS)


# --- passwords ------------------------------------------------------------------------------------


def test_a_password_comes_from_the_file_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's first line, else the environment."""
    monkeypatch.setenv("RMSCLIENT_PASSWORD", "from the environment")
    path = tmp_path / "password"
    path.write_bytes("from the f\u00efle\r\nsecond line\n".encode())
    assert read_password(path, "author") == "from the f\u00efle"
    assert read_password(None, "author") == "from the environment"


def test_without_anybody_to_ask_the_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no variable, no terminal."""
    monkeypatch.delenv("RMSCLIENT_PASSWORD", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO("typed\n"))
    with pytest.raises(SignOnError, match="--password-file"):
        read_password(None, "author")


def test_a_person_is_asked_without_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the password is asked for, hidden."""
    asked: list[dict[str, object]] = []

    def prompt(text: str, **settings: object) -> str:
        asked.append({"text": text, **settings})
        return "typed"

    monkeypatch.delenv("RMSCLIENT_PASSWORD", raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "prompt", prompt)
    assert read_password(None, "author") == "typed"
    assert asked == [{"text": "Password for author", "hide_input": True, "err": True}]


# --- what is shown --------------------------------------------------------------------------------


def test_a_pipe_gets_every_byte() -> None:
    """Standard output that is no terminal gets the content as it is."""
    data = bytes(range(256)) * 5000
    assert _shown(data, terminal=False) == data


def test_a_terminal_is_not_commanded() -> None:
    """Escape sequences and other control characters in a hostile file do not reach the terminal."""
    data = "ok \u00e4\n\tnext \x1b[2J\x07\u202e\r".encode()
    assert _shown(data, terminal=True).decode() == "ok \u00e4\n\tnext \ufffd[2J\ufffd\ufffd\ufffd"


def test_a_character_across_two_reads_stays_whole() -> None:
    """Content is decoded as one text, not piece by piece."""
    data = b"x" * (BATCH_BYTES - 1) + "\u00e4".encode() + b"y"
    assert _shown(data, terminal=True) == data


def test_what_is_no_text_is_not_shown_on_a_terminal() -> None:
    """Binary content is pointed to -o."""
    with pytest.raises(RefusedError, match="-o"):
        _shown(b"PK\0\1", terminal=True)


def test_names_in_a_file_do_not_format_the_output() -> None:
    """Markup and control characters in what a file says come out as plain text."""
    assert client_files._plain("[bold]x\x1b[1m\n") == "[bold]x\ufffd[1m\ufffd"


def test_small_files_have_no_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is drawn for small files, nor where nobody looks."""
    for size in (10, 10**9):
        with progress_bar("Protecting", size) as progress:
            progress(5)
    assert capsys.readouterr() == ("", "")


# --- offline commands -----------------------------------------------------------------------------


def test_an_author_works_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a store that is set up: protect, info and open need no connection and no password."""
    fill_store(tmp_path / "store", "author@example.com")
    for module in (client_session, client_files):
        monkeypatch.setattr(module, "now", lambda: NOW)
    source = tmp_path / "plan.txt"
    source.write_text("meet at noon\n")
    grant = ("--grant", "reader@example.com=VIEW", "--until", "2027-01-01")
    done = rmsclient(tmp_path / "store", "protect", str(source), *grant, password=None)
    assert (done.code, done.text) == (0, f"{tmp_path / 'plan.ptxt'}: protected.\n")
    told = rmsclient(tmp_path / "store", "info", str(tmp_path / "plan.ptxt"), password=None).text
    assert "reader@example.com: VIEW until 2027-01-01T00:00" in told
    assert "none: the owner's licence in the file opens it" in told
    opened = rmsclient(tmp_path / "store", "open", str(tmp_path / "plan.ptxt"), password=None)
    assert opened.output == b"meet at noon\n"


def test_templates_go_by_name_and_rights_get_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--template in any letter case; where two have the name, their IDs are told; a custom right is taken, with a hint."""
    fill_store(tmp_path / "store", "author@example.com")
    for module in (client_session, client_files):
        monkeypatch.setattr(module, "now", lambda: NOW)
    store, found = Store(tmp_path / "store"), [CLUSTER.template(name) for name in ("Staff", "STAFF", "Board only")]
    store.replace_templates({template.guid: template.text for template in found})
    source = tmp_path / "plan.txt"
    source.write_text("meet at noon\n")

    def protect(*words: str) -> Outcome:
        return rmsclient(store.folder, "protect", str(source), "--force", *words, password=None)

    assert protect("--template", "board ONLY").code == 0
    told = rmsclient(store.folder, "info", str(tmp_path / "plan.ptxt"), password=None).text
    assert "Board only" in told
    refused = protect("--template", "staff")
    assert (refused.code, "2 templates are called 'staff'" in refused.error) == (2, True)
    assert all(template.guid in refused.error for template in found[:2])
    assert protect("--template", found[0].guid.braced).code == 0
    assert protect("--template", "Stuff").code == 2
    custom = protect("--grant", "reader@example.com=VIEW,FROB,EXTRAKT")
    assert (custom.code, custom.error.splitlines()) == (
        0,
        [
            "hint: FROB is no right of the product; taken as a custom right",
            "hint: EXTRAKT is no right of the product; taken as a custom right; did you mean EXTRACT or EXPORT?",
        ],
    )
    told = rmsclient(store.folder, "info", str(tmp_path / "plan.ptxt"), password=None).text
    assert "VIEW, FROB, EXTRAKT" in told
