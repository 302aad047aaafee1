"""Trusted user domains at rest, in the state, and in databases of the first schema."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, insert, inspect, text

from rmsserver.errors import OperatorError
from rmsserver.state import TrustedUserDomain
from rmsserver.stores.configuration import make_state
from rmsserver.stores.sql import schema
from rmsserver.stores.sql.configuration import SqlConfiguration
from rmsserver.stores.sql.database import Database, open_database
from rmsserver.stores.sql.tables import accounts, configuration, metadata
from rmsserver.stores.sql.trusted_user_domains import StoredUserDomain
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.values import Guid
from tests.cluster import make_cluster
from tests.stores.test_certificates import new_store

IMPORTED = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
PARTNER = make_cluster(CryptoMode.MODE_2, "stranger").state.licensor
ROW = StoredUserDomain(
    Guid("11111111-2222-4333-8444-555555555555"),
    TrustedUserDomain("Partner", frozenset({"partner.example"}), sids_trusted=True),
    "ab" * 32,
    IMPORTED,
    (PARTNER.chain,),
)


@pytest.fixture
def stored(database: Database) -> SqlConfiguration:
    return SqlConfiguration(database)


@pytest.mark.parametrize(
    "domain",
    [
        ROW.domain,
        TrustedUserDomain("All"),
        TrustedUserDomain("None", frozenset()),
        TrustedUserDomain("F", None, False, True),
    ],
)
def test_round_trip(stored: SqlConfiguration, domain: TrustedUserDomain) -> None:
    """Every condition comes back; all domains and no domain are not the same."""
    row = dataclasses.replace(ROW, domain=domain, signed_by=None)
    before = stored.version()
    stored.add_user_domain(row)
    assert stored.read().user_domains == (row,)
    assert stored.version() == before + 1


def test_a_cluster_is_trusted_once(stored: SqlConfiguration) -> None:
    """A second file of the same cluster does not widen what the first allows."""
    stored.add_user_domain(ROW)
    again = dataclasses.replace(ROW, id=Guid("22222222-2222-4333-8444-555555555555"), domain=TrustedUserDomain("All"))
    with pytest.raises(OperatorError, match="--replace"):
        stored.add_user_domain(again)
    assert stored.read().user_domains == (ROW,)


def test_in_the_place_of_another(stored: SqlConfiguration) -> None:
    """A newer file of the same cluster takes the old one's place at once; where there is none, nothing changes."""
    stored.add_user_domain(ROW)
    other = dataclasses.replace(ROW, id=Guid("22222222-2222-4333-8444-555555555555"), domain=TrustedUserDomain("New"))
    stored.add_user_domain(other, replacing=ROW.id)
    assert stored.read().user_domains == (other,)
    with pytest.raises(OperatorError, match="no trusted user domain"):
        stored.add_user_domain(ROW, replacing=ROW.id)
    assert stored.read().user_domains == (other,)


def test_removal(stored: SqlConfiguration) -> None:
    """Removed once; a second time is an error."""
    stored.add_user_domain(ROW)
    stored.remove_user_domain(ROW.id)
    assert stored.read().user_domains == ()
    with pytest.raises(OperatorError, match="no trusted user domain"):
        stored.remove_user_domain(ROW.id)


def test_in_the_state(tmp_path: Path, stored: SqlConfiguration) -> None:
    """Its key is trusted under its conditions, the own key without any."""
    certificates = new_store(tmp_path / "home").load()
    stored.set("baseUrl", "http://rms.example.com/_wmcs")
    stored.add_user_domain(ROW)
    state = make_state(certificates, stored.read())
    key_id = PARTNER.key.public.id
    assert state.trusted_user_domains == {key_id: ROW.domain}
    assert set(state.trusted_rac_issuers) == {key_id, certificates.licensor.key.public.id}


def test_an_adopted_key_is_not_restricted(tmp_path: Path, stored: SqlConfiguration) -> None:
    """Who was trusted within limits and is then taken over is one's own."""
    store = new_store(tmp_path / "home")
    stored.set("baseUrl", "http://rms.example.com/_wmcs")
    stored.add_user_domain(ROW)
    store.install_licensor(PARTNER.chain, PARTNER.key)
    assert make_state(store.load(), stored.read()).trusted_user_domains == {}


def test_from_the_first_schema(tmp_path: Path) -> None:
    """A database of the first release, with content, is brought to today's schema and keeps what it holds."""
    path = tmp_path / "state.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(schema._config(connection), "0001")
        connection.execute(insert(configuration), {"key": "baseUrl", "value": "http://rms.example.com/_wmcs"})
        row = {"sid": "S-1-5-21-1-2-3-1104", "login": "a", "login_folded": "a", "enabled": True, "ntlm": False}
        connection.execute(insert(accounts), {**row, "created": IMPORTED})
        # Before 0004 names were stored in Python's full case folding, in which a sharp s is two letters.
        row |= {"sid": "S-1-5-21-1-2-3-1105", "login": "Groß", "login_folded": "gross"}
        connection.execute(insert(accounts), {**row, "created": IMPORTED})
        assert "trusted_user_domains" not in inspect(connection).get_table_names()
    engine.dispose()
    migrated = open_database(f"sqlite:///{path}")
    kept = SqlConfiguration(migrated)
    assert kept.read().values == {"baseUrl": "http://rms.example.com/_wmcs"}
    kept.add_user_domain(ROW)
    with migrated.read() as connection:
        logins = connection.execute(text("SELECT sid, login_folded FROM accounts ORDER BY sid")).all()
        assert [tuple(row) for row in logins] == [("S-1-5-21-1-2-3-1104", "a"), ("S-1-5-21-1-2-3-1105", "groß")]
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    migrated.close()
