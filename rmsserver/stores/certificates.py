"""Who the cluster is: chains, wrapped private keys and trusted machine issuers, as files in `certificates/`
of its home.

A chain file holds documents one after the other, leaf first, unchanged. Key files hold what the master key
wrapped, bound to their own name. The master key file changes its name with each passphrase, so a crash leaves
the old or the new one.
"""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rmsserver.errors import OperatorError
from rmsserver.ports import UnwrapError
from rmsserver.state import Licensor
from rmsserver.stores import file_set
from rmsserver.stores.trust_anchors import production_anchors
from rmsserver.stores.wrapping import MasterKey, ScryptCost, open_master_key
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import KeyId, PrivateKey, PublicKey

DIRECTORY = "certificates"
_PURPOSE = "certificate key"
_MASTER = re.compile(r"master-[0-9a-f-]{36}\.json")
_TRUSTED = re.compile(r"trusted-machine-issuer-[0-9a-f-]{36}\.xrml")
_FORMER = re.compile(r"former-[0-9a-f-]{36}\.xrml")


@dataclass(frozen=True)
class Certificates:
    """The store's content, read and checked."""

    licensor: Licensor
    machine_issuer: Licensor | None
    former_licensors: tuple[Licensor, ...]
    added_machine_issuers: tuple[IssuingCertificate, ...]
    """Issuers from `rmsserver spc trust FILE`."""
    root: PublicKey
    """The own root: the key in the ISSUER of the SLC chain's last certificate."""
    hierarchy_keys: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    """Wrapped keys above the SLC by file name; `CertificateStore.hierarchy_key` opens one."""

    @property
    def trusted_rac_issuers(self) -> dict[KeyId, PublicKey]:
        return _by_id(licensor.key.public for licensor in (self.licensor, *self.former_licensors))

    @property
    def trusted_machine_issuers(self) -> dict[KeyId, PublicKey]:
        """The own SPC issuer, added ones, and the production issuers that ship with the package."""
        own = [self.machine_issuer.key.public] if self.machine_issuer else []
        added = [issuer.principal.public_key for issuer in self.added_machine_issuers]
        return _by_id([*own, *added, *(anchor.key for anchor in production_anchors() if anchor.is_machine_issuer)])

    @property
    def machine_roots(self) -> dict[KeyId, PublicKey]:
        return _by_id([self.root, *(anchor.key for anchor in production_anchors() if anchor.is_root)])


class CertificateStore:
    """An open store: the directory and the master key. Everything raises OperatorError with one line for the
    operator.
    """

    def __init__(self, directory: Path, master_key: MasterKey) -> None:
        self._directory = directory
        self.master_key = master_key

    @classmethod
    def create(
        cls,
        home: Path,
        passphrase: str,
        *,
        licensor_chain: Sequence[str],
        machine_chain: Sequence[str],
        keys: Mapping[str, PrivateKey],
        cost: ScryptCost | None = None,
    ) -> CertificateStore:
        """Make the store of a new cluster. `keys` by role (fields of ClusterKeys): `licensor`,
        `machine_issuer`, others.
        """
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file_set.check_private(home)
        master_key = MasterKey.generate()
        files = {
            f"master-{uuid.uuid4()}.json": master_key.seal(passphrase, cost).encode(),
            "licensor.xrml": "".join(licensor_chain).encode(),
            "machine-issuer.xrml": "".join(machine_chain).encode(),
        }
        for role, key in keys.items():
            name = role.replace("_", "-") + ".key"
            files[name] = master_key.wrap(_PURPOSE, name, key.to_der())
        file_set.create(home / DIRECTORY, files)
        return cls(home / DIRECTORY, master_key)

    @classmethod
    def open(cls, home: Path, passphrase: str) -> CertificateStore:
        """Check the directory and open its master key."""
        if not (home / DIRECTORY).is_dir():
            raise OperatorError(f"there is no cluster in {home}: run `rmsserver init --home {home}`")
        file_set.check_private(home)
        files = file_set.read(home / DIRECTORY)
        _, sealed = _master_file(files)
        return cls(home / DIRECTORY, open_master_key(sealed.decode(errors="replace"), passphrase))

    def load(self) -> Certificates:
        """Read and check everything. Call again when configuration moved."""
        files = file_set.read(self._directory)
        licensor = self._licensor(files, "licensor")
        root = IssuingCertificate.read(licensor.chain[-1]).issuer.public_key
        return Certificates(
            licensor,
            self._licensor(files, "machine-issuer") if "machine-issuer.xrml" in files else None,
            tuple(
                self._licensor(files, name.removesuffix(".xrml")) for name in sorted(filter(_FORMER.fullmatch, files))
            ),
            tuple(_read_chain(files, name)[0][0] for name in sorted(filter(_TRUSTED.fullmatch, files))),
            root,
            {
                name: data
                for name, data in files.items()
                if name.endswith(".key") and name.removesuffix(".key") + ".xrml" not in files
            },
        )

    def hierarchy_key(self, role: str) -> PrivateKey:
        """A private key above the SLC, for example `root` or `enrollment_service`."""
        name = role.replace("_", "-") + ".key"
        files = file_set.read(self._directory)
        if name not in files:
            raise OperatorError(f"the store holds no key {role}: it may be kept elsewhere")
        return self._key(files, name)

    def trust_machine_issuer(self, data: bytes) -> IssuingCertificate:
        """Add the SPC issuer that a file of documents begins with; its key is then accepted above machine
        certificates.
        """
        try:
            issuer = IssuingCertificate.read(split_documents(decode_documents(data))[0])
            issuer.verify()
            issuer.principal.public_key.check_strength()
        except XrmlError as error:
            raise OperatorError(f"the file does not begin with a certificate that can be trusted: {error}") from None
        if issuer.kind not in (IssuingKind.PROCESSOR_ISSUER, IssuingKind.PROCESSOR_AUTHORITY, IssuingKind.SERVER):
            raise OperatorError("the first certificate of the file does not issue machine certificates")
        if issuer.principal.public_key.id in self.load().trusted_machine_issuers:
            raise OperatorError("this machine issuer is trusted already")
        name = f"trusted-machine-issuer-{uuid.uuid4()}.xrml"
        file_set.change(self._directory, add={name: issuer.text.encode()})
        return issuer

    def change_passphrase(self, passphrase: str, cost: ScryptCost | None = None) -> None:
        """Seal the master key under another passphrase; nothing else is written."""
        old, _ = _master_file(file_set.read(self._directory))
        sealed = self.master_key.seal(passphrase, cost).encode()
        file_set.change(self._directory, add={f"master-{uuid.uuid4()}.json": sealed}, remove=frozenset({old}))

    def _licensor(self, files: Mapping[str, bytes], stem: str) -> Licensor:
        chain, texts = _read_chain(files, stem + ".xrml")
        key = self._key(files, stem + ".key")
        if key.public != chain[0].principal.public_key:
            raise OperatorError(f"{stem}.key is not the key of {stem}.xrml: restore the directory from a backup")
        return Licensor(chain[0], texts, key)

    def _key(self, files: Mapping[str, bytes], name: str) -> PrivateKey:
        try:
            return PrivateKey.from_der(self.master_key.unwrap(_PURPOSE, name, files[name]))
        except (KeyError, UnwrapError):
            raise OperatorError(f"{name} is missing or was changed: restore the directory from a backup") from None


def _read_chain(files: Mapping[str, bytes], name: str) -> tuple[tuple[IssuingCertificate, ...], tuple[str, ...]]:
    """Documents of a chain file; each link is verified with the parent at its position."""
    try:
        texts = tuple(split_documents(decode_documents(files[name])))
        chain = tuple(IssuingCertificate.read(text) for text in texts)
        for child, parent in itertools.pairwise(chain):
            parent.issued(child)
        chain[-1].verify()
    except (KeyError, XrmlError) as error:
        raise OperatorError(f"{name} is missing or holds no valid chain ({error}): restore it from a backup") from None
    return chain, texts


def _master_file(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    names = list(filter(_MASTER.fullmatch, files))
    if len(names) != 1:
        raise OperatorError("the store does not hold exactly one master key: restore the directory from a backup")
    return names[0], files[names[0]]


def _by_id(keys: Iterable[PublicKey]) -> dict[KeyId, PublicKey]:
    return {key.id: key for key in keys}
