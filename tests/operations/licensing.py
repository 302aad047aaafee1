"""A licensing desk for tests: one cluster with its ports, people who publish, and people who ask."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.errors import RmsError
from rmsserver.operations.acquire_issuance_license import AcquireIssuanceLicenseRequest, acquire_issuance_license
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseRequest, acquire_license
from rmsserver.operations.open_license import OpenedLicense
from rmsserver.ports import Ports
from rmsserver.state import RequestContext
from rmsserver.stores.license_cache import BoundedLicenseCache
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.signature import SignatureStyle
from rmsserver.xrml.use_license import UseLicense
from rmsserver.xrml.values import Version
from tests.cluster import NOW, Account, Author, Cluster, Published

AUTHOR = "author@example.com"
READER = "reader@example.com"
OUTSIDER = "outsider@example.com"
V1_1 = Version(1, 1, 0, 0)


@dataclass
class Desk:
    """One server's operations; `cluster` may be replaced by one that is configured otherwise, the ports stay."""

    cluster: Cluster
    directory: MemoryDirectory = field(init=False)
    ports: Ports = field(init=False)
    caller: RequestContext = field(init=False)
    """Of the latest request, with its trail."""

    def __post_init__(self) -> None:
        self.directory = self.cluster.directory()
        self.ports = self.cluster.ports(self.directory)

    def configure(self, **changes: object) -> None:
        self.cluster = self.cluster.with_state(**changes)

    @property
    def alerts(self) -> list[str]:
        return self.caller.trail.alerts

    @property
    def facts(self) -> dict[str, list[str]]:
        return self.caller.trail.facts

    # --- AcquireLicense ---------------------------------------------------------------------------------------------

    def item(self, documents: Iterable[str] | None, reader: Account | str = READER) -> AcquireLicenseItem:
        account = self.cluster.account(reader) if isinstance(reader, str) else reader
        return AcquireLicenseItem(account.chain, None if documents is None else tuple(documents), "")

    def ask(
        self,
        published: Published | Iterable[str],
        reader: Account | str = READER,
        *,
        now: dt.datetime = NOW,
        caller: RequestContext | None = None,
    ) -> UseLicense:
        """One use licence, asked for at version 1.0.0.0. Raises RmsError."""
        documents = published.chain if isinstance(published, Published) else published
        [answer] = self.ask_batch([self.item(documents, reader)], now=now, caller=caller or self.cluster.caller(READER))
        assert not isinstance(answer, RmsError)
        assert answer[1:] == self.cluster.state.licensor.chain
        license_ = UseLicense.read(answer[0])
        self.cluster.state.licensor.certificate.issued(license_)
        return license_

    def ask_batch(
        self,
        items: Iterable[AcquireLicenseItem],
        *,
        now: dt.datetime = NOW,
        caller: RequestContext | None = None,
    ) -> tuple[tuple[str, ...] | RmsError, ...]:
        self.caller = caller or self.cluster.caller(READER, maximum_version=V1_1)
        request = AcquireLicenseRequest(tuple(items))
        return acquire_license(request, self.caller, self.cluster.state, self.ports, now).answers

    # --- AcquireIssuanceLicense -------------------------------------------------------------------------------------

    def sign(self, unsigned: Published, *, caller: str | None = AUTHOR, now: dt.datetime = NOW) -> Published:
        """The licence signed by the server. Raises RmsError."""
        [chain] = self.sign_batch([unsigned.text], caller=caller, now=now)
        assert chain[1:] == self.cluster.state.licensor.chain
        return dataclasses.replace(unsigned, text=chain[0], chain=chain)

    def sign_batch(
        self, texts: Iterable[str | None], *, caller: str | None = AUTHOR, now: dt.datetime = NOW
    ) -> tuple[tuple[str, ...], ...]:
        self.caller = self.cluster.caller(caller)
        request = AcquireIssuanceLicenseRequest(tuple(texts))
        return acquire_issuance_license(request, self.caller, self.cluster.state, self.ports, now).chains

    # --- what is kept -----------------------------------------------------------------------------------------------

    @property
    def opened(self) -> int:
        """How many opened licences are in the cache."""
        cache = self.ports.license_cache
        assert isinstance(cache, BoundedLicenseCache)
        return sum(isinstance(entry[0], OpenedLicense) for entry in cache._entries.values())


def resigned(published: Published, author: Author, *changes: tuple[str, str]) -> Published:
    """The licence with changes to its text, signed again by `author`'s CLC key."""
    body = published.license.body.surface
    for old, new in changes:
        assert old in body
        body = body.replace(old, new, 1)
    text = signed_document(
        body, author.key, published.license.mode, style=SignatureStyle.CLIENT, attributes='version="1.2" xmlns=""'
    )
    return dataclasses.replace(published, text=text, chain=(text, *published.chain[1:]))


def altered(published: Published, *changes: tuple[str, str]) -> Published:
    """The licence with changes to its text and nothing else: a signature, if it has one, is the old one."""
    text = published.text
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return dataclasses.replace(published, text=text, chain=(text, *published.chain[1:]))
