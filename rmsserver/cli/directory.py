"""`rmsserver directory`: what a serving process has cached of the directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.control import ask
from rmsserver.directory_control import FLUSH, STATUS
from rmsserver.home import Home


@click.group(cls=Commands)
@example("rmsserver directory status --home ./cluster")
def directory() -> None:
    """The directory as a serving process on this machine sees it: its caches and its domain controllers.

    Where several servers make up the cluster, each has caches of its own: run the command beside each of them.
    """


@directory.command("status")
@home_option
@json_option
@example("rmsserver directory status --home ./cluster")
def directory_status(home: Path, as_json: bool) -> None:
    """Show how much is cached, how old the oldest of it is, and which controllers answer."""
    opened = open_home(home)
    if opened.config.directory.kind == "embedded":
        _tell_embedded(opened, as_json)
        return
    status = ask(home, STATUS)
    if as_json:
        print_json({"kind": "ldap", **status})
        return
    for name, cache in status["caches"].items():
        click.echo(_cache_line(name, cache))
    for controller in status["controllers"]:
        click.echo(_controller_line(controller))


def _tell_embedded(opened: Home, as_json: bool) -> None:
    accounts = opened.accounts
    found = {"users": len(accounts.accounts()), "groups": len(accounts.groups()), "generation": accounts.generation()}
    if as_json:
        print_json({"kind": "embedded", "name": accounts.name(), **found})
        return
    click.echo(
        f"embedded directory {accounts.name()}: {found['users']} users, {found['groups']} groups. "
        "Changes count at once; no cache outlives them."
    )


def _cache_line(name: str, cache: dict[str, Any]) -> str:
    asked = cache["hits"] + cache["misses"]
    share = f"{100 * cache['hits'] // asked} %" if asked else "-"
    return (
        f"{name:12} {cache['entries']:6} entries, oldest {cache['oldest_seconds']:.0f} s, "
        f"answered from the cache {share}, dropped for room {cache['evictions']}"
    )


def _controller_line(controller: dict[str, Any]) -> str:
    if controller["available"]:
        return f"{controller['uri']}  answers ({controller['idle_connections']} idle connections)"
    return (
        f"{controller['uri']}  down, failed {controller['failures']} times, next try in "
        f"{controller['retry_in_seconds']:.0f} s: {controller['last_error']}"
    )


@directory.command("flush")
@click.argument("who", required=False)
@home_option
@json_option
@example("rmsserver directory flush alice@example.com --home ./cluster")
def directory_flush(who: str | None, home: Path, as_json: bool) -> None:
    """Forget what is cached, so that a change in the directory counts now: all of it, or that of WHO.

    WHO is an account or a group: SID, login or e-mail address.
    """
    if open_home(home).config.directory.kind == "embedded":
        message = "Nothing to flush: changes to the embedded directory count at once."
        if as_json:
            print_json({"kind": "embedded", "forgotten": 0})
        else:
            click.echo(message)
        return
    forgotten = ask(home, FLUSH, who=who)["forgotten"]
    if as_json:
        print_json({"kind": "ldap", "forgotten": forgotten})
    else:
        click.echo(f"{forgotten} entries forgotten{f' of {who}' if who else ''}; the directory is asked again.")
