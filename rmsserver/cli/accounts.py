"""`rmsserver user` and `rmsserver group`: the embedded directory."""

from __future__ import annotations

from pathlib import Path

import click

from rmsserver.cli.changes import Change, note
from rmsserver.cli.opening import home_option, open_home, secret_from
from rmsserver.cli.program import Commands, example, json_option, print_json
from rmsserver.ports import ForeignMember, StoredAccount, StoredGroup

_PASSWORD_VARIABLE = "RMS_USER_PASSWORD"  # noqa: S105 - the name of a variable
_password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"Read the password from this file's first line; {_PASSWORD_VARIABLE} can hold it too.",
)
_name = click.argument("name")

_KINDS = {StoredAccount: "user", StoredGroup: "group", ForeignMember: "other forest"}


@click.group(cls=Commands)
@example("rmsserver user add author --home ./cluster --email author@example.com")
def user() -> None:
    """Users of the embedded directory. NAME is a login, an e-mail address or a SID."""


@user.command("add", cls=Change)
@click.argument("login")
@home_option
@click.option("--email", "emails", multiple=True, required=True, help="The primary address; repeat for aliases.")
@click.option("--ntlm", is_flag=True, help="Let the user sign on by NTLM too: stores the wrapped NT hash.")
@click.option("--no-password", is_flag=True, help="Set the password later; until then the user cannot sign on.")
@_password_file
@json_option
@example("rmsserver user add author --home ./cluster --email author@example.com --email a.thor@example.com")
def user_add(
    login: str,
    home: Path,
    emails: tuple[str, ...],
    ntlm: bool,
    no_password: bool,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Add a user."""
    password = None if no_password else _new_password(login, password_file)
    added = open_home(home).administration.add_user(login, emails, password, ntlm=ntlm)
    note("id", added.sid)
    if as_json:
        print_json(_user_json(added))
    else:
        click.echo(f"{added.login} is {added.sid}.")


@user.command("list")
@home_option
@json_option
@example("rmsserver user list --home ./cluster --json")
def user_list(home: Path, as_json: bool) -> None:
    """Show all users."""
    users = open_home(home).administration.users()
    if as_json:
        print_json([_user_json(found) for found in users])
    elif not users:
        click.echo("There are no users yet: rmsserver user add --help")
    for found in [] if as_json else users:
        marks = "".join([" (disabled)" if not found.enabled else "", " (NTLM)" if found.ntlm else ""])
        click.echo(f"{found.login:20} {', '.join(found.emails):40} {found.sid}{marks}")


@user.command("remove", cls=Change)
@_name
@home_option
@example("rmsserver user remove author --home ./cluster")
def user_remove(name: str, home: Path) -> None:
    """Remove a user and its memberships. Documents keep what they grant to the address."""
    open_home(home).administration.remove_user(name)
    click.echo(f"{name} is removed.")


@user.command("enable", cls=Change)
@_name
@home_option
@example("rmsserver user enable author --home ./cluster")
def user_enable(name: str, home: Path) -> None:
    """Let a disabled user in again."""
    open_home(home).administration.set_enabled(name, True)
    click.echo(f"{name} is enabled.")


@user.command("disable", cls=Change)
@_name
@home_option
@example("rmsserver user disable author --home ./cluster")
def user_disable(name: str, home: Path) -> None:
    """Refuse sign-on and licences to a user."""
    open_home(home).administration.set_enabled(name, False)
    click.echo(f"{name} is disabled.")


@user.command("emails", cls=Change)
@_name
@click.argument("emails", nargs=-1, required=True)
@home_option
@example("rmsserver user emails author new@example.com old@example.com --home ./cluster")
def user_emails(name: str, emails: tuple[str, ...], home: Path) -> None:
    """Replace a user's addresses; the first is the primary one."""
    open_home(home).administration.set_emails(name, emails)
    click.echo(f"{name} has {', '.join(emails)}.")


@user.command("password", cls=Change)
@_name
@home_option
@_password_file
@example("rmsserver user password author --home ./cluster")
def user_password(name: str, home: Path, password_file: Path | None) -> None:
    """Set a user's password."""
    open_home(home).administration.set_password(name, _new_password(name, password_file))
    click.echo(f"{name} has a new password.")


@user.command("ntlm", cls=Change)
@_name
@click.argument("switch", type=click.Choice(["on", "off"]))
@home_option
@_password_file
@example("rmsserver user ntlm author on --home ./cluster")
def user_ntlm(name: str, switch: str, home: Path, password_file: Path | None) -> None:
    """Switch sign-on by NTLM on or off.

    It needs the NT hash, which is as good as the password: it is kept wrapped, and only while NTLM is on. With the
    current password NTLM works at once, without it from the next password on.
    """
    password = None if password_file is None else secret_from(password_file, _PASSWORD_VARIABLE, "")
    open_home(home).administration.set_ntlm(name, switch == "on", password)
    later = " from the next password on" if switch == "on" and password is None else ""
    click.echo(f"NTLM is {switch} for {name}{later}.")


@click.group(cls=Commands)
@example("rmsserver group add-member staff@example.com author@example.com --home ./cluster")
def group() -> None:
    """Groups of the embedded directory. NAME is an e-mail address or a SID; groups may hold groups."""


@group.command("add", cls=Change)
@click.argument("email")
@home_option
@json_option
@example("rmsserver group add staff@example.com --home ./cluster")
def group_add(email: str, home: Path, as_json: bool) -> None:
    """Add a group. Its e-mail address is what documents name."""
    added = open_home(home).administration.add_group(email)
    note("id", added.sid)
    if as_json:
        print_json({"email": added.email, "sid": added.sid})
    else:
        click.echo(f"{added.email} is {added.sid}.")


@group.command("list")
@home_option
@json_option
@example("rmsserver group list --home ./cluster")
def group_list(home: Path, as_json: bool) -> None:
    """Show all groups."""
    groups = open_home(home).administration.groups()
    if as_json:
        print_json([{"email": found.email, "sid": found.sid} for found in groups])
    elif not groups:
        click.echo("There are no groups yet: rmsserver group add --help")
    for found in [] if as_json else groups:
        click.echo(f"{found.email:40} {found.sid}")


@group.command("show")
@_name
@home_option
@json_option
@example("rmsserver group show staff@example.com --home ./cluster")
def group_show(name: str, home: Path, as_json: bool) -> None:
    """Show the direct members of a group."""
    members = open_home(home).administration.members(name)
    if as_json:
        print_json([_member_json(found) for found in members])
    elif not members:
        click.echo(f"{name} has no members.")
    for found in [] if as_json else members:
        click.echo(f"{_KINDS[type(found)]:5}  {found.login if isinstance(found, StoredAccount) else found.email}")


@group.command("remove", cls=Change)
@_name
@home_option
@example("rmsserver group remove staff@example.com --home ./cluster")
def group_remove(name: str, home: Path) -> None:
    """Remove a group. Its members stay."""
    open_home(home).administration.remove_group(name)
    click.echo(f"{name} is removed.")


@group.command("add-member", cls=Change)
@_name
@click.argument("members", nargs=-1, required=True)
@home_option
@example("rmsserver group add-member staff@example.com author reader@example.com --home ./cluster")
def group_add_member(name: str, members: tuple[str, ...], home: Path) -> None:
    """Add users or groups to a group; also of other forests (`config set forests`), by e-mail address."""
    administration = open_home(home).administration
    for member in members:
        administration.add_member(name, member)
    click.echo(f"In {name} now: {', '.join(members)}.")


@group.command("remove-member", cls=Change)
@_name
@click.argument("members", nargs=-1, required=True)
@home_option
@example("rmsserver group remove-member staff@example.com author --home ./cluster")
def group_remove_member(name: str, members: tuple[str, ...], home: Path) -> None:
    """Take users or groups out of a group."""
    administration = open_home(home).administration
    for member in members:
        administration.remove_member(name, member)
    click.echo(f"No longer in {name}: {', '.join(members)}.")


def _new_password(name: str, path: Path | None) -> str:
    return secret_from(path, _PASSWORD_VARIABLE, f"Password for {name}", confirm=True)


def _user_json(found: StoredAccount) -> dict[str, object]:
    return {
        "login": found.login,
        "sid": found.sid,
        "emails": list(found.emails),
        "enabled": found.enabled,
        "ntlm": found.ntlm,
    }


def _member_json(found: StoredAccount | StoredGroup | ForeignMember) -> dict[str, object]:
    if isinstance(found, StoredAccount):
        return {"kind": "user", **_user_json(found)}
    if isinstance(found, ForeignMember):
        return {"kind": "other forest", "email": found.email}
    return {"kind": "group", "email": found.email, "sid": found.sid}
