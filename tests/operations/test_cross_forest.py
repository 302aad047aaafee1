"""Rights of groups in other forests ([MS-RMPRS] 3.5, 4.1): who is asked, how often, and what an outage means."""

from __future__ import annotations

import pytest

from rmsserver.errors import NoRightsForRequestedPrincipal
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseRequest, acquire_license
from rmsserver.operations.cross_forest import groups_elsewhere, is_unanswered
from rmsserver.ports import Ports
from rmsserver.state import AuditTrail
from rmsserver.stores.memory import MemoryPeers
from rmsserver.xrml.rights import Right
from tests.cluster import NOW, Cluster, grantee

TEAM, READER = "team@example.net", "reader@example.com"
URL = "https://rms.example.net/_wmcs/groupexpansion/groupexpansion.asmx"


@pytest.fixture
def cluster(mode_2: Cluster) -> Cluster:
    return mode_2.with_state(forests={"example.net": URL})


def peers_of(ports: Ports) -> MemoryPeers:
    assert isinstance(ports.peers, MemoryPeers)
    return ports.peers


def read(cluster: Cluster, ports: Ports, *grantees: str, reader: str = READER) -> bool:
    """Does the reader get a licence for a document that grants VIEW to these?"""
    published = cluster.publish(cluster.author(), [Right.of("VIEW", grantee(name)) for name in grantees])
    item = AcquireLicenseItem(cluster.account(reader).chain, published.chain, None)
    try:
        acquire_license(AcquireLicenseRequest((item,)), cluster.caller(reader), cluster.state, ports, NOW)
    except NoRightsForRequestedPrincipal:
        return False
    return True


def test_a_group_of_another_forest_grants_rights(cluster: Cluster) -> None:
    """4.1: its server is asked, with the count of servers at one."""
    ports = cluster.ports()
    peers_of(ports).members[URL] = {(READER, TEAM)}
    assert read(cluster, ports, TEAM)
    assert peers_of(ports).asked == [(URL, (READER, (TEAM,), 1))]
    assert not read(cluster, ports, TEAM, reader="outsider@example.com")


def test_several_groups_are_told_apart(cluster: Cluster) -> None:
    """One truth value for all of them, then one for each."""
    ports, trail = cluster.ports(), AuditTrail()
    peers_of(ports).members[URL] = {(READER, TEAM), (READER, "c@example.net")}
    groups = ["a@example.net", TEAM, "c@example.net", "x@example.com"]
    found = groups_elsewhere(READER, groups, 0, cluster.state, ports, trail)
    assert found == {TEAM, "c@example.net"}
    assert len(peers_of(ports).asked) == 4


def test_N1_nobody_else_is_asked(mode_2: Cluster, cluster: Cluster) -> None:
    """N1: no forest for the address, no forests at all, or the reader named directly."""
    ports = cluster.ports()
    assert not read(cluster, ports, "team@example.org")
    assert not read(mode_2, ports, TEAM)
    assert read(cluster, ports, READER)
    assert peers_of(ports).asked == []


def test_an_outage_is_no_right_and_is_not_remembered(cluster: Cluster) -> None:
    """Whoever cuts a cable gains nothing, and when it is mended the next request is served."""
    ports = cluster.ports()
    assert not read(cluster, ports, TEAM)
    peers_of(ports).members[URL] = {(READER, TEAM)}
    assert read(cluster, ports, TEAM)


def test_L10_a_request_asks_twenty_times_at_most(cluster: Cluster) -> None:
    """L10: and a forest that did not answer is not asked again for the same request."""
    ports, trail = cluster.ports(), AuditTrail()
    for _ in range(5):
        groups_elsewhere(READER, [TEAM], 0, cluster.state, ports, trail)
    assert len(peers_of(ports).asked) == 1
    assert is_unanswered(trail)
    peers_of(ports).members[URL] = set()
    trail = AuditTrail()
    for _ in range(30):
        groups_elsewhere(READER, [TEAM], 0, cluster.state, ports, trail)
    assert len(peers_of(ports).asked) == 1 + 20
    assert is_unanswered(trail)
