"""The schema of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rmsserver.stores.sql.columns import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("sid", sa.String(length=184), nullable=False),
        sa.Column("login", sa.String(length=255), nullable=False),
        sa.Column("login_folded", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("nt_hash_wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("ntlm", sa.Boolean(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_accounts")),
        sa.UniqueConstraint("login_folded", name=op.f("uq_accounts_login_folded")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("time", UtcDateTime(), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=64), nullable=False),
        sa.Column("client_address", sa.String(length=64), nullable=False),
        sa.Column("authentication", sa.String(length=16), nullable=False),
        sa.Column("account", sa.String(length=320), nullable=False),
        sa.Column("application", sa.String(length=200), nullable=False),
        sa.Column("duration_ms", sa.Float(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("alerts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_time"), ["time"], unique=False)

    op.create_table(
        "configuration",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_configuration")),
    )
    op.create_table(
        "content_key_witness",
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("signer", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seen", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_content_key_witness")),
    )
    with op.batch_alter_table("content_key_witness", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_content_key_witness_seen"), ["seen"], unique=False)

    op.create_table(
        "directory_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("domain_sid", sa.String(length=64), nullable=False),
        sa.Column("next_rid", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_directory_state")),
    )
    op.create_table(
        "groups",
        sa.Column("sid", sa.String(length=184), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("email_folded", sa.String(length=320), nullable=False),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_groups")),
        sa.UniqueConstraint("email_folded", name=op.f("uq_groups_email_folded")),
    )
    op.create_table(
        "issued_licensors",
        sa.Column("key_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("clc_id", sa.String(length=36), nullable=False),
        sa.Column("account_type", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=320), nullable=False),
        sa.Column("account_name", sa.String(length=320), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("valid_until", UtcDateTime(), nullable=False),
        sa.Column("issuer_key_id", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_issued_licensors")),
    )
    with op.batch_alter_table("issued_licensors", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issued_licensors_account_id"), ["account_id"], unique=False)

    op.create_table(
        "key_pool",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_pool")),
    )
    with op.batch_alter_table("key_pool", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_key_pool_bits"), ["bits"], unique=False)

    op.create_table(
        "templates",
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("guid", name=op.f("pk_templates")),
    )
    op.create_table(
        "user_keys",
        sa.Column("account", sa.String(length=320), nullable=False),
        sa.Column("bits", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account", "bits", name=op.f("pk_user_keys")),
    )
    op.create_table(
        "account_emails",
        sa.Column("email_folded", sa.String(length=320), nullable=False),
        sa.Column("sid", sa.String(length=184), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sid"], ["accounts.sid"], name=op.f("fk_account_emails_sid_accounts"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("email_folded", name=op.f("pk_account_emails")),
    )
    with op.batch_alter_table("account_emails", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_emails_sid"), ["sid"], unique=False)

    op.create_table(
        "group_members",
        sa.Column("group_sid", sa.String(length=184), nullable=False),
        sa.Column("member_sid", sa.String(length=184), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_sid"], ["groups.sid"], name=op.f("fk_group_members_group_sid_groups"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("group_sid", "member_sid", name=op.f("pk_group_members")),
    )
    with op.batch_alter_table("group_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_group_members_member_sid"), ["member_sid"], unique=False)

    op.create_table(
        "template_versions",
        sa.Column("guid", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["guid"], ["templates.guid"], name=op.f("fk_template_versions_guid_templates"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("guid", "revision", name=op.f("pk_template_versions")),
    )
