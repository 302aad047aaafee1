"""Opening a database, and the two kinds of transaction on it.

Every failure of the database comes out as `PortUnavailable`, within five seconds, and nothing stays behind
it: the next transaction begins on a fresh or checked connection, so a database that is back is used again
(threat K6).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable
from rmsserver.stores.sql import sqlite, tables

POOL_TIMEOUT_SECONDS = 2.0
_PROBE = "readiness"
"""The key of a row of configuration that no committed transaction ever leaves behind."""


class Database:
    """One engine. `read` and `write` are the only ways to it; both commit at the end and roll back on an
    error.
    """

    def __init__(self, engine: Engine, change_mark: sqlite.ChangeMark | None = None) -> None:
        self._engine = engine
        self._change_mark = change_mark
        self._write_failed = False

    def change_mark(self) -> int | None:
        """A number: as long as it stays, nothing was committed by anybody. None where the database has no cheap one.

        Raises PortUnavailable.
        """
        try:
            return None if self._change_mark is None else self._change_mark()
        except sqlite3.Error as error:
            raise PortUnavailable(_trouble(error)) from None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view. Raises PortUnavailable."""
        with self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Durable when the block has ended without an error. Raises PortUnavailable; IntegrityError
        passes.
        """
        with self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(writes=writes) as connection, connection.begin():
                yield connection
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            self._write_failed = self._write_failed or writes
            raise PortUnavailable(_trouble(error)) from None

    def is_ready(self) -> bool:
        """Whether a transaction that writes can begin and end now: for the readiness answer.

        Such a transaction writes nothing, so it ends well on a full disk too. Once a write has failed, only one that
        really writes a page says otherwise; not at every question, because anybody may ask.
        """
        key, value = tables.configuration.c.key, tables.configuration.c.value
        try:
            with self.write() as connection:
                connection.execute(select(value).where(key == "configurationVersion")).scalar_one_or_none()
                if self._write_failed:
                    connection.execute(tables.configuration.insert().values(key=_PROBE, value=0))
                connection.execute(tables.configuration.delete().where(key == _PROBE))
        except PortUnavailable:
            return False
        self._write_failed = False
        return True

    def close(self) -> None:
        self._engine.dispose()
        if self._change_mark is not None:
            self._change_mark.close()


def open_database(url: str, *, create: bool = False, pool_size: int = 20) -> Database:
    """Open the database at an SQLAlchemy URL and bring its schema up to date.

    `create`: make an SQLite file that is not there. Raises OperatorError (bad URL, missing or damaged file,
    newer schema).
    """
    from rmsserver.stores.sql import schema  # alembic takes 100 ms to import

    engine, change_mark = _engine(url, create=create, pool_size=pool_size)
    try:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            schema.upgrade(connection)
    except (DBAPIError, OSError) as error:
        engine.dispose()
        if sqlite.is_damaged(_original(error)):
            raise OperatorError(_trouble(error)) from None
        raise OperatorError(
            f"the database cannot be opened ({_summary(error)}): check its URL and permissions"
        ) from None
    except BaseException:
        engine.dispose()
        raise
    return Database(engine, change_mark)


def _engine(url: str, *, create: bool, pool_size: int) -> tuple[Engine, sqlite.ChangeMark | None]:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            engine = create_engine(
                parsed, pool_size=pool_size, max_overflow=0, pool_timeout=POOL_TIMEOUT_SECONDS, pool_pre_ping=True
            )
            return engine, None
    except (ArgumentError, ImportError) as error:
        raise OperatorError(f"the database URL is not usable ({type(error).__name__}): see `database_url`") from None
    if not parsed.database or parsed.database == ":memory:":
        raise OperatorError("the database URL names no file: write sqlite:///path/of/file")
    path = Path(parsed.database)
    try:
        if create:
            sqlite.create_file(path)
        elif not path.is_file():
            raise OperatorError(f"there is no database at {path}: run `rmsserver init`, or restore it from a backup")
        elif sqlite.is_emptied(path):
            raise OperatorError(_damaged("it is empty"))
    except OSError as error:
        raise OperatorError(f"the database {path} cannot be made: {error.strerror}") from None
    engine = sqlite.open_engine(path, pool_size=pool_size, pool_timeout_seconds=POOL_TIMEOUT_SECONDS)
    return engine, sqlite.ChangeMark(path)


def _trouble(error: BaseException) -> str:
    """What is wrong, and what to do where waiting does not help."""
    summary = _summary(error)
    return _damaged(summary) if sqlite.is_damaged(_original(error)) else f"the database did not answer: {summary}"


def _damaged(how: str) -> str:
    return f"the database is damaged ({how}): restore a backup: rmsserver restore FILE --home NEW-DIRECTORY"


def _original(error: BaseException) -> BaseException:
    """The driver's own error."""
    found = getattr(error, "orig", None)
    return found if isinstance(found, BaseException) else error


def _summary(error: BaseException) -> str:
    """The driver's own words without statement and parameters, which may hold names."""
    original = _original(error)
    return str(original).splitlines()[0][:200] if str(original) else type(original).__name__
