"""The contracts on the ports of rmsserver.stores.sql, and what only a database can show"""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select, update

from rmsserver.ports import PortUnavailable, UnwrapError
from rmsserver.state import AuditTrail
from rmsserver.stores.key_pool import StagedKeyPool
from rmsserver.stores.sql.audit import SqlAudit
from rmsserver.stores.sql.database import Database, open_database
from rmsserver.stores.sql.key_pool import SqlKeyRows
from rmsserver.stores.sql.licensor_register import SqlLicensorRegister
from rmsserver.stores.sql.tables import key_pool, user_keys
from rmsserver.stores.sql.user_keys import SqlUserKeys
from rmsserver.stores.sql.witness import SqlContentKeyWitness
from rmsserver.stores.wrapping import MasterKey
from rmsserver.xrml.keys import KeyId
from tests.stores import contract
from tests.stores.contract import SID, key, record


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


class TestUserKeys(contract.UserKeysContract):
    @pytest.fixture
    def port(self, database: Database, master_key: MasterKey) -> SqlUserKeys:
        return SqlUserKeys(database, master_key)

    def test_K1_swapped_rows(self, database: Database, port: SqlUserKeys) -> None:
        """K1: a row that carries another account's key does not open."""
        port.put_if_absent("S-1", key(0))
        port.put_if_absent("S-2", key(1))
        with database.write() as connection:
            own = connection.execute(select(user_keys.c.wrapped).where(user_keys.c.account == "s-2")).scalar_one()
            connection.execute(update(user_keys).where(user_keys.c.account == "s-1").values(wrapped=own))
        with pytest.raises(UnwrapError):
            port.get("S-1", 1024)

    def test_stored_for_other_processes(self, url: str, port: SqlUserKeys, master_key: MasterKey) -> None:
        """What was put is seen through another engine at once."""
        port.put_if_absent(SID, key())
        other = open_database(url)
        try:
            found = SqlUserKeys(other, master_key).get(SID, 1024)
        finally:
            other.close()
        assert found is not None
        assert found.public == key().public


_STORING = """
import sys
from rmsserver.stores.sql.database import open_database
from rmsserver.stores.sql.user_keys import SqlUserKeys
from rmsserver.stores.wrapping import MasterKey
from rmsserver.xrml.keys import PrivateKey
keys = SqlUserKeys(open_database(sys.argv[1]), MasterKey(bytes.fromhex(sys.stdin.readline())))
n = 0
while True:
    stored = keys.put_if_absent(f"S-{n}", PrivateKey.generate(1024))
    print(n, stored.public.id.hex(), flush=True)
    n += 1
"""


def test_K5_killed_while_storing(url: str, database: Database) -> None:
    """K5: after kill -9 at several points the database opens, and every key that was answered is the one
    stored.
    """
    secret = bytes(32)
    answered: dict[str, str] = {}
    for attempt in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", _STORING, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(secret.hex() + "\n")
        process.stdin.flush()
        first = process.stdout.readline()
        time.sleep(0.02 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        rest, _ = process.communicate()
        for line in (first + rest).splitlines(keepends=True):
            if line.endswith("\n"):
                number, id_ = line.split()
                assert answered.setdefault(number, id_) == id_
    keys = SqlUserKeys(open_database(url), MasterKey(secret))
    assert len(answered) >= 6
    for number, id_ in answered.items():
        found = keys.get(f"S-{number}", 1024)
        assert found is not None
        assert found.public.id.hex() == id_


class TestLicensorRegister(contract.LicensorRegisterContract):
    @pytest.fixture
    def port(self, database: Database) -> SqlLicensorRegister:
        return SqlLicensorRegister(database)


class TestContentKeyWitness(contract.ContentKeyWitnessContract):
    @pytest.fixture
    def port(self, database: Database) -> Iterator[SqlContentKeyWitness]:
        witness = SqlContentKeyWitness(database, entries=100)
        yield witness
        witness.stop()

    def test_remembered_over_restarts(self, database: Database) -> None:
        """After a restart the first signer is still the first."""
        first, second = KeyId(b"1" * 32), KeyId(b"2" * 32)
        before = SqlContentKeyWitness(database)
        before.start()
        before.first_signer(b"f" * 32, first)
        before.stop()
        after = SqlContentKeyWitness(database)
        after.start()
        until(lambda: after._loaded)
        assert after.first_signer(b"f" * 32, second) == first
        after.stop()

    def test_L1_signer_is_known_after_memory_forgot(self, database: Database) -> None:
        """L1: what memory had to forget is looked up in the database."""
        signer = KeyId(b"1" * 32)
        witness = SqlContentKeyWitness(database, entries=2)
        witness.start()
        for n in range(5):
            witness.first_signer(n.to_bytes(32), signer)
        witness.stop()
        assert [witness.signer_of(n.to_bytes(32)) for n in range(6)] == [signer] * 5 + [None]

    def test_corrected_by_the_database(self, database: Database) -> None:
        """A signer that memory took for the first is corrected when the database knows an earlier one."""
        first, second = KeyId(b"1" * 32), KeyId(b"2" * 32)
        one, two = (SqlContentKeyWitness(database) for _ in range(2))
        for witness in (one, two):
            witness.start()
        until(lambda: one._loaded and two._loaded)
        one.first_signer(b"f" * 32, first)
        one.stop()
        two.first_signer(b"f" * 32, second)
        until(lambda: two.first_signer(b"f" * 32, second) == first)
        two.stop()

    def test_never_blocks(self, database: Database) -> None:
        """While another process holds the database, an answer comes at once."""
        witness = SqlContentKeyWitness(database)
        with database.write():
            witness.start()
            start = time.perf_counter()
            for n in range(1000):
                witness.first_signer(n.to_bytes(32), KeyId(b"1" * 32))
            assert time.perf_counter() - start < 5
        witness.stop()


class TestSecrets(contract.SecretsContract):
    @pytest.fixture
    def port(self, master_key: MasterKey) -> MasterKey:
        return master_key


class TestKeyPool(contract.KeyPoolContract):
    @pytest.fixture
    def port(self, database: Database, master_key: MasterKey) -> Iterator[StagedKeyPool]:
        rows = SqlKeyRows(database, master_key)
        rows.add(key(n) for n in range(4))
        pool = StagedKeyPool(rows, {1024: 4})
        pool.start()
        until(lambda: pool.staged(1024) == 4)
        yield pool
        pool.stop()


class TestFilling:
    """The pool's way from factory to caller."""

    @pytest.fixture
    def rows(self, database: Database, master_key: MasterKey) -> SqlKeyRows:
        return SqlKeyRows(database, master_key)

    def test_fills_to_its_target_and_no_further(self, rows: SqlKeyRows) -> None:
        """Stage and rows together hold the target; a full pool keeps no factory running."""
        pool = StagedKeyPool(rows, {1024: 12}, stage=5)
        pool.start()
        until(lambda: pool.staged(1024) == 5 and rows.count(1024) == 7 and pool._factory is None)
        pool.take(1024)
        until(lambda: pool.staged(1024) == 5 and rows.count(1024) == 7)
        pool.stop()

    def test_C7_unused_keys_outlive_the_process(self, rows: SqlKeyRows) -> None:
        """C7: what nobody took goes back when the server stops, what was taken never does."""
        rows.add(key(n) for n in range(4))
        pool = StagedKeyPool(rows, {1024: 4})
        pool.start()
        until(lambda: pool.staged(1024) == 4)
        taken = pool.take(1024).public.id
        pool.stop()
        left = {claimed.public.id for claimed in rows.claim(1024, 100)}
        assert taken not in left
        assert {key(n).public.id for n in range(4)} <= left | {taken}

    def test_C7_a_claimed_key_is_gone(self, database: Database, rows: SqlKeyRows) -> None:
        """C7: claiming deletes the row before the key is seen."""
        rows.add([key(0), key(1)])
        (claimed,) = rows.claim(1024, 1)
        with database.read() as connection:
            assert len(connection.execute(select(key_pool)).all()) == 1
        assert [other.public.id for other in rows.claim(1024, 5)] != [claimed.public.id]
        assert rows.claim(1024, 5) == []

    def test_database_away(self, rows: SqlKeyRows, database: Database) -> None:
        """Without a database keys are made on the spot."""
        pool = StagedKeyPool(rows, {1024: 2})
        with database.write():
            pool.start()
            assert pool.take(1024).public.bits == 1024
        pool.stop()

    def test_C7_across_processes(self, url: str, rows: SqlKeyRows, master_key: MasterKey) -> None:
        """C7: two processes that claim from the same rows never see the same key."""
        rows.add(key(n) for n in range(20))
        secret = master_key._secret.hex()
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", _CLAIMING, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        seen = [line for process in processes for line in process.communicate(secret)[0].split()]
        assert sorted(seen) == sorted(key(n).public.id.hex() for n in range(20))


_CLAIMING = """
import sys
from rmsserver.stores.sql.database import open_database
from rmsserver.stores.sql.key_pool import SqlKeyRows
from rmsserver.stores.wrapping import MasterKey
rows = SqlKeyRows(open_database(sys.argv[1]), MasterKey(bytes.fromhex(sys.stdin.read())))
while keys := rows.claim(1024, 1):
    print(keys[0].public.id.hex())
"""


class TestAudit(contract.AuditContract):
    @pytest.fixture
    def port(self, database: Database) -> Iterator[SqlAudit]:
        audit = SqlAudit(database)
        audit.start()
        yield audit
        audit.stop()
        assert audit.lost == 0

    def test_written_whole(self, port: SqlAudit) -> None:
        """A record comes back as it was, newest first."""
        first, second = record("Certify"), record("AcquireLicense")
        port.record(first)
        port.record(second)
        port.stop()
        assert port.read() == [second, first]

    def test_flushed_at_the_end(self, port: SqlAudit) -> None:
        """Stopping writes everything that was queued."""
        for _ in range(5000):
            port.record(record())
        port.stop()
        assert port.count() == 5000


def test_lost_records_are_counted_and_reported(database: Database) -> None:
    """A full queue never blocks a request; what was lost stands in the audit afterwards."""
    audit = SqlAudit(database, queue_limit=10)
    for _ in range(15):
        audit.record(record())
    assert audit.lost == 5
    audit.start()
    until(lambda: audit.count() == 11)
    audit.stop()
    newest = audit.read(limit=1)[0]
    assert (newest.operation, newest.outcome, newest.trail.facts) == ("audit", "lost", {"lost": ["5"]})


def test_alerts_are_found_behind_other_records(database: Database) -> None:
    """However many requests came after them: the limit counts alerts."""
    audit = SqlAudit(database)
    for what in ("first", "second", ""):
        trail = AuditTrail()
        if what:
            trail.alert(what)
        for _ in range(1 if what else 50):
            audit.write_now(dataclasses.replace(record(), trail=trail))
    assert [found.trail.alerts for found in audit.read(limit=20, alerts_only=True)] == [["second"], ["first"]]
    assert [found.trail.alerts for found in audit.read(limit=1, alerts_only=True)] == [["second"]]


def test_records_wait_for_the_database(database: Database) -> None:
    """K6: records of a time without database are written when it is back."""
    audit = SqlAudit(database)
    with database.write():
        audit.start()
        audit.record(record())
        time.sleep(3.0)
    until(lambda: audit.count() == 1)
    audit.stop()


def test_retention(database: Database) -> None:
    """Records older than the retention are removed, newer ones kept."""
    now = dt.datetime.now(dt.UTC)
    before = SqlAudit(database)
    before.start()
    for days in (31, 29):
        before.record(record(time=now - dt.timedelta(days=days)))
    before.stop()
    audit = SqlAudit(database, retention_days=30)
    audit.start()
    until(lambda: [kept.time for kept in audit.read()] == [now - dt.timedelta(days=29)])
    audit.stop()


def test_K6_a_locked_database_answers_within_five_seconds(url: str, database: Database, master_key: MasterKey) -> None:
    """K6: while another holds the database a writer is told in time."""
    other = open_database(url)
    keys = SqlUserKeys(other, master_key)
    with database.write():
        start = time.perf_counter()
        with pytest.raises(PortUnavailable):
            keys.put_if_absent(SID, key())
        assert time.perf_counter() - start < 5
    assert keys.put_if_absent(SID, key()).public == key().public
    other.close()
