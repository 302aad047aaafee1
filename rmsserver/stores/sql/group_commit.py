"""One commit for all who wait for one.

A commit waits for the disk some milliseconds, and writers wait for each other: fifty callers at once would wait fifty
times. Here those that come while one is being written go into the next together, and each returns only when its own
part is durable (threat K5).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from rmsserver.ports import PortUnavailable
from rmsserver.stores.sql.database import Database

_T = TypeVar("_T")


@dataclass(eq=False)
class _Part(Generic[_T]):
    """What one caller wants done. `result` is set when it is durable, `failure` where the database is away."""

    action: Callable[[Connection], _T]
    result: tuple[_T] | None = None
    failure: str | None = None
    attempted: bool = False


class GroupCommit:
    """Runs short actions of many threads in common transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Part[object]] = []
        self._waiting_lock = threading.Lock()
        self._writing = threading.Lock()

    def write(self, action: Callable[[Connection], _T]) -> _T:
        """What `action` returns, once that is durable. It may run in another caller's thread, and twice: a group in which
        one action fails is rolled back, and each is done again on its own.

        Raises PortUnavailable; IntegrityError and what `action` raises pass.
        """
        part = _Part(action)
        with self._waiting_lock:
            self._waiting.append(part)  # type: ignore[arg-type]  # results are only handed back to their owners
        with self._writing:
            if not part.attempted:
                self._write_all()
        if part.failure is not None:
            raise PortUnavailable(part.failure)
        if part.result is not None:
            return part.result[0]
        with self._database.write() as connection:
            return action(connection)

    def _write_all(self) -> None:
        """Write the parts of all who wait, in one transaction."""
        with self._waiting_lock:
            parts, self._waiting = self._waiting, []
        for part in parts:
            part.attempted = True
        try:
            with self._database.write() as connection:
                results = [part.action(connection) for part in parts]
        except PortUnavailable as error:
            for part in parts:
                part.failure = error.detail or str(error)
        except Exception:  # noqa: BLE001 - whose action it was shows when each is done on its own
            return
        else:
            for part, result in zip(parts, results, strict=True):
                part.result = (result,)
