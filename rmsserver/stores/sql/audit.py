"""The audit of every request: appended by one thread in groups, kept for a time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import RowMapping, Text, cast, delete, func, insert, select

from rmsserver.ports import AuditRecord
from rmsserver.state import AuditTrail, AuthenticationType
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import audit
from rmsserver.stores.sql.write_behind import WriteBehind
from rmsserver.xrml.values import Guid

_PRUNE_AT_ONCE = 10_000
_LENGTHS = {"operation": 64, "outcome": 64, "client_address": 64, "account": 320, "application": 200}


class SqlAudit:
    """Implements the port `Audit`. `start` before use, `stop` writes what is queued.

    Records lost to a full queue are counted in `lost` and, when there is room again, reported by a record of
    the operation "audit" with the outcome "lost".
    """

    def __init__(self, database: Database, *, retention_days: int = 365, queue_limit: int = 20_000) -> None:
        self._database = database
        self._retention = dt.timedelta(days=retention_days)
        self._reported = 0
        self._pruned = dt.datetime.min.replace(tzinfo=dt.UTC)
        self._queue = WriteBehind[AuditRecord]("audit", self._write, limit=queue_limit, idle=self._prune)

    @property
    def lost(self) -> int:
        return self._queue.lost

    def start(self) -> None:
        self._queue.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        self._queue.stop(timeout_seconds)

    def record(self, record: AuditRecord) -> None:
        self._queue.put(record)

    def write_now(self, record: AuditRecord) -> None:
        """Write one record before returning: for commands, which have no thread. Raises PortUnavailable."""
        self._write([record])

    def read(self, *, limit: int = 100, before_id: int | None = None, alerts_only: bool = False) -> list[AuditRecord]:
        """The newest records first; of those with alerts alone, however far back. Raises PortUnavailable."""
        query = select(audit).order_by(audit.c.id.desc()).limit(limit)
        if alerts_only:
            query = query.where(cast(audit.c.alerts, Text) != "[]")
        if before_id is not None:
            query = query.where(audit.c.id < before_id)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [_record(row) for row in rows]

    def count(self) -> int:
        """How many records are kept. Raises PortUnavailable."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(audit)).scalar_one()

    def licenses_from_template(self, guid: Guid) -> int:
        """How many kept records are of documents protected with the template, in any version, also where the reader was
        refused. Raises PortUnavailable.
        """
        names_it = cast(audit.c.facts, Text).like(f'%"template": [%{guid}%')
        query = select(func.count()).select_from(audit).where(names_it)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one()

    def _write(self, records: Sequence[AuditRecord]) -> None:
        rows = [_row(record) for record in records]
        lost = self._queue.lost
        if lost > self._reported:
            rows.append(_row(_loss(lost - self._reported)))
        with self._database.write() as connection:
            connection.execute(insert(audit), rows)
        self._reported = lost
        if dt.datetime.now(dt.UTC) - self._pruned > dt.timedelta(hours=1):
            self._prune()

    def _prune(self) -> None:
        self._pruned = dt.datetime.now(dt.UTC)
        old = select(audit.c.id).where(audit.c.time < self._pruned - self._retention).limit(_PRUNE_AT_ONCE)
        removed = _PRUNE_AT_ONCE
        while removed == _PRUNE_AT_ONCE:
            with self._database.write() as connection:
                removed = connection.execute(delete(audit).where(audit.c.id.in_(old))).rowcount


def _row(record: AuditRecord) -> dict[str, object]:
    row: dict[str, object] = {
        "time": record.time,
        "operation": record.operation,
        "outcome": record.outcome,
        "client_address": record.client_address,
        "authentication": record.authentication.value,
        "account": record.account,
        "application": record.application,
        "duration_ms": record.duration_ms,
        "facts": record.trail.facts,
        "alerts": record.trail.alerts,
    }
    # One odd value must not keep the whole group from being written: NUL does not go into PostgreSQL texts.
    return {
        name: str(value).replace("\0", "?").encode(errors="replace").decode()[: _LENGTHS[name]]
        if name in _LENGTHS
        else value
        for name, value in row.items()
    }


def _record(row: RowMapping) -> AuditRecord:
    return AuditRecord(
        time=row["time"],
        operation=row["operation"],
        outcome=row["outcome"],
        client_address=row["client_address"],
        authentication=AuthenticationType(row["authentication"]),
        account=row["account"],
        application=row["application"],
        duration_ms=row["duration_ms"],
        trail=AuditTrail(row["facts"], row["alerts"]),
    )


def _loss(count: int) -> AuditRecord:
    trail = AuditTrail()
    trail.note("lost", str(count))
    trail.alert("audit records were lost")
    return AuditRecord(dt.datetime.now(dt.UTC), "audit", "lost", "", AuthenticationType.NONE, "", "", 0.0, trail)
