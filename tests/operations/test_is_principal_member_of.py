"""Questions of other servers about groups ([MS-RMPRS] 3.5.4.1)."""

from __future__ import annotations

from typing import Any

import pytest

from rmsserver.errors import (
    Argument,
    ArgumentNull,
    ArgumentOutOfRange,
    ClusterDecommissioned,
    RmsError,
    UnauthorizedAccess,
    WrongFormat,
)
from rmsserver.operations.find_service_locations import ServiceType, service_url
from rmsserver.operations.get_server_info import GetServerInfoRequest, ServerInfoItem, get_server_info
from rmsserver.operations.is_principal_member_of import (
    IsPrincipalMemberOfRequest,
    IsPrincipalMemberOfResult,
    is_principal_member_of,
)
from rmsserver.ports import Ports
from rmsserver.stores.memory import MemoryPeers
from tests.cluster import NOW, Cluster
from tests.conformance import conforms

AUTHOR, ALL = "author@example.com", "all@example.com"
ELSEWHERE = "https://rms.example.net/_wmcs/groupexpansion/groupexpansion.asmx"


@pytest.fixture
def serving(mode_2: Cluster) -> Cluster:
    return mode_2.with_state(
        group_expansion_enabled=True, forests={"example.net": ELSEWHERE, "example.org": ELSEWHERE + "?o"}
    )


def ask(
    cluster: Cluster,
    principal: str | None = AUTHOR,
    groups: tuple[str | None, ...] | None = (ALL,),
    calls: int | None = 0,
    *,
    same: str | None = None,
    ports: Ports | None = None,
    **settings: Any,
) -> IsPrincipalMemberOfResult:
    request = IsPrincipalMemberOfRequest(principal, same, groups, calls, **settings)
    return is_principal_member_of(
        request, cluster.caller("boss@example.com"), cluster.state, ports or cluster.ports(), NOW
    )


def test_members_and_others(serving: Cluster) -> None:
    """True where somebody is in at least one of the groups."""
    assert ask(serving).is_member
    assert ask(serving, groups=("none@example.com", ALL)).is_member
    assert not ask(serving, "outsider@example.com").is_member


@pytest.mark.parametrize("principal", ["mail=Author@example.com", "MAIL=author@example.com", "id="])
def test_principals_may_have_a_prefix(serving: Cluster, principal: str) -> None:
    """As the product's first version writes them (4.3); a SID too."""
    principal = principal if "@" in principal else principal + serving.sid(AUTHOR).lower()
    assert ask(serving, principal, groups=("mail=" + ALL,)).is_member


def test_unknown_principals_and_groups_are_false(serving: Cluster) -> None:
    """3.5.4.1: no fault."""
    assert not ask(serving, "nobody@example.com").is_member
    assert not ask(serving, groups=("none@example.com",)).is_member


def test_a_disabled_account_is_in_no_group(serving: Cluster) -> None:
    """It has no rights here either."""
    directory = serving.directory()
    directory.change_user(serving.sid(AUTHOR), enabled=False)
    assert not ask(serving, ports=serving.ports(directory)).is_member


def test_L10_a_loop_of_groups_ends(serving: Cluster) -> None:
    """L10: groups that hold each other."""
    directory = serving.directory()
    directory.add_group("loop@example.com", ALL)
    directory.add_member(ALL, "loop@example.com")
    assert ask(serving, groups=("loop@example.com",), ports=serving.ports(directory)).is_member
    assert not ask(serving, "outsider@example.com", ("loop@example.com",), ports=serving.ports(directory)).is_member


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"principal": None}, ArgumentNull),
        ({"principal": ""}, ArgumentNull),
        ({"groups": None}, ArgumentNull),
        ({"groups": ()}, ArgumentNull),
        ({"groups": (None,)}, ArgumentNull),
        ({"calls": None}, ArgumentNull),
        ({"same": "reader@example.com"}, Argument),
        ({"calls": -1}, ArgumentOutOfRange),
        ({"calls": 9}, ArgumentOutOfRange),
        ({"calls": 2**31 - 1}, ArgumentOutOfRange),
        ({"groups": (ALL,) * 101}, ArgumentOutOfRange),
        ({"principal": "mail="}, WrongFormat),
        ({"principal": "author"}, WrongFormat),
        ({"principal": "*)(mail=*@example.com"}, WrongFormat),
        ({"groups": (ALL, "x" * 400 + "@example.com")}, WrongFormat),
    ],
)
def test_what_is_refused(serving: Cluster, wrong: dict[str, Any], error: type[RmsError]) -> None:
    """Each with its name of 2.2.9.1; the count of servers ends at ten, this one included (note 23)."""
    with pytest.raises(error):
        ask(serving, **wrong)


def test_at_the_limits(serving: Cluster) -> None:
    """Served: eight servers before this one, a hundred groups."""
    assert ask(serving, groups=(ALL,) * 100, calls=8).is_member


def test_L10_off_by_default(mode_2: Cluster) -> None:
    """L10: each form has a switch of its own."""
    with pytest.raises(UnauthorizedAccess):
        ask(mode_2)
    binary_alone = mode_2.with_state(binary_group_expansion_enabled=True)
    assert ask(binary_alone, binary=True).is_member
    with pytest.raises(UnauthorizedAccess):
        ask(binary_alone)


def test_decommissioned(serving: Cluster) -> None:
    """First of all checks."""
    with pytest.raises(ClusterDecommissioned):
        ask(serving.with_state(decommissioned=True), None)


# --- other forests ----------------------------------------------------------------------------------------------------


def peers_of(ports: Ports) -> MemoryPeers:
    assert isinstance(ports.peers, MemoryPeers)
    return ports.peers


@conforms("MS-RMPRS 3.5.4.1", "A question to another server counts one server more.")
def test_groups_of_other_forests_are_asked_there(serving: Cluster) -> None:
    """With the count moved on, by the configured URL of the group's mail domain."""
    ports = serving.ports()
    peers_of(ports).members[ELSEWHERE] = {(AUTHOR, "team@example.net")}
    assert ask(serving, groups=("none@example.com", "team@EXAMPLE.net"), calls=3, ports=ports).is_member
    assert peers_of(ports).asked == [(ELSEWHERE, (AUTHOR, ("team@example.net",), 4))]


@conforms(
    "MS-RMPRS 3.5.4.1",
    "Of a group with a subgroup in another forest, the server of that forest is asked before the answer.",
)
def test_a_subgroup_of_another_forest_is_asked_about_there(serving: Cluster) -> None:
    """At any depth; one question for each forest, whatever groups it is for."""
    directory = serving.directory()
    directory.add_group("partners@example.com")
    directory.add_group("friends@example.com", "partners@example.com")
    for address in ("team@example.net", "staff@example.net", "club@example.org"):
        directory.add_foreign_member("partners@example.com", address)
    ports = serving.ports(directory)
    peers_of(ports).members = {ELSEWHERE: {(AUTHOR, "team@example.net")}, ELSEWHERE + "?o": set()}
    groups = ("friends@example.com", "partners@example.com", "none@example.com")
    assert ask(serving, groups=groups, calls=2, ports=ports).is_member
    assert peers_of(ports).asked == [
        (ELSEWHERE + "?o", (AUTHOR, ("club@example.org",), 3)),
        (ELSEWHERE, (AUTHOR, ("staff@example.net", "team@example.net"), 3)),
    ]
    assert not ask(serving, "outsider@example.com", groups, ports=ports).is_member


def test_a_member_of_another_forest_by_its_address(serving: Cluster) -> None:
    """Our directory has nothing of it but the address; nobody has to be asked."""
    directory = serving.directory()
    directory.add_group("partners@example.com")
    directory.add_foreign_member("partners@example.com", "Guest@example.net")
    ports = serving.ports(directory)
    peers_of(ports).members[ELSEWHERE] = set()
    assert ask(serving, "mail=GUEST@example.net", ("partners@example.com",), ports=ports).is_member
    assert peers_of(ports).asked == []
    assert not ask(serving, "guest@example.net", ("guest@example.net",), ports=ports).is_member


def test_a_disabled_account_is_not_asked_about_elsewhere(serving: Cluster) -> None:
    """Whatever another forest still has of it."""
    directory = serving.directory()
    directory.change_user(serving.sid(AUTHOR), enabled=False)
    ports = serving.ports(directory)
    peers_of(ports).members[ELSEWHERE] = {(AUTHOR, "team@example.net")}
    assert not ask(serving, groups=("team@example.net",), ports=ports).is_member
    assert peers_of(ports).asked == []


def test_nobody_is_asked_where_the_own_directory_knows(serving: Cluster) -> None:
    """Or where no forest is configured for the address (N1)."""
    ports = serving.ports()
    assert ask(serving, groups=(ALL, "team@example.net"), ports=ports).is_member
    assert not ask(serving, groups=("team@elsewhere.example",), ports=ports).is_member
    assert peers_of(ports).asked == []


def test_L10_deep_calls_go_no_further(serving: Cluster) -> None:
    """L10: the last server that may answer asks nobody, the one before it does."""
    ports = serving.ports()
    peers_of(ports).members[ELSEWHERE] = {(AUTHOR, "team@example.net")}
    assert not ask(serving, groups=("team@example.net",), calls=8, ports=ports).is_member
    assert peers_of(ports).asked == []
    assert ask(serving, groups=("team@example.net",), calls=7, ports=ports).is_member


def test_a_forest_that_does_not_answer_is_an_alert(serving: Cluster) -> None:
    """And counts as no: nobody gets rights by cutting a cable."""
    ports, caller = serving.ports(), serving.caller("boss@example.com")
    request = IsPrincipalMemberOfRequest(AUTHOR, None, ("team@example.net",), 0)
    assert not is_principal_member_of(request, caller, serving.state, ports, NOW).is_member
    assert "did not answer" in caller.trail.alerts[0]


# --- what is announced ------------------------------------------------------------------------------------------------


def test_the_services_are_announced_while_on(mode_2: Cluster, serving: Cluster) -> None:
    """Rulings 9: with its file. Feature flags as in the example of [MS-RMPR] 4.6."""
    both = serving.with_state(binary_group_expansion_enabled=True)
    base = "http://rms.example.com/_wmcs"
    assert service_url(ServiceType.GROUP_EXPANSION, both.state) == base + "/GroupExpansion/GroupExpansion.asmx"
    remote = base + "/DrmRemote/DirectoryServices/DirectoryServices.rem"
    assert service_url(ServiceType.REMOTE_DIRECTORY, both.state) == remote
    assert service_url(ServiceType.GROUP_EXPANSION, mode_2.state) is None
    assert service_url(ServiceType.REMOTE_DIRECTORY, serving.state) is None
    request = GetServerInfoRequest((ServerInfoItem("ServerFeatureInfo", ""), ServerInfoItem("ServiceLocations", "")))
    text = get_server_info(request, serving.caller(None), serving.state, serving.ports(), NOW)
    assert '<Feature Name="GroupExpansionWebService" Value="true" />' in text
    assert '<Feature Name="ActiveDirectoryServicesRemoting" Value="false" />' in text
    assert f'Type="GroupExpansionService" Url="{base}/GroupExpansion/GroupExpansion.asmx"' in text
