"""Federation tokens that were accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rmsserver.stores.sql.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "seen_tokens",
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_seen_tokens")),
    )
    op.create_index(op.f("ix_seen_tokens_until"), "seen_tokens", ["until"])
