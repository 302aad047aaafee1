"""`rmsserver key`: the cluster's own keys and its passphrase."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from rmsserver import key_administration as keys
from rmsserver.cli.changes import Change, alert, note
from rmsserver.cli.opening import home_option, open_home, secret_from
from rmsserver.cli.program import Commands, counted, example, json_option, print_json
from rmsserver.cli.publishing_domains import ask
from rmsserver.config import PassphraseSource
from rmsserver.state import Licensor, ServerState

_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_leave = click.option(
    "--leave-adopted", is_flag=True, help="Also where that gives up a chain which genuine Windows clients accept."
)


@click.group(cls=Commands)
@example("rmsserver key list --home ./cluster")
def key() -> None:
    """The keys of this cluster: a new range, a new key, the second cryptographic mode, another passphrase."""


@key.command("list")
@home_option
@json_option
@example("rmsserver key list --home ./cluster")
def key_list(home: Path, as_json: bool) -> None:
    """Show our key and the former ones, and how long the certificate issues."""
    state = open_home(home).state
    rows = [_row("own", state.licensor), *(_row("former", licensor) for licensor in state.former_licensors)]
    if as_json:
        print_json(rows)
    for row in [] if as_json else rows:
        click.echo(f"{row['role']:7} {str(row['key'])[:16]}  mode {row['crypto_mode']}  issues until {row['until']}")


@key.command("renew", cls=Change)
@home_option
@example("rmsserver key renew --home ./cluster")
def key_renew(home: Path) -> None:
    """A new certificate with a new range for the same key. Nobody notices."""
    _report(keys.renew_key(open_home(home), _now()))


@key.command("rollover", cls=Change)
@home_option
@_leave
@_yes
@example("rmsserver key rollover --home ./cluster")
def key_rollover(home: Path, leave_adopted: bool, yes: bool) -> None:
    """A new key and certificate; the present key is kept: its documents open, its account certificates stay trusted.

    Our own clients trust the new certificate after `rmsclient bootstrap`. Clusters that trust our users need our file again.
    """
    ask("Clients have to fetch new certificates. Make a new key?", yes)
    _report(keys.roll_key_over(open_home(home), _now(), leave_adopted=leave_adopted))
    alert("the cluster has a new key")


@key.command("upgrade-mode", cls=Change)
@home_option
@_leave
@_yes
@example("rmsserver key upgrade-mode --home ./cluster")
def key_upgrade_mode(home: Path, leave_adopted: bool, yes: bool) -> None:
    """From cryptographic mode 1 to mode 2. There is no way back.

    Documents of mode 1 are served with the old key. Machines and accounts need certificates of mode 2: clients that know
    mode 1 alone are refused from then on.
    """
    ask("Clients of mode 1 are refused from then on, and there is no way back. Change to mode 2?", yes)
    _report(keys.upgrade_cryptographic_mode(open_home(home), _now(), leave_adopted=leave_adopted))
    alert("the cluster has changed to cryptographic mode 2")


@key.command("templates", cls=Change)
@home_option
@example("rmsserver key templates --home ./cluster")
def key_templates(home: Path) -> None:
    """Sign templates again that a former key signed, where a change of keys was interrupted before it could."""
    click.echo(f"Signed again: {counted(keys.sign_templates_again(open_home(home), _now()), 'template')}.")


@key.command("passphrase", cls=Change)
@home_option
@click.option(
    "--new-passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The new passphrase is in this file's first line. Else RMS_NEW_PASSPHRASE, else you are asked.",
)
@click.option("--random", "make", is_flag=True, help="Make a new one, where it comes from a file anyway.")
@example("rmsserver key passphrase --home ./cluster --random")
def key_passphrase(home: Path, new_passphrase_file: Path | None, make: bool) -> None:
    """Change the passphrase of the certificate store. No key changes, and running servers go on."""
    opened = open_home(home)
    _ = opened.certificates  # the present passphrase first: who does not know it is asked for no new one
    from_file = opened.config.passphrase_source is PassphraseSource.FILE
    if make and from_file:
        passphrase = keys.new_passphrase()
    else:
        option = "--new-passphrase-file"
        passphrase = secret_from(
            new_passphrase_file, "RMS_NEW_PASSPHRASE", "New passphrase", confirm=True, option=option
        )
    remains = keys.change_passphrase(opened, passphrase)
    alert("the passphrase was changed")
    click.echo("The passphrase is changed." + (f" {remains}" if remains else ""))
    click.echo(
        "Backups of before keep their own password. Anybody who copied the store can still use the old passphrase on it."
    )


def _report(state: ServerState) -> None:
    row = _row("own", state.licensor)
    note("id", row["key"])
    click.echo(f"Key {str(row['key'])[:16]}, mode {row['crypto_mode']}, issues until {row['until']}.")
    click.echo("Running servers take it over within configurationRefreshInterval.")


def _row(role: str, licensor: Licensor) -> dict[str, object]:
    return {
        "role": role,
        "slc": licensor.certificate.principal.object.id,
        "key": licensor.key.public.id.hex(),
        "crypto_mode": licensor.mode.value,
        "until": f"{licensor.certificate.issuance.end:%Y-%m-%d}",
    }


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
