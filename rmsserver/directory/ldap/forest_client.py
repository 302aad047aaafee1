"""Questions to a forest, put to whichever of its controllers answers."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import TypeVar

import structlog

from rmsserver.directory.ldap.account_search import AccountSearch
from rmsserver.directory.ldap.answers import LdapFailure
from rmsserver.directory.ldap.cache import Aged
from rmsserver.directory.ldap.connection import Connection
from rmsserver.directory.ldap.controllers import Controllers, ControllerStatistics, Work
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.forest import Forest, read_forest, search_base
from rmsserver.directory.ldap.group_search import GroupSearch
from rmsserver.directory.ldap.settings import LdapSettings
from rmsserver.ports import PortUnavailable

T = TypeVar("T")

_FOREST_SECONDS = 3600.0

_log = structlog.get_logger()


class ForestClient:
    """Thread-safe. Whatever goes wrong comes out as `PortUnavailable`, by the deadline."""

    def __init__(self, settings: LdapSettings, now: Callable[[], dt.datetime]) -> None:
        self._settings = settings
        self._now = now
        self._controllers = Controllers(settings)
        self._forest: Aged[Forest] | None = None

    def deadline(self) -> Deadline:
        """For one request to the directory, however many questions it takes."""
        return self._controllers.deadline()

    def forest(self, deadline: Deadline) -> Forest:
        """Names of domains hardly ever change: asked once an hour, and kept while nobody answers."""
        known = self._forest
        asked = time.monotonic()
        if known is not None and asked - known.born < _FOREST_SECONDS:
            return known.value
        try:
            forest = self._ask(read_forest, deadline)
        except PortUnavailable:
            if known is None:
                raise
            return known.value
        self._forest = Aged(forest, asked)
        return forest

    def ask_accounts(self, question: Callable[[AccountSearch], T], deadline: Deadline) -> T:
        forest, settings, now = self.forest(deadline), self._settings, self._now()

        def work(connection: Connection, until: Deadline) -> T:
            base = search_base(connection.uri, forest, settings)
            return question(AccountSearch(connection, forest, base, settings.email_attributes, until, now))

        return self._ask(work, deadline)

    def ask_groups(self, question: Callable[[GroupSearch], T], deadline: Deadline) -> T:
        forest, settings = self.forest(deadline), self._settings

        def work(connection: Connection, until: Deadline) -> T:
            base = search_base(connection.uri, forest, settings)
            return question(GroupSearch(connection, base, settings.email_attributes, until))

        return self._ask(work, deadline)

    def statistics(self) -> tuple[ControllerStatistics, ...]:
        return self._controllers.statistics()

    def close(self) -> None:
        self._controllers.close()

    def _ask(self, work: Work[T], deadline: Deadline) -> T:
        try:
            return self._controllers.do(work, deadline)
        except LdapFailure as error:
            _log.warning("directory.refused", why=str(error))
            raise PortUnavailable(str(error)) from error
