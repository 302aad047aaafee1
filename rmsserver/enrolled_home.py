"""A new cluster that gets its certificate from another: licensing-only under it, or of its own beside it.

With home.py and server.py the only code that opens stores.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rmsserver.config import Config
from rmsserver.errors import OperatorError
from rmsserver.home import NewCluster, create_documents, create_store, make_database
from rmsserver.operations.admin.create_cluster import ClusterKeys
from rmsserver.operations.admin.enrollment import check_enrolled_chain
from rmsserver.outbound.enrollment import Applicant, enroll, sub_enroll
from rmsserver.outbound.http import HttpPeer
from rmsserver.ports import PortUnavailable
from rmsserver.state import ServerState
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from rmsserver.xrml.values import Guid

_HIERARCHY = ("root", "ca", "machine_intermediate", "machine_authority", "machine_issuer")


@dataclass(frozen=True)
class RootCluster:
    """Where to enroll: its URL (`…/_wmcs`), how to reach it, and its root key's fingerprint where the operator knows it."""

    url: str
    peer: HttpPeer = field(repr=False)
    fingerprint: str | None = None
    licensing_only: bool = True
    revocation_authorities: tuple[PublicKey, ...] = ()
    """Who else may revoke the new certificate; not for a licensing-only cluster."""


def create_enrolled_home(
    config: Config,
    new: NewCluster,
    root: RootCluster,
    passphrase: str,
    progress: Callable[[str], None] = lambda _line: None,
) -> ServerState:
    """As `create_home`, with the certificate of `root`. Nothing is written before it has been verified.

    Raises OperatorError.
    """
    if (config.home / "certificates").exists():
        raise OperatorError(f"there is a cluster in {config.home} already: name another --home")
    progress("making keys")
    keys = {"licensor": PrivateKey.generate(new.mode.rsa_bits)}
    progress(f"enrolling at {root.url}")
    applicant = make_applicant(
        new.name, new.base_url, keys["licensor"].public, system_randomness().guid(), root.revocation_authorities
    )
    chain = ask_for_certificate(root, applicant, new.mode)
    check_fingerprint(root, chain)
    if not root.licensing_only:
        return create_certified_home(config, new, chain, keys["licensor"], passphrase, progress)
    config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    progress("making the database")
    configuration = make_database(config, new)
    configuration.set("rootUrl", root.url)
    progress("writing the certificates")
    return create_store(config, configuration, passphrase, chain, (), keys)


def create_certified_home(
    config: Config,
    new: NewCluster,
    chain: Sequence[str],
    key: PrivateKey,
    passphrase: str,
    progress: Callable[[str], None] = lambda _line: None,
) -> ServerState:
    """A cluster of its own whose certificate another one issued. `chain` has been verified. Raises OperatorError."""
    made = ClusterKeys.make(new.mode, PrivateKey.generate)
    machine_chain = create_documents(new, made).machine_chain
    # The own root stands above machines alone; what would sign servers under it is not kept.
    keys = {"licensor": key} | {role: getattr(made, role) for role in _HIERARCHY}
    config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    progress("making the database")
    configuration = make_database(config, new)
    progress("writing the certificates")
    return create_store(config, configuration, passphrase, chain, machine_chain, keys)


def make_applicant(
    name: str | None, url: str, key: PublicKey, guid: Guid, revocation_authorities: tuple[PublicKey, ...] = ()
) -> Applicant:
    """What a cluster tells of itself (3.6.4.1). `url`: its base URL."""
    fields = ServerState.__dataclass_fields__
    sku, version = str(fields["sku"].default), str(fields["server_version"].default)
    return Applicant(key, guid, sku, version, name or "", url, revocation_authorities)


def ask_for_certificate(root: RootCluster, applicant: Applicant, mode: CryptoMode) -> tuple[str, ...]:
    """The chain of a certificate for the applicant's key, checked; whether its root is the expected one is not.

    Raises OperatorError.
    """
    try:
        chain = (sub_enroll if root.licensing_only else enroll)(root.peer, root.url, applicant)
    except PortUnavailable as error:
        raise OperatorError(f"{root.url}: {error.detail}: {_hint(root, mode)}") from None
    check_enrolled_chain(chain, applicant.key, applicant.guid, mode, dt.datetime.now(dt.UTC))
    return chain


def check_fingerprint(root: RootCluster, chain: tuple[str, ...]) -> None:
    """Does the chain end under the root key that the operator named, where one was? Raises OperatorError."""
    if root.fingerprint is not None and root_fingerprint(chain) != root.fingerprint.lower():
        raise OperatorError(
            f"the root key of {root.url} has the fingerprint {root_fingerprint(chain)}: not the one expected"
        )


def root_fingerprint(chain: tuple[str, ...]) -> str:
    """What operators compare: the key under which a chain ends."""
    return IssuingCertificate.read(chain[-1]).issuer.public_key.id.hex()


def _hint(root: RootCluster, mode: CryptoMode) -> str:
    what = "subEnrollmentEnabled" if root.licensing_only else "enrollmentEnabled"
    return f"there, check `rmsserver config get {what}`, the endpoint's accounts, NTLM of the account, and mode {mode.value}"
