"""`rmsserver init` and `rmsserver client-bundle`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from rmsserver.cli.changes import Change, alert, note
from rmsserver.cli.new_cluster import check_new, new_cluster_options, new_settings, read_new_cluster
from rmsserver.cli.opening import configuration, home_option, open_home
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.cli.root_cluster import read_root, root_options
from rmsserver.client.bundle import ClientBundle
from rmsserver.enrolled_home import create_enrolled_home, root_fingerprint
from rmsserver.errors import OperatorError
from rmsserver.home import create_home
from rmsserver.state import ServerState


@click.command(cls=Change)
@home_option
@new_cluster_options
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
    new = read_new_cluster(base_url, extranet_url, crypto_mode, name, directory_name)
    check_new(home)
    root = read_root(**root_settings)
    say = (lambda _line: None) if as_json else (lambda line: click.echo(f"{line} ..."))
    with new_settings(home, new.base_url, passphrase_file) as passphrase:
        if root is None:
            state = create_home(configuration(home), new, passphrase, say)
        else:
            state = create_enrolled_home(configuration(home), new, root, passphrase, say)
    report_new(state, home, as_json=as_json)


def report_new(state: ServerState, home: Path, *, as_json: bool) -> None:
    """What an operator wants to know of a cluster that was just made."""
    slc = state.licensor.certificate
    fingerprint = root_fingerprint(state.licensor.chain)
    note("id", slc.principal.object.id)
    note("root_fingerprint", fingerprint)
    if as_json:
        found = {"home": str(home), "base_url": state.base_url, "crypto_mode": int(state.cryptographic_mode)}
        print_json({**found, "slc": slc.principal.object.id, "root_fingerprint": fingerprint})
        return
    name = slc.principal.object.name or state.base_url
    click.echo(f"The cluster is in {home}: {name}, mode {int(state.cryptographic_mode)}.")
    click.echo(f"Root key fingerprint: {fingerprint}")
    click.echo(f"Next: rmsserver user add NAME --home {home} --email NAME@example.com")
    click.echo(f"Then: rmsserver serve --home {home}")


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
    click.echo(f"{output}: hand it to machines by a trusted way only; it holds a private key.")
