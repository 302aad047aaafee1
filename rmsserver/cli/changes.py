"""The audit of administrative commands: whoever changes what the cluster trusts or gives leaves one record.

A command of class `Change` is recorded here and nowhere else: operation (the command's words), time, the operator's account
on this machine, outcome, and as facts what was said on the command line. What a command made or found besides, it tells by
`note` (ids and GUIDs) and `alert` (what other administrators should look at). No password or passphrase is among the words
of any command; options that name files with one are left out all the same.

A command that fails is recorded with the outcome "failed", because it may have changed something before.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import pwd
import time
from typing import Any

import click
from click.core import ParameterSource

from rmsserver.cli.opening import open_home
from rmsserver.errors import OperatorError
from rmsserver.ports import AuditRecord, PortUnavailable
from rmsserver.state import AuditTrail, AuthenticationType

_TRAIL = f"{__name__}.trail"
_UNCHANGED = f"{__name__}.unchanged"
_NO_FACTS = frozenset({"home", "as_json", "yes", "code"})
"""Parameters that say nothing about the change, and the code of decommissioning, which is as good as a password."""
_SECRET_WORDS = ("password", "passphrase")

SERVERS_FOLLOW = "running servers follow within configurationRefreshInterval"
"""What a command says whose change serving processes take over by themselves."""


class Change(click.Command):
    """For `@group.command("name", cls=Change)`: needs a parameter `home`."""

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[_TRAIL] = _said(ctx)
        begun = time.perf_counter()
        try:
            result = super().invoke(ctx)
        except click.Abort:
            raise  # a question was not answered: nothing was begun
        except BaseException:
            with contextlib.suppress(Exception):  # what went wrong is what the operator must read
                _write(ctx, "failed", begun)
            raise
        if not ctx.meta.get(_UNCHANGED):
            try:
                _write(ctx, "ok", begun)
            except (OperatorError, PortUnavailable) as error:
                raise OperatorError(f"it is done, but the audit could not record it: {error}") from None
        return result


def note(key: str, *values: object) -> None:
    """Facts for the record of the command that runs, beside its words: ids, GUIDs, fingerprints. Never a secret."""
    for value in values:
        command_trail().note(key, str(value))


def alert(what: str) -> None:
    """For what other administrators should look at (`rmsserver audit --alerts`)."""
    command_trail().alert(what)


def unchanged() -> None:
    """Nothing was to be done: no record."""
    click.get_current_context().meta[_UNCHANGED] = True


def operator() -> str:
    """The account of the process, by its number: variables of the environment are anybody's to set."""
    try:
        return f"operator {pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"operator {os.getuid()}"


def command_trail() -> AuditTrail:
    """Of the command that runs, for operations that write into one."""
    trail = click.get_current_context().meta[_TRAIL]
    assert isinstance(trail, AuditTrail)  # noqa: S101 - only commands of class Change have something to tell
    return trail


def _said(ctx: click.Context) -> AuditTrail:
    """What stands on the command line, by the names of the parameters."""
    trail = AuditTrail()
    for name, value in ctx.params.items():
        is_secret = any(word in name for word in _SECRET_WORDS)
        if name in _NO_FACTS or is_secret or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        for part in value if isinstance(value, tuple) else (value,):
            trail.note(name.strip("_"), str(part).lower() if isinstance(part, bool) else str(part))
    # Who became the operator by sudo: a hint, as the environment is not protected.
    if by := os.environ.get("SUDO_USER"):
        trail.note("sudo_user", by)
    return trail


def _write(ctx: click.Context, outcome: str, begun: float) -> None:
    duration_ms = (time.perf_counter() - begun) * 1000
    record = AuditRecord(
        time=dt.datetime.now(dt.UTC),
        operation=" ".join(_words(ctx)),
        outcome=outcome,
        client_address="",
        authentication=AuthenticationType.NONE,
        account=operator(),
        application="rmsserver",
        duration_ms=duration_ms,
        trail=ctx.meta[_TRAIL],
    )
    home = open_home(ctx.params["home"])
    try:
        home.audit.write_now(record)
    finally:
        home.database.close()


def _words(ctx: click.Context) -> list[str]:
    """The command without the program: ["user", "add"]."""
    above = [] if ctx.parent is None or ctx.parent.parent is None else _words(ctx.parent)
    return [*above, ctx.command.name or ""]
