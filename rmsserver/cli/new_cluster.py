"""What the commands that make a cluster have in common: its options, its passphrase, its configuration file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from rmsserver.cli.opening import configuration, prompt_passphrase
from rmsserver.config import FILE_NAME, PASSPHRASE_VARIABLE
from rmsserver.errors import OperatorError
from rmsserver.home import NewCluster, default_directory_name
from rmsserver.stores.configuration_keys import is_loopback, url
from rmsserver.xrml.keys import CryptoMode

Command = TypeVar("Command", bound=Callable[..., Any])
MIN_PASSPHRASE = 8

_OPTIONS = (
    click.option("--base-url", required=True, help="The cluster's URL, for example https://rms.example.com/_wmcs."),
    click.option("--extranet-url", help="The URL under which it is reached from outside, where it is."),
    click.option(
        "--crypto-mode", type=click.Choice(["1", "2"]), default="2", show_default=True, help="1: RSA-1024 and SHA-1."
    ),
    click.option("--name", help="A friendly name, written into the server's certificate."),
    click.option("--directory-name", help="First part of account names, as in EXAMPLE\\user. Default: from the URL."),
    click.option(
        "--passphrase-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read the passphrase from this file from now on; a file that is not there is made, with a random one.",
    ),
)


def new_cluster_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_new_cluster(
    base_url: str, extranet_url: str | None, crypto_mode: str, name: str | None, directory_name: str | None
) -> NewCluster:
    """Raises OperatorError."""
    base, extranet = _url("--base-url", base_url), _url("--extranet-url", extranet_url) if extranet_url else None
    return NewCluster(
        base, extranet, CryptoMode(int(crypto_mode)), name, directory_name or default_directory_name(base)
    )


def check_new(home: Path) -> None:
    """Raises OperatorError where there is a cluster, and where its environment is not in order."""
    if (home / FILE_NAME).exists() or (home / "certificates").exists():
        raise OperatorError(f"there is a cluster in {home} already: name another --home")
    configuration(home)


@contextmanager
def new_settings(home: Path, base_url: str, passphrase_file: Path | None) -> Iterator[str]:
    """The passphrase, while the configuration file is in place; it is removed where the rest fails."""
    source, passphrase = new_passphrase(passphrase_file)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / FILE_NAME).write_text(_settings(source, passphrase_file, base_url), "utf-8")
    try:
        yield passphrase
    except BaseException:
        (home / FILE_NAME).unlink()
        raise


def new_passphrase(path: Path | None) -> tuple[str, str]:
    """(source for the configuration file, passphrase)."""
    if path is not None:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(secrets.token_urlsafe(32) + "\n")
        lines = path.read_text("utf-8").splitlines()
        if not lines or len(lines[0]) < MIN_PASSPHRASE:
            raise OperatorError(f"{path}: the passphrase needs at least {MIN_PASSPHRASE} characters in the first line")
        return "file", lines[0]
    if os.environ.get(PASSPHRASE_VARIABLE):
        return "environment", os.environ[PASSPHRASE_VARIABLE]
    passphrase = prompt_passphrase(confirm=True)
    if len(passphrase) < MIN_PASSPHRASE:
        raise OperatorError(f"the passphrase needs at least {MIN_PASSPHRASE} characters: run the command again")
    return "prompt", passphrase


def passphrase_settings(source: str, passphrase_file: Path | None) -> str:
    """The lines of rmsserver.toml that say where the passphrase comes from."""
    lines = [f'passphrase_source = "{source}"\n']
    if passphrase_file is not None:
        lines.append(f"passphrase_file = {_toml_string(str(passphrase_file.absolute()))}\n")
    return "".join(lines)


def _url(option: str, text: str) -> str:
    try:
        return url(text)
    except ValueError as error:
        raise OperatorError(f"{option}: {error}") from None


def _settings(source: str, passphrase_file: Path | None, base_url: str) -> str:
    lines = [
        "# One server process of this cluster. Every key: docs/operator-guide.md. What all servers share: rmsserver config.",
        passphrase_settings(source, passphrase_file).rstrip(),
    ]
    if is_loopback(urlsplit(base_url).hostname or ""):
        lines += [
            "",
            "[sign_on]",
            "# The URL is on this machine alone: passwords need no TLS.",
            'basic = "secure-or-loopback"',
        ]
    return "\n".join(lines) + "\n"


def _toml_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
