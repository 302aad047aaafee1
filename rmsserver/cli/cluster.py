"""`rmsserver init`, `rmsserver spc trust` and `rmsserver client-bundle`."""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from rmsserver.cli.changes import Change, alert, note
from rmsserver.cli.opening import configuration, home_option, open_home, prompt_passphrase
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.cli.root_cluster import read_root, root_options
from rmsserver.client.bundle import ClientBundle
from rmsserver.config import FILE_NAME, PASSPHRASE_VARIABLE
from rmsserver.enrolled_home import create_enrolled_home, root_fingerprint
from rmsserver.errors import OperatorError
from rmsserver.home import NewCluster, create_home, default_directory_name
from rmsserver.stores.configuration_keys import url
from rmsserver.xrml.keys import CryptoMode


@click.command(cls=Change)
@home_option
@click.option("--base-url", required=True, help="The cluster's URL, for example https://rms.example.com/_wmcs.")
@click.option("--extranet-url", help="The URL under which it is reached from outside, where it is.")
@click.option(
    "--crypto-mode", type=click.Choice(["1", "2"]), default="2", show_default=True, help="1: RSA-1024 and SHA-1."
)
@click.option("--name", help="A friendly name, written into the server's certificate.")
@click.option("--directory-name", help="First part of account names, as in EXAMPLE\\user. Default: from the URL.")
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the passphrase from this file from now on; a file that is not there is made, with a random one.",
)
@root_options
@json_option
@example(
    "rmsserver init --home ./cluster --base-url https://rms.example.com/_wmcs --name EXAMPLE-RMS\n"
    "rmsserver init --home ./branch --base-url https://branch.example.com/_wmcs --licensing-only \\\n"
    "    --root https://rms.example.com/_wmcs --root-user EXAMPLE\\branch"
)
def init(
    home: Path,
    base_url: str,
    extranet_url: str | None,
    crypto_mode: str,
    name: str | None,
    directory_name: str | None,
    passphrase_file: Path | None,
    as_json: bool,
    **root_settings: Any,
) -> None:
    """Make a new cluster: its certificates under a root of its own, its database, its configuration file.

    The private keys are wrapped under a passphrase: from --passphrase-file, the variable RMSSERVER_PASSPHRASE, or asked
    for.
    """
    base, extranet = _url("--base-url", base_url), _url("--extranet-url", extranet_url) if extranet_url else None
    if (home / FILE_NAME).exists() or (home / "certificates").exists():
        raise OperatorError(f"there is a cluster in {home} already: name another --home")
    configuration(home)
    root = read_root(**root_settings)
    source, passphrase = new_passphrase(passphrase_file)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = _settings(source, passphrase_file, base)
    new = NewCluster(base, extranet, CryptoMode(int(crypto_mode)), name, directory_name or default_directory_name(base))
    say = (lambda _line: None) if as_json else (lambda line: click.echo(f"{line} ..."))
    (home / FILE_NAME).write_text(settings, "utf-8")
    try:
        if root is None:
            state = create_home(configuration(home), new, passphrase, say)
        else:
            state = create_enrolled_home(configuration(home), new, root, passphrase, say)
    except BaseException:
        (home / FILE_NAME).unlink()
        raise
    slc = state.licensor.certificate
    fingerprint = root_fingerprint(state.licensor.chain)
    note("id", slc.principal.object.id)
    note("root_fingerprint", fingerprint)
    if as_json:
        found = {"home": str(home), "base_url": base, "crypto_mode": int(crypto_mode), "slc": slc.principal.object.id}
        print_json({**found, "root_fingerprint": fingerprint})
        return
    click.echo(f"The cluster is in {home}: {slc.principal.object.name or base}, mode {crypto_mode}.")
    click.echo(f"Root key fingerprint: {fingerprint}")
    click.echo(f"Next: rmsserver user add NAME --home {home} --email NAME@example.com")
    click.echo(f"Then: rmsserver serve --home {home}")


def _url(option: str, text: str) -> str:
    try:
        return url(text)
    except ValueError as error:
        raise OperatorError(f"{option}: {error}") from None


def new_passphrase(path: Path | None) -> tuple[str, str]:
    """(source for the configuration file, passphrase)."""
    if path is not None:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(secrets.token_urlsafe(32) + "\n")
        lines = path.read_text("utf-8").splitlines()
        if not lines or len(lines[0]) < 8:
            raise OperatorError(f"{path}: the passphrase needs at least 8 characters in the first line")
        return "file", lines[0]
    if os.environ.get(PASSPHRASE_VARIABLE):
        return "environment", os.environ[PASSPHRASE_VARIABLE]
    passphrase = prompt_passphrase(confirm=True)
    if len(passphrase) < 8:
        raise OperatorError("the passphrase needs at least 8 characters: run init again")
    return "prompt", passphrase


def _settings(source: str, passphrase_file: Path | None, base_url: str) -> str:
    lines = [
        "# One server process of this cluster. Every key: docs/operator-guide.md. What all servers share: rmsserver config.",
        passphrase_settings(source, passphrase_file).rstrip(),
    ]
    if _is_loopback(urlsplit(base_url).hostname or ""):
        lines += [
            "",
            "[sign_on]",
            "# The URL is on this machine alone: passwords need no TLS.",
            'basic = "secure-or-loopback"',
        ]
    return "\n".join(lines) + "\n"


def passphrase_settings(source: str, passphrase_file: Path | None) -> str:
    """The lines of rmsserver.toml that say where the passphrase comes from."""
    lines = [f'passphrase_source = "{source}"\n']
    if passphrase_file is not None:
        lines.append(f"passphrase_file = {_toml_string(str(passphrase_file.absolute()))}\n")
    return "".join(lines)


def _toml_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@click.group()
@example("rmsserver spc list --home ./cluster")
def spc() -> None:
    """The issuers of machine certificates that the cluster accepts."""


@spc.command("trust", cls=Change)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@example("rmsserver spc trust issuer-chain.xml --home ./cluster")
def spc_trust(file: Path, home: Path) -> None:
    """Accept machine certificates of another issuer: the first certificate in FILE."""
    opened = open_home(home)
    issuer = opened.certificates.trust_machine_issuer(file.read_bytes())
    opened.configuration.touch()
    note("key", issuer.principal.public_key.id.hex())
    click.echo(
        f"Machine certificates of {issuer.principal.object.name or issuer.principal.object.id} are accepted now."
    )


@spc.command("list")
@home_option
@json_option
@example("rmsserver spc list --home ./cluster")
def spc_list(home: Path, as_json: bool) -> None:
    """Show the issuers of machine certificates that are accepted."""
    certificates = open_home(home).certificates.load()
    own = certificates.machine_issuer.certificate if certificates.machine_issuer else None
    rows = [
        {
            "issuer": c.principal.object.name or c.principal.object.id,
            "key": c.principal.public_key.id.hex(),
            "from": origin,
        }
        for origin, found in (("this cluster", [own] if own else []), ("added", certificates.added_machine_issuers))
        for c in found
    ]
    if as_json:
        print_json(rows)
    for row in [] if as_json else rows:
        click.echo(f"{row['key'][:16]}  {row['issuer']}  ({row['from']})")


@click.command("client-bundle", cls=Change)
@home_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@example("rmsserver client-bundle --home ./cluster -o machines.bundle")
def client_bundle(home: Path, output: Path) -> None:
    """Write the file with which machines activate themselves: root, SPC issuer chain, and the issuer's private key.

    Whoever has this file can make machine certificates that the cluster accepts. `rmsclient bootstrap` needs none: there
    the cluster signs. See docs/security.md for the threats of both.
    """
    certificates = open_home(home).certificates.load()
    issuer = certificates.machine_issuer
    if issuer is None:
        raise OperatorError("this cluster has no SPC issuer of its own: there is nothing to hand out")
    bundle = ClientBundle(certificates.root, issuer.chain, issuer.key)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(bundle.pack())
    note("key", issuer.key.public.id.hex())
    alert("the private key that signs machine certificates was exported")
    click.echo(f"{output}: hand it to machines over a trusted way only; it holds a private key.")
