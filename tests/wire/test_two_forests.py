"""Two clusters, each with a directory of its own, that ask each other about groups over HTTP ([MS-RMPRS] 3.5.4.1)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.directory.memory import MemoryDirectory
from rmsserver.outbound.http import HttpPeer
from rmsserver.outbound.peers import HttpPeers
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import Right
from tests.cluster import Cluster, grantee, make_cluster
from tests.conformance import conforms
from tests.operations.test_user_domains import listed, trusting
from tests.wire import calls
from tests.wire.real_server import RealServer

SOAP = "/groupexpansion/groupexpansion.asmx"
READER, OUTSIDER = "reader@example.com", "outsider@example.com"
GUEST = "guest@example.net"
FRIENDS, PARTNERS = "friends@example.com", "partners@example.com"
"""Groups of the first forest; the second is in the first."""
TEAM, CIRCLE = "team@example.net", "circle@example.net"
"""Groups of the second forest, the first of which is in `partners`."""


@dataclasses.dataclass(frozen=True)
class Forests:
    """`here` has the people of the other tests, `there` the guest; each is configured to ask the other."""

    here: RealServer
    there: RealServer
    stranger: Cluster
    """The cluster of `there`."""

    def questions(self) -> list[int]:
        """How many each was asked."""
        return [
            sum(record.operation == "IsPrincipalMemberOf" for record in server.audit)
            for server in (self.here, self.there)
        ]

    def is_member(self, person: str, group: str, server: RealServer | None = None) -> bool:
        answer = (server or self.here).ask(
            "IsPrincipalMemberOf", calls.is_principal_member_of(person, [group]), person=None
        )
        assert answer.status == 200, answer.body
        return b"<IsPrincipalMemberOfResult>true<" in answer.body


def serving(cluster: Cluster, directory: MemoryDirectory) -> RealServer:
    ports = dataclasses.replace(cluster.ports(directory), peers=HttpPeers(HttpPeer()))
    return RealServer(cluster, ports, rules={SOAP: Rule(Demand.ANONYMOUS)})


@pytest.fixture
def forests() -> Iterator[Forests]:
    stranger = make_cluster(CryptoMode.MODE_2, "stranger").with_state(group_expansion_enabled=True)
    own = trusting(make_cluster(CryptoMode.MODE_2), stranger, listed("example.net"), group_expansion_enabled=True)
    directory, other = own.directory(), MemoryDirectory("STRANGER")
    other.add_user("guest", GUEST)
    other.add_group(TEAM, GUEST)
    other.add_group(CIRCLE, TEAM)
    directory.add_group(PARTNERS)
    directory.add_group(FRIENDS, PARTNERS)
    directory.add_foreign_member(PARTNERS, TEAM)
    here, there = serving(own, directory), serving(stranger, other)
    here.configure(forests={"example.net": f"{there.http.url}/_wmcs{SOAP}"})
    there.configure(forests={"example.com": f"{here.http.url}/_wmcs{SOAP}"})
    yield Forests(here, there, stranger)
    here.http.stop()
    there.http.stop()


@conforms(
    "MS-RMPRS 3.5.4.1",
    "Of a group with a subgroup in another forest, the server of that forest is asked before the answer.",
)
def test_a_question_goes_on_to_the_forest_of_a_subgroup(forests: Forests) -> None:
    """3.5.4.1: the guest is in a group there, which is in a group of ours, which is in another one."""
    assert forests.is_member(GUEST, FRIENDS)
    assert forests.questions() == [1, 1]
    assert not forests.is_member("nobody@example.net", FRIENDS)


def test_a_member_of_ours_in_their_group(forests: Forests) -> None:
    """Our reader, whom their directory has by address alone: by way of their group she is in ours."""
    assert not forests.is_member(READER, FRIENDS)
    forests.there.directory.add_foreign_member(TEAM, READER)
    assert forests.is_member(READER, FRIENDS)
    assert not forests.is_member(OUTSIDER, FRIENDS)


def licenses(forests: Forests, person: str, cluster: Cluster) -> bool:
    """Does `here` license a document for FRIENDS to the account certificate that `cluster` gave this person?"""
    own = forests.here.cluster
    published = own.publish(own.author(), [Right.of("VIEW", grantee(FRIENDS))])
    parameters = calls.acquire_license((cluster.account(person).chain, published.chain))
    return forests.here.ask("AcquireLicense", parameters, person="reader").status == 200


@pytest.mark.parametrize("own", [False, True], ids=["guest", "reader"])
def test_a_licence_by_way_of_a_subgroup(forests: Forests, own: bool) -> None:
    """[MS-RMPR] 3.4.4.1: membership at any level, for their account and for ours; and not once it is taken away."""
    person, cluster = (READER, forests.here.cluster) if own else (GUEST, forests.stranger)
    forests.there.directory.add_foreign_member(TEAM, READER)
    assert licenses(forests, person, cluster)
    forests.here.directory.remove_foreign_member(PARTNERS, TEAM)
    assert not licenses(forests, person, cluster)


def test_L10_groups_that_hold_each_other_across_forests(forests: Forests) -> None:
    """L10: friends hold team, and team holds friends: members are found, and questions about others end by their count."""
    forests.there.directory.add_foreign_member(TEAM, FRIENDS)
    assert forests.is_member(GUEST, FRIENDS)
    assert forests.is_member(GUEST, TEAM, forests.there)
    before = sum(forests.questions())
    begun = time.monotonic()
    assert not forests.is_member(OUTSIDER, FRIENDS)
    assert time.monotonic() - begun < 5
    assert sum(forests.questions()) - before < forests.here.cluster.state.cross_forest_limit


def test_L10_a_loop_with_many_ways_round(forests: Forests) -> None:
    """L10: each hop asks once for each forest, however many groups hold each other; nobody waits longer than the time."""
    directory, other = forests.here.directory, forests.there.directory
    for number in range(15):
        other.add_group(f"ring{number}@example.net")
        directory.add_group(f"ring{number}@example.com")
        directory.add_foreign_member(FRIENDS, f"ring{number}@example.net")
    for number in range(15):
        for ring in (FRIENDS, *(f"ring{n}@example.com" for n in range(15))):
            other.add_foreign_member(f"ring{number}@example.net", ring)
        for n in range(15):
            directory.add_foreign_member(f"ring{number}@example.com", f"ring{n}@example.net")
    begun = time.monotonic()
    assert not forests.is_member(OUTSIDER, FRIENDS)
    assert not licenses(forests, OUTSIDER, forests.here.cluster)
    assert time.monotonic() - begun < 12
    assert sum(forests.questions()) <= 2 * forests.here.cluster.state.cross_forest_limit + 2
    assert forests.is_member(GUEST, FRIENDS)
