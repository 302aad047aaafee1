"""How a command gets at a cluster: `--home`, the configuration, the passphrase."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rmsserver.config import Config, ConfigError, load_config, read_passphrase
from rmsserver.errors import OperatorError
from rmsserver.home import Home

Command = TypeVar("Command", bound=Callable[..., Any])

home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="RMSSERVER_HOME",
    required=True,
    help="The cluster's home directory; RMSSERVER_HOME names it too.",
)


def configuration(home: Path, **overrides: object) -> Config:
    """The configuration of a home. Every mistake becomes one OperatorError."""
    try:
        return load_config(home, overrides)
    except ConfigError as error:
        raise OperatorError("; ".join(error.lines)) from None


def open_home(home: Path, **overrides: object) -> Home:
    """A cluster for administration; asks for the passphrase only when keys are needed."""
    config = configuration(home, **overrides)
    return Home(config, lambda: passphrase_of(config))


def passphrase_of(config: Config) -> str:
    try:
        return read_passphrase(config, lambda: prompt_passphrase(confirm=False))
    except ConfigError as error:
        raise OperatorError("; ".join(error.lines)) from None


def prompt_passphrase(*, confirm: bool) -> str:
    """Ask on the terminal. Raises OperatorError where there is none."""
    if not sys.stdin.isatty():
        raise OperatorError(
            "the passphrase is needed and there is no terminal to ask on: name a file with --passphrase-file at init, "
            "or set RMSSERVER_PASSPHRASE"
        )
    return str(click.prompt("Passphrase of the cluster", hide_input=True, confirmation_prompt=confirm))


def secret_from(
    path: Path | None, variable: str, question: str, *, confirm: bool = False, option: str = "--password-file"
) -> str:
    """A password from a file (its first line), an environment variable, or the terminal. `option` named the file."""
    if path is not None:
        lines = path.read_text("utf-8").splitlines()
        if not lines or not lines[0]:
            raise OperatorError(f"{path} is empty: write the password into its first line")
        return lines[0]
    if os.environ.get(variable):
        return os.environ[variable]
    if not sys.stdin.isatty():
        raise OperatorError(
            f"{question[:1].lower()}{question[1:]}: there is no terminal to ask on, so use {option} or {variable}"
        )
    return str(click.prompt(question, hide_input=True, confirmation_prompt=confirm))
