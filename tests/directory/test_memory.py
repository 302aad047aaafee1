"""rmsserver.directory.memory"""

from __future__ import annotations

import pytest

from rmsserver.directory.memory import MemoryDirectory
from tests.directory.contract import FOREIGN, DirectoryContract, Populated


@pytest.fixture
def populated() -> Populated:
    directory = MemoryDirectory()
    author = directory.add_user("author", "author@example.com", "alias@example.com").account.sid
    reader = directory.add_user("reader", "reader@example.com").account.sid
    directory.add_user("disabled", "disabled@example.com", enabled=False)
    inner = directory.add_group("inner@example.com", author)
    outer = directory.add_group("outer@example.com", inner)
    loop = directory.add_group("loop@example.com", outer)
    directory.add_member(inner, loop)
    directory.add_foreign_member(inner, FOREIGN)
    other = directory.add_group("other@example.com", reader)
    return Populated(
        directory,
        "author",
        ("author@example.com", "alias@example.com"),
        "reader",
        "disabled",
        ("inner@example.com", inner),
        ("outer@example.com", outer),
        ("loop@example.com", loop),
        ("other@example.com", other),
    )


class TestMemoryDirectory(DirectoryContract):
    """The contract on the directory in memory."""


def test_a_look_alike_is_another_name() -> None:
    """U+212A (Kelvin sign) is no k."""
    directory = MemoryDirectory()
    found = directory.add_user("kim", "kim@example.com")
    assert directory.by_email("KIM@example.com") == found
    assert directory.by_email("\u212aim@example.com") is None
    assert directory.by_login("\u212aim") is None


def test_sid_history() -> None:
    """An account is found by a SID it had before."""
    directory = MemoryDirectory()
    user = directory.add_user("moved", "moved@example.com", sid_history=("S-1-5-21-9-9-9-1104",))
    assert directory.by_sid("s-1-5-21-9-9-9-1104") == user


def test_generation_moves() -> None:
    """Every change moves the generation."""
    directory = MemoryDirectory()
    seen = [directory.generation]
    user = directory.add_user("a", "a@example.com")
    seen.append(directory.generation)
    directory.add_group("g@example.com", user.account.sid)
    seen.append(directory.generation)
    directory.change_user(user.account.sid, enabled=False)
    seen.append(directory.generation)
    assert len(set(seen)) == len(seen)
