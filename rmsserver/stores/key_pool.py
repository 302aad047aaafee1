"""Ready RSA key pairs: a stage in memory, rows behind it, a factory process behind them (threat C7).

Keys go one way: factory, row, stage, caller. A row is deleted before its key enters the stage, and a key
leaves the stage when it is handed out; a crash loses what is staged and repeats nothing.
"""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

import structlog

from rmsserver.ports import PortUnavailable
from rmsserver.xrml.keys import PrivateKey

_log = structlog.get_logger()
_GROUP = 8
"""Keys made between two commits."""
_BURST_SECONDS = 1.0
"""Keys taken within so short a time are replaced together: each commit keeps other writers from theirs."""


class KeyRows(Protocol):
    """Where ready keys outlive the process (`sql/key_pool.py`)."""

    def add(self, keys: Iterable[PrivateKey]) -> None: ...

    def claim(self, bits: int, count: int) -> list[PrivateKey]: ...

    def count(self, bits: int) -> int: ...


class StagedKeyPool:
    """Implements the port `KeyPool`. Without `start` it hands out what is there and makes the rest on the
    spot.

    `targets` gives for each key length how many keys rows and stage hold together; at most `stage` of them
    are staged.
    """

    def __init__(
        self, rows: KeyRows, targets: Mapping[int, int], *, stage: int = 100, retry_seconds: float = 5.0
    ) -> None:
        self._rows = rows
        self._targets = dict(targets)
        self._stage_size = stage
        self._retry_seconds = retry_seconds
        self._stage: dict[int, deque[PrivateKey]] = {bits: deque() for bits in targets}
        self._wake = threading.Event()
        self._low = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._factory: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="key-pool", daemon=True)
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """End the factory and put the keys nobody took back into the rows."""
        self._stopping.set()
        self._wake.set()
        self._low.set()
        factory = self._factory
        if factory is not None:
            factory.kill()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
            self._thread = None
        unused = []
        for stage in self._stage.values():
            while (key := _pop(stage)) is not None:
                unused.append(key)
        try:
            self._rows.add(unused)
        except PortUnavailable:
            _log.warning("key_pool.unused_keys_dropped", count=len(unused))

    def take(self, bits: int) -> PrivateKey:
        stage = self._stage.get(bits)
        key = _pop(stage) if stage is not None else None
        self._wake.set()
        if stage is None or len(stage) <= self._stage_size // 2:
            self._low.set()
        return key or PrivateKey.generate(bits)

    def staged(self, bits: int) -> int:
        """How many keys can be handed out without waiting."""
        return len(self._stage.get(bits, ()))

    # --- the refill thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            self._low.clear()
            try:
                if self._refill():
                    continue
                self._wake.wait()
                self._low.wait(_BURST_SECONDS)
            except (PortUnavailable, OSError, EOFError, struct.error) as error:
                if not self._stopping.is_set():
                    _log.warning("key_pool.refill_failed", reason=type(error).__name__)
                self._end_factory()
                self._stopping.wait(self._retry_seconds)
            except Exception:  # noqa: BLE001 - callers must not lose their pool to one surprise
                self._end_factory()
                _log.exception("key_pool.refill_failed")
                self._stopping.wait(self._retry_seconds)
        self._end_factory()

    def _refill(self) -> bool:
        """One step towards the targets; False where they are reached."""
        for bits, target in self._targets.items():
            stage = self._stage[bits]
            missing = min(self._stage_size, target) - len(stage)
            if missing > 0 and (claimed := self._rows.claim(bits, missing)):
                stage.extend(claimed)
                return True
        for bits, target in self._targets.items():
            missing = target - len(self._stage[bits]) - self._rows.count(bits)
            if missing > 0:
                self._rows.add(self._make(bits, min(missing, _GROUP)))
                return True
        self._end_factory()
        return False

    def _make(self, bits: int, count: int) -> list[PrivateKey]:
        if self._factory is None:
            self._factory = subprocess.Popen(
                [sys.executable, "-m", "rmsserver.stores.key_factory"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # A Ctrl-C on the terminal is for the server, which then ends the factory in order.
                start_new_session=True,
            )
        source, sink = self._factory.stdout, self._factory.stdin
        if source is None or sink is None or self._stopping.is_set():
            raise EOFError
        sink.write(b"%d\n" % bits * count)
        sink.flush()
        keys = []
        for _ in range(count):
            (length,) = struct.unpack(">I", source.read(4))
            keys.append(PrivateKey.from_der(source.read(length)))
        return keys

    def _end_factory(self) -> None:
        """A pool that is full keeps no process."""
        factory, self._factory = self._factory, None
        if factory is not None:
            factory.kill()
            factory.communicate()


def _pop(stage: deque[PrivateKey]) -> PrivateKey | None:
    try:
        return stage.popleft()
    except IndexError:
        return None
