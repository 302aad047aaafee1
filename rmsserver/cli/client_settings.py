"""`rmsserver client-settings`: what points Windows clients at the cluster."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import example
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.client_settings import (
    ClientSettings,
    group_policy_file,
    instructions,
    registry_file,
)


@click.command("client-settings")
@home_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["reg", "gpo", "text"]),
    default="text",
    show_default=True,
    help="reg: a file for `reg import`. gpo: a Registry.xml for Group Policy Preferences. text: the values, and what else.",
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@example("rmsserver client-settings --home ./cluster --format reg -o rms.reg")
def client_settings(home: Path, form: str, output: Path | None) -> None:
    """Registry values that point Windows clients (MSIPC and the older one) at this cluster, for 64 and 32 bits.

    The gpo form is dropped on Computer Configuration > Preferences > Windows Settings > Registry of a policy.
    """
    settings = cluster_settings(home)
    match form:
        case "reg":
            content = registry_file(settings)
        case "gpo":
            content = group_policy_file(settings, dt.datetime.now(dt.UTC))
        case _:
            content = instructions(settings).encode()
    if output is not None:
        output.write_bytes(content)
        click.echo(f"Written to {output}.")
    elif form == "reg" and sys.stdout.isatty():
        raise OperatorError("a .reg file is UTF-16, nothing for a terminal: name a file with -o")
    else:
        click.echo(content, nl=False)


def cluster_settings(home: Path) -> ClientSettings:
    """From the configuration that all servers share; needs no passphrase."""
    values = open_home(home).configuration.read().values
    base_url = str(values["baseUrl"])
    return ClientSettings(f"{base_url}/certification", str(values.get("licensingUrl") or f"{base_url}/licensing"))
