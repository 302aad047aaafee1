"""The key pool's rows: a key is claimed by deleting its row, so no two processes ever hold the same one
(threat C7).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from sqlalchemy import delete, func, insert, select

from rmsserver.ports import Wrapping
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import key_pool
from rmsserver.xrml.keys import PrivateKey

_PURPOSE = "key pool"


class SqlKeyRows:
    """Wrapped keys that nobody has used. Every method raises PortUnavailable."""

    def __init__(self, database: Database, wrapping: Wrapping) -> None:
        self._database = database
        self._wrapping = wrapping

    def add(self, keys: Iterable[PrivateKey]) -> None:
        rows = [self._row(key) for key in keys]
        if rows:
            with self._database.write() as connection:
                connection.execute(insert(key_pool), rows)

    def claim(self, bits: int, count: int) -> list[PrivateKey]:
        """Take at most `count` keys out: they are gone from the database before anyone sees them."""
        claimed = []
        with self._database.write() as connection:
            query = select(key_pool.c.id, key_pool.c.wrapped).where(key_pool.c.bits == bits).limit(count)
            for id_, wrapped in connection.execute(query).all():
                if connection.execute(delete(key_pool).where(key_pool.c.id == id_)).rowcount == 1:
                    claimed.append((id_, wrapped))
        return [PrivateKey.from_der(self._wrapping.unwrap(_PURPOSE, id_, wrapped)) for id_, wrapped in claimed]

    def count(self, bits: int) -> int:
        with self._database.read() as connection:
            query = select(func.count()).select_from(key_pool).where(key_pool.c.bits == bits)
            return connection.execute(query).scalar_one()

    def _row(self, key: PrivateKey) -> dict[str, object]:
        id_ = str(uuid.uuid4())
        return {"id": id_, "bits": key.public.bits, "wrapped": self._wrapping.wrap(_PURPOSE, id_, key.to_der())}
