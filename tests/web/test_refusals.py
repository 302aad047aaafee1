"""Refused callers in the audit."""

from __future__ import annotations

import pytest

from rmsserver.ports import AuditRecord
from rmsserver.soap.runtime import Runtime
from rmsserver.stores.memory import MemoryAudit
from rmsserver.web.exchange import HttpAnswer, HttpRequest, Refusal
from rmsserver.web.refusals import OPERATION, RefusalAudit
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refusals(clock: Clock) -> tuple[RefusalAudit, MemoryAudit]:
    cluster = make_cluster(CryptoMode.MODE_2)
    ports = cluster.ports()
    assert isinstance(ports.audit, MemoryAudit)
    return RefusalAudit(Runtime(lambda: cluster.state, ports), clock), ports.audit


def _request() -> HttpRequest:
    def nobody() -> None:
        raise AssertionError

    return HttpRequest("POST", "/", "", {"user-agent": "MSIPC"}, b"", "192.0.2.7", nobody)  # type: ignore[arg-type]


def _records(audit: MemoryAudit) -> list[AuditRecord]:
    return list(audit.records)


def test_a_refused_sign_on_is_recorded(refusals: tuple[RefusalAudit, MemoryAudit]) -> None:
    """Status, address, reason and the login that was tried are in the audit."""
    writer, audit = refusals
    writer.record(_request(), HttpAnswer(401), Refusal("wrong password", "EXAMPLE\\author"))
    (record,) = _records(audit)
    assert (record.operation, record.outcome, record.client_address) == (OPERATION, "401", "192.0.2.7")
    assert record.account == ""
    assert record.trail.facts == {"refused": ["wrong password"], "login": ["EXAMPLE\\author"]}


def test_strangers_cannot_flood_the_audit(refusals: tuple[RefusalAudit, MemoryAudit], clock: Clock) -> None:
    """X16: beyond the budget refusals are counted, and the next record says how many."""
    writer, audit = refusals
    for _ in range(700):
        writer.record(_request(), HttpAnswer(401), Refusal("wrong password"))
    assert len(_records(audit)) == 600
    clock.now += 1.5
    writer.record(_request(), HttpAnswer(401), Refusal("wrong password"))
    assert len(_records(audit)) == 601
    assert _records(audit)[-1].trail.alerts == ["100 refused sign-ons before this one were too many to record"]
