"""`rmsserver scp`: the service connection point, by which a forest's clients find the cluster ([MS-RMPR] 3.1.4.4)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rmsserver.cli.changes import Change, unchanged
from rmsserver.cli.domain_options import DomainOptions, domain_options
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.errors import OperatorError

if TYPE_CHECKING:
    from rmsserver.directory.ldap.settings import LdapSettings


@click.group(cls=Commands)
@example("rmsserver scp show --home ./cluster")
def scp() -> None:
    """The service connection point: where Active Directory says which cluster its clients go to.

    One forest has one. Everybody in the domain may read it; writing takes Enterprise Admins, or what they delegate.
    """


@scp.command("show")
@home_option
@domain_options
@json_option
@example("rmsserver scp show --home ./cluster")
def scp_show(home: Path, as_json: bool, **options: Any) -> None:
    """Show every point of the forest, and whether it names this cluster."""
    base_url, settings = _opened(home, options)
    from rmsserver.directory.service_connection_point import find

    found = find(settings)
    if as_json:
        print_json([{"dn": point.dn, "url": point.url, "this_cluster": point.names(base_url)} for point in found])
        return
    for point in found:
        whose = "this cluster" if point.names(base_url) else "ANOTHER cluster, or this one by a former URL"
        click.echo(f"{point.dn}\n  {point.url}: {whose}")
    if not found:
        click.echo("The forest has none: rmsserver scp register")
    if len(found) > 1:
        click.echo("More than one: clients may take any of them. Delete those that are not CN=SCP.")


@scp.command("register", cls=Change)
@home_option
@domain_options
@click.option("--replace", is_flag=True, help="Overwrite the point of another cluster.")
@example("rmsserver scp register --home ./cluster --bind-user Administrator@example.com")
def scp_register(home: Path, replace: bool, **options: Any) -> None:
    """Make the forest's clients find this cluster."""
    base_url, settings = _opened(home, options)
    from rmsserver.directory.service_connection_point import Registration, certification_url, register

    done = register(settings, base_url, replace=replace)
    if done is Registration.UNCHANGED:
        unchanged()
    words = {
        Registration.CREATED: "is registered",
        Registration.REPLACED: "is registered in place of the other",
        Registration.UNCHANGED: "was registered already",
    }
    click.echo(f"{certification_url(base_url)} {words[done]}.")


@scp.command("remove", cls=Change)
@home_option
@domain_options
@click.option("--force", is_flag=True, help="Remove it also where it names another cluster.")
@example("rmsserver scp remove --home ./cluster --kerberos")
def scp_remove(home: Path, force: bool, **options: Any) -> None:
    """Take the point of this cluster away: clients that have found it stay, new ones do not find it."""
    base_url, settings = _opened(home, options)
    from rmsserver.directory.service_connection_point import remove

    removed = remove(settings, None if force else base_url)
    if not removed:
        unchanged()
    click.echo("The service connection point is removed." if removed else "There was none.")


def _opened(home: Path, options: dict[str, Any]) -> tuple[str, LdapSettings]:
    """(base URL of the cluster, how to reach the domain)."""
    opened = open_home(home)
    settings = DomainOptions(**options).settings(opened.config)
    try:
        import ldap  # noqa: F401 - only whether it is there
    except ImportError:
        raise OperatorError('Active Directory needs more packages: pip install "rmsserver[ad]"') from None
    return str(opened.configuration.read().values["baseUrl"]), settings
