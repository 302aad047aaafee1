"""The documents for people: what they link to and what they name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rmsserver.cli.rmsclient import program as rmsclient
from rmsserver.cli.rmsserver import program as rmsserver
from rmsserver.config import load_config
from rmsserver.stores.configuration_keys import configuration_key

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(page for pattern in ("*.md", "docs/*.md", "fixtures/**/*.md") for page in ROOT.glob(pattern))
PROGRAMS = {"rmsserver": rmsserver, "rmsclient": rmsclient}

_BLOCK = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]\[]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_SCRIPT = re.compile(r"(?<![\w/])scripts/[\w./-]*\w")
_CALL = re.compile(r"^(?:\S*/)?(rmsserver|rmsclient) (.+)$")
_PATH = re.compile(r"^(?:[\w-]+/)+(?:[\w-]+\.\w+)?$")
_IN_THE_WHEEL = {"rmsserver/soap/descriptions/"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


every_page = pytest.mark.parametrize("page", PAGES, ids=_name)


def prose(page: Path) -> str:
    """The page without its blocks of code, in which a # is no heading and a bracket no link."""
    return _BLOCK.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them: lower case, no punctuation, hyphens for blanks, a number for repeats."""
    found: dict[str, int] = {}
    for heading in _HEADING.findall(prose(page)):
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found)


def code(page: Path) -> Iterator[str]:
    """Each line of code on the page, continued lines as one; spans in the text count."""
    text = page.read_text("utf-8")
    for block in _BLOCK.findall(text):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines()[1:-1])
    yield from _SPAN.findall(_BLOCK.sub("", text))


def calls(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Program and words of each command that the page tells to run; comments and what stands for something left out."""
    for line in code(page):
        if found := _CALL.match(line.partition("#")[0].strip()):
            yield found[1], found[2].split()


@every_page
def test_links(page: Path) -> None:
    """Every link to another file here, and to a heading, arrives."""
    broken = []
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@every_page
def test_scripts(page: Path) -> None:
    """Every script that is named exists and can be run."""
    named = {script.rstrip(".") for script in _SCRIPT.findall(page.read_text("utf-8"))}
    assert [script for script in named if not (ROOT / script).exists()] == []


@every_page
def test_commands(page: Path) -> None:
    """Every command that is named exists, with the options that stand behind it."""
    assert [wrong for name, words in calls(page) if (wrong := _wrong(name, words))] == []


def _wrong(name: str, words: list[str]) -> str:
    """What no such command knows; empty where all is well."""
    command: click.Command = PROGRAMS[name]
    given = list(words)
    while isinstance(command, click.Group) and given and re.fullmatch(r"[a-z][a-z|-]*", given[0]):
        context = click.Context(command)
        found = [command.get_command(context, choice) for choice in given.pop(0).split("|")]
        if found[0] is None or None in found:
            return f"{name} {' '.join(words)}"
        command = found[0]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    options = {word.split("=")[0].rstrip(",.") for word in given if re.match(r"--?[a-z]", word)}
    unknown = options - known - {"-h", "--help", "--version"}
    return f"{name} {' '.join(words)}: {', '.join(sorted(unknown))}" if unknown else ""


@every_page
def test_keys_of_the_configuration(page: Path) -> None:
    """Every `config set` names a key, and a value that it takes."""
    for _, words in calls(page):
        if words[:2] == ["config", "set"] and len(words) > 3:
            configuration_key(words[2]).parse(words[3])


@every_page
def test_files(page: Path) -> None:
    """Every path of ours that is named leads to something: from the root, the package or the tests."""
    homes = (ROOT, ROOT / "rmsserver", ROOT / "tests", page.parent)
    ours = {child.name for home in homes[:3] for child in home.iterdir() if child.is_dir()}
    named = {span for span in _SPAN.findall(prose(page)) if _PATH.match(span) and span.split("/")[0] in ours}
    named -= _IN_THE_WHEEL
    assert [path for path in sorted(named) if not any((home / path).exists() for home in homes)] == []


def test_the_readme_leads_to_every_page() -> None:
    """Whoever starts at the README finds all of docs/."""
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in _LINK.findall(prose(ROOT / "README.md"))}
    assert [_name(page) for page in PAGES if page.parent == ROOT / "docs" and page not in linked] == []


@every_page
def test_configuration_files(page: Path, tmp_path: Path) -> None:
    """Whatever is shown as rmsserver.toml is one. A table [[directory.… goes on from the page's [directory]."""
    shown = [_inside(block) for block in _BLOCK.findall(page.read_text("utf-8")) if block.startswith("```toml")]
    for toml in shown:
        before = next(other for other in shown if "[directory]\n" in other) if toml.startswith("[[directory.") else ""
        (tmp_path / "rmsserver.toml").write_text(before + toml)
        load_config(tmp_path)


def test_the_guides_defaults(tmp_path: Path) -> None:
    """The tables that the operator guide shows with their defaults have these."""
    text = (ROOT / "docs" / "operator-guide.md").read_text("utf-8")
    (tmp_path / "rmsserver.toml").write_text(next(_inside(b) for b in _BLOCK.findall(text) if "listen_port" in b))
    config, plain = load_config(tmp_path), load_config(tmp_path / "nowhere")
    for table in ("sign_on", "limits", "key_pool", "caches", "audit"):
        assert getattr(config, table) == getattr(plain, table), table
    for name in ("listen_address", "listen_port", "database_url", "threads", "metrics", "log_level"):
        assert getattr(config, name) == getattr(plain, name), name


def _inside(block: str) -> str:
    """What stands between the fences."""
    return "".join(line + "\n" for line in block.strip().splitlines()[1:-1])
