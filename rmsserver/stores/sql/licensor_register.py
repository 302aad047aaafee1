"""The public half of every CLC issued (wire facts 5)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from rmsserver.ports import IssuedLicensor
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.group_commit import GroupCommit
from rmsserver.stores.sql.tables import issued_licensors
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.values import Guid


class SqlLicensorRegister:
    """Implements the port `LicensorRegister`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits = GroupCommit(database)

    def remember(self, licensor: IssuedLicensor) -> None:
        """Durable when it returns. Raises PortUnavailable."""
        row = {**vars(licensor), "key_id": bytes(licensor.key_id), "issuer_key_id": bytes(licensor.issuer_key_id)}

        def put(connection: Connection) -> None:
            connection.execute(delete(issued_licensors).where(issued_licensors.c.key_id == row["key_id"]))
            connection.execute(insert(issued_licensors), row)

        self._commits.write(put)

    def find(self, key_id: KeyId) -> IssuedLicensor | None:
        """Raises PortUnavailable."""
        with self._database.read() as connection:
            query = select(issued_licensors).where(issued_licensors.c.key_id == bytes(key_id))
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        return IssuedLicensor(
            **{
                **row,
                "key_id": KeyId(row["key_id"]),
                "issuer_key_id": KeyId(row["issuer_key_id"]),
                "clc_id": Guid(row["clc_id"]),
            }
        )
