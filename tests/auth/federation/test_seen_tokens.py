"""A token counts once: the contract, in memory and in a database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rmsserver.auth.federation.seen_tokens import MemorySeenTokens, SeenTokens
from rmsserver.stores.sql.database import open_database
from rmsserver.stores.sql.seen_tokens import SqlSeenTokens
from tests.auth.federation.partner import MINUTE
from tests.cluster import NOW

ONE, TWO = b"1" * 32, b"2" * 32


@pytest.fixture(params=["memory", "sqlite"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SeenTokens]:
    if request.param == "memory":
        yield MemorySeenTokens()
        return
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", create=True)
    yield SqlSeenTokens(database)
    database.close()


def test_once(port: SeenTokens) -> None:
    assert port.first_time(ONE, NOW + MINUTE, NOW)
    assert not port.first_time(ONE, NOW + MINUTE, NOW)
    assert port.first_time(TWO, NOW + MINUTE, NOW)


def test_forgotten_when_too_old_to_count(port: SeenTokens) -> None:
    """Not before its time, and not kept after it."""
    assert port.first_time(ONE, NOW + MINUTE, NOW)
    assert not port.first_time(ONE, NOW + 2 * MINUTE, NOW + 0.99 * MINUTE)
    assert port.first_time(ONE, NOW + 2 * MINUTE, NOW + MINUTE)


def test_of_many_at_once_one_is_first(port: SeenTokens) -> None:
    """Two posts of one token at the same moment give one session."""
    answers: list[bool] = []
    start = threading.Barrier(8)

    def present() -> None:
        start.wait()
        answers.append(port.first_time(ONE, NOW + MINUTE, NOW))

    threads = [threading.Thread(target=present) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_seen_by_other_processes(tmp_path: Path) -> None:
    """Another server of the cluster, and this one after a restart."""
    url = f"sqlite:///{tmp_path / 'state.db'}"
    for first in (True, False):
        database = open_database(url, create=first)
        assert SqlSeenTokens(database).first_time(ONE, NOW + MINUTE, NOW) is first
        database.close()


def test_memory_is_bounded() -> None:
    """Where there is no room nothing more is accepted; room comes with time."""
    port = MemorySeenTokens(entries=1)
    assert port.first_time(ONE, NOW + MINUTE, NOW)
    assert not port.first_time(TWO, NOW + MINUTE, NOW)
    assert port.first_time(TWO, NOW + 2 * MINUTE, NOW + MINUTE)
