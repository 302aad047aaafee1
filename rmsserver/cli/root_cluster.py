"""The options that say at which other cluster a cluster enrolls: of `rmsserver init` at first, of `rmsserver key` again."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from rmsserver.cli.opening import secret_from
from rmsserver.cli.written_files import read_limited
from rmsserver.config import ConfigError, read_secret
from rmsserver.enrolled_home import RootCluster
from rmsserver.enrolled_keys import is_enrolled
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.outbound.http import HttpPeer, PeerAccount
from rmsserver.stores.configuration_keys import is_loopback, url
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PublicKey

Command = TypeVar("Command", bound=Callable[..., Any])
FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")

revocation_authority_option = click.option(
    "--revocation-authority",
    "revocation_authorities",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A file with the public key of somebody else than the issuer who may revoke the new certificate.",
)


def _account_options(when: str) -> tuple[Callable[[Command], Command], ...]:
    """How to sign on at the other cluster; `when` begins their help."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return (
        click.option("--root-user", help=f"{when}: an account that the root cluster lists for the endpoint."),
        click.option(
            "--root-password-file",
            type=file,
            help=f"{when}: its password is in this file's first line. Else RMS_ROOT_PASSWORD, else you are asked.",
        ),
        click.option("--root-ca", type=file, help=f"{when}: PEM file of the authorities for its TLS certificate."),
        click.option("--root-fingerprint", help=f"{when}: the fingerprint of its root key, as its init showed it."),
    )


_OPTIONS = (
    click.option(
        "--root", "root_url", metavar="URL", help="Enroll at this cluster instead of under a root of its own."
    ),
    click.option(
        "--licensing-only",
        is_flag=True,
        help="With --root: a cluster that licenses, and leaves certifying to the root.",
    ),
    *_account_options("With --root"),
    revocation_authority_option,
)
_AGAIN = (
    click.option(
        "--root",
        "root_url",
        metavar="URL",
        help="The cluster that issued our certificate, to ask it again. Of a licensing-only cluster it is known.",
    ),
    *_account_options("Where another cluster issued ours"),
)


def root_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def root_again_options(command: Command) -> Command:
    """For commands on a cluster that is there; see `read_root_again`."""
    for option in reversed(_AGAIN):
        command = option(command)
    return command


def read_root_again(
    home: Home,
    root_url: str | None,
    root_user: str | None,
    root_password_file: Path | None,
    root_ca: Path | None,
    root_fingerprint: str | None,
) -> RootCluster | None:
    """The cluster that issued this one's certificate; None where it has a root of its own. Raises OperatorError."""
    state = home.state
    if not is_enrolled(home):
        if root_url or root_user or root_password_file or root_ca or root_fingerprint:
            raise OperatorError("this cluster has a root of its own: leave the --root… options out")
        return None
    if state.root_url is not None and root_url not in (None, state.root_url):
        raise OperatorError(f"the root cluster is {state.root_url} (rmsserver config get rootUrl): leave --root out")
    found = root_url or state.root_url
    if found is None:
        raise OperatorError(
            "this store cannot issue its own certificate: ask the cluster that issued it with --root URL --root-user NAME, "
            "or by files (rmsserver key renew --request FILE); put an enrollment key that is kept elsewhere back first"
        )
    if root_user is None:
        raise OperatorError(f"{found} issued this cluster's certificate: add --root-user, an account that it lists")
    return read_root(found, state.is_licensing_only, root_user, root_password_file, root_ca, root_fingerprint, ())


def read_root(
    root_url: str | None,
    licensing_only: bool,
    root_user: str | None,
    root_password_file: Path | None,
    root_ca: Path | None,
    root_fingerprint: str | None,
    revocation_authorities: tuple[Path, ...],
) -> RootCluster | None:
    """None where the new cluster has a root of its own. Asks for the password where neither file nor variable has it.

    Raises OperatorError.
    """
    if root_url is None:
        if licensing_only or root_user or root_password_file or root_ca or root_fingerprint or revocation_authorities:
            raise OperatorError("--licensing-only, --revocation-authority and the --root-… options go with --root URL")
        return None
    if root_user is None:
        raise OperatorError("--root needs --root-user: an account that the root cluster lists for the endpoint")
    if root_fingerprint is not None and not FINGERPRINT.fullmatch(root_fingerprint):
        raise OperatorError(
            "--root-fingerprint: 64 hexadecimal digits, as `rmsclient bootstrap` shows them at the root"
        )
    if licensing_only and revocation_authorities:
        raise OperatorError("--revocation-authority: the certificate of a licensing-only cluster has none")
    authorities = read_authorities(revocation_authorities)
    base = _base_url(root_url, root_fingerprint)
    password = _password(root_user, root_password_file)
    peer = HttpPeer(PeerAccount(root_user, password), root_ca)
    return RootCluster(base, peer, root_fingerprint, licensing_only, authorities)


def _password(user: str, path: Path | None) -> str:
    if path is None:
        return secret_from(None, "RMS_ROOT_PASSWORD", f"Password of {user}", option="--root-password-file")
    try:
        return read_secret("--root-password-file", path)
    except ConfigError as error:
        raise OperatorError("; ".join(error.lines)) from None


def read_authorities(paths: tuple[Path, ...]) -> tuple[PublicKey, ...]:
    """The keys in these files: PEM or DER, or the certificate chain of a cluster. Raises OperatorError."""
    return tuple(_authority(path) for path in paths)


def _authority(path: Path) -> PublicKey:
    data = read_limited(path)
    try:
        key = (
            _pem_or_der(data)
            or IssuingCertificate.read(split_documents(decode_documents(data))[0]).principal.public_key
        )
        key.check_strength()
    except (XrmlError, IndexError):
        raise OperatorError(
            f"{path}: no RSA public key that can be used, nor the certificate of a cluster: name another file"
        ) from None
    return key


def _pem_or_der(data: bytes) -> PublicKey | None:
    load = load_pem_public_key if b"-----BEGIN" in data else load_der_public_key
    try:
        found = load(data)
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(found, RSAPublicKey):
        return None
    return PublicKey.from_pkcs1(found.public_bytes(Encoding.DER, PublicFormat.PKCS1))


def _base_url(text: str, fingerprint: str | None) -> str:
    """Without TLS somebody on the way could hand out certificates in the root's place ([MS-RMPRS] 5.1.2)."""
    try:
        base = url(text)
    except ValueError as error:
        raise OperatorError(f"--root: {error}") from None
    parts = urlsplit(base)
    if parts.scheme == "http" and fingerprint is None and not is_loopback(parts.hostname or ""):
        raise OperatorError("--root has no TLS: use its https:// URL, or give --root-fingerprint")
    return base
