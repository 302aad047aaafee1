"""`rmsserver decommission`: give up protection for good, in two steps; and the way back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from rmsserver.cli.changes import SERVERS_FOLLOW, Change, alert, unchanged
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.endpoint_table import endpoint_rows
from rmsserver.home import Home
from rmsserver.stores.sql.decommissioning import CODE_LIFETIME

_ENDPOINT = "decommission/decommission.asmx"


@click.group(cls=Commands)
@example("rmsserver decommission status --home ./cluster")
def decommission() -> None:
    """Give up protection: the cluster licenses nothing any more and hands out content keys instead ([MS-RMSI] 1.3.1).

    For organisations that leave RMS. Whoever may call the decommission endpoint then gets the key of any document of this
    cluster, whatever its author granted.
    """


@decommission.command("prepare", cls=Change)
@home_option
@example("rmsserver decommission prepare --home ./cluster")
def prepare(home: Path) -> None:
    """First step: print the code that the second one needs. Nothing changes yet."""
    opened = open_home(home)
    code = opened.decommissioning.prepare(_now())
    alert("decommissioning was prepared")
    minutes = int(CODE_LIFETIME.total_seconds() // 60)
    click.echo("Once decommissioned, this cluster")
    click.echo("  - certifies, licenses and publishes for nobody any more;")
    click.echo(f"  - hands out the content key of any document to {_who(opened)}.")
    click.echo(f"Within {minutes} minutes: rmsserver decommission confirm {code} --home {home}")


@decommission.command("confirm", cls=Change)
@click.argument("code")
@home_option
@example("rmsserver decommission confirm ABCD-2345 --home ./cluster")
def confirm(code: str, home: Path) -> None:
    """Second step: decommission the cluster with the code of the first."""
    opened = open_home(home)
    opened.decommissioning.confirm(code, _now())
    alert("the cluster was decommissioned")
    click.echo(f"The cluster is decommissioned; {SERVERS_FOLLOW}.")
    click.echo(f"Content keys go to {_who(opened)}: [endpoints] in rmsserver.toml says who.")
    click.echo(f"The way back: rmsserver decommission undo --home {home}")


@decommission.command("undo", cls=Change)
@home_option
@example("rmsserver decommission undo --home ./cluster")
def undo(home: Path) -> None:
    """Put the cluster back into service. Content keys that were handed out stay out."""
    opened = open_home(home)
    if not opened.decommissioning.undo():
        unchanged()
        click.echo("The cluster is in service; a code that was prepared is void.")
        return
    alert("the cluster was put back into service")
    click.echo(f"The cluster is in service again; {SERVERS_FOLLOW}.")
    click.echo("Content keys that were handed out stay out: the audit says which (operation AcquireContentKey).")


@decommission.command("status")
@home_option
@json_option
@example("rmsserver decommission status --home ./cluster")
def status(home: Path, as_json: bool) -> None:
    """Say whether the cluster is in service."""
    opened = open_home(home)
    decommissioned = opened.decommissioning.is_decommissioned()
    if as_json:
        print_json({"decommissioned": decommissioned})
        return
    click.echo(f"DECOMMISSIONED: content keys go to {_who(opened)}." if decommissioned else "In service.")


def _who(opened: Home) -> str:
    row = next(row for row in endpoint_rows(opened.config) if row.path == _ENDPOINT)
    words = {"required": "everybody who signs on", "anonymous": "EVERYBODY", "nobody": "nobody yet"}
    return words.get(row.demand.value) or ", ".join(row.accounts)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
