"""Finding an account. A filter finds what the directory thinks equal, which ignores accents and blanks as well as case:
so each answer is compared with the question again, without case alone. A name that fits two accounts is nobody's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from rmsserver.directory.ldap.answers import Scope
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.entries import Person, has_email, person_attributes, read_person
from rmsserver.directory.ldap.filters import IS_ACCOUNT, Filter, all_of, any_of, equals
from rmsserver.directory.ldap.forest import Forest
from rmsserver.directory.logins import LoginName
from rmsserver.xrml.values import fold

if TYPE_CHECKING:
    from rmsserver.directory.ldap.connection import Connection

_log = structlog.get_logger()


@dataclass(frozen=True)
class AccountSearch:
    """Questions about accounts, put to one connection under one deadline. Each raises `LdapFailure`."""

    connection: Connection
    forest: Forest
    base: str
    email_attributes: tuple[str, ...]
    deadline: Deadline
    now: dt.datetime

    def by_sid(self, text: str, data: bytes) -> Person | None:
        """By its SID, else by one it had before ([MS-RMPR] 3.1.1.3.2)."""
        found = self._persons(any_of([equals("objectSid", data), equals("sIDHistory", data)]))
        now = [person for person in found if fold(person.sid) == fold(text)]
        before = [person for person in found if fold(text) in map(fold, person.known.sid_history)]
        return _only(now or before)

    def by_email(self, email: str) -> Person | None:
        found = self._persons(any_of(has_email(email, self.email_attributes)))
        return _only([person for person in found if fold(email) in map(fold, person.known.emails)])

    def by_login(self, name: LoginName) -> Person | None:
        if name.domain:
            return _only([person for person in self._called(name.user) if self._is_in(person, name.domain)])
        if name.realm:
            return self._by_principal(name)
        found = self._called(name.user)
        return _only([p for p in found if self._is_in(p, self.forest.own_domain.dns_name)] or found)

    def _by_principal(self, name: LoginName) -> Person | None:
        """By userPrincipalName, else as `login@domain`, which every account has without its being written anywhere."""
        principal = f"{name.user}@{name.realm}"
        found = self._persons(any_of([equals("userPrincipalName", principal), equals("sAMAccountName", name.user)]))
        explicit = [person for person in found if fold(person.principal) == fold(principal)]
        implicit = [p for p in found if fold(p.login) == fold(name.user) and self._is_in(p, name.realm)]
        return _only(explicit or implicit)

    def _called(self, login: str) -> list[Person]:
        return [p for p in self._persons(equals("sAMAccountName", login)) if fold(p.login) == fold(login)]

    def _is_in(self, person: Person, domain: str) -> bool:
        its = self.forest.domain_of(person.dn)
        return its is not None and its.is_called(domain)

    def _persons(self, which: Filter) -> list[Person]:
        rows = self.connection.search(
            self.base,
            Scope.SUBTREE,
            all_of(IS_ACCOUNT, which),
            person_attributes(self.email_attributes),
            self.deadline,
        )
        read = (read_person(row, self.forest, self.email_attributes, self.now) for row in rows)
        return [person for person in read if person is not None]


def _only(found: list[Person]) -> Person | None:
    if len(found) > 1:
        _log.warning("directory.ambiguous_account", accounts=[person.dn for person in found])
    return found[0] if len(found) == 1 else None
