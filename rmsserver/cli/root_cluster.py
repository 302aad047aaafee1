"""The options of `rmsserver init` that say at which other cluster a new one enrolls."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from rmsserver.config import read_secret
from rmsserver.enrolled_home import RootCluster
from rmsserver.errors import OperatorError
from rmsserver.outbound.http import HttpPeer, PeerAccount
from rmsserver.stores.configuration_keys import url

Command = TypeVar("Command", bound=Callable[..., Any])
_FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")

_OPTIONS = (
    click.option(
        "--root", "root_url", metavar="URL", help="Enroll at this cluster instead of under a root of its own."
    ),
    click.option(
        "--licensing-only",
        is_flag=True,
        help="With --root: a cluster that licenses, and leaves certifying to the root.",
    ),
    click.option("--root-user", help="With --root: an account that the root cluster lists for the endpoint."),
    click.option(
        "--root-password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="With --root: read its password from this file instead of asking.",
    ),
    click.option(
        "--root-ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="With --root: PEM file of the authorities for its TLS certificate.",
    ),
    click.option("--root-fingerprint", help="With --root: the fingerprint of its root key, as its init showed it."),
)


def root_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_root(
    root_url: str | None,
    licensing_only: bool,
    root_user: str | None,
    root_password_file: Path | None,
    root_ca: Path | None,
    root_fingerprint: str | None,
) -> RootCluster | None:
    """None where the new cluster has a root of its own. Asks for the password where no file has it. Raises OperatorError."""
    if root_url is None:
        if licensing_only or root_user or root_password_file or root_ca or root_fingerprint:
            raise OperatorError("--licensing-only and the --root-… options go with --root URL")
        return None
    if root_user is None:
        raise OperatorError("--root needs --root-user: an account that the root cluster lists for the endpoint")
    if root_fingerprint is not None and not _FINGERPRINT.fullmatch(root_fingerprint):
        raise OperatorError(
            "--root-fingerprint: 64 hexadecimal digits, as `rmsclient bootstrap` shows them at the root"
        )
    base = _base_url(root_url, root_fingerprint)
    if root_password_file is not None:
        password = read_secret("--root-password-file", root_password_file)
    else:
        password = click.prompt(f"Password of {root_user}", hide_input=True, err=True)
    peer = HttpPeer(PeerAccount(root_user, password), root_ca)
    return RootCluster(base, peer, root_fingerprint, licensing_only)


def _base_url(text: str, fingerprint: str | None) -> str:
    """Without TLS somebody on the way could hand out certificates in the root's place ([MS-RMPRS] 5.1.2)."""
    try:
        base = url(text)
    except ValueError as error:
        raise OperatorError(f"--root: {error}") from None
    parts = urlsplit(base)
    if parts.scheme == "http" and fingerprint is None and not _is_loopback(parts.hostname or ""):
        raise OperatorError("--root has no TLS: use its https:// URL, or give --root-fingerprint")
    return base


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
