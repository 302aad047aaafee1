"""rmsserver.stores.memory: the contracts without a database"""

from __future__ import annotations

import pytest

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.stores.memory import (
    MemoryAudit,
    MemoryContentKeyWitness,
    MemoryKeyPool,
    MemoryLicensorRegister,
    MemorySecrets,
    MemoryUserKeys,
    memory_ports,
)
from tests.stores import contract


class TestUserKeys(contract.UserKeysContract):
    @pytest.fixture
    def port(self) -> MemoryUserKeys:
        return MemoryUserKeys()


class TestLicensorRegister(contract.LicensorRegisterContract):
    @pytest.fixture
    def port(self) -> MemoryLicensorRegister:
        return MemoryLicensorRegister()


class TestContentKeyWitness(contract.ContentKeyWitnessContract):
    @pytest.fixture
    def port(self) -> MemoryContentKeyWitness:
        return MemoryContentKeyWitness(entries=100)


class TestSecrets(contract.SecretsContract):
    @pytest.fixture
    def port(self) -> MemorySecrets:
        return MemorySecrets()


class TestKeyPool(contract.KeyPoolContract):
    @pytest.fixture
    def port(self) -> MemoryKeyPool:
        return MemoryKeyPool(contract.key(n) for n in range(4))


class TestAudit(contract.AuditContract):
    @pytest.fixture
    def port(self) -> MemoryAudit:
        return MemoryAudit()


def test_memory_ports_are_complete() -> None:
    """Everything is there and works together."""
    ports = memory_ports(MemoryDirectory(), ready_keys=[contract.key()])
    assert ports.key_pool.take(1024).public == contract.key().public
    assert len(ports.random.bytes(16)) == 16
    assert ports.random.guid() != ports.random.guid()
