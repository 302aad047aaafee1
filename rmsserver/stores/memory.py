"""Ports that live and die with the process: the same contracts as `stores/sql`, without durability.

For tests of operations and for trials; `memory_ports` wires all of them. A cluster that serves people uses
the SQL ones.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from rmsserver.ports import (
    AuditRecord,
    Directory,
    IssuedLicensor,
    Ports,
    PortUnavailable,
    Randomness,
    SoapMessage,
)
from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.stores.license_cache import BoundedLicenseCache
from rmsserver.xrml.keys import KeyId, PrivateKey
from rmsserver.xrml.values import Guid, fold


class MemoryUserKeys:
    """RAC key pairs by account and length; accounts compare without case."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, int], PrivateKey] = {}
        self._lock = threading.Lock()

    def get(self, account: str, bits: int) -> PrivateKey | None:
        return self._keys.get((fold(account), bits))

    def put_if_absent(self, account: str, key: PrivateKey) -> PrivateKey:
        with self._lock:
            return self._keys.setdefault((fold(account), key.public.bits), key)


class MemoryKeyPool:
    """Hands out `ready` keys, each once, then generates."""

    def __init__(self, ready: Iterable[PrivateKey] = ()) -> None:
        self._ready: dict[int, deque[PrivateKey]] = {}
        for key in ready:
            self._ready.setdefault(key.public.bits, deque()).append(key)

    def take(self, bits: int) -> PrivateKey:
        try:
            return self._ready[bits].popleft()
        except (KeyError, IndexError):
            return PrivateKey.generate(bits)


class MemoryLicensorRegister:
    """The public half of every CLC issued, by key."""

    def __init__(self) -> None:
        self._licensors: dict[KeyId, IssuedLicensor] = {}

    def remember(self, licensor: IssuedLicensor) -> None:
        self._licensors[licensor.key_id] = licensor

    def find(self, key_id: KeyId) -> IssuedLicensor | None:
        return self._licensors.get(key_id)


class MemoryContentKeyWitness:
    """First signers of at most `entries` fingerprints, the one seen longest ago forgotten first."""

    def __init__(self, *, entries: int = 100_000) -> None:
        self._max_entries = entries
        self._signers: OrderedDict[bytes, KeyId] = OrderedDict()
        self._lock = threading.Lock()

    def first_signer(self, fingerprint: bytes, signer: KeyId) -> KeyId:
        with self._lock:
            first = self._signers.setdefault(fingerprint, signer)
            self._signers.move_to_end(fingerprint)
            while len(self._signers) > self._max_entries:
                self._signers.popitem(last=False)
            return first

    def signer_of(self, fingerprint: bytes) -> KeyId | None:
        return self._signers.get(fingerprint)


class MemorySecrets:
    """Fingerprints under a secret that is given, or made at random for this process."""

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)

    def fingerprint(self, purpose: str, data: bytes) -> bytes:
        key = hmac.digest(self._secret, purpose.encode(), hashlib.sha256)
        return hmac.digest(key, data, hashlib.sha256)


class MemoryAudit:
    """The last `records` records, oldest first."""

    def __init__(self, *, records: int = 10_000) -> None:
        self.records: deque[AuditRecord] = deque(maxlen=records)

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


class MemoryPeers:
    """Other servers in dictionaries by URL: groups, certificates, activation. Remembers the questions."""

    def __init__(self) -> None:
        self.members: dict[str, set[tuple[str, str]]] = {}
        self.activations: dict[str, SoapMessage] = {}
        self.certificates: dict[str, dict[str, str]] = {}
        self.asked: list[tuple[str, object]] = []

    def is_principal_member_of(
        self,
        url: str,
        principal: str,
        groups: Sequence[str],
        calls: int,
        seconds: float = 5.0,  # noqa: ARG002 - the port
    ) -> bool:
        self.asked.append((url, (principal, tuple(groups), calls)))
        if url not in self.members:
            raise PortUnavailable("there is no such server")
        return any((principal.casefold(), group.casefold()) in self.members[url] for group in groups)

    def precertify(self, url: str, identity: str) -> str | None:
        self.asked.append((url, identity))
        if url not in self.certificates:
            raise PortUnavailable("there is no such server")
        return self.certificates[url].get(identity)

    def activate(self, url: str, message: SoapMessage) -> SoapMessage:
        self.asked.append((url, message))
        if url not in self.activations:
            raise PortUnavailable("there is no such server")
        return self.activations[url]


def system_randomness() -> Randomness:
    """Session keys and GUIDs from the operating system's generator."""
    return Randomness(secrets.token_bytes, lambda: Guid(str(uuid.uuid4())))


def memory_ports(directory: Directory, *, ready_keys: Iterable[PrivateKey] = ()) -> Ports:
    """Every port in memory around `directory`."""
    return Ports(
        directory=directory,
        user_keys=MemoryUserKeys(),
        key_pool=MemoryKeyPool(ready_keys),
        licensors=MemoryLicensorRegister(),
        witness=MemoryContentKeyWitness(),
        secrets=MemorySecrets(),
        license_cache=BoundedLicenseCache(),
        audit=MemoryAudit(),
        budget=TokenBucketBudget(),
        random=system_randomness(),
        peers=MemoryPeers(),
    )
