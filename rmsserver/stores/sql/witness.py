"""First signers of content keys and enabling bits (threats L2, L13), in memory in front of the database.

A request asks memory alone. A thread loads the newest entries at the start and writes new ones behind; where
the database already knows an older first signer that memory had forgotten, memory is corrected and the log
says so.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Sequence

import structlog
from sqlalchemy import insert, select

from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import content_key_witness as table
from rmsserver.stores.sql.write_behind import WriteBehind
from rmsserver.xrml.keys import KeyId

_log = structlog.get_logger()


class SqlContentKeyWitness:
    """Implements the port `ContentKeyWitness`. `start` before use, `stop` writes what is queued."""

    def __init__(self, database: Database, *, entries: int = 50_000, queue_limit: int = 20_000) -> None:
        self._database = database
        self._max_entries = entries
        self._signers: OrderedDict[bytes, KeyId] = OrderedDict()
        self._lock = threading.Lock()
        self._loaded = False
        self._queue = WriteBehind[tuple[bytes, KeyId]](
            "witness", self._write, limit=queue_limit, group=200, idle=self._load
        )

    @property
    def lost(self) -> int:
        return self._queue.lost

    def start(self) -> None:
        self._queue.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        self._queue.stop(timeout_seconds)

    def first_signer(self, fingerprint: bytes, signer: KeyId) -> KeyId:
        with self._lock:
            first = self._signers.get(fingerprint)
            if first is None:
                self._signers[fingerprint] = first = signer
                self._queue.put((fingerprint, signer))
            self._signers.move_to_end(fingerprint)
            self._trim()
            return first

    def signer_of(self, fingerprint: bytes) -> KeyId | None:
        """Asks the database where memory has forgotten. Raises PortUnavailable."""
        with self._lock:
            first = self._signers.get(fingerprint)
        if first is not None:
            return first
        with self._database.read() as connection:
            found = connection.execute(select(table.c.signer).where(table.c.fingerprint == fingerprint)).scalar()
        return None if found is None else KeyId(found)

    def _load(self) -> None:
        if self._loaded:
            return
        query = select(table.c.fingerprint, table.c.signer).order_by(table.c.seen.desc()).limit(self._max_entries)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        with self._lock:
            for fingerprint, signer in rows:
                # What the database knows is older than what a request brought since the start.
                self._signers[fingerprint] = KeyId(signer)
                self._signers.move_to_end(fingerprint, last=False)
            while len(self._signers) > self._max_entries:
                self._signers.popitem(last=False)
        self._loaded = True

    def _write(self, seen: Sequence[tuple[bytes, KeyId]]) -> None:
        self._load()
        fresh = dict(reversed(seen))
        with self._database.write() as connection:
            query = select(table.c.fingerprint, table.c.signer).where(table.c.fingerprint.in_(list(fresh)))
            known = {fingerprint: KeyId(signer) for fingerprint, signer in connection.execute(query)}
            now = dt.datetime.now(dt.UTC)
            rows = [
                {"fingerprint": fingerprint, "signer": bytes(signer), "seen": now}
                for fingerprint, signer in fresh.items()
                if fingerprint not in known
            ]
            if rows:
                connection.execute(insert(table), rows)
        self._correct(
            {fingerprint: known[fingerprint] for fingerprint in known if known[fingerprint] != fresh[fingerprint]}
        )

    def _correct(self, earlier: dict[bytes, KeyId]) -> None:
        if earlier:
            _log.warning("witness.earlier_signer", count=len(earlier))
            with self._lock:
                self._signers.update(earlier)
                self._trim()

    def _trim(self) -> None:
        while len(self._signers) > self._max_entries:
            self._signers.popitem(last=False)
