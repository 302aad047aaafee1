"""What a database needs once it was brought back from a backup: it does not know what happened after it was made."""

from __future__ import annotations

from sqlalchemy import update

from rmsserver.stores.sql.configuration import bump_version
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import directory_state

_SKIPPED_RIDS = 100_000


def mark_restored(database: Database) -> None:
    """Never give out a SID again that an account got after the backup: documents may grant rights to it.

    Servers and caches see another version of configuration and directory.
    """
    columns = directory_state.c
    with database.write() as connection:
        connection.execute(
            update(directory_state).values(next_rid=columns.next_rid + _SKIPPED_RIDS, generation=columns.generation + 1)
        )
        bump_version(connection)
