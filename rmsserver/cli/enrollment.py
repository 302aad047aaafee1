"""`rmsserver enrollment`: clusters that cannot reach each other enroll by files ([MS-RMPR] 3.6.4.2)."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from rmsserver.cli.changes import Change, command_trail
from rmsserver.cli.cluster import report_new
from rmsserver.cli.new_cluster import check_new, new_cluster_options, new_settings, read_new_cluster
from rmsserver.cli.opening import configuration, home_option, open_home, passphrase_of
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.cli.root_cluster import FINGERPRINT, read_authorities, revocation_authority_option
from rmsserver.cli.written_files import read_limited, write_new
from rmsserver.errors import OperatorError
from rmsserver.offline_enrollment import answer_with, complete_cluster, request_certificate, requested_certificate

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_output = click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)


@click.group(cls=Commands)
@example("rmsserver enrollment request --home ./cluster --base-url https://rms.example.com/_wmcs -o request.xml")
def enrollment() -> None:
    """Enroll a new cluster in another's hierarchy where there is no connection between them.

    The new cluster writes a request, the other one answers it, the new cluster is completed with the answer. Where there is
    a connection, `rmsserver init --root URL` does it in one step.
    """


@enrollment.command("request")
@home_option
@new_cluster_options
@revocation_authority_option
@_output
@json_option
@example(
    "rmsserver enrollment request --home ./cluster --base-url https://rms.example.com/_wmcs --name EXAMPLE-RMS \\\n"
    "    -o request.xml"
)
def request(
    home: Path,
    base_url: str,
    extranet_url: str | None,
    crypto_mode: str,
    name: str | None,
    directory_name: str | None,
    passphrase_file: Path | None,
    revocation_authorities: tuple[Path, ...],
    output: Path,
    as_json: bool,
) -> None:
    """First step, at the new cluster: make its key and write the request.

    The key waits in the home, wrapped under the passphrase. The request holds nothing secret.
    """
    new = read_new_cluster(base_url, extranet_url, crypto_mode, name, directory_name)
    check_new(home)
    authorities = read_authorities(revocation_authorities)
    with new_settings(home, new.base_url, passphrase_file) as passphrase:
        config = configuration(home)
        fingerprint = request_certificate(config, new, authorities, passphrase, lambda data: write_new(output, data))
    if as_json:
        print_json({"home": str(home), "request": str(output), "fingerprint": fingerprint})
        return
    click.echo(f"The request is {output}. Fingerprint of its key, for whoever answers it:\n{fingerprint}")
    click.echo(f"With the answer: rmsserver enrollment complete ANSWER --home {home}")


@enrollment.command("answer", cls=Change)
@_file
@home_option
@_output
@click.option("--fingerprint", help="Of the request's key, as its sender says; without it you are asked to compare.")
@example("rmsserver enrollment answer request.xml --home ./root -o answer.xml --fingerprint 3f7c...")
def answer(file: Path, home: Path, output: Path, fingerprint: str | None) -> None:
    """Second step, at the other cluster: issue the certificate and write the answer.

    The new cluster's certificate stands beside this cluster's own, under the same root. Neither trusts the other for it.
    """
    data = read_limited(file)
    if output.exists():
        raise OperatorError(f"{output} exists already: name another file")
    asked = requested_certificate(data)
    shown = " ".join(_printable(text) for text in (asked.name, asked.url) if text) or "a cluster without a name"
    _compare(asked.fingerprint, fingerprint, f"{shown}\nFingerprint of the request's key:", "--fingerprint")
    write_new(output, answer_with(open_home(home), data, command_trail(), dt.datetime.now(dt.UTC)))
    click.echo(f"The answer is {output}: hand it to the new cluster. Tell its administrator the fingerprint of this")
    click.echo("cluster's root key, as `rmsserver init` showed it.")


@enrollment.command("complete", cls=Change)
@_file
@home_option
@click.option("--root-fingerprint", help="Of the other cluster's root key; without it you are asked to compare.")
@json_option
@example("rmsserver enrollment complete answer.xml --home ./cluster --root-fingerprint 3f7c...")
def complete(file: Path, home: Path, root_fingerprint: str | None, as_json: bool) -> None:
    """Third step, at the new cluster: make it with the certificate in the answer."""
    config = configuration(home)
    say = (lambda _line: None) if as_json else (lambda line: click.echo(f"{line} ..."))

    def confirm(found: str) -> None:
        _compare(found, root_fingerprint, "Fingerprint of the root key above the certificate:", "--root-fingerprint")

    report_new(complete_cluster(config, read_limited(file), passphrase_of(config), confirm, say), home, as_json=as_json)


def _compare(found: str, expected: str | None, shown: str, option: str) -> None:
    """Raises OperatorError unless `expected` is it, or a person says so."""
    if expected is not None:
        if not FINGERPRINT.fullmatch(expected):
            raise OperatorError(f"{option}: 64 hexadecimal digits")
        if expected.lower() != found:
            raise OperatorError(f"the fingerprint is {found}: not the one expected")
        return
    click.echo(f"{shown}\n{found}")
    if not sys.stdin.isatty():
        raise OperatorError(f"nothing was done: compare the fingerprint with its sender, and give it by {option}")
    if not click.confirm("Is it the one that you were told?"):
        raise OperatorError("nothing was done")


def _printable(text: str) -> str:
    """What a file says, fit for a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text[:200])
