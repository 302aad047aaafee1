"""`rmsserver xrml`: look into files that hold XrML documents."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.client.pfile import MAGIC, read_pfile
from rmsserver.errors import OperatorError
from rmsserver.stores.trust_anchors import production_anchors
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.report import Verdict, inspect
from rmsserver.xrml.surface import Element, parse

_FILES = click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
_MAX_FILE_BYTES = 64 * 1024 * 1024


@click.group(cls=Commands)
@example("rmsserver xrml verify report.ptxt")
def xrml() -> None:
    """Look into files with XrML documents: certificates, licences, templates, protected files."""


@xrml.command()
@_FILES
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file whose last certificate names a root to trust, beside the production root. May be repeated.",
)
@json_option
@example("rmsserver xrml verify chain.xml protected.txt.pfile")
def verify(files: tuple[Path, ...], anchors: tuple[Path, ...], as_json: bool) -> None:
    """Check every document of each FILE: its signature, its link to a parent in the file, its trust.

    Exit code 1 where a signature or a link is wrong; unknown trust alone is no failure.
    """
    roots = [anchor.key for anchor in production_anchors() if anchor.is_root]
    trusted = {key.id: key for key in [*roots, *_anchors_of(anchors)]}
    reports = [(path, inspect(documents_of(path), trusted)) for path in files]
    if as_json:
        print_json([{"file": str(path), "documents": [vars(v) for v in verdicts]} for path, verdicts in reports])
    else:
        for path, verdicts in reports:
            _print_report(path, verdicts)
    if any(verdict.wrong for _, verdicts in reports for verdict in verdicts):
        sys.exit(1)


@xrml.command()
@_FILES
@example("rmsserver xrml show licence.xml")
def show(files: tuple[Path, ...]) -> None:
    """Print the documents of each FILE indented, for reading. What is printed no longer verifies."""
    for path in files:
        for text in documents_of(path):
            for line in _indented(parse(text)):
                click.echo(line)


def documents_of(path: Path) -> list[str]:
    """The documents of any file that holds some: one after the other, or the licence of a PFile."""
    try:
        return split_documents(_text_of(path))
    except XrmlError as error:
        raise OperatorError(f"{path}: {error}") from None


def _text_of(path: Path) -> str:
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) == MAGIC:
            return read_pfile(stream).license_text
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise OperatorError(f"{path}: larger than 64 MiB and not a PFile; name a file with XrML documents in it")
        stream.seek(0)
        return decode_documents(stream.read())


def _anchors_of(paths: tuple[Path, ...]) -> list[PublicKey]:
    return [_anchor_of(path) for path in paths]


def _anchor_of(path: Path) -> PublicKey:
    try:
        return IssuingCertificate.read(documents_of(path)[-1]).issuer.public_key
    except XrmlError as error:
        raise OperatorError(f"--anchor {path}: {error}; name a file whose last document is a certificate") from None


def _print_report(path: Path, verdicts: list[Verdict]) -> None:
    table = Table(title=escape(str(path)), title_justify="left", box=None, pad_edge=False)
    for column in ("", "kind", "issuer", "subject", "mode", "signature", "link", "trust"):
        table.add_column(column, overflow="fold")
    for number, v in enumerate(verdicts, 1):
        style = "red" if v.wrong else ""
        cells = (str(number), v.kind, v.issuer, v.subject, v.mode, v.signature, v.link, v.trust)
        table.add_row(*map(escape, cells), style=style)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)


def _indented(element: Element, depth: int = 0) -> list[str]:
    attributes = "".join(f' {name}="{value}"' for name, value in element.attributes.items())
    head = "  " * depth + f"<{element.tag}{attributes}>"
    if not element.children:
        text = element.text
        return [head + (text if len(text) <= 100 else f"{text[:60]} ... ({len(text)} characters)")]
    return [head, *(line for child in element.children for line in _indented(child, depth + 1))]
