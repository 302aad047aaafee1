"""`rmsclient bootstrap` without `--url`: the forest's service connection point says where the cluster is (3.8.3.2.1).

Needs the extra `[ad]`. The directory is asked as the person who signs on: with Kerberos tickets, which prove the controller
too, else with the password, under TLS with a certificate that the system (or --ca) trusts.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from rmsserver.cli.program import Command
from rmsserver.client.errors import SetupError
from rmsserver.client.sign_on import Credentials, Method, is_same_user, tickets_of
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, SimpleBind
from rmsserver.errors import OperatorError

_NO_EXTRA = (
    'Finding the server through the domain needs more packages: pip install "rmsserver[ad]"; or name it with --url.'
)


@dataclass(frozen=True)
class Domain:
    """What the options said of where to ask."""

    name: str | None = None
    controllers: tuple[str, ...] = ()


def discovery_options(function: Command) -> Command:
    """--domain and --controller."""
    domain = click.option("--domain", help="Without --url: the domain whose directory names the server, example.com.")
    controller = click.option(
        "--controller",
        "controllers",
        multiple=True,
        metavar="URI",
        help="Without --url: ask this domain controller, ldaps://HOST or ldap://HOST, rather than whom DNS names.",
    )
    return domain(controller(function))


def discover_url(domain: Domain, credentials: Credentials, ca_file: Path | None) -> str:
    """The URL of the certification service. Raises SetupError and SignOnError."""
    try:
        from rmsserver.directory.ldap.locate import controllers_of
        from rmsserver.directory.service_connection_point import discover
    except ImportError:
        raise SetupError(_NO_EXTRA) from None
    try:
        controllers = domain.controllers or controllers_of(_domain_name(domain, credentials.user, os.environ))
        url = discover(LdapSettings(controllers, bind=_bind(credentials), ca_file=ca_file))
    except OperatorError as error:
        raise SetupError(f"{error}; or name the server with --url.") from None
    click.echo(f"The directory names {''.join(filter(str.isprintable, url))[:200]}.", err=True)
    return url


def _bind(credentials: Credentials) -> KerberosBind | SimpleBind:
    principal = tickets_of()
    if credentials.method is Method.KERBEROS or (principal and is_same_user(credentials.user, principal)):
        return KerberosBind()
    return SimpleBind(credentials.user, credentials.secret)


def _domain_name(domain: Domain, user: str, environment: Mapping[str, str]) -> str:
    """As said, else that of the account, of Windows, or of this machine. Raises SetupError."""
    realm = user.partition("@")[2]
    found = domain.name or realm or environment.get("USERDNSDOMAIN") or socket.getfqdn().partition(".")[2]
    if not found or "." not in found:
        raise SetupError("No domain is known here; name it with --domain, or the server with --url.")
    return found
