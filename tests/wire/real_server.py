"""The product's own operations over real HTTP, around a cluster in memory: what a client of this server can reach."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from twisted.python.threadpool import ThreadPool

from rmsserver.auth.basic import BasicScheme, BasicUse
from rmsserver.auth.connection import HttpAuthenticator, SignOnSettings
from rmsserver.auth.federation.wsfed import FederatedSignOn
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.policy import AccessPolicy, Demand, Rule
from rmsserver.directory.memory import MemoryDirectory
from rmsserver.ports import AuditRecord, Ports
from rmsserver.soap.dispatcher import SoapDispatcher
from rmsserver.soap.runtime import Runtime
from rmsserver.soap.wsdl import ServiceDescription, load_all
from rmsserver.state import DomainAccount, ServerState
from rmsserver.stores.memory import MemoryAudit
from rmsserver.web.health import Metrics
from rmsserver.web.machine_certificate import MachineCertificateEndpoint
from rmsserver.web.site import WebParts
from rmsserver.web.tls import Tls
from tests.cluster import NOW, Cluster
from tests.http_server import Response, RunningServer
from tests.wire.calls import call

PASSWORD = "correct horse"


@functools.cache
def descriptions() -> Mapping[str, ServiceDescription]:
    return load_all()


@dataclass(frozen=True)
class OnePassword:
    """Credentials of everyone who was in a directory at the start: the same password for all."""

    accounts: Mapping[str, DomainAccount]

    @classmethod
    def of(cls, directory: MemoryDirectory, emails: Iterable[str]) -> OnePassword:
        known = (directory.by_email(email) for email in emails)
        return cls({found.account.name.partition("\\")[2]: found.account for found in known if found})

    def check_password(self, login: str, password: str) -> DomainAccount | None:
        return self.accounts.get(login) if password == PASSWORD else None

    def nt_hash(self, login: str) -> tuple[DomainAccount, bytes] | None:
        return None


class RealServer:
    """`cluster` and `now` may be replaced while it runs; the directory may be changed."""

    def __init__(
        self,
        cluster: Cluster,
        ports: Ports | None = None,
        *,
        anonymous: tuple[str, ...] = (),
        rules: Mapping[str, Rule] | None = None,
        federation: FederatedSignOn | None = None,
        tls: Tls | None = None,
    ) -> None:
        """`anonymous`: paths of endpoints that are open to unknown callers. `rules`: other than the product's, by path."""
        self.cluster = cluster
        self.now: dt.datetime = NOW
        directory = ports.directory if ports else cluster.directory()
        assert isinstance(directory, MemoryDirectory)
        self.directory = directory
        self.ports = ports or cluster.ports(directory)
        self._policy = AccessPolicy()
        for path in anonymous:
            self._policy = self._policy.changed(path, Rule(Demand.ANONYMOUS))
        for path, rule in (rules or {}).items():
            self._policy = self._policy.changed(path, rule)
        self._federation = federation
        self.http = RunningServer(self._parts, tls=tls)

    @property
    def audit(self) -> list[AuditRecord]:
        audit = self.ports.audit
        assert isinstance(audit, MemoryAudit)
        return list(audit.records)

    def configure(self, **changes: object) -> None:
        self.cluster = self.cluster.with_state(**changes)

    def ask(self, operation: str, parameters: str = "", **how: object) -> Response:
        """One request on a connection of its own; `how` is that of `call`."""
        return self.http.send(call(operation, parameters, **how))  # type: ignore[arg-type]

    def _state(self) -> ServerState:
        return self.cluster.state

    def _parts(self, workers: ThreadPool) -> WebParts:
        runtime = Runtime(self._state, self.ports, lambda: self.now)
        credentials = OnePassword.of(self.directory, self.cluster.emails)
        basic = BasicScheme(credentials, PasswordGuessing())
        return WebParts(
            dispatcher=SoapDispatcher(descriptions(), runtime),
            authenticator=HttpAuthenticator([], basic, SignOnSettings(basic=BasicUse.SECURE_OR_LOOPBACK)),
            workers=workers,
            policy=lambda: self._policy,
            machine_certificates=MachineCertificateEndpoint(runtime),
            metrics=Metrics(),
            federation=self._federation,
        )
