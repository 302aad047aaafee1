"""Who the cluster is: chains, wrapped private keys and trusted machine issuers, as files in `certificates/`
of its home.

A chain file holds documents one after the other, leaf first, unchanged. Key files hold what the master key
wrapped, bound to their own name. Whatever is replaced gets a new name (a role and a GUID), so that a change happens
at once, with the manifest, and a crash leaves the old or the new one.

    master-GUID.json                       the master key under the passphrase
    licensor[-GUID].xrml, .key             the own SLC chain and key
    machine-issuer[-GUID].xrml, .key       the own SPC issuer
    former-GUID.xrml, .key                 own SLCs of the past: of former keys, or from a root's former key
    ROLE[-GUID].key                        keys above the SLC (fields of ClusterKeys)
    domain-GUID.xrml, .key, .json          an imported publishing domain; its templates in domain-templates-GUID.xrml
    management-GUID.pem, .key              the management certificate
    trusted-machine-issuer-GUID.xrml       from `rmsserver spc trust`
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rmsserver.errors import OperatorError
from rmsserver.ports import UnwrapError
from rmsserver.state import Licensor, TrustedLicensingServer
from rmsserver.stores import file_set
from rmsserver.stores.trust_anchors import production_anchors
from rmsserver.stores.wrapping import MasterKey, ScryptCost, open_master_key
from rmsserver.xrml.chain import issues_machine_certificates
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import KeyId, PrivateKey, PublicKey
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid

DIRECTORY = "certificates"
_PURPOSE = "certificate key"
_MASTER = re.compile(r"master-[0-9a-f-]{36}\.json")
_TRUSTED = re.compile(r"trusted-machine-issuer-[0-9a-f-]{36}\.xrml")
_FORMER = re.compile(r"former-[0-9a-f-]{36}\.xrml")
_DOMAIN = re.compile(r"domain-([0-9a-f-]{36})\.xrml")
_MANAGEMENT = re.compile(r"management-[0-9a-f-]{36}\.pem")


@dataclass(frozen=True)
class StoredPublishingDomain:
    """An imported trusted publishing domain. `templates` are signed by its own key."""

    id: Guid
    name: str
    imported: dt.datetime
    licensor: Licensor
    templates: tuple[RightsTemplate, ...] = ()

    @property
    def server(self) -> TrustedLicensingServer:
        return TrustedLicensingServer(self.licensor, {template.guid: template for template in self.templates})


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
    publishing_domains: tuple[StoredPublishingDomain, ...] = ()
    hierarchy_keys: Mapping[str, bytes] = field(repr=False, default_factory=dict)
    """Wrapped keys above the SLC by file name; `CertificateStore.hierarchy_key` opens one."""

    @property
    def trusted_rac_issuers(self) -> dict[KeyId, PublicKey]:
        return _by_id(licensor.key.public for licensor in (self.licensor, *self.former_licensors))

    @property
    def root_licensors(self) -> dict[KeyId, PublicKey]:
        """On a licensing-only cluster: the SLC keys of the root cluster, which issued our own SLCs ([MS-RMPRS] 1.3.3)."""
        above = (licensor.certificate.issuer.public_key for licensor in (self.licensor, *self.former_licensors))
        return _by_id(above)

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
        `machine_issuer`, others. A licensing-only cluster has `licensor` alone, and no machine chain.
        """
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        file_set.check_private(home)
        master_key = MasterKey.generate()
        files = {
            f"master-{uuid.uuid4()}.json": master_key.seal(passphrase, cost).encode(),
            "licensor.xrml": "".join(licensor_chain).encode(),
        }
        if machine_chain:
            files["machine-issuer.xrml"] = "".join(machine_chain).encode()
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
        licensor = self._licensor(files, _stem(files, "licensor"))
        issuer = _find(files, "machine-issuer", ".xrml")
        root = IssuingCertificate.read(licensor.chain[-1]).issuer.public_key
        return Certificates(
            licensor,
            self._licensor(files, issuer) if issuer else None,
            tuple(
                self._licensor(files, name.removesuffix(".xrml")) for name in sorted(filter(_FORMER.fullmatch, files))
            ),
            tuple(_read_chain(files, name)[0][0] for name in sorted(filter(_TRUSTED.fullmatch, files))),
            root,
            self._publishing_domains(files),
            {
                name: data
                for name, data in files.items()
                if name.endswith(".key")
                and not {name.removesuffix(".key") + ".xrml", name.removesuffix(".key") + ".pem"} & files.keys()
            },
        )

    def hierarchy_key(self, role: str) -> PrivateKey:
        """A private key above the SLC, for example `root` or `enrollment_service`."""
        files = file_set.read(self._directory)
        stem = _find(files, role.replace("_", "-"), ".key")
        if stem is None:
            raise OperatorError(f"the store holds no key {role}: it may be kept elsewhere")
        return self._key(files, stem + ".key")

    def enrollment_service(self, licensor: Licensor) -> Licensor | None:
        """The Enrollment Service above the own SLC, to issue for others ([MS-RMPR] 3.6); None where its key is not here."""
        files = file_set.read(self._directory)
        stem = _find(files, "enrollment-service", ".key")
        if stem is None or len(licensor.chain) < 2:
            return None
        key, certificate = self._key(files, stem + ".key"), IssuingCertificate.read(licensor.chain[1])
        return Licensor(certificate, licensor.chain[1:], key) if certificate.principal.key == key.public else None

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
        if not issues_machine_certificates(issuer):
            name = issuer.principal.object.name or issuer.principal.object.id
            raise OperatorError(
                f"the file begins with the certificate of {name}, which is no issuer of machine certificates: name a "
                "file that begins with an SPC issuer"
            )
        if issuer.principal.public_key.id in self.load().trusted_machine_issuers:
            raise OperatorError("this machine issuer is trusted already")
        name = f"trusted-machine-issuer-{uuid.uuid4()}.xrml"
        file_set.change(self._directory, add={name: issuer.text.encode()})
        return issuer

    def remove_machine_issuer(self, key: KeyId) -> None:
        """Accept an issuer that `trust_machine_issuer` added no longer."""
        files = file_set.read(self._directory)
        added = {name: _read_chain(files, name)[0][0] for name in filter(_TRUSTED.fullmatch, files)}
        names = {name for name, issuer in added.items() if issuer.principal.public_key.id == key}
        if not names:
            raise OperatorError("there is no such added issuer: see `rmsserver spc list`")
        file_set.change(self._directory, add={}, remove=frozenset(names))

    def copy_files(self, passphrase: str) -> dict[str, bytes]:
        """Every file, for a backup: the master key sealed under `passphrase` in the place of the present one."""
        files = file_set.read(self._directory)
        old, _ = _master_file(files)
        del files[old]
        return files | {f"master-{uuid.uuid4()}.json": self.master_key.seal(passphrase).encode()}

    @classmethod
    def restore(cls, home: Path, files: Mapping[str, bytes], old: str, new: str) -> CertificateStore:
        """Make the store from `copy_files`, from then on under the passphrase `new`; it is read and checked whole."""
        name, sealed = _master_file(files)
        master_key = open_master_key(sealed.decode(errors="replace"), old)
        kept = {other: data for other, data in files.items() if other != name}
        file_set.create(home / DIRECTORY, kept | {f"master-{uuid.uuid4()}.json": master_key.seal(new).encode()})
        store = cls(home / DIRECTORY, master_key)
        store.load()
        return store

    def change_passphrase(self, passphrase: str, cost: ScryptCost | None = None) -> None:
        """Seal the master key under another passphrase; nothing else is written."""
        old, _ = _master_file(file_set.read(self._directory))
        sealed = self.master_key.seal(passphrase, cost).encode()
        file_set.change(self._directory, add={f"master-{uuid.uuid4()}.json": sealed}, remove=frozenset({old}))

    # --- other keys in the place of the own ones ------------------------------------------------------------

    def install_licensor(
        self,
        chain: Sequence[str],
        key: PrivateKey,
        *,
        machine_chain: Sequence[str] = (),
        keys: Mapping[str, PrivateKey] | None = None,
        keep_issuer: bool = False,
    ) -> None:
        """Make another SLC the own one, in one step.

        With another key the present one becomes a former licensor; a former licensor or an imported domain that has
        the new key is one no longer. `machine_chain` and `keys` (by role, as in `create`) replace those, where given.
        `keep_issuer`: with the same key too, where another server issued the present one (`root_licensors`).
        """
        files = file_set.read(self._directory)
        stem = _stem(files, "licensor")
        present = self._licensor(files, stem)
        add = self._licensor_files("licensor", chain, key)
        remove = {stem + ".xrml", stem + ".key"}
        is_other_key = present.key.public != key.public
        issuer = IssuingCertificate.read(chain[0]).issuer.public_key
        if is_other_key or (keep_issuer and present.certificate.issuer.public_key != issuer):
            add |= self._licensor_files("former", present.chain, present.key)
        if is_other_key:
            remove |= self._files_with_key(files, key.public)
        replaced = dict(keys or {})
        if machine_chain:
            add |= self._licensor_files("machine-issuer", machine_chain, replaced.pop("machine_issuer"))
            old = _find(files, "machine-issuer", ".xrml")
            remove |= {old + ".xrml", old + ".key"} if old else set()
        for role, other in replaced.items():
            old = _find(files, role.replace("_", "-"), ".key")
            remove |= {old + ".key"} if old else set()
            add |= self._key_file(f"{role.replace('_', '-')}-{uuid.uuid4()}", other)
        file_set.change(self._directory, add=add, remove=frozenset(remove))

    # --- imported publishing domains ------------------------------------------------------------------------

    def add_publishing_domain(self, domain: StoredPublishingDomain) -> None:
        """Keep an imported domain, its key wrapped (threat K1), in one step."""
        details = {"name": domain.name, "imported": domain.imported.isoformat()}
        stem = f"domain-{domain.id}"
        add = {
            stem + ".xrml": "".join(domain.licensor.chain).encode(),
            stem + ".json": json.dumps(details).encode(),
            **self._key_file(stem, domain.licensor.key),
        }
        if domain.templates:
            texts = "".join(template.text for template in domain.templates)
            add[f"domain-templates-{domain.id}.xrml"] = texts.encode()
        file_set.change(self._directory, add=add)

    def remove_publishing_domain(self, domain: Guid) -> None:
        """Forget a domain and its key: its documents do not open here any more."""
        names = _domain_files(domain) & file_set.read(self._directory).keys()
        if not names:
            raise OperatorError(f"there is no trusted publishing domain {domain}: see `rmsserver tpd list`")
        file_set.change(self._directory, add={}, remove=frozenset(names))

    # --- the management certificate -------------------------------------------------------------------------

    def management_identity(self) -> tuple[bytes, bytes] | None:
        """Certificate (PEM) and private key (PKCS#8 DER); None where it was never needed."""
        files = file_set.read(self._directory)
        names = sorted(filter(_MANAGEMENT.fullmatch, files))
        if not names:
            return None
        name = names[0].removesuffix(".pem") + ".key"
        try:
            return files[names[0]], self.master_key.unwrap(_PURPOSE, name, files[name])
        except (KeyError, UnwrapError):
            raise OperatorError(f"{name} is missing or was changed: restore the directory from a backup") from None

    def add_management_identity(self, certificate: bytes, key: bytes) -> None:
        stem = f"management-{uuid.uuid4()}"
        wrapped = self.master_key.wrap(_PURPOSE, stem + ".key", key)
        add = {stem + ".pem": certificate, stem + ".key": wrapped}
        # Two of them would have two fingerprints, and one is told to other administrators.
        file_set.change(self._directory, add=add, absent=_MANAGEMENT)

    # --- files ----------------------------------------------------------------------------------------------

    def _publishing_domains(self, files: Mapping[str, bytes]) -> tuple[StoredPublishingDomain, ...]:
        ids = [Guid(match.group(1)) for match in map(_DOMAIN.fullmatch, sorted(files)) if match]
        return tuple(self._publishing_domain(files, domain) for domain in ids)

    def _publishing_domain(self, files: Mapping[str, bytes], domain: Guid) -> StoredPublishingDomain:
        templates = files.get(f"domain-templates-{domain}.xrml", b"")
        try:
            details = json.loads(files[f"domain-{domain}.json"])
            name, imported = str(details["name"]), dt.datetime.fromisoformat(details["imported"])
            texts = split_documents(decode_documents(templates)) if templates else []
            read = tuple(RightsTemplate.read(text) for text in texts)
        except (KeyError, ValueError, TypeError, XrmlError):
            raise OperatorError(f"domain-{domain} is damaged: restore the directory from a backup") from None
        return StoredPublishingDomain(domain, name, imported, self._licensor(files, f"domain-{domain}"), read)

    def _licensor_files(self, role: str, chain: Sequence[str], key: PrivateKey) -> dict[str, bytes]:
        stem = f"{role}-{uuid.uuid4()}"
        return {stem + ".xrml": "".join(chain).encode(), **self._key_file(stem, key)}

    def _key_file(self, stem: str, key: PrivateKey) -> dict[str, bytes]:
        return {stem + ".key": self.master_key.wrap(_PURPOSE, stem + ".key", key.to_der())}

    def _files_with_key(self, files: Mapping[str, bytes], key: PublicKey) -> set[str]:
        """The files of former licensors and imported domains that have this key."""
        found: set[str] = set()
        for name in filter(_FORMER.fullmatch, files):
            stem = name.removesuffix(".xrml")
            if self._licensor(files, stem).key.public == key:
                found |= {name, stem + ".key"}
        for domain in self._publishing_domains(files):
            if domain.licensor.key.public == key:
                found |= _domain_files(domain.id) & files.keys()
        return found

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


def _find(files: Mapping[str, bytes], role: str, suffix: str) -> str | None:
    """The name without suffix of the file that has this role, with or without a GUID."""
    pattern = re.compile(re.escape(role) + r"(-[0-9a-f]{8}-[0-9a-f-]{27})?" + re.escape(suffix))
    found = list(filter(pattern.fullmatch, files))
    if len(found) > 1:
        raise OperatorError(f"the store holds {role}{suffix} twice: restore the directory from a backup")
    return found[0].removesuffix(suffix) if found else None


def _stem(files: Mapping[str, bytes], role: str) -> str:
    return _find(files, role, ".xrml") or role


def _domain_files(domain: Guid) -> set[str]:
    return {f"domain-{domain}.{suffix}" for suffix in ("xrml", "key", "json")} | {f"domain-templates-{domain}.xrml"}


def _master_file(files: Mapping[str, bytes]) -> tuple[str, bytes]:
    names = list(filter(_MASTER.fullmatch, files))
    if len(names) != 1:
        raise OperatorError("the store does not hold exactly one master key: restore the directory from a backup")
    return names[0], files[names[0]]


def _by_id(keys: Iterable[PublicKey]) -> dict[KeyId, PublicKey]:
    return {key.id: key for key in keys}
