"""The public half of every CLC issued (wire facts 5)."""

from __future__ import annotations

import dataclasses

from sqlalchemy import delete, insert, select

from rmsserver.ports import IssuedLicensor
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import issued_licensors
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.values import Guid


class SqlLicensorRegister:
    """Implements the port `LicensorRegister`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def remember(self, licensor: IssuedLicensor) -> None:
        """Durable when it returns. Raises PortUnavailable."""
        row = dataclasses.asdict(licensor)
        for name in ("key_id", "issuer_key_id"):
            row[name] = bytes(row[name])
        with self._database.write() as connection:
            connection.execute(delete(issued_licensors).where(issued_licensors.c.key_id == row["key_id"]))
            connection.execute(insert(issued_licensors), row)

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
