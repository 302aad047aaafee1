"""GetServerInfo: the element of [MS-RMPR] 4.6."""

from __future__ import annotations

import pytest

from rmsserver.errors import ArgumentNull, ClusterDecommissioned, InvalidOperation, UnspecifiedError
from rmsserver.operations.get_server_info import GetServerInfoRequest, ServerInfoItem, get_server_info
from rmsserver.xrml import surface
from tests.cluster import NOW, Cluster


def ask(cluster: Cluster, *items: tuple[str, str]) -> str:
    request = GetServerInfoRequest(tuple(ServerInfoItem(*item) for item in items))
    return get_server_info(request, cluster.caller(None), cluster.state, cluster.ports(), NOW)


def test_the_whole_example(mode_2: Cluster) -> None:
    """Element for element what section 4.6 shows, with this server's values."""
    kinds = ("VersionInfo", "ServerFeatureInfo", "ServerLicensorCertificate", "ServiceLocations")
    url = "http://rms.example.com/_wmcs"
    assert ask(mode_2, *((kind, "") for kind in kinds)) == (
        '<Results xmlns="">'
        '<ServerInfoRequest Type="VersionInfo" AdditionalInfo=""><VersionInfo Version="6.3.0.0" /></ServerInfoRequest>'
        '<ServerInfoRequest Type="ServerFeatureInfo" AdditionalInfo=""><ServerFeatureInfo>'
        '<Feature Name="GroupExpansionWebService" Value="false" />'
        '<Feature Name="ActiveDirectoryServicesRemoting" Value="false" />'
        '<Feature Name="FederatedServicesEnabled" Value="0" />'
        "</ServerFeatureInfo></ServerInfoRequest>"
        '<ServerInfoRequest Type="ServerLicensorCertificate" AdditionalInfo=""><ServerLicensorCertificateChain>'
        + "".join(mode_2.state.licensor.chain)
        + "</ServerLicensorCertificateChain></ServerInfoRequest>"
        '<ServerInfoRequest Type="ServiceLocations" AdditionalInfo=""><ServiceLocations>'
        f'<ServiceLocation Type="LicensingService" Url="{url}/licensing" />'
        '<ServiceLocation Type="PublishingService" Url="" />'
        f'<ServiceLocation Type="CertificationService" Url="{url}/certification" />'
        '<ServiceLocation Type="PrecertificationService" Url="" />'
        '<ServiceLocation Type="ServerService" Url="" />'
        '<ServiceLocation Type="GroupExpansionService" Url="" />'
        "</ServiceLocations></ServerInfoRequest>"
        "</Results>"
    )


def test_only_what_was_asked_in_that_order(mode_2: Cluster) -> None:
    """One element for each question, in order, also for the same question twice."""
    results = surface.parse(ask(mode_2, ("ServerFeatureInfo", ""), ("VersionInfo", ""), ("VersionInfo", "")))
    assert [child.attribute("Type") for child in results.children] == [
        "ServerFeatureInfo",
        "VersionInfo",
        "VersionInfo",
    ]


def test_federation_is_a_feature(mode_2: Cluster) -> None:
    """FederatedServicesEnabled counts 0 and 1, as the example does."""
    answer = ask(mode_2.with_state(federation_enabled=True), ("ServerFeatureInfo", ""))
    assert '<Feature Name="FederatedServicesEnabled" Value="1" />' in answer


def test_additional_info_is_repeated_and_escaped(mode_2: Cluster) -> None:
    """N4: text of the request never becomes markup."""
    text = 'a "quoted" <tag/> & more'
    answer = ask(mode_2, ("VersionInfo", text))
    assert surface.parse(answer).children[0].attribute("AdditionalInfo") == text


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "x" * 1001])
def test_unwritable_additional_info(mode_2: Cluster, text: str) -> None:
    """Control characters and endless text are refused."""
    with pytest.raises(InvalidOperation):
        ask(mode_2, ("VersionInfo", text))


def test_unknown_type(mode_2: Cluster) -> None:
    """Not in ServerInfoType: the whole request fails, with no input in the fault."""
    with pytest.raises(InvalidOperation) as caught:
        ask(mode_2, ("VersionInfo", ""), ("Secrets", ""))
    assert "Secrets" not in caught.value.text + caught.value.detail


@pytest.mark.parametrize("items", [None, ()])
def test_nothing_is_asked(mode_2: Cluster, items: tuple[ServerInfoItem, ...] | None) -> None:
    """3.7.4.3: ArgumentNullException."""
    with pytest.raises(ArgumentNull):
        get_server_info(GetServerInfoRequest(items), mode_2.caller(None), mode_2.state, mode_2.ports(), NOW)


def test_too_many_questions(mode_2: Cluster) -> None:
    """At the limit served, one more refused."""
    cluster = mode_2.with_state(batch_limit=3)
    assert ask(cluster, *[("VersionInfo", "")] * 3)
    with pytest.raises(UnspecifiedError):
        ask(cluster, *[("VersionInfo", "")] * 4)


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """First of all checks (rulings 34)."""
    with pytest.raises(ClusterDecommissioned):
        ask(mode_2.with_state(decommissioned=True))
