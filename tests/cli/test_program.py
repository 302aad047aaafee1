"""Both commands as a person at a terminal has them: help, mistakes on the command line, homes that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rmsserver.cli.program import counted
from rmsserver.cli.rmsclient import program as rmsclient_program
from rmsserver.cli.rmsserver import program as rmsserver_program
from tests.conformance import conforms

PROGRAMS = {"rmsserver": rmsserver_program, "rmsclient": rmsclient_program}


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own, without a terminal."""
    name, *rest = words
    return subprocess.run(
        [sys.executable, "-c", f"from rmsserver.cli.{name} import main; main()", *rest],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def line_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error of a command that failed as it should."""
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip()


def commands(name: str, command: click.Command) -> Iterator[tuple[str, ...]]:
    """The words of every command and group."""
    yield (name,)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            yield from ((name, *words) for words in commands(sub, found))


ALL = [words for name, program in PROGRAMS.items() for words in commands(name, program)]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_help_shows_an_example_of_itself(words: tuple[str, ...]) -> None:
    """The example begins with the very words of the command."""
    command: click.Command = PROGRAMS[words[0]]
    context = click.Context(command, info_name=words[0])
    for word in words[1:]:
        assert isinstance(command, click.Group)
        found = command.get_command(context, word)
        assert found is not None
        command, context = found, click.Context(found, context, word)
    text = command.get_help(context)
    assert f"  {' '.join(words)}" in text[text.index("Example:") :]


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_lists_of_commands_are_not_cut_off(words: tuple[str, ...]) -> None:
    """What a command does stands there whole, on a terminal of 80 columns too."""
    command: click.Command = PROGRAMS[words[0]]
    for word in words[1:]:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    listed = command.get_help(click.Context(command, terminal_width=80)).partition("Commands:")[2]
    assert "..." not in listed


def test_things_are_counted_in_words() -> None:
    """One of them has no plural."""
    assert [counted(1, "template"), counted(2, "day"), counted(0, "entry")] == ["1 template", "2 days", "0 entries"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster that nobody uses."""
    folder = tmp_path_factory.mktemp("program")
    done = run(
        *("rmsserver", "init", "--home", str(folder / "cluster"), "--base-url", "http://127.0.0.1:1/_wmcs"),
        *("--passphrase-file", str(folder / "passphrase")),
    )
    assert done.returncode == 0, done.stderr
    return folder / "cluster"


@pytest.fixture
def copied(home: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(home, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("rmsserver", "frobnicate"), "No such command 'frobnicate': see `rmsserver --help`"),
        (("rmsserver", "user", "add"), "see `rmsserver user add --help`"),
        (("rmsserver", "audit", "--home", "x", "--limit", "0"), "see `rmsserver audit --help`"),
        (("rmsclient", "open", "/nowhere/file"), "see `rmsclient open --help`"),
        (("rmsserver", "user", "list", "--home", "/nowhere"), "run `rmsserver init` first"),
        (("rmsserver", "key", "list", "--home", "/nowhere"), "run `rmsserver init` first"),
    ],
)
def test_a_mistake_is_one_line_and_says_what_to_do(words: tuple[str, ...], says: str) -> None:
    """Exit 2."""
    line = line_of(run(*words))
    assert line.startswith(f"{words[0]}: ")
    assert says in line


def test_a_password_file_that_others_can_read(copied: Path, tmp_path: Path) -> None:
    """One line where a command uses it, and where a server begins to."""
    file = tmp_path / "password"
    file.write_text("CANARY-7f3a\n")
    file.chmod(0o644)
    with (copied / "rmsserver.toml").open("a") as settings:
        settings.write(f'\n[peers]\nlogin = "RMS"\npassword_file = "{file}"\n')
    line = line_of(run("rmsserver", "serve", "--home", str(copied), "--listen", "127.0.0.1:0"))
    assert f"chmod 600 {file}" in line


def test_a_wrong_passphrase(home: Path, tmp_path: Path) -> None:
    """One line, and nothing of the passphrase in it."""
    wrong = tmp_path / "wrong"
    wrong.write_text("CANARY-7f3a\n")
    wrong.chmod(0o600)
    line = line_of(run("rmsserver", "serve", "--home", str(home), RMSSERVER_PASSPHRASE_FILE=str(wrong)))
    assert "passphrase is wrong" in line
    assert "CANARY" not in line


DAMAGES = [
    *(
        (damage, command)
        for damage in ("no database", "no SQLite", "pages")
        for command in (("serve",), ("user", "list"))
    ),
    ("no certificate", ("serve",)),
]


@conforms("MS-RMPRS 3.3.3", "A server without a certificate of its own does not start, so that it enrolls nobody.")
@conforms("MS-RMPRS 3.4.3", "A server without a certificate of its own does not start.")
@pytest.mark.parametrize(("damage", "command"), DAMAGES)
def test_a_damaged_home(copied: Path, damage: str, command: tuple[str, ...]) -> None:
    """One line, no trace, whatever was broken."""
    database = copied / "state.db"
    if damage == "no database":
        database.unlink()
    elif damage == "no SQLite":
        database.write_bytes(b"\x07" * 30_000)
    elif damage == "pages":
        content = database.read_bytes()
        database.write_bytes(content[:4096] + b"\x07" * (len(content) - 4096))
    else:
        next((copied / "certificates").glob("*.key")).unlink()
    line = line_of(run("rmsserver", *command, "--home", str(copied)))
    assert "Traceback" not in line


def test_programs_learn_whom_they_added(copied: Path) -> None:
    """What `user list` and `group list` will say of them."""
    at = ("--home", str(copied), "--json")
    user = run("rmsserver", "user", "add", "ann", "--email", "ann@example.com", "--no-password", *at)
    group = run("rmsserver", "group", "add", "all@example.com", *at)
    listed = [json.loads(run("rmsserver", kind, "list", *at).stdout) for kind in ("user", "group")]
    assert [[json.loads(user.stdout)], [json.loads(group.stdout)]] == listed


def test_the_option_that_would_have_named_the_secret(home: Path) -> None:
    """Where nobody can be asked for it."""
    line = line_of(run("rmsserver", "key", "passphrase", "--home", str(home)))
    assert "--new-passphrase-file" in line
    assert "RMS_NEW_PASSPHRASE" in line


def test_names_in_any_script_on_an_ascii_terminal(copied: Path) -> None:
    """What the terminal cannot show is shown some other way; the command works."""
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}
    added = run(
        *("rmsserver", "user", "add", "jürgen", "--home", str(copied), "--email", "j@example.com", "--no-password")
    )
    assert added.returncode == 0, added.stderr
    done = run("rmsserver", "user", "list", "--home", str(copied), **ascii_only)
    assert (done.returncode, "j@example.com" in done.stdout) == (0, True), done.stderr


def test_a_closed_pipe_is_no_error_worth_words(home: Path) -> None:
    """`rmsserver config list | head -1`."""
    words = [sys.executable, "-c", "from rmsserver.cli.rmsserver import main; main()"]
    process = subprocess.Popen(
        [*words, "config", "list", "--home", str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 1
    process.stderr.close()
