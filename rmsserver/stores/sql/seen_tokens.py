"""Federation tokens that were accepted, until they would be refused for their age: one that comes again is a replay.

In the database, so that a token counts once in the whole cluster, also after a restart.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import seen_tokens as table


class SqlSeenTokens:
    """Implements `SeenTokens` of auth/federation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def first_time(self, fingerprint: bytes, until: dt.datetime, now: dt.datetime) -> bool:
        """True once for each `fingerprint` (32 bytes), durably. Raises PortUnavailable."""
        try:
            with self._database.write() as connection:
                return self._enter(connection, fingerprint, until, now)
        except IntegrityError:
            # Where writers do not exclude each other (PostgreSQL), the other one was first.
            return False

    def _enter(self, connection: Connection, fingerprint: bytes, until: dt.datetime, now: dt.datetime) -> bool:
        connection.execute(delete(table).where(table.c.until <= now))
        if connection.execute(select(table.c.until).where(table.c.fingerprint == fingerprint)).first() is not None:
            return False
        connection.execute(insert(table), {"fingerprint": fingerprint, "until": until})
        return True
