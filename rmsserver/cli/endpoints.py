"""`rmsserver endpoints`: who may call what."""

from __future__ import annotations

from pathlib import Path

import click

from rmsserver.cli.opening import configuration, home_option
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.endpoint_table import EndpointRow, endpoint_rows

_WORDS = {
    "required": "everybody who signs on",
    "anonymous": "EVERYBODY, without signing on",
    "nobody": "nobody",
    "federated": "who signed on through federation",
}


@click.command()
@home_option
@json_option
@example("rmsserver endpoints --home ./cluster")
def endpoints(home: Path, as_json: bool) -> None:
    """Show every endpoint, who may call it, and whether that is the product's default or configured.

    What is listed may be accounts (SID, login or e-mail address) and groups (SID or e-mail address): [endpoints] in
    rmsserver.toml. A path with # is one operation of an endpoint.
    """
    rows = endpoint_rows(configuration(home))
    if as_json:
        print_json([_json(row) for row in rows])
        return
    width = max(len(row.path) for row in rows)
    for row in rows:
        origin = "configured" if row.is_configured else "default"
        missing = "" if row.is_served else ", not served here"
        click.echo(f"{row.path:{width}}  {_who(row)} ({origin}{missing})")


def _who(row: EndpointRow) -> str:
    return _WORDS.get(row.demand.value) or ", ".join(row.accounts)


def _json(row: EndpointRow) -> dict[str, object]:
    return {
        "path": row.path,
        "access": row.demand.value,
        "accounts": list(row.accounts),
        "configured": row.is_configured,
        "served": row.is_served,
    }
