"""Several domain controllers as one: the preferred first, another where it fails, and an answer in time in any case."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from rmsserver.directory.ldap.answers import ControllerDown, LdapFailure, NotSupported
from rmsserver.directory.ldap.circuit import Circuit
from rmsserver.directory.ldap.connection import Connection
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.settings import LdapSettings
from rmsserver.directory.ldap.workers import Busy, TooLate, Workers
from rmsserver.ports import PortUnavailable

T = TypeVar("T")
Work = Callable[[Connection, Deadline], T]

_IDLE_SECONDS = 240.0
"""Controllers and firewalls drop connections that say nothing for longer; five minutes is common."""

_log = structlog.get_logger()


@dataclass(frozen=True)
class ControllerStatistics:
    uri: str
    available: bool
    failures: int
    retry_in_seconds: float
    idle_connections: int
    last_error: str


class Controller:
    """One domain controller: its idle connections and its circuit."""

    def __init__(self, uri: str, settings: LdapSettings, clock: Callable[[], float]) -> None:
        self.uri = uri
        self.circuit = Circuit(longest_seconds=settings.retry_seconds, clock=clock)
        self._settings = settings
        self._clock = clock
        self._idle: list[tuple[Connection, float]] = []
        self._last_error = ""
        self._lock = threading.Lock()

    def do(self, work: Work[T], deadline: Deadline) -> T:
        """Raises `ControllerDown`, after which the circuit is open, or whatever else `work` raises."""
        idle = self._take_idle()
        if idle is not None:
            try:
                return self._done(idle, work(idle, deadline))
            except ControllerDown as error:
                idle.close()
                if not error.stale:
                    self.give_up(str(error))
                    raise
                self._close_idle()  # Its sisters went with it.
            except NotSupported:
                self._keep(idle)
                raise
            except BaseException:
                idle.close()
                raise
        return self._do_freshly(work, deadline)

    def _do_freshly(self, work: Work[T], deadline: Deadline) -> T:
        try:
            connection = Connection(self.uri, self._settings, deadline.at_most(self._settings.connect_seconds))
        except LdapFailure as error:
            self.give_up(str(error))
            raise ControllerDown(str(error)) from error
        try:
            return self._done(connection, work(connection, deadline))
        except ControllerDown as error:
            connection.close()
            self.give_up(str(error))
            raise
        except NotSupported:
            self._keep(connection)
            raise
        except BaseException:
            connection.close()
            raise

    def give_up(self, why: str) -> None:
        """Open the circuit."""
        if self.circuit.failures == 0:
            _log.warning("directory.controller_down", controller=self.uri, why=why)
        self._last_error = why
        self.circuit.failed()

    def close(self) -> None:
        self._close_idle()

    def statistics(self) -> ControllerStatistics:
        failures = self.circuit.failures
        return ControllerStatistics(
            self.uri, failures == 0, failures, self.circuit.retry_in_seconds, len(self._idle), self._last_error
        )

    def _done(self, connection: Connection, result: T) -> T:
        if self.circuit.failures:
            _log.info("directory.controller_up", controller=self.uri)
        self.circuit.succeeded()
        self._keep(connection)
        return result

    def _keep(self, connection: Connection) -> None:
        with self._lock:
            self._idle.append((connection, self._clock()))

    def _take_idle(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection, since = self._idle.pop()
            if self._clock() - since < _IDLE_SECONDS:
                return connection
            connection.close()

    def _close_idle(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()


class Controllers:
    """The configured controllers, in their order. Thread-safe."""

    def __init__(self, settings: LdapSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._all = tuple(Controller(uri, settings, clock) for uri in settings.controllers)
        self._workers = Workers(settings.connections, name="directory")

    def deadline(self) -> Deadline:
        """For one request to the directory, however many searches it takes."""
        return Deadline.after(self._settings.request_seconds)

    def do(self, work: Work[T], deadline: Deadline) -> T:
        """Run `work` on the first controller that answers. It may run again on another, so it only reads.

        Raises `PortUnavailable` by `deadline` where none does, at once where all of them failed a moment ago, and the
        other `LdapFailure`s as they are.
        """
        reasons = []
        for position, controller in enumerate(self._all):
            if not controller.circuit.allows():
                reasons.append(f"{controller.uri} failed {controller.circuit.failures} times")
                continue
            others = [one for one in self._all[position + 1 :] if one.circuit.retry_in_seconds == 0]
            share = deadline.share(1 + len(others))
            try:
                return self._workers.do(functools.partial(controller.do, work, share), share)
            except ControllerDown as error:
                reasons.append(str(error))
            except TooLate as error:
                if error.begun:
                    controller.give_up("no answer in time")
                reasons.append(f"{controller.uri}: no answer in time")
            except Busy:
                raise PortUnavailable("the directory is too slow: every connection is in use") from None
        raise PortUnavailable("; ".join(reasons))

    def close(self) -> None:
        """Close idle connections and end the threads."""
        self._workers.close()
        for controller in self._all:
            controller.close()

    def statistics(self) -> tuple[ControllerStatistics, ...]:
        return tuple(controller.statistics() for controller in self._all)
