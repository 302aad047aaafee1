"""Threat C1 over HTTP: whatever is wrong with enabling bits, what comes back is the same to the last byte."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import pytest

from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import Right
from tests.cluster import Author, Cluster, Published, grantee, make_cluster
from tests.http_server import Response
from tests.operations.licensing import READER, altered, resigned
from tests.operations.malformed_bits import MALFORMED, Sealer, bits_xml, des_session
from tests.operations.test_acquire_issuance_license import as_read, bits_of
from tests.wire import calls
from tests.wire.real_server import RealServer

VIEW = (Right.of("VIEW", grantee(READER)),)
_BATCH_INDEX = re.compile(rb"<batchindex>\d+</batchindex>")


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """With a budget that lets an attacker try for as long as the tests do."""
    cluster = make_cluster(request.param)
    running = RealServer(cluster, dataclasses.replace(cluster.ports(), budget=TokenBucketBudget(failures=10_000)))
    yield running
    running.http.stop()


def signed(cluster: Cluster, author: Author) -> dict[str, Published]:
    """For each kind of malformed bits a licence that is well signed and holds them; and two of other kinds."""
    good = cluster.publish(author, VIEW)
    sealer = {kind: Sealer(good, cluster.state.licensor) for kind in MALFORMED}
    made = {
        kind: resigned(good, author, (good.license.enabling_bits.surface, bits_xml(make(sealer[kind]), cluster.mode)))
        for kind, make in MALFORMED.items()
    }
    des = bits_xml(des_session(Sealer(good, cluster.state.licensor)), cluster.mode)
    made["DES session key"] = resigned(good, author, (good.license.enabling_bits.surface, des))
    made["bits of another licence"] = resigned(
        good, author, (good.license.enabling_bits.surface, cluster.publish(author, VIEW).license.enabling_bits.surface)
    )
    return made


def unsigned(cluster: Cluster) -> dict[str, Published]:
    """The same for licences that are to be signed."""
    good = cluster.publish(None, VIEW)
    readable = as_read(good, cluster)
    return {
        kind: altered(good, (bits_of(good), bits_xml(make(Sealer(readable, cluster.state.licensor)), cluster.mode)))
        for kind, make in MALFORMED.items()
    }


def seen(answer: Response) -> tuple[object, ...]:
    """All that an attacker sees, but the date."""
    return answer.status, tuple(pair for pair in answer.all_headers if pair[0] != "date"), answer.body


@pytest.mark.parametrize("version", ["1.0.0.0", "1.1.0.0"])
def test_C1_licensing_one_by_one(server: RealServer, version: str) -> None:
    """C1: as a fault, and as the one item of a batch: same status, same headers, same bytes, same length."""
    cluster = server.cluster
    racs = cluster.account(READER).chain
    answers = {
        seen(server.ask("AcquireLicense", calls.acquire_license((racs, bad.chain)), version=version))
        for bad in signed(cluster, cluster.author()).values()
    }
    assert len(answers) == 1
    [(status, _, body)] = answers
    assert status == (500 if version == "1.0.0.0" else 200)
    assert b"UnspecifiedErrorException" in bytes(body)  # type: ignore[call-overload]


def test_C1_licensing_in_one_batch(server: RealServer) -> None:
    """C1: beside each other, the items differ by nothing but their number; a good one between them is served."""
    cluster = server.cluster
    author, racs = cluster.author(), cluster.account(READER).chain
    bad = [(racs, published.chain) for published in signed(cluster, author).values()]
    items = [*bad, (racs, cluster.publish(author, VIEW).chain)]
    body = server.ask("AcquireLicense", calls.acquire_license(*items), version="1.1.0.0").body
    *refusals, served = re.findall(
        rb"<AcquireLicenseResponse><Certificate.*?</AcquireLicenseResponse>", body, re.DOTALL
    )
    assert len(refusals) == len(bad)
    assert {_BATCH_INDEX.sub(b"", refusal) for refusal in refusals} == {_BATCH_INDEX.sub(b"", refusals[0])}
    assert b"UnspecifiedErrorException" in refusals[0]
    assert b'purpose="Content-License"' in served


def test_C1_publishing(server: RealServer) -> None:
    """C1: the same where a licence is to be signed, under the one name of that operation."""
    answers = {
        seen(server.ask("AcquireIssuanceLicense", calls.acquire_issuance_license(bad.text)))
        for bad in unsigned(server.cluster).values()
    }
    assert len(answers) == 1
    assert b"EnablingBitsHashDoesNotMatchException" in bytes(next(iter(answers))[2])  # type: ignore[call-overload]


def test_C1_all_of_it_was_counted(server: RealServer) -> None:
    """C1, C4: every failure costs the caller's budget, whichever way it failed; the audit says no more than the answer."""
    outcomes = {record.outcome for record in server.audit if record.operation == "AcquireLicense"}
    assert outcomes <= {"UnspecifiedErrorException", "ok"}
    details = {
        value for record in server.audit for value in record.trail.facts.get("refused", []) if "enabling" in value
    }
    assert len(details) <= 2
