"""A licensing-only cluster pre-licenses with the certificates of its root cluster: both over real HTTP."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.errors import AcquirePreLicenseInvalidLicensee
from rmsserver.outbound.http import HttpPeer
from rmsserver.outbound.peers import HttpPeers
from rmsserver.ports import PortUnavailable
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.use_license import UseLicense
from tests.cluster import make_cluster
from tests.operations.licensing import READER
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.test_applications import surfaces
from tests.wire.test_faults import mode_2

PATH = "/certification/Precertification.asmx"
PRE_LICENSING = "/licensing/license.asmx#AcquirePreLicense"


@pytest.fixture(scope="module")
def root() -> Iterator[RealServer]:
    """Open to everybody here: who signs on how is the business of other tests."""
    running = RealServer(mode_2(), rules={PATH: Rule(Demand.ANONYMOUS)})
    yield running
    running.http.stop()


@pytest.fixture(scope="module")
def branch(root: RealServer) -> Iterator[RealServer]:
    slc = root.cluster.state.licensor.certificate.principal.public_key
    own = make_cluster(CryptoMode.MODE_2, "branch")
    cluster = own.with_state(root_url=f"{root.http.url}/_wmcs", trusted_rac_issuers={slc.id: slc})
    ports = dataclasses.replace(cluster.ports(), peers=HttpPeers(HttpPeer()))
    running = RealServer(cluster, ports, rules={PRE_LICENSING: Rule(Demand.REQUIRED)})
    yield running
    running.http.stop()


def test_a_licence_with_the_key_of_the_root(root: RealServer, branch: RealServer) -> None:
    """Surface text survives the way between the servers; who is unknown there has an error in the place."""
    published = branch.cluster.publish(branch.cluster.author())
    root.directory.remove_user(root.cluster.sid("author@example.com"))
    asked = calls.acquire_pre_license((READER, "author@example.com"), (published.text,))
    answer = branch.ask("AcquirePreLicense", asked)
    assert answer.status == 200, answer.body
    text, refused = surfaces(answer, "Licenses")
    key = root.ports.user_keys.get(root.cluster.sid(READER), 2048)
    assert key is not None
    assert UseLicense.read(text).open_content_key(key, bytes(16)) == published.content_key
    assert AcquirePreLicenseInvalidLicensee.wire_name in refused


def test_asked_by_address(root: RealServer) -> None:
    """As clusters with a directory each ask; an address of nobody has no answer."""
    peers, url = HttpPeers(HttpPeer()), f"{root.http.url}/_wmcs{PATH}"
    found = peers.precertify(url, READER)
    assert found is not None
    assert f"<NAME>{READER}</NAME>" in found
    assert peers.precertify(url, "nobody&co@example.com") is None


def test_a_closed_door_is_no_answer(root: RealServer) -> None:
    """Where the root does not list this server, the request fails: no reader is said to be unknown."""
    closed = RealServer(root.cluster)
    try:
        with pytest.raises(PortUnavailable, match="403"):
            HttpPeers(HttpPeer()).precertify(f"{closed.http.url}/_wmcs{PATH}", root.cluster.sid(READER))
    finally:
        closed.http.stop()
