"""`rmsserver tpd`: trusted publishing domains, and taking another cluster over."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path

import click

from rmsserver.cli.changes import Change, alert, note
from rmsserver.cli.opening import home_option, open_home, secret_from
from rmsserver.cli.program import Commands, counted, example, json_option, print_json
from rmsserver.cli.user_domains import guid_of
from rmsserver.cli.written_files import read_limited, write_new
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.trusted_publishing_domains import CheckedDomain, Note
from rmsserver.stores.certificates import StoredPublishingDomain
from rmsserver.trust_administration import adopt_tpd, adoption_report, export_tpd, import_tpd, open_tpd, remove_tpd

_VARIABLE = "RMS_FILE_PASSWORD"
_password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"The file's password is in this file's first line; {_VARIABLE} holds it too. Else you are asked.",
)
_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(cls=Commands)
@example("rmsserver tpd list --home ./cluster")
def tpd() -> None:
    """Trusted publishing domains: other clusters whose documents open here."""


@tpd.command("export", cls=Change)
@home_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@_password_file
@example("rmsserver tpd export --home ./cluster -o example.xml")
def tpd_export(home: Path, output: Path, password_file: Path | None) -> None:
    """Write our certificate chain, PRIVATE KEY and templates, in the format of AD RMS.

    Whoever has the file and its password opens every document of this cluster. The format derives the key from the
    password in one step: use a long, random one.
    """
    password = secret_from(password_file, _VARIABLE, "Password for the file", confirm=True)
    write_new(output, export_tpd(open_home(home), password))
    alert("the cluster's private key was exported")
    click.echo(
        f"{output}: it holds the private key of this cluster. Keep file and password apart, and delete it after use."
    )


@tpd.command("import", cls=Change)
@_file
@home_option
@click.option("--name", help="What the list calls it. Default: the name in its certificate.")
@_password_file
@json_option
@example("rmsserver tpd import old-cluster.xml --home ./cluster")
def tpd_import(file: Path, home: Path, name: str | None, password_file: Path | None, as_json: bool) -> None:
    """Open the documents of another cluster here, beside our own. FILE is what AD RMS or `rmsserver tpd export` wrote."""
    imported = import_tpd(open_home(home), _open(file, password_file), name, dt.datetime.now(dt.UTC))
    stored = imported.stored
    note("id", stored.id)
    note("key", stored.licensor.key.public.id.hex())
    if as_json:
        print_json(_json(stored) | {"templates_left_out": imported.left_out})
        return
    click.echo(
        f"Documents of {stored.name} open here now, with {counted(len(stored.templates), 'template')}: {stored.id}"
    )
    if imported.left_out:
        click.echo(
            f"Left out: {counted(imported.left_out, 'template')}, not signed by that cluster, or not to be read."
        )


@tpd.command("list")
@home_option
@json_option
@example("rmsserver tpd list --home ./cluster")
def tpd_list(home: Path, as_json: bool) -> None:
    """Show the clusters whose documents open here."""
    rows = open_home(home).certificates.load().publishing_domains
    if as_json:
        print_json([_json(row) for row in rows])
    elif not rows:
        click.echo("No other cluster's documents open here: rmsserver tpd import --help")
    for row in [] if as_json else rows:
        click.echo(f"{row.id}  {row.name:30} mode {row.licensor.mode.value}, {counted(len(row.templates), 'template')}")


def _json(row: StoredPublishingDomain) -> dict[str, object]:
    return {
        "id": str(row.id),
        "name": row.name,
        "crypto_mode": row.licensor.mode.value,
        "key": row.licensor.key.public.id.hex(),
        "templates": len(row.templates),
        "imported": row.imported.isoformat(),
    }


@tpd.command("remove", cls=Change)
@click.argument("domain")
@home_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@example("rmsserver tpd remove 6f2b1d1e-7a3c-4a9e-8a56-0c8f5d1f2b11 --home ./cluster")
def tpd_remove(domain: str, home: Path, yes: bool) -> None:
    """Forget another cluster and its key: its documents no longer open here. DOMAIN is the first column of the list."""
    guid = guid_of(domain)
    ask("Its documents will not open here any more. Remove it?", yes)
    remove_tpd(open_home(home), guid)
    click.echo(f"{domain} is removed.")


@tpd.command("adopt", cls=Change)
@_file
@home_option
@_password_file
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@example("rmsserver tpd adopt old-cluster.xml --home ./cluster")
def tpd_adopt(file: Path, home: Path, password_file: Path | None, yes: bool, as_json: bool) -> None:
    """Take another cluster over: its certificate and key become ours, ours is kept as a former one.

    This is how an AD RMS cluster moves here (docs/moving-from-ad-rms.md). What the file cannot bring is listed, with what to
    do about each.
    """
    domain, now = _open(file, password_file), dt.datetime.now(dt.UTC)
    opened = open_home(home)
    if not as_json:
        _tell(domain, adoption_report(opened, domain, now))
    ask("From now on this cluster issues as that one. Take it over?", yes)
    notes = adopt_tpd(opened, domain, now)
    note("key", domain.licensor.key.public.id.hex())
    alert("the cluster took another one over")
    if as_json:
        print_json({"name": domain.name, "notes": [{"what": note.what, "remedy": note.remedy} for note in notes]})
    else:
        click.echo(f"\nThis cluster is {domain.name} now.")


def _tell(domain: CheckedDomain, notes: tuple[Note, ...]) -> None:
    """Before anything happens: whoever is asked should know."""
    click.echo(f"{domain.name}, mode {domain.licensor.mode.value}, {counted(len(domain.templates), 'template')}.")
    click.echo("What the file does not bring:")
    for number, missing in enumerate(notes, 1):
        click.echo(f"\n{number}. {missing.what}\n   {missing.remedy}")


def ask(question: str, yes: bool) -> None:
    """Raises OperatorError where the answer is no, or there is nobody to ask."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise OperatorError("nothing was changed: add --yes where nobody can be asked")
    if not click.confirm(question):
        raise OperatorError("nothing was changed")


def _open(file: Path, password_file: Path | None) -> CheckedDomain:
    data = read_limited(file)
    return open_tpd(data, secret_from(password_file, _VARIABLE, "Password of the file"), time.sleep)
