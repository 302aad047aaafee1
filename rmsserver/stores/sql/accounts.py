"""Rows of the embedded directory: users, e-mail addresses, groups, and who is in them."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import CTE, Connection, Delete, RowMapping, Select, Update, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from rmsserver.errors import OperatorError
from rmsserver.ports import ForeignMember, StoredAccount, StoredGroup
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import (
    account_emails,
    accounts,
    directory_state,
    foreign_members,
    group_members,
    groups,
)
from rmsserver.xrml.values import fold

_FIRST_RID = 1104
"""Relative identifiers below 1000 are well known; domains start giving their own shortly above."""
_AT_ONCE = 500


class SqlAccounts:
    """Implements `AccountRows`. Every method may raise PortUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known_generation: tuple[int | None, int] = (None, 0)

    def create(self, name: str) -> None:
        """Start a directory called `name`, with a random domain SID. Does nothing where there is one."""
        domain_sid = "S-1-5-21-" + "-".join(str(secrets.randbelow(2**32 - 1) + 1) for _ in range(3))
        row = {"id": 1, "name": name, "domain_sid": domain_sid, "next_rid": _FIRST_RID, "generation": 1}
        with self._database.write() as connection:
            if connection.execute(select(directory_state.c.id)).first() is None:
                connection.execute(insert(directory_state), row)

    # --- reading --------------------------------------------------------------------------------------------

    def name(self) -> str:
        with self._database.read() as connection:
            return str(connection.execute(select(directory_state.c.name)).scalar_one())

    def generation(self) -> int:
        """Always the current one; read only where something was committed since it was read last."""
        mark = self._database.change_mark()
        seen, generation = self._known_generation
        if mark is None or mark != seen:
            with self._database.read() as connection:
                generation = int(connection.execute(select(directory_state.c.generation)).scalar_one())
            self._known_generation = (mark, generation)
        return generation

    def by_sid(self, sid: str) -> StoredAccount | None:
        return self._find(select(accounts).where(accounts.c.sid == sid))

    def by_login(self, login_folded: str) -> StoredAccount | None:
        return self._find(select(accounts).where(accounts.c.login_folded == login_folded))

    def by_email(self, email_folded: str) -> StoredAccount | None:
        query = select(accounts).join(account_emails, account_emails.c.sid == accounts.c.sid)
        return self._find(query.where(account_emails.c.email_folded == email_folded))

    def accounts(self) -> list[StoredAccount]:
        query = select(account_emails.c.sid, account_emails.c.email).order_by(account_emails.c.position)
        with self._database.read() as connection:
            emails: dict[str, list[str]] = {}
            for sid, email in connection.execute(query):
                emails.setdefault(sid, []).append(email)
            rows = connection.execute(select(accounts).order_by(accounts.c.login_folded)).mappings()
            return [_account(row, emails.get(row["sid"], ())) for row in rows]

    def groups_among(self, sid: str, candidates: Collection[str]) -> set[str]:
        with self._database.read() as connection:
            named = _groups_named(connection, candidates)
            # Most names in a licence are people: where none of them is a group there is nothing to climb.
            reached = _reached(connection, sid, named.keys()) if named else set()
        return {name for group in reached for name in (group, named[group])}.intersection(candidates)

    def groups_above(self, sid: str, limit: int) -> list[StoredGroup] | None:
        above = _groups_above(sid)
        query = select(groups.c.sid, groups.c.email_folded).join(above, above.c.group_sid == groups.c.sid)
        with self._database.read() as connection:
            found = [StoredGroup(group, email) for group, email in connection.execute(query.limit(limit + 1))]
        return None if len(found) > limit else found

    def groups(self) -> list[StoredGroup]:
        with self._database.read() as connection:
            rows = connection.execute(select(groups.c.sid, groups.c.email).order_by(groups.c.email_folded))
            return [StoredGroup(sid, email) for sid, email in rows]

    def group_by_email(self, email_folded: str) -> StoredGroup | None:
        return self._find_group(select(groups).where(groups.c.email_folded == email_folded))

    def group_by_sid(self, sid: str) -> StoredGroup | None:
        return self._find_group(select(groups).where(groups.c.sid == sid))

    def members(self, group_sid: str) -> list[str]:
        query = select(group_members.c.member_sid).where(group_members.c.group_sid == group_sid)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(group_members.c.member_sid)).scalars())

    def foreign_members(self, group_sid: str) -> list[ForeignMember]:
        columns = foreign_members.c
        query = select(columns.email).where(columns.group_sid == group_sid).order_by(columns.email_folded)
        with self._database.read() as connection:
            return [ForeignMember(email) for email in connection.execute(query).scalars()]

    def foreign_memberships(self) -> list[tuple[str, StoredGroup]]:
        first = select(foreign_members.c.email_folded, foreign_members.c.group_sid)
        above = first.cte("above_foreign", recursive=True)
        next_ = select(above.c.email_folded, group_members.c.group_sid)
        above = above.union(next_.join(above, group_members.c.member_sid == above.c.group_sid))
        query = select(above.c.email_folded, groups.c.sid, groups.c.email_folded.label("group_email"))
        with self._database.read() as connection:
            rows = connection.execute(query.join(above, above.c.group_sid == groups.c.sid))
            return [(address, StoredGroup(sid, email)) for address, sid, email in rows]

    # --- changing -------------------------------------------------------------------------------------------

    def add_account(self, login: str, emails: Sequence[str]) -> StoredAccount:
        with self._change("the login name is taken") as connection:
            sid = _new_sid(connection)
            row = {
                "sid": sid,
                "login": login,
                "login_folded": fold(login),
                "enabled": True,
                "ntlm": False,
                "created": dt.datetime.now(dt.UTC),
            }
            if connection.execute(select(accounts.c.sid).where(accounts.c.login_folded == fold(login))).first():
                raise OperatorError(f"the login name {login} is taken: choose another")
            connection.execute(insert(accounts), row)
            _put_emails(connection, sid, emails)
        return StoredAccount(sid, login, tuple(emails), enabled=True, ntlm=False)

    def remove_account(self, sid: str) -> None:
        with self._change("the account changed meanwhile") as connection:
            connection.execute(delete(group_members).where(group_members.c.member_sid == sid))
            _one(connection, delete(accounts).where(accounts.c.sid == sid))

    def set_enabled(self, sid: str, enabled: bool) -> None:
        self._update(sid, enabled=enabled)

    def set_emails(self, sid: str, emails: Sequence[str]) -> None:
        with self._change("an e-mail address is taken") as connection:
            _one(connection, update(accounts).where(accounts.c.sid == sid).values(sid=sid))
            connection.execute(delete(account_emails).where(account_emails.c.sid == sid))
            _put_emails(connection, sid, emails)

    def set_password(self, sid: str, password_hash: str, nt_hash_wrapped: bytes | None) -> None:
        self._update(sid, password_hash=password_hash, nt_hash_wrapped=nt_hash_wrapped)

    def set_ntlm(self, sid: str, ntlm: bool, nt_hash_wrapped: bytes | None) -> None:
        self._update(sid, ntlm=ntlm, nt_hash_wrapped=nt_hash_wrapped)

    def add_group(self, email: str) -> StoredGroup:
        with self._change("the e-mail address is taken") as connection:
            _refuse_taken(connection, email)
            group = StoredGroup(_new_sid(connection), email)
            row = {"sid": group.sid, "email": email, "email_folded": fold(email)}
            connection.execute(insert(groups), row)
        return group

    def remove_group(self, sid: str) -> None:
        with self._change("the group changed meanwhile") as connection:
            connection.execute(delete(group_members).where(group_members.c.member_sid == sid))
            _one(connection, delete(groups).where(groups.c.sid == sid))

    def add_member(self, group_sid: str, member_sid: str) -> None:
        with self._change("the group changed meanwhile") as connection:
            row = {"group_sid": group_sid, "member_sid": member_sid}
            if connection.execute(select(group_members).filter_by(**row)).first() is None:
                connection.execute(insert(group_members), row)

    def remove_member(self, group_sid: str, member_sid: str) -> None:
        with self._change("the group changed meanwhile") as connection:
            _one(connection, delete(group_members).filter_by(group_sid=group_sid, member_sid=member_sid))

    def add_foreign_member(self, group_sid: str, email: str) -> None:
        with self._change("the group changed meanwhile") as connection:
            key = {"group_sid": group_sid, "email_folded": fold(email)}
            if connection.execute(select(foreign_members).filter_by(**key)).first() is None:
                connection.execute(insert(foreign_members), {**key, "email": email})

    def remove_foreign_member(self, group_sid: str, email_folded: str) -> None:
        with self._change("the group changed meanwhile") as connection:
            _one(connection, delete(foreign_members).filter_by(group_sid=group_sid, email_folded=email_folded))

    # --- inside ---------------------------------------------------------------------------------------------

    @contextmanager
    def _change(self, conflict: str) -> Iterator[Connection]:
        """A transaction that moves the generation first: on every database that makes writers wait for each
        other.
        """
        try:
            with self._database.write() as connection:
                moved = update(directory_state).values(generation=directory_state.c.generation + 1)
                connection.execute(moved)
                yield connection
        except IntegrityError:
            raise OperatorError(f"{conflict}: look at the directory and try again") from None

    def _update(self, sid: str, **values: object) -> None:
        with self._change("the account changed meanwhile") as connection:
            _one(connection, update(accounts).where(accounts.c.sid == sid).values(**values))

    def _find(self, query: Select[*tuple[object, ...]]) -> StoredAccount | None:
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                return None
            emails = select(account_emails.c.email).where(account_emails.c.sid == row["sid"])
            return _account(row, connection.execute(emails.order_by(account_emails.c.position)).scalars().all())

    def _find_group(self, query: Select[*tuple[object, ...]]) -> StoredGroup | None:
        with self._database.read() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else StoredGroup(row["sid"], row["email"])


def _account(row: RowMapping, emails: Sequence[str]) -> StoredAccount:
    return StoredAccount(
        row["sid"],
        row["login"],
        tuple(emails),
        row["enabled"],
        row["ntlm"],
        row["password_hash"],
        row["nt_hash_wrapped"],
    )


def _groups_named(connection: Connection, candidates: Collection[str]) -> dict[str, str]:
    """SID to folded address of the groups that the candidates name."""
    named: dict[str, str] = {}
    names = list(candidates)
    for at in range(0, len(names), _AT_ONCE):
        some = names[at : at + _AT_ONCE]
        query = select(groups.c.sid, groups.c.email_folded)
        query = query.where(or_(groups.c.email_folded.in_(some), groups.c.sid.in_(some)))
        named.update((sid, email) for sid, email in connection.execute(query))
    return named


def _groups_above(sid: str) -> CTE:
    """The groups that hold `sid`, at any depth. UNION (not UNION ALL) visits each group once, so loops end."""
    first = select(group_members.c.group_sid).where(group_members.c.member_sid == sid)
    above = first.cte("above", recursive=True)
    return above.union(select(group_members.c.group_sid).join(above, group_members.c.member_sid == above.c.group_sid))


def _reached(connection: Connection, sid: str, wanted: Collection[str]) -> set[str]:
    """Groups among `wanted` above `sid`."""
    above = _groups_above(sid)
    query = select(above.c.group_sid)
    if len(wanted) <= _AT_ONCE:
        # Filtered by the database: reading every group of someone who is in 100,000 takes most of the time.
        query = query.where(above.c.group_sid.in_(list(wanted)))
    return set(connection.execute(query).scalars()).intersection(wanted)


def _new_sid(connection: Connection) -> str:
    row = connection.execute(select(directory_state)).one()
    connection.execute(update(directory_state).values(next_rid=row.next_rid + 1))
    return f"{row.domain_sid}-{row.next_rid}"


def _put_emails(connection: Connection, sid: str, emails: Sequence[str]) -> None:
    for position, email in enumerate(emails):
        _refuse_taken(connection, email)
        row = {"email_folded": fold(email), "sid": sid, "email": email, "position": position}
        connection.execute(insert(account_emails), row)


def _refuse_taken(connection: Connection, email: str) -> None:
    """An address belongs to one user or one group."""
    folded = fold(email)
    users = select(account_emails.c.sid).where(account_emails.c.email_folded == folded)
    if (
        connection.execute(users).first()
        or connection.execute(select(groups.c.sid).where(groups.c.email_folded == folded)).first()
    ):
        raise OperatorError(f"the e-mail address {email} is taken: choose another")


def _one(connection: Connection, statement: Update | Delete) -> None:
    if connection.execute(statement).rowcount != 1:
        raise OperatorError("there is no such entry in the directory: list it to see what there is")
