"""A database of the first release, with something in every table, under today's program."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from alembic import command
from sqlalchemy import Column, MetaData, create_engine, insert, select
from sqlalchemy.types import JSON, Boolean, DateTime, Float, Integer, LargeBinary

from rmsserver.stores.sql import schema
from rmsserver.stores.sql.database import open_database
from rmsserver.stores.sql.tables import metadata

MOMENT = dt.datetime(2025, 3, 4, 5, 6)  # noqa: DTZ001 - as SQLite keeps it


def _value(column: Column[object]) -> object:
    """One for each type; the same for columns that refer to one another."""
    by_type: dict[type, object] = {
        Boolean: True,
        Integer: 7,
        Float: 1.5,
        LargeBinary: b"\x00\xff" * 16,
        DateTime: MOMENT,
        JSON: {"a": ["b"]},
    }
    text = "S-1-5-21-1-2-3-1104" if column.name.endswith("sid") else f"a {column.name.removesuffix('_folded')}"
    return next((value for type_, value in by_type.items() if isinstance(column.type, type_)), text)


def test_everything_of_the_first_schema_is_kept(tmp_path: Path) -> None:
    """Each table of then has one row; afterwards the tables are today's, and every value is what it was."""
    path, first = tmp_path / "state.db", MetaData()
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(schema._config(connection), "0001")
        first.reflect(connection)
        filled = [table for table in first.sorted_tables if table.name != "alembic_version"]
        for table in filled:
            connection.execute(insert(table), {column.name: _value(column) for column in table.columns})
        before = {table.name: connection.execute(select(table)).mappings().all() for table in filled}
    engine.dispose()
    open_database(f"sqlite:///{path}").close()
    with engine.begin() as connection:
        today = MetaData()
        today.reflect(connection)
        assert set(today.tables) == {*metadata.tables, "alembic_version"}
        assert len(filled) == len(before) > 10
        for table in filled:
            (kept,) = connection.execute(
                select(*(today.tables[table.name].c[c.name] for c in table.columns))
            ).mappings()
            assert [kept] == before[table.name], table.name
    engine.dispose()
