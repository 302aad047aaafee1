"""Authors and readers, set up through the protocol by the project's own client, and what they send."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark import envelopes
from benchmark.cluster import PASSWORD, Cluster
from rmsserver.client.account import Account, Licensor, open_account, open_licensor
from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.machine import Machine, request_machine
from rmsserver.client.publish import Grant, UsagePolicy, new_content_key, policy_of_grants, publish_offline
from rmsserver.client.services import ClusterServices, ServiceLocations
from rmsserver.client.sign_on import Credentials
from rmsserver.client.transport import HttpConnection
from rmsserver.client.trust import ClusterTrust

REQUEST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Person:
    """An account on a machine, with what it takes to publish and to read."""

    name: str
    machine: Machine
    account: Account
    licensor: Licensor


def set_up(cluster: Cluster, name: str) -> Person:
    """Sign on, have a machine certificate made, certify, fetch a licensor certificate."""
    now = dt.datetime.now(dt.UTC)
    connection = HttpConnection(Credentials(name, PASSWORD))
    services = ClusterServices(connection, ServiceLocations.below(cluster.url))
    trust = ClusterTrust.pin(services.get_licensor_certificate())
    machine = request_machine(connection, cluster.url, trust.mode)
    account = open_account(services.certify(machine.chain), machine, trust, now)
    licensor = open_licensor(services.get_client_licensor_certificate(account.chain), account, trust)
    connection.close()
    return Person(name, machine, account, licensor)


@dataclass(frozen=True)
class Writer:
    """Makes AcquireLicense requests of 64 KiB: as many people may read the document as fill the request."""

    author: Person
    policy: UsagePolicy

    @classmethod
    def of(cls, author: Person, reader: Person, grantees: Sequence[str]) -> Writer:
        """`grantees` are addresses that may read, of people or groups; `reader` is one of them or in one."""
        low, high = 1, 200
        while high - low > 1:
            middle = (low + high) // 2
            request = next(cls(author, _policy(author, grantees, middle)).requests(reader))
            low, high = (middle, high) if envelopes.body_bytes(request) <= REQUEST_BYTES else (low, middle)
        return cls(author, _policy(author, grantees, low))

    @classmethod
    def brief(cls, author: Person, grantee: str) -> Writer:
        """Of small licences: one address may read."""
        return cls(author, _policy(author, [grantee], 0))

    def requests(self, reader: Person) -> Iterator[bytes]:
        """Without end; each has a publishing licence of its own, with the chains that Office sends."""
        return (envelopes.acquire_license(reader.account.chain, licenses) for licenses in self.licenses())

    def licenses(self) -> Iterator[tuple[str, ...]]:
        """New publishing licences without end."""
        while True:
            content, now = new_content_key(ContentCipher.CBC4K), dt.datetime.now(dt.UTC)
            yield publish_offline(self.policy, content, self.author.account, self.author.licensor, now)


def _policy(author: Person, grantees: Sequence[str], count: int) -> UsagePolicy:
    names = [*grantees, *(f"colleague-{i}@example.com" for i in range(count))]
    grants = [Grant.parse(f"{name}=VIEW,PRINT") for name in names]
    return policy_of_grants(author.account.email, grants, dt.datetime.now(dt.UTC), None)
