"""`rmsserver spc`: whose machine certificates the cluster accepts."""

from __future__ import annotations

from pathlib import Path

import click

from rmsserver.cli.changes import Change, note
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.cli.written_files import read_limited
from rmsserver.errors import OperatorError
from rmsserver.stores.certificates import Certificates
from rmsserver.xrml.issuing import IssuingCertificate

_SHOWN_DIGITS = 16
"""Of a key id, in the list for people."""


@click.group(cls=Commands)
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
    issuer = opened.certificates.trust_machine_issuer(read_limited(file))
    opened.configuration.touch()
    note("key", _key_id(issuer))
    click.echo(f"Machine certificates of {_name(issuer)} are accepted now.")


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
            "issuer": _name(c),
            "key": _key_id(c),
            "from": origin,
        }
        for origin, found in (("this cluster", [own] if own else []), ("added", certificates.added_machine_issuers))
        for c in found
    ]
    if as_json:
        print_json(rows)
    for row in [] if as_json else rows:
        click.echo(f"{row['key'][:_SHOWN_DIGITS]}  {row['issuer']}  ({row['from']})")


@spc.command("remove", cls=Change)
@click.argument("issuer")
@home_option
@example("rmsserver spc remove 9f2c41d07be3a586 --home ./cluster")
def spc_remove(issuer: str, home: Path) -> None:
    """Accept machine certificates of an added issuer no longer. ISSUER is the first column of the list."""
    opened = open_home(home)
    found = _added(opened.certificates.load(), issuer.lower())
    opened.certificates.remove_machine_issuer(found.principal.public_key.id)
    opened.configuration.touch()
    note("key", _key_id(found))
    click.echo(f"{_name(found)} is trusted no longer, in running servers within configurationRefreshInterval.")


def _added(certificates: Certificates, wanted: str) -> IssuingCertificate:
    """By its key id, whole or as far as the list shows it. Raises OperatorError."""
    found = [c for c in certificates.added_machine_issuers if wanted in (_key_id(c), _key_id(c)[:_SHOWN_DIGITS])]
    if len(found) == 1:
        return found[0]
    own = certificates.machine_issuer
    if own is not None and wanted in (_key_id(own.certificate), _key_id(own.certificate)[:_SHOWN_DIGITS]):
        raise OperatorError("this is the cluster's own issuer: it cannot be removed")
    raise OperatorError(f"{wanted[:80]!r} is no issuer that was added: see the first column of `rmsserver spc list`")


def _key_id(issuer: IssuingCertificate) -> str:
    return issuer.principal.public_key.id.hex()


def _name(issuer: IssuingCertificate) -> str:
    return issuer.principal.object.name or issuer.principal.object.id
