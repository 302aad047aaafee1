"""The schema. A change here needs a migration in `migrations/versions`; a test compares the two.

Names, logins, SIDs and e-mail addresses are stored folded where they are looked up, and as given
beside it where they are shown. Columns called `wrapped` hold what `stores/wrapping` made, bound to the row's
key.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from rmsserver.stores.sql.columns import UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

configuration = Table(
    "configuration",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", JSON, nullable=False),
)

templates = Table(
    "templates",
    metadata,
    Column("guid", String(36), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("archived", Boolean(create_constraint=False), nullable=False),
)

template_versions = Table(
    "template_versions",
    metadata,
    Column("guid", String(36), ForeignKey("templates.guid", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)

trusted_user_domains = Table(
    "trusted_user_domains",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("all_email_domains", Boolean(create_constraint=False), nullable=False),
    Column("email_domains", JSON, nullable=False),
    Column("sids_trusted", Boolean(create_constraint=False), nullable=False),
    Column("federated_trusted", Boolean(create_constraint=False), nullable=False),
    # SHA-256 of the management certificate that signed the file; null: the file was not signed.
    Column("signed_by", String(64)),
    Column("imported", UtcDateTime, nullable=False),
    # Chains of surface texts, each with the SLC first.
    Column("chains", JSON, nullable=False),
)

seen_tokens = Table(
    "seen_tokens",
    metadata,
    # SHA-256 of issuer and AssertionID.
    Column("fingerprint", LargeBinary(32), primary_key=True),
    Column("until", UtcDateTime, nullable=False, index=True),
)

user_keys = Table(
    "user_keys",
    metadata,
    Column("account", String(320), primary_key=True),
    Column("bits", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)

issued_licensors = Table(
    "issued_licensors",
    metadata,
    Column("key_id", LargeBinary(32), primary_key=True),
    Column("clc_id", String(36), nullable=False),
    Column("account_type", String(32), nullable=False),
    Column("account_id", String(320), nullable=False, index=True),
    Column("account_name", String(320), nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("issuer_key_id", LargeBinary(32), nullable=False),
)

directory_state = Table(
    "directory_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(255), nullable=False),
    Column("domain_sid", String(64), nullable=False),
    Column("next_rid", Integer, nullable=False),
    Column("generation", Integer, nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("sid", String(184), primary_key=True),
    Column("login", String(255), nullable=False),
    Column("login_folded", String(255), nullable=False, unique=True),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("password_hash", String(255)),
    Column("nt_hash_wrapped", LargeBinary),
    Column("ntlm", Boolean(create_constraint=False), nullable=False),
    Column("created", UtcDateTime, nullable=False),
)

account_emails = Table(
    "account_emails",
    metadata,
    Column("email_folded", String(320), primary_key=True),
    Column("sid", String(184), ForeignKey("accounts.sid", ondelete="CASCADE"), nullable=False, index=True),
    Column("email", String(320), nullable=False),
    Column("position", Integer, nullable=False),
)

groups = Table(
    "groups",
    metadata,
    Column("sid", String(184), primary_key=True),
    Column("email", String(320), nullable=False),
    Column("email_folded", String(320), nullable=False, unique=True),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group_sid", String(184), ForeignKey("groups.sid", ondelete="CASCADE"), primary_key=True),
    # An account or a group, so no foreign key: removing either removes its rows in the same transaction.
    Column("member_sid", String(184), primary_key=True),
    Index(None, "member_sid"),
)

foreign_members = Table(
    "foreign_members",
    metadata,
    Column("group_sid", String(184), ForeignKey("groups.sid", ondelete="CASCADE"), primary_key=True),
    Column("email_folded", String(320), primary_key=True),
    Column("email", String(320), nullable=False),
)

key_pool = Table(
    "key_pool",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("bits", Integer, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("time", UtcDateTime, nullable=False, index=True),
    Column("operation", String(64), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("client_address", String(64), nullable=False),
    Column("authentication", String(16), nullable=False),
    Column("account", String(320), nullable=False),
    Column("application", String(200), nullable=False),
    Column("duration_ms", Float, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("alerts", JSON, nullable=False),
)

content_key_witness = Table(
    "content_key_witness",
    metadata,
    Column("fingerprint", LargeBinary(32), primary_key=True),
    Column("signer", LargeBinary(32), nullable=False),
    Column("seen", UtcDateTime, nullable=False, index=True),
)
