"""A cluster's home: making one, and opening one for administration. With server.py the only code that opens stores."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from rmsserver.config import Config
from rmsserver.directory.administration import DirectoryAdministration
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.create_cluster import ClusterDocuments, ClusterKeys, create_cluster
from rmsserver.state import ServerState
from rmsserver.stores.certificates import CertificateStore
from rmsserver.stores.configuration import StateHolder
from rmsserver.stores.memory import system_randomness
from rmsserver.stores.sql.accounts import SqlAccounts
from rmsserver.stores.sql.audit import SqlAudit
from rmsserver.stores.sql.configuration import SqlConfiguration
from rmsserver.stores.sql.database import Database, open_database
from rmsserver.stores.sql.decommissioning import SqlDecommissioning
from rmsserver.xrml.keys import CryptoMode, PrivateKey

_DEFAULTS = {field_.name: field_.default for field_ in ServerState.__dataclass_fields__.values()}


@dataclass(frozen=True)
class NewCluster:
    """What `rmsserver init` decides. `directory_name` is the first part of account names, at most 15 characters."""

    base_url: str
    extranet_url: str | None
    mode: CryptoMode
    name: str | None
    directory_name: str


def create_home(
    config: Config, new: NewCluster, passphrase: str, progress: Callable[[str], None] = lambda _line: None
) -> ServerState:
    """Make certificates and database of a new cluster in an empty home.

    The certificate store comes last and at once: a home without it is no cluster. Raises OperatorError.
    """
    if (config.home / "certificates").exists():
        raise OperatorError(f"there is a cluster in {config.home} already: name another --home")
    config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    progress("making keys")
    keys = ClusterKeys.make(new.mode, PrivateKey.generate)
    documents = create_documents(new, keys)
    progress("making the database")
    configuration = make_database(config, new)
    progress("writing the certificates")
    return create_store(
        config,
        configuration,
        passphrase,
        documents.licensor_chain,
        documents.machine_chain,
        {name: getattr(keys, name) for name in keys.__dataclass_fields__},
    )


def create_documents(new: NewCluster, keys: ClusterKeys) -> ClusterDocuments:
    """The certificates of a cluster under a root of its own."""
    return create_cluster(
        keys,
        guid=system_randomness().guid,
        base_url=new.base_url,
        name=new.name,
        mode=new.mode,
        now=dt.datetime.now(dt.UTC),
        server_version=str(_DEFAULTS["server_version"]),
        sku=str(_DEFAULTS["sku"]),
    )


def make_database(config: Config, new: NewCluster) -> SqlConfiguration:
    """The database of a new cluster, with what `init` decides in it. Raises OperatorError."""
    database = open_database(config.database, create=True)
    configuration = SqlConfiguration(database)
    configuration.set("baseUrl", new.base_url)
    if new.name:
        configuration.set("name", new.name)
    if new.extranet_url:
        configuration.set("externalCertificationUrl", new.extranet_url + "/certification")
        configuration.set("externalLicensingUrl", new.extranet_url + "/licensing")
    SqlAccounts(database).create(new.directory_name)
    return configuration


def create_store(
    config: Config,
    configuration: SqlConfiguration,
    passphrase: str,
    licensor_chain: Sequence[str],
    machine_chain: Sequence[str],
    keys: Mapping[str, PrivateKey],
) -> ServerState:
    """The certificate store, and with it the cluster. Raises OperatorError."""
    store = CertificateStore.create(
        config.home, passphrase, licensor_chain=licensor_chain, machine_chain=machine_chain, keys=keys
    )
    return StateHolder(store, configuration).current()


@dataclass(frozen=True)
class Home:
    """An existing cluster, opened for administration. Opens what is asked for; the passphrase only where keys are."""

    config: Config
    passphrase: Callable[[], str] = field(repr=False)

    @cached_property
    def database(self) -> Database:
        self._check_exists()
        return open_database(self.config.database, pool_size=self.config.database_connections)

    @cached_property
    def certificates(self) -> CertificateStore:
        self._check_exists()  # before anybody is asked for its passphrase
        return CertificateStore.open(self.config.home, self.passphrase())

    def _check_exists(self) -> None:
        if not (self.config.home / "certificates").is_dir():
            raise OperatorError(
                f"there is no cluster in {self.config.home}: run `rmsserver init` first, or name --home"
            )

    @cached_property
    def configuration(self) -> SqlConfiguration:
        return SqlConfiguration(self.database)

    @cached_property
    def accounts(self) -> SqlAccounts:
        return SqlAccounts(self.database)

    @cached_property
    def state(self) -> ServerState:
        return StateHolder(self.certificates, self.configuration).current()

    @property
    def administration(self) -> DirectoryAdministration:
        return DirectoryAdministration(self.accounts, _LazyWrapping(self), self._other_forests)

    def _other_forests(self) -> Collection[str]:
        """Mail domains of `forests`, whose entries are MAIL-DOMAIN=URL."""
        return {entry.partition("=")[0] for entry in self.configuration.entries("forests")}

    @property
    def decommissioning(self) -> SqlDecommissioning:
        return SqlDecommissioning(self.database)

    @property
    def audit(self) -> SqlAudit:
        return SqlAudit(self.database)


@dataclass(frozen=True)
class _LazyWrapping:
    """The master key, opened on first use: most commands need none and ask for no passphrase."""

    home: Home

    def wrap(self, purpose: str, identity: str, data: bytes) -> bytes:
        return self.home.certificates.master_key.wrap(purpose, identity, data)

    def unwrap(self, purpose: str, identity: str, wrapped: bytes) -> bytes:
        return self.home.certificates.master_key.unwrap(purpose, identity, wrapped)


def default_directory_name(base_url: str) -> str:
    """The host's first label in capitals, fit for a NetBIOS name."""
    host = (urlsplit(base_url).hostname or "rms").split(".")[0]
    name = "".join(c for c in host.upper() if c.isalnum() or c == "-")[:15]
    return name if name and not name.isdigit() else "RMS"
