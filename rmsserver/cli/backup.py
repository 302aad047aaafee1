"""`rmsserver backup` and `rmsserver restore`: a whole cluster in one file."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path

import click

from rmsserver.backup import make_backup, restore_backup
from rmsserver.cli.changes import Change, alert, note
from rmsserver.cli.new_cluster import new_passphrase, passphrase_settings
from rmsserver.cli.opening import home_option, open_home, secret_from
from rmsserver.cli.program import example

_VARIABLE = "RMS_FILE_PASSWORD"
_password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"The backup's password is in this file's first line; {_VARIABLE} holds it too. Else you are asked.",
)


@click.command(cls=Change)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@home_option
@_password_file
@example("rmsserver backup cluster-2026-11-22.backup --home ./cluster")
def backup(file: Path, home: Path, password_file: Path | None) -> None:
    """Write the whole cluster into FILE, encrypted under a password, while it serves.

    Keys, accounts, templates, settings and audit; no certificates of TLS, no databases other than SQLite. With FILE and
    its password anybody can be this cluster.
    """
    password = secret_from(password_file, _VARIABLE, "Password for the backup", confirm=True)
    manifest = make_backup(open_home(home), file, password, dt.datetime.now(dt.UTC))
    note("fingerprint", manifest.fingerprint)
    alert("the whole cluster was written into a file")
    click.echo(f"{file}: {manifest.cluster}, {len(manifest.files)} files. Fingerprint of who signed it:")
    click.echo(manifest.fingerprint)


@click.command(cls=Change)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@_password_file
@click.option("--fingerprint", help="What `rmsserver backup` printed: refuse a backup of another cluster.")
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read the passphrase of the new home from this file; a file that is not there is made, with a random one.",
)
@example("rmsserver restore cluster-2026-11-22.backup --home ./restored --passphrase-file ./passphrase")
def restore(
    file: Path, home: Path, password_file: Path | None, fingerprint: str | None, passphrase_file: Path | None
) -> None:
    """Make a home from a backup. The home must not exist yet; its passphrase is a new one.

    Users whose key pairs were made after the backup get new ones: licences that they kept offline stop opening.
    """
    password = secret_from(password_file, _VARIABLE, "Password of the backup")
    source, passphrase = new_passphrase(passphrase_file)
    settings = passphrase_settings(source, passphrase_file)
    manifest = restore_backup(file, home, password, settings, passphrase, fingerprint=fingerprint, pause=time.sleep)
    note("backup_of", manifest.created)
    note("signed_by", manifest.fingerprint)
    alert("the cluster was restored from a backup")
    click.echo(f"{manifest.cluster} as of {manifest.created} is in {home}. Look through rmsserver.toml there, then:")
    click.echo(f"rmsserver serve --home {home}")
