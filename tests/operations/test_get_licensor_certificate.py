"""GetLicensorCertificate: the SLC chain."""

from __future__ import annotations

import pytest

from rmsserver.errors import ClusterDecommissioned
from rmsserver.operations.get_licensor_certificate import get_licensor_certificate
from tests.cluster import NOW, Cluster


def test_chain_is_answered_unchanged(cluster: Cluster) -> None:
    """SLC, Enrollment Service, Enrollment CA and CA, to the letter, for anybody."""
    chain = get_licensor_certificate(cluster.caller(None), cluster.state, cluster.ports(), NOW)
    assert chain == cluster.servers.licensor.chain
    assert len(chain) == 4


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """3.7.4.1: ClusterDecommissionedException."""
    state = mode_2.with_state(decommissioned=True).state
    with pytest.raises(ClusterDecommissioned):
        get_licensor_certificate(mode_2.caller(None), state, mode_2.ports(), NOW)
