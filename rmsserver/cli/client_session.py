"""What the commands of `rmsclient` share: the store, the password, a connection, progress."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from rmsserver.cli.program import Command
from rmsserver.cli.written_files import read_limited
from rmsserver.client.errors import SetupError, SignOnError
from rmsserver.client.revocation import LIST_LIMIT_BYTES, fetch_from_cluster
from rmsserver.client.services import ClusterServices
from rmsserver.client.sign_on import Credentials, Method, tickets_of
from rmsserver.client.store import Settings, Store
from rmsserver.client.transport import HttpConnection

PASSWORD_VARIABLE = "RMSCLIENT_PASSWORD"  # noqa: S105 - the name of a variable
_PROGRESS_FROM_BYTES = 4 * 1024 * 1024
_PASSWORD_LIMIT_BYTES = 4096

password_option = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"A file whose first line is the password. Else {PASSWORD_VARIABLE} counts, else you are asked.",
)
auth_option = click.option(
    "--auth",
    "method",
    type=click.Choice([method.value for method in Method]),
    default=Method.AUTO.value,
    help="How to sign on. auto: by Kerberos where you have tickets (kinit), else with a password.",
    show_default=True,
)
force_option = click.option("--force", is_flag=True, help="Replace the output file if it exists.")
output_option = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="The file to write.",
)
file_argument = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")


def now() -> dt.datetime:
    """The present, aware, as documents have it: to the minute."""
    return dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)


def open_store() -> Store:
    return Store.locate(os.environ, Path.home())


def read_password(password_file: Path | None, user: str) -> str:
    """From the file, else the environment, else the person. Raises SignOnError where there is nobody to
    ask."""
    if password_file is not None:
        with password_file.open("rb") as stream:
            lines = stream.read(_PASSWORD_LIMIT_BYTES).decode().splitlines()
        return lines[0] if lines else ""
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        raise SignOnError(f"There is nobody to ask for a password; use --password-file or {PASSWORD_VARIABLE}.")
    return str(click.prompt(f"Password for {user}", hide_input=True, err=True))


def connect(settings: Settings, password_file: Path | None) -> ClusterServices:
    """The cluster this client was set up with, for the person it was set up for."""
    credentials = Credentials(settings.user, lambda: read_password(password_file, settings.user), settings.auth)
    return ClusterServices(_connection(settings, credentials), settings.locations)


def _connection(settings: Settings, credentials: Credentials | None) -> HttpConnection:
    ca_file = Path(settings.ca_file) if settings.ca_file else None
    if ca_file is not None and not ca_file.is_file():
        raise SetupError(f"The CA certificate {ca_file} is gone; run rmsclient bootstrap again with --ca FILE.")
    return HttpConnection(credentials, ca_file=ca_file, allow_http=settings.allow_http)


def list_source(settings: Settings, file: Path | None) -> Callable[[str], bytes]:
    """Where revocation lists come from: `file` where one is named, else the cluster, without sign-on."""
    if file is not None:
        return lambda _url: read_limited(file, LIST_LIMIT_BYTES)
    addresses = (settings.base_url, *settings.locations.certification, *settings.locations.licensing)
    return fetch_from_cluster(_connection(settings, None), addresses)


def user_or_ticket_holder(user: str | None, method: Method) -> str:
    """Who signs on, where `--user` need not be given. Raises SignOnError where nobody can be told."""
    found = user or (tickets_of() if method in (Method.AUTO, Method.KERBEROS) else None)
    if found is None:
        raise SignOnError("There are no Kerberos tickets; name your account with --user, or run kinit.")
    return found


@contextlib.contextmanager
def progress_bar(label: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Counts bytes on a terminal's standard error, for large files; else says nothing."""
    if total_bytes < _PROGRESS_FROM_BYTES or not sys.stderr.isatty():
        yield lambda _bytes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total_bytes)
        yield lambda count: progress.advance(task, count)


def connection_options(function: Command) -> Command:
    """--ca and --allow-http, for the command that makes the first connection."""
    ca = click.option(
        "--ca",
        "ca_file",
        type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
        help="PEM file with the CA certificate for the server's TLS, where the system does not know it.",
    )
    http = click.option(
        "--allow-http",
        is_flag=True,
        help="Permit an address without TLS. Whoever controls the network then decides whom you trust.",
    )
    return ca(http(function))
