"""K6 and K4 on a whole process: no database, no disk, no descriptors, a wrong clock; and healing without a hand."""

from __future__ import annotations

import contextlib
import datetime as dt
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.values import TimeRange
from tests.cluster import NOW, Cluster, make_cluster, server_hierarchy
from tests.conformance import conforms
from tests.http_server import request
from tests.operations.licensing import READER
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import ServingProcess

ALIVE = request("/healthz", method="GET")
READY = request("/readyz", method="GET")
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    process = ServingProcess(tmp_path_factory.mktemp("outages"))
    process.create("author", "reader", "third", "fourth", "fifth")
    with process.serving():
        yield process


@contextlib.contextmanager
def limited(server: ServingProcess, what: int, soft: int) -> Iterator[None]:
    """The process may have no more than `soft` of something."""
    assert server.process is not None
    before = resource.prlimit(server.process.pid, what)
    resource.prlimit(server.process.pid, what, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, what, before)


def heals(server: ServingProcess, person: str, machine: tuple[str, ...]) -> bool:
    """Is a request served again, and the process ready, within ten seconds?"""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if server.ask("Certify", calls.certify(machine), person).status == 200 and server.send(READY).status == 200:
                return True
        time.sleep(0.2)
    return False


def test_K6_a_locked_database(server: ServingProcess) -> None:
    """K6: a fault within five seconds and a little, alive meanwhile; served as soon as the lock is gone."""
    _, machine = server.machine("author", "laptop")
    with closing(sqlite3.connect(server.home / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        answer = server.ask("Certify", calls.certify(machine), "author")
        assert time.monotonic() - begun < 7
        assert answer.status in (500, 503)
        assert server.send(ALIVE).status == 200
        other.execute("ROLLBACK")
    assert heals(server, "author", machine)


def test_K6_a_full_disk(server: ServingProcess) -> None:
    """K6: what must be stored is a fault, quickly; nothing is answered that was not stored; then it heals."""
    _, machine = server.machine("reader", "laptop")
    with limited(server, resource.RLIMIT_FSIZE, 0):
        begun = time.monotonic()
        answer = server.ask("Certify", calls.certify(machine), "reader")
        assert time.monotonic() - begun < 7
        assert answer.status == 500
        assert b"XrML" not in answer.body
        assert server.send(ALIVE).status == 200
        assert server.send(READY).status == 503
    assert heals(server, "reader", machine)


def test_K6_no_descriptors(server: ServingProcess) -> None:
    """K6: connections wait or are closed; the process lives and serves again when there is room."""
    _, machine = server.machine("third", "laptop")
    crowd = []
    with limited(server, resource.RLIMIT_NOFILE, 60):
        for _ in range(120):
            with contextlib.suppress(OSError):
                crowd.append(server.connect())
        time.sleep(0.5)
        assert server.process is not None
        assert server.process.poll() is None
        for wire in crowd:
            wire.__exit__()
    assert heals(server, "third", machine)


def test_K6_nothing_of_it_fills_the_log(server: ServingProcess) -> None:
    """K6, X16: outages are said, not poured out."""
    assert len(server.log) < 40_000


# --- K4: the clock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "issuance"),
    [
        (NOW - 400 * DAY, None),
        (NOW, TimeRange(NOW - 100 * DAY, NOW - DAY)),
        (NOW, TimeRange(NOW + DAY, NOW + 100 * DAY)),
    ],
    ids=["clock far back", "SLC expired", "SLC not yet valid"],
)
@conforms("MS-RMPR 3.1.6.2", "Nothing is issued outside the range of the SLC.")
def test_K4_nothing_is_issued_by_a_wrong_clock(now: dt.datetime, issuance: TimeRange | None) -> None:
    """K4: no certificate and no licence, over HTTP; the clear line is the operator's, in the audit."""
    cluster = make_cluster(CryptoMode.MODE_2)
    if issuance is not None:
        licensor = server_hierarchy(CryptoMode.MODE_2, issuance=issuance).licensor
        cluster = cluster.with_state(licensor=licensor)
    server = RealServer(cluster)
    server.now = now
    try:
        for operation, parameters in everything_issued(cluster):
            answer = server.ask(operation, parameters)
            assert answer.status == 500
            assert b"<XrML" not in answer.body
        refusals = [value for record in server.audit for value in record.trail.facts.get("refused", [])]
        assert any("nothing is issued: the clock says" in line for line in refusals)
    finally:
        server.http.stop()


def everything_issued(cluster: Cluster) -> list[tuple[str, str]]:
    racs = cluster.account(READER).chain
    return [
        ("Certify", calls.certify(cluster.machine().chain)),
        ("GetClientLicensorCert", calls.get_client_licensor_cert(racs)),
        ("AcquireLicense", calls.acquire_license((racs, cluster.publish(cluster.author()).chain))),
        ("AcquireIssuanceLicense", calls.acquire_issuance_license(cluster.publish(None).text)),
    ]


@pytest.mark.parametrize("days", [-2, 2 * 365])
def test_K4_a_clock_that_is_only_a_little_wrong(days: int) -> None:
    """K4: what was certified under the right clock is not taken under the wrong one."""
    cluster = make_cluster(CryptoMode.MODE_2)
    server = RealServer(cluster)
    racs = cluster.account(READER, issued=NOW).chain
    server.now = NOW + days * DAY
    try:
        answer = server.ask("GetClientLicensorCert", calls.get_client_licensor_cert(racs))
        assert b"InvalidPersonaCertTimeException" in answer.body
    finally:
        server.http.stop()
