"""Keeping the embedded directory: what `rmsserver user` and `rmsserver group` do. Raises OperatorError with
one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from rmsserver.directory.addresses import can_be_looked_up, check_email, check_login
from rmsserver.directory.credentials import EmbeddedCredentials, hash_password, wrap_nt_hash
from rmsserver.directory.embedded import find_login
from rmsserver.errors import OperatorError
from rmsserver.ports import AccountRows, ForeignMember, StoredAccount, StoredGroup, Wrapping
from rmsserver.xrml.values import fold


@dataclass(frozen=True)
class DirectoryAdministration:
    """Users are named by login, e-mail address or SID; groups by e-mail address or SID."""

    rows: AccountRows
    wrapping: Wrapping
    other_forests: Callable[[], Collection[str]] = tuple
    """Mail domains, folded, of the forests whose groups and people groups of ours may hold."""

    # --- users ----------------------------------------------------------------------------------------------

    def add_user(
        self, login: str, emails: Sequence[str], password: str | None = None, *, ntlm: bool = False
    ) -> StoredAccount:
        """`emails` has the primary address first. Without a password the user cannot sign on yet."""
        hashed = None if password is None else hash_password(password)
        user = self.rows.add_account(check_login(login), _distinct(emails))
        if ntlm:
            self.rows.set_ntlm(user.sid, True, None)
        if password is not None and hashed is not None:
            self.rows.set_password(user.sid, hashed, wrap_nt_hash(password, user.sid, self.wrapping) if ntlm else None)
        return self.user(user.sid)

    def user(self, name: str) -> StoredAccount:
        found = None
        if can_be_looked_up(name):
            found = self.rows.by_sid(name.upper()) or find_login(self.rows, self.rows.name(), name)
            found = found or self.rows.by_email(fold(name))
        if found is None:
            raise OperatorError(f"there is no user {name[:80]!r}: see `rmsserver user list`")
        return found

    def users(self) -> list[StoredAccount]:
        return self.rows.accounts()

    def remove_user(self, name: str) -> None:
        self.rows.remove_account(self.user(name).sid)

    def set_enabled(self, name: str, enabled: bool) -> None:
        self.rows.set_enabled(self.user(name).sid, enabled)

    def set_emails(self, name: str, emails: Sequence[str]) -> None:
        """Replace every address; the first is the primary one."""
        self.rows.set_emails(self.user(name).sid, _distinct(emails))

    def set_password(self, name: str, password: str) -> None:
        user = self.user(name)
        wrapped = wrap_nt_hash(password, user.sid, self.wrapping) if user.ntlm else None
        self.rows.set_password(user.sid, hash_password(password), wrapped)

    def set_ntlm(self, name: str, enabled: bool, password: str | None = None) -> None:
        """Switch NTLM on or off. On: it works at once where the current password is given, else from the next
        one on.

        Off removes the NT hash.
        """
        user = self.user(name)
        wrapped = user.nt_hash_wrapped if enabled else None
        if enabled and password is not None:
            if EmbeddedCredentials(self.rows, self.wrapping).check_password(user.login, password) is None:
                raise OperatorError(f"this is not the password of {user.login}, or the account is disabled: try again")
            wrapped = wrap_nt_hash(password, user.sid, self.wrapping)
        self.rows.set_ntlm(user.sid, enabled, wrapped)

    # --- groups ---------------------------------------------------------------------------------------------

    def add_group(self, email: str) -> StoredGroup:
        return self.rows.add_group(check_email(email))

    def group(self, name: str) -> StoredGroup:
        found = None
        if can_be_looked_up(name):
            found = self.rows.group_by_email(fold(name)) or self.rows.group_by_sid(name.upper())
        if found is None:
            raise OperatorError(f"there is no group {name[:80]!r}: see `rmsserver group list`")
        return found

    def groups(self) -> list[StoredGroup]:
        return self.rows.groups()

    def remove_group(self, name: str) -> None:
        self.rows.remove_group(self.group(name).sid)

    def members(self, name: str) -> list[StoredAccount | StoredGroup | ForeignMember]:
        """Direct members: users and groups, then those of other forests."""
        group = self.group(name).sid
        own = (self.rows.by_sid(sid) or self.rows.group_by_sid(sid) for sid in self.rows.members(group))
        return [*(member for member in own if member is not None), *self.rows.foreign_members(group)]

    def add_member(self, group: str, member: str) -> None:
        """Groups may hold each other in a circle, which is harmless; a group in itself can only be a slip."""
        found = self.group(group)
        if self._is_of_another_forest(member):
            self.rows.add_foreign_member(found.sid, check_email(member))
            return
        sid = self._member_sid(member)
        if sid == found.sid:
            raise OperatorError(
                f"{found.email} cannot be a member of itself, which would give nobody anything: name a user or another group"
            )
        self.rows.add_member(found.sid, sid)

    def remove_member(self, group: str, member: str) -> None:
        found = self.group(group).sid
        if fold(member) in (fold(foreign.email) for foreign in self.rows.foreign_members(found)):
            self.rows.remove_foreign_member(found, fold(member))
        else:
            self.rows.remove_member(found, self._member_sid(member))

    def _is_of_another_forest(self, member: str) -> bool:
        """An address of a configured forest that none of our own users and groups has."""
        if not can_be_looked_up(member) or self.rows.group_by_email(fold(member)) or self.rows.by_email(fold(member)):
            return False
        return fold(member.rpartition("@")[2].strip()) in self.other_forests()

    def _member_sid(self, name: str) -> str:
        try:
            return self.group(name).sid
        except OperatorError:
            return self.user(name).sid


def _distinct(emails: Sequence[str]) -> tuple[str, ...]:
    """Checked addresses, each once, in order."""
    seen: dict[str, str] = {}
    for email in map(check_email, emails):
        seen.setdefault(fold(email), email)
    return tuple(seen.values())
