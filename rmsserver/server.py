"""The wiring: builds ports, web site and listening server from a `Home`. Nothing else does, and nothing else listens."""

from __future__ import annotations

import gc
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from twisted.internet import threads
from twisted.python.threadpool import ThreadPool

from rmsserver.account_source import AccountSource, open_accounts
from rmsserver.auth.federation.seen_tokens import SeenTokens
from rmsserver.config import PeersTable, read_secret
from rmsserver.configuration_timer import ConfigurationTimer
from rmsserver.control import ControlSocket
from rmsserver.directory_control import directory_verbs
from rmsserver.endpoint_table import listed_names
from rmsserver.errors import OperatorError
from rmsserver.federation_setup import federated_sign_on
from rmsserver.home import Home
from rmsserver.outbound.http import HttpPeer, PeerAccount
from rmsserver.outbound.peers import HttpPeers
from rmsserver.ports import Ports
from rmsserver.soap.dispatcher import SoapDispatcher
from rmsserver.soap.runtime import Runtime
from rmsserver.soap.wsdl import load_all
from rmsserver.state import ServerState
from rmsserver.stores.configuration import StateHolder
from rmsserver.stores.decryption_budget import TokenBucketBudget
from rmsserver.stores.key_pool import StagedKeyPool
from rmsserver.stores.license_cache import BoundedLicenseCache
from rmsserver.stores.memory import system_randomness
from rmsserver.stores.sql.audit import SqlAudit
from rmsserver.stores.sql.key_pool import SqlKeyRows
from rmsserver.stores.sql.licensor_register import SqlLicensorRegister
from rmsserver.stores.sql.seen_tokens import SqlSeenTokens
from rmsserver.stores.sql.user_keys import SqlUserKeys
from rmsserver.stores.sql.witness import SqlContentKeyWitness
from rmsserver.web.health import Metrics
from rmsserver.web.limits import WebLimits
from rmsserver.web.machine_certificate import MachineCertificateEndpoint
from rmsserver.web.site import WebParts, make_site
from rmsserver.web.tls import Tls
from rmsserver.xrml.keys import CryptoMode

_log = structlog.get_logger()


class _Part(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Running:
    """Everything a serving process holds, and what must be started and stopped with it."""

    home: Home
    holder: StateHolder
    ports: Ports
    accounts: AccountSource
    seen_tokens: SeenTokens
    parts: tuple[_Part, ...]

    def start(self) -> None:
        for part in self.parts:
            part.start()

    def stop(self) -> None:
        for part in reversed(self.parts):
            part.stop()
        self.accounts.close()
        self.home.database.close()


def build_ports(home: Home) -> Running:
    """Open the stores and build every port. Raises OperatorError, PortUnavailable."""
    config, database, master_key = home.config, home.database, home.certificates.master_key
    caches = config.caches
    cache = BoundedLicenseCache(
        entries=caches.licenses,
        max_bytes=caches.license_bytes,
        refusals=caches.refusals,
        lifetime_seconds=caches.lifetime_seconds,
    )
    holder = StateHolder(home.certificates, home.configuration, on_change=lambda _state: cache.clear())
    check_mode_1_padding(holder.current())
    bits = holder.current().cryptographic_mode.rsa_bits
    pool = StagedKeyPool(SqlKeyRows(database, master_key), {bits: config.key_pool.keys}, stage=config.key_pool.staged)
    audit = SqlAudit(database, retention_days=config.audit.retention_days, queue_limit=config.audit.queue)
    accounts = open_accounts(home, holder.current().base_url)
    witness = SqlContentKeyWitness(database, entries=caches.witnesses)
    ports = Ports(
        directory=accounts.directory,
        user_keys=SqlUserKeys(database, master_key),
        key_pool=pool,
        licensors=SqlLicensorRegister(database),
        witness=witness,
        secrets=master_key,
        license_cache=cache,
        audit=audit,
        budget=TokenBucketBudget(
            failures=config.decryption_budget.failures, window_seconds=config.decryption_budget.window_seconds
        ),
        random=system_randomness(),
        peers=make_peers(config.peers, config.threads),
    )
    control = ControlSocket(config.home, directory_verbs(accounts.directory))
    return Running(home, holder, ports, accounts, SqlSeenTokens(database), (audit, witness, pool, control))


def make_peers(table: PeersTable, threads: int) -> HttpPeers:
    """Connections to other servers, from at most half of the workers (threat L10).

    Raises OperatorError, ConfigError where a file cannot be read.
    """
    account = None
    if table.login is not None and table.password_file is not None:
        account = PeerAccount(table.login, read_secret("peers.password_file", table.password_file))
    if table.ca_file is not None and not table.ca_file.is_file():
        raise OperatorError(f"peers.ca_file: {table.ca_file} is not a file: correct it in rmsserver.toml")
    return HttpPeers(HttpPeer(account, table.ca_file, max(1, min(table.simultaneous, threads // 2))))


def check_mode_1_padding(state: ServerState) -> None:
    """Refuse mode 1 where OpenSSL tells wrong PKCS#1 padding from right (threat C2). Raises OperatorError.

    With implicit rejection (OpenSSL 3.2 and later) decrypting noise never fails; 64 tries would, without it.
    """
    imported = (server.licensor for server in state.trusted_licensing_servers)
    licensors = (state.licensor, *state.former_licensors, *imported)
    keys = [licensor.key for licensor in licensors if licensor.key.public.bits == 1024]
    for key in keys[:1]:
        size = key.public.bits // 8
        tries = (b"\0" + secrets.token_bytes(size - 1) for _ in range(64))
        if any(key.decrypt(noise, CryptoMode.MODE_1) is None for noise in tries):
            raise OperatorError("this OpenSSL has no implicit rejection, which mode 1 needs: use OpenSSL 3.2 or later")


# --- the web site -------------------------------------------------------------------------------------------------------


class RmsServer:
    """The serving process: worker threads, ports, the configuration timer and the listening port."""

    def __init__(self, running: Running, reactor: Any) -> None:
        """Raises OperatorError where the configuration does not fit the cluster."""
        self._running = running
        self._reactor = reactor
        config = self._config = running.home.config
        self._workers = ThreadPool(1, config.threads, name="workers")
        self._tls = (
            Tls.load(config.tls_certificate, config.tls_key) if config.tls_certificate and config.tls_key else None
        )
        self._names = listed_names(config, running.ports.directory)
        self._site = make_site(self._web_parts(), reactor)
        self._timer = ConfigurationTimer(
            reactor,
            lambda: threads.deferToThreadPool(reactor, self._workers, self._refresh_all),
            lambda: running.holder.current().configuration_refresh_interval,
        )

    def start(self) -> str:
        """Listen and serve; the URL of the listening port. Raises OperatorError where the port cannot be had."""
        config = self._config
        try:
            if self._tls is None:
                port = self._reactor.listenTCP(config.listen_port, self._site, 1024, config.listen_address)
            else:
                port = self._reactor.listenSSL(
                    config.listen_port, self._site, self._tls.options, 1024, config.listen_address
                )
        except Exception as error:  # noqa: BLE001 - Twisted wraps whatever the socket said
            cause = getattr(error, "socketError", error)
            what = getattr(cause, "strerror", None) or cause
            raise OperatorError(
                f"cannot listen on {config.listen_address}:{config.listen_port} ({what}): choose another --listen"
            ) from None
        self._workers.start()
        self._running.start()
        self._timer.start()
        self._reactor.addSystemEventTrigger("before", "shutdown", port.stopListening)
        self._reactor.addSystemEventTrigger("after", "shutdown", self._stop)
        # What start-up made lives as long as the process: keep the collector away from it (p99 of a request).
        gc.collect()
        gc.freeze()
        # A request makes thousands of objects and hardly a cycle: a look after every 700 takes a twentieth of its time.
        gc.set_threshold(10_000, 20, 20)
        host = f"[{config.listen_address}]" if ":" in config.listen_address else config.listen_address
        return f"{'https' if self._tls else 'http'}://{host}:{port.getHost().port}"

    def _refresh_all(self) -> None:
        self._running.holder.refresh()
        self._names.refresh()

    def _stop(self) -> None:
        self._timer.stop()
        self._workers.stop()
        self._running.stop()

    def _web_parts(self) -> WebParts:
        running, limits = self._running, self._config.limits
        runtime = Runtime(running.holder.current, running.ports)
        return WebParts(
            dispatcher=SoapDispatcher(load_all(), runtime),
            authenticator=running.accounts.authenticator,
            workers=self._workers,
            policy=self._names.policy,
            machine_certificates=MachineCertificateEndpoint(runtime),
            ready=running.home.database.is_ready,
            limits=WebLimits(
                request_bytes=limits.body_bytes,
                request_seconds=limits.request_seconds,
                idle_seconds=limits.idle_seconds,
                connections=limits.connections,
            ),
            metrics=Metrics() if self._config.metrics else None,
            federation=federated_sign_on(self._config.federation, running.seen_tokens, has_tls=self._tls is not None),
            channel_bindings=self._tls.channel_bindings if self._tls else None,
        )
