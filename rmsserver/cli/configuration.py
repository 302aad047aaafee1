"""`rmsserver config`: what all servers of a cluster share."""

from __future__ import annotations

from pathlib import Path

import click

from rmsserver.cli.changes import Change, alert
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.home import Home
from rmsserver.stores.configuration_keys import KEYS, configuration_key, default_text, show_stored
from rmsserver.xrml.values import fold

_OPENS_EVERYTHING = ("superUserEnabled", "superUserGroup")


@click.group(cls=Commands)
@example("rmsserver config list --home ./cluster")
def config() -> None:
    """The configuration that all servers of a cluster share ([MS-RMPR] 3.1.1.1.1).

    Running servers take a change over within configurationRefreshInterval.
    """


@config.command("list")
@home_option
@json_option
@example("rmsserver config list --home ./cluster")
def config_list(home: Path, as_json: bool) -> None:
    """Show every key, its value and what it means; * marks those that were set."""
    stored = open_home(home).configuration.read()
    rows = [
        {
            "key": key.name,
            "value": show_stored(key, stored.values[key.name]) if key.name in stored.values else default_text(key),
            "set": key.name in stored.values,
            "description": key.description,
        }
        for key in KEYS.values()
    ]
    if as_json:
        print_json({"version": stored.version, "keys": rows})
    for row in [] if as_json else rows:
        click.echo(f"{'*' if row['set'] else ' '} {row['key']:34} {row['value']!s:28} {row['description']}")


@config.command("get")
@click.argument("key")
@home_option
@example("rmsserver config get racValidityTime --home ./cluster")
def config_get(key: str, home: Path) -> None:
    """Print one value."""
    found = configuration_key(key)
    values = open_home(home).configuration.read().values
    click.echo(show_stored(found, values[found.name]) if found.name in values else default_text(found))


@config.command("set", cls=Change)
@click.argument("key")
@click.argument("value")
@home_option
@example("rmsserver config set racValidityTime 30d --home ./cluster")
def config_set(key: str, value: str, home: Path) -> None:
    """Set one key."""
    opened = open_home(home)
    opened.configuration.set(key, value)
    _alert_of(key)
    click.echo(f"{configuration_key(key).name} is set.")
    if configuration_key(key).name == "superUserGroup":
        _hint_at_group(opened)


@config.command("reset", cls=Change)
@click.argument("key")
@home_option
@example("rmsserver config reset racValidityTime --home ./cluster")
def config_reset(key: str, home: Path) -> None:
    """Put one key back to its default."""
    open_home(home).configuration.reset(key)
    _alert_of(key)
    click.echo(f"{configuration_key(key).name} is back to {default_text(configuration_key(key))}.")


def _hint_at_group(home: Home) -> None:
    """One line on standard error where the group that opens every document is not in the embedded directory."""
    group = home.configuration.read().values.get("superUserGroup")
    if group is None or home.config.directory.kind != "embedded" or home.accounts.group_by_email(fold(str(group))):
        return
    click.echo(
        f"hint: the directory has no group {group}, so nobody is in it: `rmsserver group add {group}` makes it",
        err=True,
    )


def _alert_of(key: str) -> None:
    name = configuration_key(key).name
    if name in _OPENS_EVERYTHING:
        alert(f"who opens every document was changed: {name}")
