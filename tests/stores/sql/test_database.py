"""rmsserver.stores.sql.database, schema and sqlite"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, select, text

from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable
from rmsserver.stores.sql.database import Database, open_database
from rmsserver.stores.sql.tables import configuration, metadata


def _shape(connection: Connection) -> dict[str, object]:
    """Columns, keys, constraints and indexes of every table, as the database itself tells them."""
    found = inspect(connection)
    return {
        table: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(table)],
            found.get_pk_constraint(table),
            sorted(map(str, found.get_foreign_keys(table))),
            sorted(map(str, found.get_unique_constraints(table))),
            sorted(map(str, found.get_indexes(table))),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_a_migrated_schema_equals_a_fresh_one(database: Database) -> None:
    """Migrations from nothing lead to exactly the tables of `tables.py`."""
    fresh = create_engine("sqlite://")
    with fresh.begin() as connection, database.read() as migrated:
        metadata.create_all(connection)
        assert _shape(migrated) == _shape(connection)
        assert compare_metadata(MigrationContext.configure(migrated), metadata) == []


def test_opening_again_changes_nothing(url: str, database: Database) -> None:
    """A database at the newest schema is just opened, and keeps what it holds."""
    with database.write() as connection:
        connection.execute(configuration.insert(), {"key": "a", "value": 1})
    again = open_database(url)
    with again.read() as connection:
        assert connection.execute(select(configuration.c.value)).scalar_one() == 1
    again.close()


def test_a_newer_schema_is_refused(url: str, database: Database) -> None:
    """A database of a newer version is left alone, with a line that says what to do."""
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(OperatorError, match="newer version"):
        open_database(url)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "nosuchdriver://x/y"])
def test_unusable_urls(url: str) -> None:
    """A bad URL is one line."""
    with pytest.raises(OperatorError):
        open_database(url)


def test_a_missing_file_is_not_made(tmp_path: Path) -> None:
    """A database that is away is an error, never an empty new one."""
    with pytest.raises(OperatorError, match="no database"):
        open_database(f"sqlite:///{tmp_path}/state.db")
    assert list(tmp_path.iterdir()) == []


def test_not_a_database(tmp_path: Path) -> None:
    """A file that holds something else is refused in one line."""
    (tmp_path / "state.db").write_bytes(b"something else" * 100)
    with pytest.raises(OperatorError, match=r"damaged \(file is not a database\): restore a backup"):
        open_database(f"sqlite:///{tmp_path}/state.db")


def test_an_emptied_file_is_no_new_database(tmp_path: Path, database: Database) -> None:
    """What SQLite would take for a fresh database is a lost one here."""
    database.close()
    (tmp_path / "state.db").write_bytes(b"")
    with pytest.raises(OperatorError, match=r"damaged \(it is empty\): restore a backup"):
        open_database(f"sqlite:///{tmp_path}/state.db")
    assert (tmp_path / "state.db").read_bytes() == b""


def test_damage_met_later(tmp_path: Path, url: str, database: Database) -> None:
    """Pages overwritten under an open database: unavailable, and the line says that waiting does not help."""
    with database.write() as connection:
        connection.execute(configuration.insert(), [{"key": f"key {n}", "value": "x" * 500} for n in range(100)])
    database.close()  # everything is in the file now, nothing in a journal
    overwrite(tmp_path / "state.db")
    with pytest.raises(PortUnavailable) as caught, database.read() as connection:
        connection.execute(select(configuration)).all()
    assert caught.value.detail == (
        "the database is damaged (database disk image is malformed): restore a backup: "
        "rmsserver restore FILE --home NEW-DIRECTORY"
    )
    assert not database.is_ready()


def overwrite(path: Path) -> None:
    """All pages but the first, which has the schema: as a failing disk leaves them."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def test_files_are_their_owners_alone(tmp_path: Path, database: Database) -> None:
    """K1: nobody else can read the database or its journals."""
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_durable_settings(database: Database) -> None:
    """K5: WAL, every commit on the disk, foreign keys enforced."""
    with database.read() as connection:
        values = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        assert values == ["wal", 2]
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_an_error_rolls_back(database: Database) -> None:
    """A transaction that fails leaves nothing behind."""
    with pytest.raises(ZeroDivisionError), database.write() as connection:  # noqa: PT012 - both statements are meant
        connection.execute(configuration.insert(), {"key": "a", "value": 1})
        raise ZeroDivisionError
    with database.read() as connection:
        assert connection.execute(select(configuration)).all() == []


def test_K6_database_away_and_back(tmp_path: Path, url: str, database: Database) -> None:
    """K6: without its file the database is unavailable at once and not ready; with it everything works
    again.
    """
    database.close()
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    start = time.perf_counter()
    with pytest.raises(PortUnavailable), database.read():
        pass
    assert not database.is_ready()
    assert time.perf_counter() - start < 5
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    assert database.is_ready()


def test_K6_disk_full(database: Database) -> None:
    """K6: where there is no room, writing is unavailable and reading goes on; with room it heals."""
    with database.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    with pytest.raises(PortUnavailable, match="full"), database.write() as connection:  # noqa: PT012 - the limit is of this connection
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        connection.execute(configuration.insert(), {"key": "a", "value": "x" * 1_000_000})
    with database.write() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
        connection.execute(configuration.insert(), {"key": "a", "value": "x" * 1_000_000})
    assert database.is_ready()


def test_K6_no_free_connection(url: str, database: Database) -> None:
    """K6: where every connection is busy a caller is told in time."""
    narrow = open_database(url, pool_size=1)
    with narrow.read():
        start = time.perf_counter()
        with pytest.raises(PortUnavailable), narrow.read():
            pass
        assert time.perf_counter() - start < 5
    assert narrow.is_ready()
    narrow.close()


def test_K6_read_only(database: Database) -> None:
    """K6: a database that can be read but not written is not ready, and heals."""
    with database.read() as connection:
        connection.execute(text("PRAGMA query_only = ON"))
    with pytest.raises(PortUnavailable, match="readonly"), database.write() as connection:
        connection.execute(configuration.insert(), {"key": "a", "value": 1})
    assert not database.is_ready()
    with database.read() as connection:
        connection.execute(text("PRAGMA query_only = OFF"))
    assert database.is_ready()


def test_errors_hold_no_values(database: Database) -> None:
    """What a statement was given does not get into the error, which goes into logs."""
    with pytest.raises(PortUnavailable) as caught, database.read() as connection:
        connection.execute(text("SELECT :x FROM nothing_there"), {"x": "sesame"})
    assert "sesame" not in str(caught.value)
    assert "sesame" not in caught.value.detail


def test_the_change_mark_moves_with_the_commits_of_others(url: str, database: Database) -> None:
    """Another process's commit moves the mark; reading moves nothing."""
    mark = database.change_mark()
    with database.read() as connection:
        connection.execute(select(configuration)).all()
    assert database.change_mark() == mark
    other = open_database(url)
    with other.write() as connection:
        connection.execute(configuration.insert(), {"key": "a", "value": 1})
    other.close()
    assert database.change_mark() != mark


def test_the_change_mark_moves_with_own_commits(database: Database) -> None:
    """What this process commits moves the mark as well."""
    mark = database.change_mark()
    with database.write() as connection:
        connection.execute(configuration.insert(), {"key": "a", "value": 1})
    assert database.change_mark() != mark


def test_no_change_mark_without_a_database(tmp_path: Path, url: str, database: Database) -> None:
    """K6: where the file is away there is no mark, but the error of every port."""
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    with pytest.raises(PortUnavailable):
        database.change_mark()
