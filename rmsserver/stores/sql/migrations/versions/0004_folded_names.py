"""Logins and addresses are compared as everywhere else: no foreign letter becomes an ASCII one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rmsserver.xrml.values import fold

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FOLDED = (("accounts", "login"), ("account_emails", "email"), ("groups", "email"))


def upgrade() -> None:
    """Names that were apart stay apart: what is equal now was equal before."""
    connection = op.get_bind()
    for table, column in _FOLDED:
        name, folded = sa.column(column, sa.String), sa.column(f"{column}_folded", sa.String)
        rows = sa.table(table, name, folded)
        for old, shown in connection.execute(sa.select(folded, name)).all():
            if fold(shown) != old:
                connection.execute(rows.update().where(folded == old).values({folded.name: fold(shown)}))
