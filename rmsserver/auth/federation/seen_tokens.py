"""A token counts once: which were accepted already, until they would be refused for their age."""

from __future__ import annotations

import datetime as dt
import heapq
import threading
from typing import Protocol

import structlog

_log = structlog.get_logger()


class SeenTokens(Protocol):
    """Shared by all servers of a cluster, or else a token counts once on each."""

    def first_time(self, fingerprint: bytes, until: dt.datetime, now: dt.datetime) -> bool:
        """Remember a token until `until`; False where it is remembered already. Atomic. Raises PortUnavailable."""


class MemorySeenTokens:
    """For one process. Where there is no room for more, nothing more is accepted: forgetting would let one be replayed."""

    def __init__(self, *, entries: int = 200_000) -> None:
        self._entries = entries
        self._until: list[tuple[dt.datetime, bytes]] = []
        self._known: set[bytes] = set()
        self._lock = threading.Lock()

    def first_time(self, fingerprint: bytes, until: dt.datetime, now: dt.datetime) -> bool:
        with self._lock:
            while self._until and self._until[0][0] <= now:
                self._known.discard(heapq.heappop(self._until)[1])
            if fingerprint in self._known:
                return False
            if len(self._known) >= self._entries:
                _log.error("federation.no_room_for_tokens", entries=self._entries)
                return False
            self._known.add(fingerprint)
            heapq.heappush(self._until, (until, fingerprint))
            return True
