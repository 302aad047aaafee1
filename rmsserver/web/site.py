"""`make_site`: the web server as one Twisted factory. server.py gives it its parts and listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.python.threadpool import ThreadPool
from twisted.web.server import Site

from rmsserver.auth import Authenticator
from rmsserver.auth.federation.wsfed import FederatedSignOn
from rmsserver.auth.policy import AccessPolicy
from rmsserver.soap.dispatcher import SoapDispatcher
from rmsserver.web import binary_group_expansion, machine_certificate, revocation_list
from rmsserver.web.binary_group_expansion import BinaryGroupExpansionEndpoint
from rmsserver.web.channel import RmsChannel, RmsRequest
from rmsserver.web.federation import federated_endpoints
from rmsserver.web.health import Metrics, Probe
from rmsserver.web.limits import WebLimits
from rmsserver.web.machine_certificate import MachineCertificateEndpoint
from rmsserver.web.refusals import RefusalAudit
from rmsserver.web.revocation_list import RevocationListEndpoint
from rmsserver.web.root import ALIVE, Endpoint, Root
from rmsserver.web.routes import ROUTES, is_external
from rmsserver.web.soap_endpoint import SoapEndpoint


@dataclass(frozen=True)
class WebParts:
    """What the web layer serves with.

    `workers` is a started thread pool: its size bounds the requests served at once, the number of connections those that
    wait. `policy` is asked for each request. `ready` answers /readyz and must not block for long.
    """

    dispatcher: SoapDispatcher
    authenticator: Authenticator
    workers: ThreadPool
    policy: Callable[[], AccessPolicy] = AccessPolicy
    machine_certificates: MachineCertificateEndpoint | None = None
    ready: Callable[[], bool] = lambda: True
    limits: WebLimits = field(default_factory=WebLimits)
    metrics: Metrics | None = None
    """Served at /metrics, to everybody, where it is given."""
    federation: FederatedSignOn | None = None
    """None: the directories of federation are not there."""
    channel_bindings: bytes | None = None
    """`tls-server-end-point:` and hash ([RFC5929]), where this server ends TLS itself."""


def make_site(parts: WebParts, reactor: Any) -> RmsSite:
    """The factory to listen with."""
    soap: dict[str, Endpoint] = {
        path: SoapEndpoint(route, parts.dispatcher, parts.policy)
        for path, route in ROUTES.items()
        if not is_external(route)
    }
    if parts.federation is not None:
        soap |= federated_endpoints(parts.federation, parts.dispatcher, parts.policy)
    endpoints: dict[str, Endpoint] = {
        **soap,
        binary_group_expansion.PATH: BinaryGroupExpansionEndpoint(parts.dispatcher.runtime, parts.policy),
        revocation_list.PATH: RevocationListEndpoint(parts.dispatcher.runtime),
        ALIVE: Probe(lambda: True),
        "/readyz": Probe(parts.ready),
    }
    if parts.machine_certificates is not None:
        endpoints[machine_certificate.PATH] = parts.machine_certificates
    if parts.metrics is not None:
        endpoints["/metrics"] = parts.metrics
    root = Root(endpoints, parts.workers, reactor, parts.metrics, RefusalAudit(parts.dispatcher.runtime))
    return RmsSite(root, parts, frozenset(path.encode() for path in soap), reactor)


class RmsSite(Site):
    """Twisted's site with our channels, a bounded number of them, and no access log: the audit has what matters."""

    protocol = RmsChannel  # type: ignore[assignment]  # Twisted expects its own wrapper for HTTP/2
    requestFactory = RmsRequest
    displayTracebacks = False

    def __init__(self, root: Root, parts: WebParts, soap_paths: frozenset[bytes], reactor: Any) -> None:
        super().__init__(root, timeout=parts.limits.idle_seconds, reactor=reactor, parsePOSTFormSubmission=False)
        self.limits = parts.limits
        self.authenticator = parts.authenticator
        self.channel_bindings = parts.channel_bindings
        self._workers = parts.workers
        self._soap_paths = soap_paths
        self._channels: dict[RmsChannel, None] = {}

    def acceptableProtocols(self) -> list[bytes]:
        """HTTP/1.1 alone: NTLM signs on connections, which HTTP/2 shares among requests."""
        return [b"http/1.1"]

    def log(self, request: Any) -> None:
        """Nothing (threat X16)."""

    def body_limit(self, path: bytes) -> int:
        known = path.lower() in self._soap_paths
        return self.limits.request_bytes if known else self.limits.other_request_bytes

    def in_worker(self, function: Callable[[], object]) -> None:
        self._workers.callInThread(function)

    # --- a bounded number of connections (threat X15) -------------------------------------------------------------------

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """A channel; None (which closes the connection) where all there may be are busy."""
        if len(self._channels) >= self.limits.connections and not self._make_room():
            return None
        return super().buildProtocol(addr)

    def _make_room(self) -> bool:
        for channel in self._channels:
            if not channel.is_serving:
                channel.abort()
                self._channels.pop(channel, None)
                return True
        return False

    def opened(self, channel: RmsChannel) -> None:
        self._channels[channel] = None

    def used(self, channel: RmsChannel) -> None:
        """A complete request has come: the channel is the last to be closed for want of room."""
        if self._channels.pop(channel, channel) is None:
            self._channels[channel] = None

    def closed(self, channel: RmsChannel) -> None:
        self._channels.pop(channel, None)
