"""RAC key pairs ([MS-RMPR] 3.1.1.3.4, 3.1.1.3.5): one per account and length, wrapped with both as
associated data.
"""

from __future__ import annotations

import datetime as dt

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from rmsserver.ports import Wrapping
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.group_commit import GroupCommit
from rmsserver.stores.sql.tables import user_keys
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.values import fold

_PURPOSE = "user key"


class SqlUserKeys:
    """Implements the port `UserKeys`. A pair that `put_if_absent` returned is on the disk (threat K5)."""

    def __init__(self, database: Database, wrapping: Wrapping) -> None:
        self._database = database
        self._commits = GroupCommit(database)
        self._wrapping = wrapping

    def get(self, account: str, bits: int) -> PrivateKey | None:
        """Raises PortUnavailable; UnwrapError where the row was changed or swapped."""
        account = fold(account)
        with self._database.read() as connection:
            wrapped = _select(connection, account, bits)
        return None if wrapped is None else self._open(account, bits, wrapped)

    def put_if_absent(self, account: str, key: PrivateKey) -> PrivateKey:
        """Raises PortUnavailable, also where the outcome is unknown: then nothing may be answered."""
        account, bits = fold(account), key.public.bits
        row = {
            "account": account,
            "bits": bits,
            "wrapped": self._wrapping.wrap(_PURPOSE, _identity(account, bits), key.to_der()),
            "created": dt.datetime.now(dt.UTC),
        }

        def put(connection: Connection) -> bytes | None:
            first = _select(connection, account, bits)
            if first is None:
                connection.execute(insert(user_keys), row)
            return first

        try:
            first = self._commits.write(put)
        except IntegrityError:
            # Where writers do not exclude each other (PostgreSQL), the other one was first.
            with self._database.read() as connection:
                first = _select(connection, account, bits)
        return key if first is None else self._open(account, bits, first)

    def pairs(self, account: str) -> list[PrivateKey]:
        """Every pair of the account, of both cryptographic modes. Raises PortUnavailable, UnwrapError."""
        account = fold(account)
        query = select(user_keys.c.bits, user_keys.c.wrapped).where(user_keys.c.account == account)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(user_keys.c.bits)).all()
        return [self._open(account, bits, wrapped) for bits, wrapped in rows]

    def retire(self, account: str) -> None:
        """Forget the account's pairs: its next certificate has a new one. Raises PortUnavailable."""
        with self._database.write() as connection:
            connection.execute(delete(user_keys).where(user_keys.c.account == fold(account)))

    def _open(self, account: str, bits: int, wrapped: bytes) -> PrivateKey:
        return PrivateKey.from_der(self._wrapping.unwrap(_PURPOSE, _identity(account, bits), wrapped))


def _identity(account: str, bits: int) -> str:
    return f"{bits} {account}"


def _select(connection: Connection, account: str, bits: int) -> bytes | None:
    query = select(user_keys.c.wrapped).where(user_keys.c.account == account, user_keys.c.bits == bits)
    return connection.execute(query).scalar_one_or_none()
