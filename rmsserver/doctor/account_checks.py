"""One user, and one group: what the directory says of them, as the operations ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rmsserver.doctor.finding import Finding, failure, ok, warning
from rmsserver.doctor.group_path import Path
from rmsserver.operations.email_address import is_email_address
from rmsserver.ports import Directory, DirectoryAccount


def find_account(directory: Directory, name: str) -> DirectoryAccount | None:
    """By SID, login or e-mail address."""
    if name.upper().startswith("S-1-"):
        return directory.by_sid(name)
    return directory.by_login(name) or directory.by_email(name)


def check_user(directory: Directory, name: str) -> Iterator[Finding]:
    """There is one such account, it is enabled, and it has the e-mail address that Certify needs ([MS-RMPR] 3.3.4.1)."""
    found = find_account(directory, name)
    if found is None:
        yield failure(
            "user", f"the directory has nobody, or more than one, called {name}", "check name, search base, rights"
        )
        return
    who = f"{found.account.name} ({found.account.sid})"
    email = found.primary_email
    if not found.enabled:
        yield failure("user", f"{who} is disabled or expired", "enable the account; it is refused until then")
    elif email is None:
        yield failure("user", f"{who} has no e-mail address", "set its mail attribute; see directory.email_attributes")
    elif not is_email_address(email):
        yield failure("user", f"{who} has the address {email}, which is none", "correct its mail attribute")
    else:
        aliases = f" and {len(found.emails) - 1} more" if len(found.emails) > 1 else ""
        yield ok("user", f"{who} has {email}{aliases}")
    other = directory.by_email(email) if email else None
    if email and (other is None or other.account.sid != found.account.sid):
        yield warning("user", f"{email} finds another account, or several", "each address belongs to one account")


def check_group(
    directory: Directory, user: str, group: str, path: Callable[[str, str], Path | None]
) -> Iterator[Finding]:
    """The user is in the group, and by which groups. `path`: from SID and e-mail address of the group."""
    found = find_account(directory, user)
    if found is None:
        return
    name = found.account.name
    is_member = bool(directory.groups_of(found.account.sid, [group]))
    steps = path(found.account.sid, group)
    if is_member:
        way = " > ".join((name, *steps)) if steps else f"{name} > … > {group} (by the primary group)"
        yield ok("group", way)
    elif steps:
        yield failure(
            "group", f"linked ({' > '.join(steps)}), and yet no member", "rmsserver directory flush, then again"
        )
    else:
        yield failure("group", f"{name} is not in {group}, at any depth", "check the group's address and members")
