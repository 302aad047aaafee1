"""Trusted user domains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rmsserver.stores.sql.columns import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trusted_user_domains",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("all_email_domains", sa.Boolean(), nullable=False),
        sa.Column("email_domains", sa.JSON(), nullable=False),
        sa.Column("sids_trusted", sa.Boolean(), nullable=False),
        sa.Column("federated_trusted", sa.Boolean(), nullable=False),
        sa.Column("signed_by", sa.String(length=64), nullable=True),
        sa.Column("imported", UtcDateTime(), nullable=False),
        sa.Column("chains", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trusted_user_domains")),
    )
