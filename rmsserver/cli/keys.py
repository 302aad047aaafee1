"""`rmsserver key`: the cluster's own keys and its passphrase."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from rmsserver import enrolled_keys as enrolled
from rmsserver import key_administration as keys
from rmsserver.cli.changes import Change, alert, note, unchanged
from rmsserver.cli.opening import home_option, open_home, secret_from
from rmsserver.cli.program import Commands, counted, example, json_option, print_json
from rmsserver.cli.publishing_domains import ask
from rmsserver.cli.root_cluster import read_root_again, root_again_options
from rmsserver.cli.written_files import read_limited, write_new
from rmsserver.config import PassphraseSource
from rmsserver.errors import OperatorError
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
@root_again_options
@click.option(
    "--request",
    "request_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Ask by a file instead, which `rmsserver enrollment answer` answers at the cluster that issued ours.",
)
@click.option(
    "--answer",
    "answer_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the new certificate from the answer to --request.",
)
@example(
    "rmsserver key renew --home ./cluster\n"
    "rmsserver key renew --home ./branch --root-user EXAMPLE\\branch --root-password-file branch.password"
)
def key_renew(home: Path, request_file: Path | None, answer_file: Path | None, **root_settings: Any) -> None:
    """A new certificate with a new range for the same key. Nobody notices.

    Where another cluster issued the certificate, that one is asked again. A licensing-only cluster needs it when its root
    has got a new key: account certificates of the former key count as before, and those of the new one from then on.
    """
    if request_file is not None or answer_file is not None:
        _renew_by_files(home, request_file, answer_file, **root_settings)
        return
    opened = open_home(home)
    before, root = opened.state, read_root_again(opened, **root_settings)
    after = keys.renew_key(opened, _now()) if root is None else enrolled.renew_at_root(opened, root)
    _report_issued(before, after)


@key.command("rollover", cls=Change)
@home_option
@root_again_options
@_leave
@_yes
@example("rmsserver key rollover --home ./cluster")
def key_rollover(home: Path, leave_adopted: bool, yes: bool, **root_settings: Any) -> None:
    """A new key and certificate; the present key is kept: its documents open, its account certificates stay trusted.

    Our own clients trust the new certificate after `rmsclient bootstrap`. Clusters that trust our users need our file again,
    and licensing-only clusters under this one `rmsserver key renew`.
    """
    ask("Clients have to fetch new certificates. Make a new key?", yes)
    opened = open_home(home)
    before, root = opened.state, read_root_again(opened, **root_settings)
    if root is None:
        after = keys.roll_key_over(opened, _now(), leave_adopted=leave_adopted)
    else:
        after = enrolled.roll_over_at_root(opened, root, _now())
    _report_issued(before, after)
    alert("the cluster has a new key")


@key.command("upgrade-mode", cls=Change)
@home_option
@root_again_options
@_leave
@_yes
@example("rmsserver key upgrade-mode --home ./cluster")
def key_upgrade_mode(home: Path, leave_adopted: bool, yes: bool, **root_settings: Any) -> None:
    """From cryptographic mode 1 to mode 2. There is no way back.

    Documents of mode 1 are served with the old key. Machines and accounts need certificates of mode 2: clients that know
    mode 1 alone are refused from then on. A licensing-only cluster follows its root.
    """
    ask("Clients of mode 1 are refused from then on, and there is no way back. Change to mode 2?", yes)
    opened = open_home(home)
    enrolled.check_can_upgrade(opened)
    before, root = opened.state, read_root_again(opened, **root_settings)
    if root is None:
        after = keys.upgrade_cryptographic_mode(opened, _now(), leave_adopted=leave_adopted)
    else:
        after = enrolled.upgrade_mode_at_root(opened, root, _now())
    _report_issued(before, after)
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


def _renew_by_files(
    home: Path,
    request_file: Path | None,
    answer_file: Path | None,
    root_fingerprint: str | None,
    **others: Any,
) -> None:
    """Raises OperatorError."""
    if (request_file is not None and answer_file is not None) or any(others.values()):
        raise OperatorError(
            "either --request FILE or --answer FILE, and of the --root… options --root-fingerprint alone"
        )
    opened = open_home(home)
    if answer_file is not None:
        before = opened.state
        _report_issued(before, enrolled.renew_with_answer(opened, read_limited(answer_file), root_fingerprint, _now()))
    if request_file is not None:
        write_new(request_file, enrolled.renewal_request(opened))
        click.echo(f"The request is {request_file}. Fingerprint of its key, for whoever answers it:")
        click.echo(opened.state.licensor.key.public.id.hex())
        click.echo(f"With the answer: rmsserver key renew --answer ANSWER --home {home}")
        unchanged()


def _report_issued(before: ServerState, after: ServerState) -> None:
    """And, on a licensing-only cluster, whose account certificates count from now on."""
    _report(after)
    for key_id in sorted(after.trusted_rac_issuers.keys() - before.trusted_rac_issuers.keys()):
        if after.is_licensing_only:
            alert(f"account certificates of the root cluster's key {key_id.hex()} count from now on")
            click.echo(f"Account certificates of the root cluster's key {key_id.hex()[:16]} count from now on.")


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
