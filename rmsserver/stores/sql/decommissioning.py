"""Taking a cluster out of service for good, in two deliberate steps, and back ([MS-RMSI] 1.3.1).

A decommissioned cluster licenses nothing any more and hands out content keys instead. Therefore one command alone cannot do
it: the first makes a code that is good for a while, the second needs it. Diverges: the product has no way back.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets

from sqlalchemy import Connection, delete, select

from rmsserver.errors import OperatorError
from rmsserver.stores.configuration_keys import Json
from rmsserver.stores.sql.configuration import bump_version, put_value
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import configuration

DECOMMISSIONED = "serverDecommissioned"
CODE_LIFETIME = dt.timedelta(minutes=15)
_PREPARATION = "decommissioningPreparation"
"""Row of the configuration: hash of the code, and until when it is good. No key of it: `config list` does not show it."""
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters and digits that look alike."""


class SqlDecommissioning:
    """Methods raise PortUnavailable, and OperatorError for a step that cannot be taken now."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_decommissioned(self) -> bool:
        with self._database.read() as connection:
            return _value(connection, DECOMMISSIONED) is True

    def prepare(self, now: dt.datetime) -> str:
        """The code for `confirm`, good for CODE_LIFETIME; an earlier one is void. Changes nothing else."""
        code = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(2))
        with self._database.write() as connection:
            _check_in_service(connection)
            put_value(connection, _PREPARATION, [_digest(code), (now + CODE_LIFETIME).isoformat()])
        return code

    def confirm(self, code: str, now: dt.datetime) -> None:
        """Decommission the cluster. Running servers follow within their configuration refresh interval."""
        with self._database.write() as connection:
            _check_in_service(connection)
            _check_code(_value(connection, _PREPARATION), code, now)
            _forget_preparation(connection)
            put_value(connection, DECOMMISSIONED, True)
            bump_version(connection)

    def undo(self) -> bool:
        """Back into service; a prepared code is void. False where the cluster was in service."""
        with self._database.write() as connection:
            _forget_preparation(connection)
            if _value(connection, DECOMMISSIONED) is not True:
                return False
            put_value(connection, DECOMMISSIONED, False)
            bump_version(connection)
            return True


def _check_in_service(connection: Connection) -> None:
    if _value(connection, DECOMMISSIONED) is True:
        raise OperatorError("the cluster is decommissioned already: `rmsserver decommission undo` is the way back")


def _check_code(preparation: Json, code: str, now: dt.datetime) -> None:
    if not isinstance(preparation, list) or now >= dt.datetime.fromisoformat(str(preparation[1])):
        raise OperatorError("no code is good now: run `rmsserver decommission prepare` first")
    if not hmac.compare_digest(str(preparation[0]), _digest(code)):
        raise OperatorError("that is not the code that `rmsserver decommission prepare` printed last")


def _digest(code: str) -> str:
    return hashlib.sha256(code.strip().upper().encode("utf-8", "replace")).hexdigest()


def _forget_preparation(connection: Connection) -> None:
    connection.execute(delete(configuration).where(configuration.c.key == _PREPARATION))


def _value(connection: Connection, key: str) -> Json:
    value: Json = connection.execute(select(configuration.c.value).where(configuration.c.key == key)).scalar()
    return value
