"""`rmsserver revocation`: the cluster's revocation list."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from rmsserver.cli.changes import SERVERS_FOLLOW, Change
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, counted, example, json_option, print_json
from rmsserver.cli.written_files import write_new
from rmsserver.errors import OperatorError
from rmsserver.operations.revocation_list import PATH, revocation_list
from rmsserver.xrml.revocation import RevokedBy

_KEY = "revocations"
_type = click.argument("type_", metavar="TYPE", type=click.Choice([by.value[1] for by in RevokedBy]))


@click.group(cls=Commands)
@example("rmsserver revocation list --home ./cluster")
def revocation() -> None:
    """The cluster's revocation list: what clients must not open any more, though they have a use licence.

    Only licences that name the list depend on it: `rmsserver template add --revocation own`. Clients enforce it.
    """


@revocation.command("add", cls=Change)
@_type
@click.argument("value")
@home_option
@example("rmsserver revocation add content-id 7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11 --home ./cluster")
def revocation_add(type_: str, value: str, home: Path) -> None:
    """Revoke by VALUE: a GUID, SID or other ID; of keys the base64 of PKCS#1, of hashes the base64 of the digest.

    TYPE: content-id, license-id, license-hash, issuer-id, issuer-key, principal-id or principal-key. People: their SID as
    principal-id (`rmsserver user list`), not their address.
    """
    opened = open_home(home)
    if any(c in value for c in ", \t"):
        raise OperatorError("an ID has no blanks and commas here: revoke by another type")
    opened.configuration.change_list(_KEY, add=[f"{type_}={value}"])
    click.echo(f"{type_} {value} is on the list; {SERVERS_FOLLOW}.")


@revocation.command("remove", cls=Change)
@_type
@click.argument("value")
@home_option
@example("rmsserver revocation remove content-id 7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11 --home ./cluster")
def revocation_remove(type_: str, value: str, home: Path) -> None:
    """Take something off the list, as `list` shows it."""
    opened, entry = open_home(home), f"{type_}={value}"
    if entry not in opened.configuration.entries(_KEY):
        raise OperatorError(f"{entry[:80]} is not on the list: see `rmsserver revocation list`")
    opened.configuration.change_list(_KEY, remove=lambda stored: stored == entry)
    click.echo(f"{type_} {value} is off the list; {SERVERS_FOLLOW}.")


@revocation.command("list")
@home_option
@json_option
@example("rmsserver revocation list --home ./cluster")
def revocation_list_(home: Path, as_json: bool) -> None:
    """Show what is revoked."""
    entries = [entry.partition("=") for entry in open_home(home).configuration.entries(_KEY)]
    if as_json:
        print_json([{"type": type_, "value": value} for type_, _, value in entries])
    elif not entries:
        click.echo("Nothing is revoked.")
    for type_, _, value in [] if as_json else entries:
        click.echo(f"{type_:14} {value}")


@revocation.command("export")
@home_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@example("rmsserver revocation export --home ./cluster -o list.xml")
def revocation_export(home: Path, output: Path) -> None:
    """Sign the list as of now into a file, to serve it elsewhere. Running servers serve it themselves."""
    state = open_home(home).state
    write_new(output, revocation_list(state, dt.datetime.now(dt.UTC)).encode())
    click.echo(f"{output}: {counted(len(state.revocations), 'entry')}; served at {state.base_url}{PATH}")
