"""rmsserver.stores.sql.group_commit"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from rmsserver.ports import PortUnavailable
from rmsserver.stores.sql.database import Database, open_database
from rmsserver.stores.sql.group_commit import GroupCommit
from rmsserver.stores.sql.tables import configuration


def put(key: str, seen: list[Connection] | None = None) -> Callable[[Connection], object]:
    def action(connection: Connection) -> str:
        if seen is not None:
            seen.append(connection)
        connection.execute(insert(configuration), {"key": key, "value": 1})
        return key

    return action


def stored(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(configuration.c.key)).scalars())


def write_at_once(commits: GroupCommit, actions: list[Callable[[Connection], object]]) -> list[object]:
    """Results, or errors, of actions that all wait while another transaction is being written."""
    begun, go_on = threading.Event(), threading.Event()

    def first(_connection: Connection) -> None:
        begun.set()
        go_on.wait(10)

    def attempt(action: Callable[[Connection], object]) -> object:
        try:
            return commits.write(action)
        except (IntegrityError, PortUnavailable) as error:
            return type(error)

    with ThreadPoolExecutor(len(actions) + 1) as threads:
        blocking = threads.submit(attempt, first)
        assert begun.wait(10)
        waiting = [threads.submit(attempt, action) for action in actions]
        while len(commits._waiting) < len(actions):
            pass
        go_on.set()
        blocking.result(10)
        return [one.result(10) for one in waiting]


def test_who_waits_is_written_together(database: Database) -> None:
    """Twenty callers share a transaction, and each gets its own result."""
    seen: list[Connection] = []
    names = [f"key {n}" for n in range(20)]
    assert write_at_once(GroupCommit(database), [put(name, seen) for name in names]) == names
    assert len(set(map(id, seen))) == 1
    assert stored(database) >= set(names)


def test_one_that_fails_harms_no_other(database: Database) -> None:
    """The others of its group are stored, each on its own."""
    commits = GroupCommit(database)
    commits.write(put("taken"))
    results = write_at_once(commits, [put("one"), put("taken"), put("two")])
    assert results == ["one", IntegrityError, "two"]
    assert stored(database) >= {"one", "two"}


def test_K5_it_is_durable_when_it_returns(url: str, database: Database) -> None:
    """K5: another process sees it at once."""
    GroupCommit(database).write(put("mine"))
    other = open_database(url)
    assert "mine" in stored(other)
    other.close()


def test_K6_a_database_that_is_away_fails_everybody(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K6: who waited for the others' transaction hears of its failure and does not wait again."""
    commits = GroupCommit(database)

    def away(_connection: Connection) -> None:
        raise PortUnavailable("away")

    assert write_at_once(commits, [away, put("one")]) == [PortUnavailable, PortUnavailable]
    assert "one" not in stored(database)
