"""The domain as the doctor asks it: a few searches on whichever controller answers, within the directory's own limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from rmsserver.directory.ldap.answers import Entry, Scope
from rmsserver.directory.ldap.connection import Connection, use_kerberos
from rmsserver.directory.ldap.controllers import Controllers
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.filters import Filter
from rmsserver.directory.ldap.forest import Forest, read_forest, search_base
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, writable

T = TypeVar("T")


class Domain:
    """Asks the controllers' own directories: the global catalogue knows no key versions.

    Methods raise LdapFailure and PortUnavailable.
    """

    def __init__(self, settings: LdapSettings) -> None:
        if isinstance(settings.bind, KerberosBind):
            use_kerberos(settings.bind)
        self.settings = settings
        self._controllers = Controllers(
            dataclasses.replace(settings, controllers=tuple(dict.fromkeys(map(writable, settings.controllers))))
        )
        self._forest: Forest | None = None

    def ask(self, work: Callable[[Connection, Deadline], T]) -> T:
        return self._controllers.do(work, self._controllers.deadline())

    def forest(self) -> Forest:
        if self._forest is None:
            self._forest = self.ask(read_forest)
        return self._forest

    def search(self, which: Filter, *attributes: str) -> list[Entry]:
        """Below the configured base, else in the whole domain."""
        forest = self.forest()
        return self.ask(
            lambda connection, deadline: connection.search(
                search_base(connection.uri, forest, self.settings), Scope.SUBTREE, which, attributes, deadline
            )
        )

    def close(self) -> None:
        self._controllers.close()
