"""Keys and documents made once per session: the RSA keys are what takes time."""

from __future__ import annotations

import pytest

from rmsserver.xrml.keys import CryptoMode, PrivateKey
from tests.xrml.hierarchy import Hierarchy, Keys, build


@pytest.fixture(scope="session")
def hierarchies() -> dict[CryptoMode, Hierarchy]:
    return {mode: build(mode, Keys.generate(mode)) for mode in CryptoMode}


@pytest.fixture(scope="session", params=list(CryptoMode), ids=lambda mode: f"mode{mode.value}")
def hierarchy(request: pytest.FixtureRequest, hierarchies: dict[CryptoMode, Hierarchy]) -> Hierarchy:
    """One document of each kind, in each mode."""
    return hierarchies[request.param]


@pytest.fixture(scope="session")
def mode1(hierarchies: dict[CryptoMode, Hierarchy]) -> Hierarchy:
    return hierarchies[CryptoMode.MODE_1]


@pytest.fixture(scope="session")
def attacker_key() -> PrivateKey:
    """A key nobody trusts."""
    return PrivateKey.generate(1024)
