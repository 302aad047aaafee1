"""How a command gets at a domain: `--controller`, `--bind-user`, `--kerberos`, `--ca`, else what `[directory]` says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from rmsserver.account_source import ldap_settings
from rmsserver.cli.opening import secret_from
from rmsserver.config import Config
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, SimpleBind
from rmsserver.errors import OperatorError

Command = TypeVar("Command", bound=Callable[..., Any])

PASSWORD_VARIABLE = "RMS_BIND_PASSWORD"  # noqa: S105 - the name of a variable

_OPTIONS = (
    click.option(
        "--controller",
        "controllers",
        multiple=True,
        metavar="URI",
        help="ldaps://HOST or ldap://HOST; default: [directory] of rmsserver.toml.",
    ),
    click.option("--bind-user", metavar="NAME", help="Bind as this account (name@realm), with its password."),
    click.option("--kerberos", is_flag=True, help="Bind with your Kerberos tickets (kinit)."),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help=f"Password of --bind-user, in the first line; {PASSWORD_VARIABLE} can hold it too.",
    ),
    click.option(
        "--ca",
        "ca_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="PEM file with the authority of the controllers' certificates.",
    ),
)


def domain_options(function: Command) -> Command:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@dataclass(frozen=True)
class DomainOptions:
    """What the options said."""

    controllers: tuple[str, ...]
    bind_user: str | None
    kerberos: bool
    password_file: Path | None
    ca_file: Path | None

    def settings(self, config: Config) -> LdapSettings:
        """Raises OperatorError."""
        if self.kerberos and self.bind_user is not None:
            raise OperatorError("--kerberos and --bind-user exclude each other: say one of them")
        if config.directory.kind == "ldap":
            base = ldap_settings(config.directory)
        elif self.controllers:
            base = LdapSettings(self.controllers)
        else:
            raise OperatorError('this cluster has no domain: name a --controller, or set directory.kind = "ldap"')
        changes: dict[str, Any] = {}
        if self.controllers:
            changes["controllers"] = self.controllers
        if self.ca_file is not None:
            changes["ca_file"] = self.ca_file
        if self.kerberos:
            changes["bind"] = KerberosBind()
        if self.bind_user is not None:
            question = f"Password of {self.bind_user}"
            changes["bind"] = SimpleBind(self.bind_user, secret_from(self.password_file, PASSWORD_VARIABLE, question))
        return dataclasses.replace(base, **changes)
