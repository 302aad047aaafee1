"""Where the services are, for users and for other servers."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.errors import ArgumentNull, ClusterDecommissioned, InvalidOperation, UnspecifiedError
from rmsserver.operations.find_service_locations import (
    FindServiceLocationsRequest,
    ServiceLocation,
    ServiceType,
    find_service_locations,
    find_service_locations_for_user,
)
from rmsserver.state import AuthenticationType, DomainAccount, FederatedAccount, RequestContext
from tests.cluster import NOW, Cluster
from tests.conformance import conforms

AUTHOR = "author@example.com"
CERTIFICATION = "http://rms.example.com/_wmcs/certification"
LICENSING = "http://rms.example.com/_wmcs/licensing"
OUTSIDE = "https://rms.example.net/_wmcs"


class Forest(MemoryDirectory):
    """A directory that knows of another one, in which the accounts named GUEST are."""

    def directory_of(self, account: DomainAccount) -> str | None:
        return "guests.example.net" if account.name.startswith("GUEST") else super().directory_of(account)

    def service_location(self, directory: str, service_type: str) -> str | None:
        return f"http://{directory}/{service_type}" if service_type == "LicensingService" else None


def for_user(cluster: Cluster, *types: str, caller: RequestContext | None = None) -> list[tuple[str, str | None]]:
    caller = caller or cluster.caller(AUTHOR)
    request = FindServiceLocationsRequest(types)
    found = find_service_locations_for_user(request, caller, cluster.state, cluster.ports(), NOW)
    return [(location.service_type, location.url) for location in found]


def for_server(cluster: Cluster, *types: str) -> tuple[ServiceLocation, ...]:
    request = FindServiceLocationsRequest(types)
    return find_service_locations(request, cluster.caller(None), cluster.state, cluster.ports(), NOW)


def test_every_type_is_answered_in_order(mode_2: Cluster) -> None:
    """Types that are not served here have no URL element (rulings 8), and the order is that of the request."""
    types = [service_type.value for service_type in reversed(ServiceType)]
    urls = {
        "CertificationService": CERTIFICATION,
        "CertificationInternalService": CERTIFICATION,
        "ActivationService": CERTIFICATION,
        "LicensingService": LICENSING,
        "LicensingInternalService": LICENSING,
    }
    assert for_user(mode_2, *types) == [(text, urls.get(text)) for text in types]


def test_a_type_twice_is_answered_twice(mode_2: Cluster) -> None:
    """The answer has as many elements as the request."""
    assert for_user(mode_2, "ServerService", "ServerService") == [("ServerService", None)] * 2


def test_external_urls(mode_2: Cluster) -> None:
    """External addresses where they are configured; internal types stay internal."""
    cluster = mode_2.with_state(
        external_certification_url=OUTSIDE + "/certification",
        external_licensing_url=OUTSIDE + "/licensing",
        licensing_url="http://inside.example.com/_wmcs/licensing",
    )
    assert for_user(
        cluster, "CertificationService", "LicensingService", "CertificationInternalService", "LicensingInternalService"
    ) == [
        ("CertificationService", OUTSIDE + "/certification"),
        ("LicensingService", OUTSIDE + "/licensing"),
        ("CertificationInternalService", CERTIFICATION),
        ("LicensingInternalService", "http://inside.example.com/_wmcs/licensing"),
    ]


def test_without_external_urls_the_fallback_can_be_switched_off(mode_2: Cluster) -> None:
    """External, else internal; or nothing."""
    cluster = mode_2.with_state(external_falls_back_to_internal=False)
    assert for_user(cluster, "CertificationService", "LicensingService", "ActivationService") == [
        ("CertificationService", None),
        ("LicensingService", None),
        ("ActivationService", CERTIFICATION),
    ]


def test_licensing_only_cluster(mode_2: Cluster) -> None:
    """[MS-RMPRS] 3.3: certification and activation are at its root cluster, licensing here."""
    branch = mode_2.with_state(root_url="https://root.example.com/_wmcs")
    root = "https://root.example.com/_wmcs/certification"
    types = ("CertificationService", "CertificationInternalService", "ActivationService", "LicensingInternalService")
    assert for_user(branch, *types) == [*((type_, root) for type_ in types[:3]), (types[3], LICENSING)]


def test_account_of_another_directory(mode_2: Cluster) -> None:
    """Its services are those that the directory port names, and only those."""
    ports = mode_2.ports(Forest("EXAMPLE"))
    caller = RequestContext(AuthenticationType.KERBEROS, DomainAccount("GUEST\\guest", "S-1-5-21-7-7-7-1"))
    request = FindServiceLocationsRequest(("LicensingService", "CertificationService"))
    assert find_service_locations_for_user(request, caller, mode_2.state, ports, NOW) == (
        ServiceLocation("LicensingService", "http://guests.example.net/LicensingService"),
        ServiceLocation("CertificationService", None),
    )
    assert caller.trail.facts["directory"] == ["guests.example.net"]


def test_federated_account_is_served_from_the_own_directory(mode_2: Cluster) -> None:
    """MWBF: the directory is the one the server is in."""
    caller = RequestContext(AuthenticationType.FEDERATION, FederatedAccount("guest@example.net"))
    assert for_user(mode_2, "LicensingService", caller=caller) == [("LicensingService", LICENSING)]


def test_account_in_no_directory(mode_2: Cluster) -> None:
    """GetDirectoryForAccount gives NULL."""
    with pytest.raises(UnspecifiedError) as caught:
        for_user(mode_2, "LicensingService", caller=mode_2.caller("nobody@example.com"))
    assert type(caught.value) is UnspecifiedError


@conforms("MS-RMPR 3.1.4.1", "FindServiceLocationsForUser is for callers who signed on.")
def test_anonymous_caller(mode_2: Cluster) -> None:
    """3.7.4.2: not authenticated is UnspecifiedErrorException here."""
    with pytest.raises(UnspecifiedError) as caught:
        for_user(mode_2, "LicensingService", caller=mode_2.caller(None))
    assert type(caught.value) is UnspecifiedError


@pytest.mark.parametrize("wrong", ["", "licensingservice", "LicensingService ", "<secret/>"])
def test_one_bad_type_fails_the_request(mode_2: Cluster, wrong: str) -> None:
    """The whole request, with no input in the fault (rulings 29)."""
    for call in (for_user, for_server):
        with pytest.raises(InvalidOperation) as caught:
            call(mode_2, "LicensingService", wrong)
        assert "secret" not in caught.value.text + caught.value.detail


@pytest.mark.parametrize("types", [None, ()])
def test_no_types(mode_2: Cluster, types: tuple[str, ...] | None) -> None:
    """At least one is required."""
    request = FindServiceLocationsRequest(types)
    for operation in (find_service_locations_for_user, find_service_locations):
        with pytest.raises(ArgumentNull):
            operation(request, mode_2.caller(AUTHOR), mode_2.state, mode_2.ports(), NOW)


def test_too_many_types(mode_2: Cluster) -> None:
    """At the limit served, one more refused."""
    assert len(for_server(mode_2, *["ServerService"] * 100)) == 100
    with pytest.raises(UnspecifiedError):
        for_server(mode_2, *["ServerService"] * 101)


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """First of all checks (rulings 34)."""
    state = dataclasses.replace(mode_2.state, decommissioned=True)
    for operation in (find_service_locations_for_user, find_service_locations):
        with pytest.raises(ClusterDecommissioned):
            operation(FindServiceLocationsRequest(None), mode_2.caller(None), state, mode_2.ports(), NOW)


def test_other_servers_get_an_empty_url_where_there_is_none(mode_2: Cluster) -> None:
    """[MS-RMPRS] 3.2.4.1: the type is still included."""
    assert for_server(mode_2, "GroupExpansionService", "LicensingService", "DrmRemoteDirectoryServices") == (
        ServiceLocation("GroupExpansionService", ""),
        ServiceLocation("LicensingService", LICENSING),
        ServiceLocation("DrmRemoteDirectoryServices", ""),
    )
