"""What is true of SQLite alone: files, PRAGMAs, locks. No other module may say anything SQLite would
understand only.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

BUSY_TIMEOUT_SECONDS = 2.5
"""With `database.POOL_TIMEOUT_SECONDS` under the five seconds after which a port must have answered (threat
K6).
"""


def open_engine(path: Path, *, pool_size: int, pool_timeout_seconds: float) -> Engine:
    """An engine for an existing file: a file that is away is an error, not a new database."""

    def connect() -> sqlite3.Connection:
        connection = _connect(path)
        # FULL: what was answered was stored, also when the power goes (threat K5).
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_seconds,
    )
    event.listen(engine, "begin", _begin)
    return engine


class ChangeMark:
    """Tells for a few microseconds' work whether anybody has committed since: another process counts as well.

    It has a connection of its own, through which nothing is written: `data_version` moves with the commits of others.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def __call__(self) -> int:
        """Equal marks mean that nothing was committed in between. Raises sqlite3.Error."""
        with self._lock:
            if self._connection is None:
                self._connection = _connect(self._path)
            row: tuple[int] = self._connection.execute("PRAGMA data_version").fetchone()
            return row[0]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def is_damaged(error: BaseException) -> bool:
    """Whether SQLite says that the file itself is broken: no waiting and no permission mends that."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_emptied(path: Path) -> bool:
    """Whether a database that should hold something has nothing, which SQLite takes for a new one. Raises OSError."""
    journal = path.with_name(f"{path.name}-wal")
    return path.stat().st_size == 0 and not (journal.exists() and journal.stat().st_size)


def create_file(path: Path) -> None:
    """An empty database file that only its owner can read. Keeps one that is there."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database that may be in use, as one file without journals. Raises sqlite3.Error, OSError.

    Ready keys are left out: one that was handed out since must not be handed out again (threat C7).
    """
    create_file(target)
    with (
        closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=rw", uri=True)) as original,
        closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        # All pages in one step: in one transaction, so writers meanwhile neither wait nor show.
        original.backup(copy, pages=-1)
        copy.execute("PRAGMA secure_delete=ON").close()
        copy.execute("DELETE FROM key_pool").close()
        copy.execute("PRAGMA journal_mode=DELETE").close()
        copy.execute("VACUUM").close()


def _begin(connection: Connection) -> None:
    # A transaction that writes takes the lock at its start: one that reads first and writes later could not
    # wait for it.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
