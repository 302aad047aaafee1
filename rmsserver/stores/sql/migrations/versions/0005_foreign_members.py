"""Members of groups that are of other directories."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "foreign_members",
        sa.Column("group_sid", sa.String(length=184), nullable=False),
        sa.Column("email_folded", sa.String(length=320), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_sid"], ["groups.sid"], name=op.f("fk_foreign_members_group_sid_groups"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_sid", "email_folded", name=op.f("pk_foreign_members")),
    )
