"""rmsserver.stores.sql.write_behind"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from rmsserver.stores.sql.write_behind import WriteBehind


def test_what_comes_close_together_is_one_group() -> None:
    """Items that come a moment after the first one are written with it."""
    groups: list[list[int]] = []
    written = threading.Event()

    def write(group: Sequence[int]) -> None:
        groups.append(list(group))
        written.set()

    queue = WriteBehind("test", write, limit=100, linger_seconds=0.5)
    queue.start()
    queue.put(1)
    assert not written.wait(0.05)
    queue.put(2)
    assert written.wait(5)
    queue.stop()
    assert groups == [[1, 2]]


def test_stopping_does_not_linger() -> None:
    """`stop` writes what is queued at once."""
    written: list[int] = []
    queue = WriteBehind("test", written.extend, limit=100, linger_seconds=60)
    queue.start()
    queue.put(1)
    queue.stop(5)
    assert written == [1]
