"""Run by alembic: `schema.upgrade` hands over its connection, whose transaction holds the whole upgrade."""

from __future__ import annotations

from alembic import context

from rmsserver.stores.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
