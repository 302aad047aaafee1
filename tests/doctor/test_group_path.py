"""rmsserver.doctor.group_path"""

from __future__ import annotations

from pathlib import Path

from rmsserver.doctor.group_path import path_in_rows, shortest_path
from rmsserver.stores.sql.accounts import SqlAccounts
from rmsserver.stores.sql.database import open_database

ABOVE = {"alice": ["a", "b"], "a": ["c"], "b": ["goal"], "c": ["goal", "a"], "goal": ["a"], "loner": []}


def test_the_shortest_way() -> None:
    """Over the fewest groups; loops end; where there is no way there is none."""
    assert shortest_path("alice", "goal", lambda node: ABOVE[node]) == ("b", "goal")
    assert shortest_path("alice", "a", lambda node: ABOVE[node]) == ("a",)
    assert shortest_path("loner", "goal", lambda node: ABOVE[node]) is None
    assert shortest_path("alice", "nowhere", lambda node: ABOVE[node]) is None


def test_an_endless_directory() -> None:
    """The search is bounded."""
    asked = []

    def above(node: str) -> list[str]:
        asked.append(node)
        return [f"{node}{n}" for n in range(10)]

    assert shortest_path("x", "goal", above) is None
    assert len(asked) < 2_000


def test_the_embedded_directory(tmp_path: Path) -> None:
    """By the rows of memberships, nested ones too."""
    database = open_database(f"sqlite:///{tmp_path}/state.db", create=True)
    rows = SqlAccounts(database)
    rows.create("EXAMPLE")
    alice = rows.add_account("alice", ["alice@example.com"])
    inner, outer = rows.add_group("inner@example.com"), rows.add_group("Outer@example.com")
    rows.add_member(outer.sid, inner.sid)
    rows.add_member(inner.sid, outer.sid)
    assert path_in_rows(rows, alice.sid, "outer@example.com") is None
    rows.add_member(inner.sid, alice.sid)
    assert path_in_rows(rows, alice.sid, "outer@example.com") == ("inner@example.com", outer.email)
    assert path_in_rows(rows, alice.sid, "nosuch@example.com") is None
    database.close()
