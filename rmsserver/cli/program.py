"""What both commands share: errors as one line with exit code 2, `--json`, examples in `--help`, lazy subcommands."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from rmsserver.client.errors import ClientError
from rmsserver.config import ConfigError
from rmsserver.counting import counted as counted  # what all commands share is found here
from rmsserver.errors import OperatorError, RmsError
from rmsserver.xrml.errors import XrmlError

_EXPECTED = (OperatorError, ConfigError, ClientError, RmsError, XrmlError, OSError)

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """A group whose `--help` has the first sentence about each command whole, on as many lines as it takes."""

    group_class = type

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in found if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Program(Commands):
    """A group that imports a subcommand's module only when it is used, and reports expected errors in one line.

    `lazy` maps a subcommand's name to "module:attribute".
    """

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._lazy:
            module, _, attribute = self._lazy[cmd_name].partition(":")
            command = getattr(importlib.import_module(module), attribute)
            assert isinstance(command, click.Command)  # noqa: S101 - a wrong table is a bug of ours
            return command
        return super().get_command(ctx, cmd_name)

    def run(self) -> None:
        """The process's main: exit 0, or 2 after one line on standard error, or what a command exits with; 130 where a
        question was answered with Ctrl-C.
        """
        name = self.name or "rmsserver"
        try:
            code = self.main(prog_name=name, standalone_mode=False)
            sys.exit(code if isinstance(code, int) else 0)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(2)
        except click.ClickException as error:
            click.echo(f"{name}: {_usage(error)}", err=True)
            sys.exit(2)
        except click.Abort:
            click.echo(f"{name}: interrupted", err=True)
            sys.exit(130)
        except _EXPECTED as error:
            click.echo(f"{name}: {one_line(error)}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


def _usage(error: click.ClickException) -> str:
    """What is wrong with the command line, and where to read what is right."""
    text = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{text}: see `{context.command_path} --help`" if context else text


def one_line(error: BaseException) -> str:
    """An error as one line: what is wrong and, where the message says it, what to do."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror
    elif isinstance(error, ConfigError):
        text = "; ".join(error.lines)
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())


def example(text: str) -> Callable[[Command], Command]:
    """Add an example to a command's help, shown as it stands."""

    def add(function: Command) -> Command:
        lines = "\n".join(f"  {line}" for line in text.strip().splitlines())
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n\b\nExample:\n{lines}\n"
        return function

    return add


def print_json(value: object) -> None:
    """Machine-readable output: one JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
