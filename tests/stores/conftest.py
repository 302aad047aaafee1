"""A database and a master key for the tests of stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rmsserver.stores.sql.database import Database, open_database
from rmsserver.stores.wrapping import MasterKey


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url, create=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def master_key() -> MasterKey:
    return MasterKey.generate()
