"""`rmsserver exclusion`: users, applications, security processors and versions of Windows that are not served."""

from __future__ import annotations

from pathlib import Path

import click

from rmsserver.cli.changes import SERVERS_FOLLOW, Change, note
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.errors import OperatorError
from rmsserver.exclusion_administration import block_user, exclude_user, excluded_users, include_user, unblock_user
from rmsserver.stores.configuration_keys import DEFAULT_OS_EXCLUSION, configuration_key

_APPLICATIONS, _PROCESSOR = "applicationExclusionPolicy", "spcExclusionPolicy"
_SYSTEMS, _SYSTEMS_ENABLED = "osExclusionPolicy", "osExclusionEnabled"


@click.group(cls=Commands)
@example("rmsserver exclusion user list --home ./cluster")
def exclusion() -> None:
    """What is not served: users, applications, old security processors, versions of Windows ([MS-RMPR] 3.1.1.1.1)."""


# --- users ------------------------------------------------------------------------------------------------------------


@exclusion.group("user")
@example("rmsserver exclusion user add reader@example.com --home ./cluster")
def user() -> None:
    """Exclude the keys of a user's account certificates (add, remove), or refuse the person (block, unblock)."""


@user.command("add", cls=Change)
@click.argument("account", metavar="EMAIL|SID|KEYID")
@home_option
@click.option(
    "--keep-keys", is_flag=True, help="Do not retire the key pairs: the user's next certificate has the same."
)
@example("rmsserver exclusion user add reader@example.com --home ./cluster")
def user_add(account: str, home: Path, keep_keys: bool) -> None:
    """Exclude the key pairs that are stored for a user, for example when a key was stolen.

    As in the product, later keys are not excluded: the pairs are retired, and with the next certificate the user is served
    again. To refuse the person, use `block`.
    """
    excluded = exclude_user(open_home(home), account, keep_keys=keep_keys)
    note("entry", *excluded.key_ids)
    for key_id in excluded.key_ids:
        click.echo(f"excluded: {key_id}")
    if excluded.retired:
        click.echo(f"The next certification of {account} makes new keys, which are not excluded; {SERVERS_FOLLOW}.")
        click.echo("The way back, for each: rmsserver exclusion user remove KEYID")
    else:
        click.echo(f"It stays so until `rmsserver exclusion user remove`; {SERVERS_FOLLOW}.")


@user.command("remove", cls=Change)
@click.argument("account", metavar="EMAIL|SID|KEYID")
@home_option
@example("rmsserver exclusion user remove reader@example.com --home ./cluster")
def user_remove(account: str, home: Path) -> None:
    """Take an exclusion back. Keys that were retired are named by their id."""
    key_ids = include_user(open_home(home), account)
    note("entry", *key_ids)
    for key_id in key_ids:
        click.echo(f"not excluded any more: {key_id}")


@user.command("block", cls=Change)
@click.argument("account", metavar="EMAIL|SID")
@home_option
@example("rmsserver exclusion user block reader@example.com --home ./cluster")
def user_block(account: str, home: Path) -> None:
    """Refuse a user in every pipeline, whatever account certificate it has or had.

    Use licences that a client keeps open until they end.
    """
    names = block_user(open_home(home), account)
    note("entry", *names)
    click.echo(f"{' and '.join(names)} blocked; {SERVERS_FOLLOW}.")


@user.command("unblock", cls=Change)
@click.argument("account", metavar="EMAIL|SID")
@home_option
@example("rmsserver exclusion user unblock reader@example.com --home ./cluster")
def user_unblock(account: str, home: Path) -> None:
    """Serve a blocked user again."""
    names = unblock_user(open_home(home), account)
    note("entry", *names)
    click.echo(f"{' and '.join(names)} not blocked any more; {SERVERS_FOLLOW}.")


@user.command("list")
@home_option
@json_option
@example("rmsserver exclusion user list --home ./cluster")
def user_list(home: Path, as_json: bool) -> None:
    """Show excluded keys and blocked users. Whose a key was is in the audit (operation "exclusion user add")."""
    keys, blocked = excluded_users(open_home(home))
    if as_json:
        print_json({"excluded_keys": keys, "blocked": blocked})
    elif not keys and not blocked:
        click.echo("No user is excluded or blocked.")
    for kind, entries in () if as_json else (("excluded key", keys), ("blocked", blocked)):
        for entry in entries:
            click.echo(f"{kind:14}{entry}")


# --- applications -----------------------------------------------------------------------------------------------------


@exclusion.group("application")
@example("rmsserver exclusion application list --home ./cluster")
def application() -> None:
    """Programs in which clients must not open documents: use licences name them, and clients enforce it."""


@application.command("add", cls=Change)
@click.argument("filename")
@home_option
@click.option("--versions", required=True, metavar="LOWEST-HIGHEST", help="For example 0-11.9999.9999.9999.")
@example("rmsserver exclusion application add WINWORD.EXE --versions 0-11.9999.9999.9999 --home ./cluster")
def application_add(filename: str, home: Path, versions: str) -> None:
    """Exclude versions of a program, by the name of its file."""
    open_home(home).configuration.change_list(_APPLICATIONS, add=[f"{filename}={versions}"])
    click.echo(f"{filename} {versions} is excluded in new use licences; {SERVERS_FOLLOW}.")


@application.command("remove", cls=Change)
@click.argument("filename")
@home_option
@example("rmsserver exclusion application remove WINWORD.EXE --home ./cluster")
def application_remove(filename: str, home: Path) -> None:
    """Exclude a program no longer, in any version."""
    opened, wanted = open_home(home), filename.casefold()

    def is_wanted(entry: str) -> bool:
        return entry.rpartition("=")[0].casefold() == wanted

    if not any(map(is_wanted, opened.configuration.entries(_APPLICATIONS))):
        raise OperatorError(f"{filename[:80]!r} is not excluded: see `rmsserver exclusion application list`")
    opened.configuration.change_list(_APPLICATIONS, remove=is_wanted)
    click.echo(f"{filename} is not excluded any more; {SERVERS_FOLLOW}.")


@application.command("list")
@home_option
@json_option
@example("rmsserver exclusion application list --home ./cluster")
def application_list(home: Path, as_json: bool) -> None:
    """Show excluded programs and their versions."""
    rows = [entry.rpartition("=") for entry in open_home(home).configuration.entries(_APPLICATIONS)]
    if as_json:
        print_json([{"filename": filename, "versions": versions} for filename, _, versions in rows])
    elif not rows:
        click.echo("No application is excluded.")
    for filename, _, versions in [] if as_json else rows:
        click.echo(f"{filename:30} {versions}")


# --- security processors ----------------------------------------------------------------------------------------------


@exclusion.group("security-processor")
@example("rmsserver exclusion security-processor list --home ./cluster")
def security_processor() -> None:
    """Clients whose security processor is too old."""


@security_processor.command("add", cls=Change)
@click.argument("version")
@home_option
@example("rmsserver exclusion security-processor add 6.1.7600.16385 --home ./cluster")
def security_processor_add(version: str, home: Path) -> None:
    """Exclude every security processor below VERSION."""
    open_home(home).configuration.set(_PROCESSOR, version)
    click.echo(f"Security processors below {version} are excluded; {SERVERS_FOLLOW}.")


@security_processor.command("remove", cls=Change)
@home_option
@example("rmsserver exclusion security-processor remove --home ./cluster")
def security_processor_remove(home: Path) -> None:
    """Serve every version."""
    open_home(home).configuration.reset(_PROCESSOR)
    click.echo(f"Every version of security processors is served; {SERVERS_FOLLOW}.")


@security_processor.command("list")
@home_option
@json_option
@example("rmsserver exclusion security-processor list --home ./cluster")
def security_processor_list(home: Path, as_json: bool) -> None:
    """Show the lowest version that is served."""
    lowest = open_home(home).configuration.read().values.get(_PROCESSOR)
    if as_json:
        print_json({"lowest": lowest})
    else:
        click.echo(f"Below {lowest} is excluded." if lowest else "No version is excluded.")


# --- versions of Windows ----------------------------------------------------------------------------------------------


@exclusion.group("os")
@example("rmsserver exclusion os list --home ./cluster")
def operating_system() -> None:
    """Versions of Windows on which clients must not open documents: use licences name them, and clients enforce it."""


@operating_system.command("add", cls=Change)
@click.argument("versions", default=DEFAULT_OS_EXCLUSION)
@home_option
@example("rmsserver exclusion os add 0-2.1.5.2600 --home ./cluster")
def os_add(versions: str, home: Path) -> None:
    """Exclude versions from lowest to highest; without VERSIONS the product's, up to Windows Me.

    There is one span: another one replaces it.
    """
    key = configuration_key(_SYSTEMS)
    open_home(home).configuration.set_values({key.name: key.parse(versions), _SYSTEMS_ENABLED: True})
    click.echo(f"Windows {versions} is excluded in new use licences; {SERVERS_FOLLOW}.")


@operating_system.command("remove", cls=Change)
@home_option
@example("rmsserver exclusion os remove --home ./cluster")
def os_remove(home: Path) -> None:
    """Exclude no version of Windows."""
    open_home(home).configuration.set_values({_SYSTEMS_ENABLED: False})
    click.echo(f"No version of Windows is excluded; {SERVERS_FOLLOW}.")


@operating_system.command("list")
@home_option
@json_option
@example("rmsserver exclusion os list --home ./cluster")
def os_list(home: Path, as_json: bool) -> None:
    """Show the excluded versions of Windows."""
    values = open_home(home).configuration.read().values
    span = str(values.get(_SYSTEMS, DEFAULT_OS_EXCLUSION)) if values.get(_SYSTEMS_ENABLED) else None
    if as_json:
        print_json({"excluded": span})
    else:
        click.echo(f"Windows {span} is excluded." if span else "No version of Windows is excluded.")
