"""Clusters for tests of operations: keys and certificates are made once in a run."""

from __future__ import annotations

import pytest

from rmsserver.xrml.keys import CryptoMode
from tests.cluster import Cluster, make_cluster


@pytest.fixture(scope="session", params=list(CryptoMode), ids=["mode1", "mode2"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A cluster in each of the two modes."""
    return make_cluster(request.param)


@pytest.fixture(scope="session")
def mode_1() -> Cluster:
    return make_cluster(CryptoMode.MODE_1)


@pytest.fixture(scope="session")
def mode_2() -> Cluster:
    return make_cluster(CryptoMode.MODE_2)


@pytest.fixture(scope="session")
def stranger() -> Cluster:
    """Another organisation's mode 2 cluster, which shares nothing with `mode_2`."""
    return make_cluster(CryptoMode.MODE_2, "stranger")
