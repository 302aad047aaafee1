"""Rights of groups in other forests ([MS-RMPRS] 3.5, 4.1): who is asked, how often, and what an outage means."""

from __future__ import annotations

import pytest

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.errors import NoRightsForRequestedPrincipal
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseRequest, acquire_license
from rmsserver.operations.cross_forest import groups_elsewhere, in_other_forests, is_unanswered
from rmsserver.ports import Ports
from rmsserver.state import AuditTrail
from rmsserver.stores.memory import MemoryPeers
from rmsserver.xrml.rights import Grantee, Right
from tests.cluster import NOW, Cluster, grantee
from tests.conformance import conforms
from tests.operations.test_user_domains import listed, trusting

TEAM, READER = "team@example.net", "reader@example.com"
SUBGROUP = "Of a group with a subgroup in another forest, the server of that forest is asked before the answer."
URL = "https://rms.example.net/_wmcs/groupexpansion/groupexpansion.asmx"


@pytest.fixture
def cluster(mode_2: Cluster) -> Cluster:
    return mode_2.with_state(forests={"example.net": URL})


def peers_of(ports: Ports) -> MemoryPeers:
    assert isinstance(ports.peers, MemoryPeers)
    return ports.peers


def read(cluster: Cluster, ports: Ports, *grantees: str | Grantee, reader: str = READER) -> bool:
    """Does the reader get a licence for a document that grants VIEW to these?"""
    granted = [grantee(name) if isinstance(name, str) else name for name in grantees]
    published = cluster.publish(cluster.author(), [Right.of("VIEW", one) for one in granted])
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
    groups = in_other_forests(
        ["a@example.net", "Team@Example.net", "c@example.net", "x@example.com"], cluster.state, ports.directory
    )
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
        groups_elsewhere(READER, {TEAM: frozenset({TEAM})}, 0, cluster.state, ports, trail)
    assert len(peers_of(ports).asked) == 1
    assert is_unanswered(trail)
    peers_of(ports).members[URL] = set()
    trail = AuditTrail()
    for _ in range(30):
        groups_elsewhere(READER, {TEAM: frozenset({TEAM})}, 0, cluster.state, ports, trail)
    assert len(peers_of(ports).asked) == 1 + 20
    assert is_unanswered(trail)


# --- groups of ours with members in other forests -----------------------------------------------------------------------


@pytest.fixture
def directory(cluster: Cluster) -> MemoryDirectory:
    """One in which `friends` holds `partners`, which holds a group of the other forest."""
    made = cluster.directory()
    made.add_group("partners@example.com")
    made.add_group("friends@example.com", "partners@example.com")
    made.add_foreign_member("partners@example.com", TEAM)
    return made


@conforms("MS-RMPRS 3.5.4.1", SUBGROUP)
@pytest.mark.parametrize("by", ["friends", "PARTNERS", "sid"])
def test_a_subgroup_in_another_forest_grants_rights(cluster: Cluster, directory: MemoryDirectory, by: str) -> None:
    """[MS-RMPR] 3.4.4.1, any level of indirection: our group is named, by address or SID, its subgroup's server asked."""
    ports = cluster.ports(directory)
    sid = directory.add_group("some@example.com", "friends@example.com")
    granted = Grantee("Windows", sid, "") if by == "sid" else grantee(f"{by}@example.com")
    peers_of(ports).members[URL] = {(READER, TEAM)}
    assert read(cluster, ports, granted)
    assert peers_of(ports).asked == [(URL, (READER, (TEAM,), 1))]
    assert not read(cluster, ports, granted, reader="outsider@example.com")
    directory.remove_foreign_member("partners@example.com", TEAM)
    assert not read(cluster, ports, granted)


def test_groups_with_subgroups_are_told_apart(cluster: Cluster, directory: MemoryDirectory) -> None:
    """Several groups of ours, and one of the other forest by its own name: each only by what is its own."""
    directory.add_group("rivals@example.com")
    directory.add_foreign_member("rivals@example.com", "rivals@example.net")
    ports, trail = cluster.ports(directory), AuditTrail()
    peers_of(ports).members[URL] = {(READER, TEAM)}
    names = ["friends@example.com", "partners@example.com", "rivals@example.com", "all@example.com", TEAM]
    groups = in_other_forests(names, cluster.state, directory)
    assert groups == {
        "friends@example.com": {TEAM},
        "partners@example.com": {TEAM},
        "rivals@example.com": {"rivals@example.net"},
        TEAM: {TEAM},
    }
    found = groups_elsewhere(READER, groups, 0, cluster.state, ports, trail)
    assert found == {"friends@example.com", "partners@example.com", TEAM}


def test_N1_members_of_forests_that_are_not_configured(mode_2: Cluster, directory: MemoryDirectory) -> None:
    """N1: nobody is asked about them, nor do they count."""
    directory.add_foreign_member("partners@example.com", "team@example.org")
    ports = mode_2.ports(directory)
    elsewhere = mode_2.with_state(forests={"example.org.": URL, "ample.org": URL})
    assert not read(mode_2, ports, "friends@example.com")
    assert not read(elsewhere, ports, "friends@example.com")
    assert peers_of(ports).asked == []


GUEST = "guest@example.net"


def test_somebody_of_another_forest_in_a_group_of_ours(
    cluster: Cluster, stranger: Cluster, directory: MemoryDirectory
) -> None:
    """Of whom our directory has the address alone, and whose cluster is trusted: nobody has to be asked."""
    directory.add_foreign_member("partners@example.com", "Guest@example.net")
    ports, trusted = cluster.ports(directory), trusting(cluster, stranger, listed("example.net"))
    peers_of(ports).members[URL] = set()
    published = cluster.publish(cluster.author(), [Right.of("VIEW", grantee("friends@example.com"))])

    def opens(email: str) -> bool:
        item = AcquireLicenseItem(stranger.account(email).chain, published.chain, None)
        try:
            acquire_license(AcquireLicenseRequest((item,)), cluster.caller(READER), trusted.state, ports, NOW)
        except NoRightsForRequestedPrincipal:
            return False
        return True

    assert opens(GUEST)
    assert peers_of(ports).asked == []
    assert not opens("other@example.net")


def test_an_own_account_is_in_no_group_by_an_entry_for_strangers(cluster: Cluster, directory: MemoryDirectory) -> None:
    """Whoever may change such an entry could otherwise lend the group to any account."""
    directory.change_user(cluster.sid(READER), emails=(READER, GUEST))
    directory.add_foreign_member("partners@example.com", GUEST)
    ports = cluster.ports(directory)
    peers_of(ports).members[URL] = set()
    assert not read(cluster, ports, "friends@example.com")


def test_a_super_user_is_one_of_our_own_directory(cluster: Cluster, directory: MemoryDirectory) -> None:
    """Another forest's word is enough for what a document grants, not for every document."""
    ports = cluster.ports(directory)
    peers_of(ports).members[URL] = {(READER, TEAM)}
    powerful = cluster.with_state(super_user_enabled=True, super_user_group="friends@example.com")
    assert not read(powerful, ports, "nobody@example.com")


def test_L10_too_much_of_other_forests(cluster: Cluster, directory: MemoryDirectory) -> None:
    """L10: twenty addresses in a question, five questions for a forest, four forests; the rest is an alert."""
    urls = {f"example{n}.net": f"{URL}?{n}" for n in range(6)}
    state, ports, trail = cluster.with_state(forests=urls).state, cluster.ports(directory), AuditTrail()
    for url in urls.values():
        peers_of(ports).members[url] = set()
    for n in range(6):
        for number in range(300):
            directory.add_foreign_member("partners@example.com", f"person{number}@example{n}.net")
    groups = in_other_forests(["friends@example.com"], state, directory)
    assert groups_elsewhere(READER, groups, 0, state, ports, trail) == frozenset()
    questions = [question for _, question in peers_of(ports).asked]
    assert len(questions) == 20
    assert {len(asked[1]) for asked in questions if isinstance(asked, tuple)} == {20}
    assert is_unanswered(trail)
    assert "left out" in trail.alerts[0]


def test_a_question_ends_with_its_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over is not asked; a server that is late in the row has less."""
    clock, waits = [100.0], []
    monkeypatch.setattr("rmsserver.operations.cross_forest.time.monotonic", lambda: clock[0])
    state, ports = cluster.with_state(forests={"example.net": URL, "example.org": URL + "?o"}).state, cluster.ports()

    def slow(url: str, principal: str, groups: list[str], calls: int, seconds: float) -> bool:
        waits.append(seconds)
        clock[0] += seconds
        return False

    monkeypatch.setattr(peers_of(ports), "is_principal_member_of", slow)
    groups = in_other_forests([TEAM, "team@example.org"], state, ports.directory)
    for calls in (0, 3, 7):
        trail = AuditTrail()
        assert groups_elsewhere(READER, groups, calls, state, ports, trail) == frozenset()
        assert is_unanswered(trail)
    assert waits == [5.0, 3.5, 1.5]
