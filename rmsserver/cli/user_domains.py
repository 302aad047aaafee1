"""`rmsserver tud`: trusted user domains."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from rmsserver.cli.changes import Change, note
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.cli.written_files import read_limited, write_new
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.signed_exports import check_fingerprint
from rmsserver.operations.admin.trusted_user_domains import OfferedUserDomain, email_domains
from rmsserver.state import TrustedUserDomain
from rmsserver.stores.sql.trusted_user_domains import StoredUserDomain
from rmsserver.trust_administration import export_tud, import_tud
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.values import Guid


@click.group(cls=Commands)
@example("rmsserver tud list --home ./cluster")
def tud() -> None:
    """Trusted user domains: other clusters whose account certificates count here, each within its e-mail domains."""


@tud.command("export", cls=Change)
@home_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@click.option("--bare", is_flag=True, help="The certificate chain alone, unsigned, as AD RMS imports it.")
@example("rmsserver tud export --home ./cluster -o example.tud")
def tud_export(home: Path, output: Path, bare: bool) -> None:
    """Write the file with which another cluster can trust our users. It holds no secret."""
    data, fingerprint = export_tud(open_home(home), dt.datetime.now(dt.UTC), bare=bare)
    write_new(output, data)
    note("fingerprint", fingerprint)
    click.echo(f"{output}: tell whoever imports it the fingerprint, by another way than the file:")
    click.echo(fingerprint)


@tud.command("import", cls=Change)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@click.option("--domain", "domains", multiple=True, help="Trust addresses of this e-mail domain; may be repeated.")
@click.option("--all-domains", is_flag=True, help="Trust every address its certificates name, ours among them.")
@click.option("--trust-sids", is_flag=True, help="SIDs in its certificates mean the accounts of our directory.")
@click.option("--trust-federated", is_flag=True, help="Accept its accounts of type Federation.")
@click.option("--name", help="What the list calls it. Default: the name in its certificate.")
@click.option("--replace", "replaced", metavar="ID", help="In the place of this one, as the list names it.")
@click.option("--fingerprint", help="What its administrator says; without it you are asked to compare.")
@json_option
@example("rmsserver tud import partner.tud --home ./cluster --domain partner.example --fingerprint 3f7c...")
def tud_import(
    file: Path,
    home: Path,
    domains: tuple[str, ...],
    all_domains: bool,
    trust_sids: bool,
    trust_federated: bool,
    name: str | None,
    replaced: str | None,
    fingerprint: str | None,
    as_json: bool,
) -> None:
    """Trust the account certificates of another cluster.

    FILE is one that `rmsserver tud export` made, or the certificate chain that AD RMS exports, which nobody signed: then the
    fingerprint is that of the cluster's key.
    """
    if bool(domains) == all_domains:
        raise OperatorError("say which addresses to trust: --domain partner.example, or --all-domains")
    listed = None if all_domains else email_domains(domains)

    def conditions(offered: OfferedUserDomain) -> TrustedUserDomain:
        confirm(offered, fingerprint)
        return TrustedUserDomain((name or offered.name)[:200], listed, trust_sids, trust_federated)

    replacing = None if replaced is None else guid_of(replaced)
    stored = import_tud(open_home(home), read_limited(file), conditions, dt.datetime.now(dt.UTC), replacing=replacing)
    note("id", stored.id)
    note("key", *(key.id.hex() for key in stored.keys))
    marked = "" if stored.signed_by else " (from an unsigned file)"
    if as_json:
        print_json(_json(stored))
    else:
        click.echo(f"{stored.domain.name} is trusted with {describe(stored.domain)}{marked}: {stored.id}")


def confirm(offered: OfferedUserDomain, fingerprint: str | None) -> None:
    """Compare with what was given, or let the person compare, on standard error: the output may be JSON for a program.

    Raises OperatorError.
    """
    if fingerprint is not None:
        check_fingerprint(offered.fingerprint, fingerprint)
        return
    what = "certificate that signed the file" if offered.signed else "cluster's key; the file is NOT signed"
    click.echo(f"{offered.name}\nFingerprint of the {what}:\n{offered.fingerprint}", err=True)
    if not sys.stdin.isatty():
        raise OperatorError(
            "nothing was imported: compare the fingerprint with its sender, and give it by --fingerprint"
        )
    if not click.confirm("Is it the one that its administrator told you?", err=True):
        raise OperatorError("nothing was imported")


@tud.command("list")
@home_option
@json_option
@example("rmsserver tud list --home ./cluster")
def tud_list(home: Path, as_json: bool) -> None:
    """Show the clusters whose account certificates count here."""
    rows = open_home(home).configuration.read().user_domains
    if as_json:
        print_json([_json(row) for row in rows])
    elif not rows:
        click.echo("No other cluster is trusted: rmsserver tud import --help")
    for row in [] if as_json else rows:
        marked = "" if row.signed_by else "  (from an unsigned file)"
        click.echo(f"{row.id}  {row.domain.name:30} {describe(row.domain)}{marked}")


@tud.command("remove", cls=Change)
@click.argument("domain")
@home_option
@example("rmsserver tud remove 6f2b1d1e-7a3c-4a9e-8a56-0c8f5d1f2b11 --home ./cluster")
def tud_remove(domain: str, home: Path) -> None:
    """Trust a cluster no longer. DOMAIN is the first column of the list."""
    open_home(home).configuration.remove_user_domain(guid_of(domain))
    click.echo(f"{domain} is trusted no longer, in running servers within configurationRefreshInterval.")


def guid_of(text: str) -> Guid:
    try:
        return Guid.parse(text)
    except XrmlError:
        raise OperatorError(f"{text[:80]!r} is not the id of a domain: see the first column of the list") from None


def describe(domain: TrustedUserDomain) -> str:
    addresses = "every address" if domain.email_domains is None else ", ".join(sorted(domain.email_domains))
    more = [", SIDs"] * domain.sids_trusted + [", federated accounts"] * domain.federated_trusted
    return addresses + "".join(more)


def _json(row: StoredUserDomain) -> dict[str, object]:
    domains = row.domain.email_domains
    return {
        "id": str(row.id),
        "name": row.domain.name,
        "email_domains": None if domains is None else sorted(domains),
        "sids_trusted": row.domain.sids_trusted,
        "federated_trusted": row.domain.federated_trusted,
        "signed_by": row.signed_by,
        "imported": row.imported.isoformat(),
        "keys": [key.id.hex() for key in row.keys],
    }
