"""A whole cluster in memory, in either mode, and the people and documents around it.

    cluster = make_cluster(CryptoMode.MODE_2)
    machine = cluster.machine()
    author = cluster.author(cluster.account("author@example.com", machine=machine))
    published = cluster.publish(author, [Right.of("VIEW", grantee("reader@example.com"))])

Everything is signed as genuine servers and clients sign it, by the engine's own writers. Keys are made once in a test
run and looked up by name, so that a test may ask for a second machine or account at no cost.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.ports import DirectoryAccount, Ports
from rmsserver.state import AuthenticationType, DomainAccount, Licensor, RequestContext, ServerState
from rmsserver.stores.memory import memory_ports, system_randomness
from rmsserver.xrml.clc import (
    ClientLicensorCertificate,
    acquisition_points_xml,
    write_client_licensor_certificate,
)
from rmsserver.xrml.enabling_bits import RESERVED_CBC_4K, ContentKey
from rmsserver.xrml.issuing import (
    PROCESSOR_AUTHORITY,
    IssuingCertificate,
    IssuingKind,
    authority_object_xml,
    issuer_xml,
    processor_object_xml,
    server_object_xml,
    write_issuing_certificate,
)
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.license import PublishingLicense, write_publishing_license
from rmsserver.xrml.principal import level_xml, object_xml
from rmsserver.xrml.rac import (
    RightsAccountCertificate,
    account_object_xml,
    write_rights_account_certificate,
)
from rmsserver.xrml.rights import Grantee, Policy, Right, TimeConditions, owner_metadata_xml, write_rights_data
from rmsserver.xrml.spc import SecurityProcessorCertificate, write_security_processor_certificate
from rmsserver.xrml.template import LocalizedName, RightsTemplate, write_rights_template
from rmsserver.xrml.values import Guid, TimeRange

NOW = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.UTC)
"""The time at which tests ask the cluster."""
INSTALLED = dt.datetime(2026, 1, 5, 9, 30, tzinfo=dt.UTC)
"""When the cluster's certificates were issued."""
ALWAYS = TimeRange(dt.datetime(2002, 12, 5, 1, 7, tzinfo=dt.UTC), dt.datetime(2258, 3, 3, 21, 33, tzinfo=dt.UTC))
BASE_URL = "http://rms.example.com/_wmcs"
DOMAIN_SID = "S-1-5-21-1004336348-1177238915-682003330"
DAY = dt.timedelta(days=1)
MACHINE_NAMES = (
    "Microsoft DRM Production Desktop Security Processor Activation Certificate",
    "Microsoft DRM Production Machine Activation Desktop Security Processor CA",
    "Microsoft DRM Production Machine Activation Server CA",
    "Microsoft DRM Production CA",
)
"""SPC issuer, security processor CA, intermediate CA and CA, as 2.2.9.3.3 names them."""


@functools.cache
def key(name: str, bits: int) -> PrivateKey:
    """The key pair of that name and length: always the same one within a test run."""
    return PrivateKey.generate(bits)


def guid(name: str) -> Guid:
    """A GUID that belongs to a name."""
    return Guid.parse(f"{zlib.crc32(name.encode()):08x}-0000-4000-8000-{zlib.adler32(name.encode()):012x}")


def grantee(email: str) -> Grantee:
    """A person or group as clients name them."""
    return Grantee("Unspecified", "", email)


@dataclass(frozen=True)
class Machine:
    """A machine: its private key, and its certificate chain, leaf first."""

    key: PrivateKey
    chain: tuple[str, ...]

    @property
    def spc(self) -> SecurityProcessorCertificate:
        return SecurityProcessorCertificate.read(self.chain[0])


@dataclass(frozen=True)
class Account:
    """A certified person: the private key that her RAC holds, and the RAC chain."""

    key: PrivateKey
    chain: tuple[str, ...]
    account: DomainAccount

    @property
    def rac(self) -> RightsAccountCertificate:
        return RightsAccountCertificate.read(self.chain[0])


@dataclass(frozen=True)
class Author:
    """An account with the means to publish offline: the private key that her CLC holds, and the CLC chain."""

    account: Account
    key: PrivateKey
    chain: tuple[str, ...]

    @property
    def clc(self) -> ClientLicensorCertificate:
        return ClientLicensorCertificate.read(self.chain[0])


@dataclass(frozen=True)
class Published:
    """A publishing licence: `text` alone, `chain` as clients send it (PL, CLC; the PL alone where unsigned)."""

    text: str
    chain: tuple[str, ...]
    content_key: ContentKey

    @property
    def license(self) -> PublishingLicense:
        return PublishingLicense.read(self.text)


@dataclass(frozen=True)
class Hierarchy:
    """Certificates from the leaf's issuer upwards, and the key under which the last one stands."""

    licensor: Licensor
    root: PrivateKey


def _issue(
    kind: IssuingKind,
    name: str,
    object_: str,
    public: PrivateKey,
    issuer: str,
    signer: PrivateKey,
    mode: CryptoMode,
    *,
    levels: tuple[tuple[str, str], ...] = (),
    issuance: TimeRange = ALWAYS,
) -> IssuingCertificate:
    return IssuingCertificate.read(
        write_issuing_certificate(
            kind=kind,
            certificate_id=guid(f"certificate {name}"),
            issuer_inner=issuer,
            principal_object=object_,
            principal_key=public.public,
            levels=levels,
            issued=INSTALLED,
            issuance=issuance,
            signing_key=signer,
            mode=mode,
        )
    )


def server_hierarchy(
    mode: CryptoMode, name: str = "example", *, issuance: TimeRange = ALWAYS, url: str = BASE_URL
) -> Hierarchy:
    """SLC, Enrollment Service, Enrollment CA and CA under a root of its own (2.2.9.3)."""
    root, ca, enrollment_ca, service, server = (
        key(f"{name} {role}", bits)
        for role, bits in (
            ("root", 2048),
            ("ca", 2048),
            ("enrollment ca", mode.rsa_bits),
            ("service", mode.rsa_bits),
            ("slc", mode.rsa_bits),
        )
    )
    tags = [f"{name} DRM Root", f"{name} DRM CA", f"{name} DRM Server Enrollment CA"]
    authority = functools.partial(_issue, IssuingKind.AUTHORITY, mode=mode)
    top = authority(
        name=f"{name} ca",
        object_=authority_object_xml(tags[1]),
        public=ca,
        issuer=issuer_xml(authority_object_xml(tags[0]), root.public),
        signer=root,
    )
    middle = authority(
        name=f"{name} enrollment ca",
        object_=authority_object_xml(tags[2]),
        public=enrollment_ca,
        issuer=top.issuer_inner_surface,
        signer=ca,
    )
    enrolling = _issue(
        IssuingKind.SERVER,
        f"{name} service",
        server_object_xml(guid(f"{name} service"), "Microsoft DRM Server Self Enrollment Service", None),
        service,
        middle.issuer_inner_surface,
        enrollment_ca,
        mode,
    )
    slc = _issue(
        IssuingKind.SERVER,
        f"{name} slc",
        server_object_xml(guid(f"{name} server"), name.upper(), url.replace("http://", "HTTP://", 1)),
        server,
        enrolling.issuer_inner_surface,
        service,
        mode,
        levels=(("Server-Version", "6.3.0.0"), ("Server-SKU", "RMS 2.0")),
        issuance=issuance,
    )
    chain = tuple(certificate.text for certificate in (slc, enrolling, middle, top))
    return Hierarchy(Licensor(slc, chain, server), root)


def machine_hierarchy(mode: CryptoMode, name: str = "example", *, names: Sequence[str] = MACHINE_NAMES) -> Hierarchy:
    """SPC issuer, security processor CA, intermediate CA, CA, with the kinds and names of 2.2.9.3."""
    bits = mode.rsa_bits
    root, ca, intermediate, authority, issuer = (
        key(f"{name} machine {role}", size)
        for role, size in (("root", 2048), ("ca", 2048), ("intermediate", bits), ("authority", bits), ("issuer", bits))
    )
    top = _issue(
        IssuingKind.AUTHORITY,
        f"{name} machine ca",
        authority_object_xml(names[3]),
        ca,
        issuer_xml(authority_object_xml(f"{name} Machine Root"), root.public),
        root,
        mode,
    )
    middle = _issue(
        IssuingKind.AUTHORITY,
        f"{name} intermediate",
        authority_object_xml(names[2]),
        intermediate,
        top.issuer_inner_surface,
        ca,
        mode,
    )
    processors = _issue(
        IssuingKind.PROCESSOR_AUTHORITY,
        f"{name} processors",
        processor_object_xml(guid(f"{name} processors"), names[1], type_=PROCESSOR_AUTHORITY),
        authority,
        middle.issuer_inner_surface,
        intermediate,
        mode,
    )
    issuing = _issue(
        IssuingKind.PROCESSOR_ISSUER,
        f"{name} spc issuer",
        processor_object_xml(guid(f"{name} spc issuer"), names[0]),
        issuer,
        processors.issuer_inner_surface,
        authority,
        mode,
    )
    chain = tuple(certificate.text for certificate in (issuing, processors, middle, top))
    return Hierarchy(Licensor(issuing, chain, issuer), root)


@dataclass(frozen=True)
class Cluster:
    """A server's state, and those who deal with it."""

    mode: CryptoMode
    servers: Hierarchy
    machines: Hierarchy
    state: ServerState
    emails: Mapping[str, str] = field(default_factory=dict)
    """E-mail address -> SID of everyone in `directory`."""

    def with_state(self, **changes: object) -> Cluster:
        """The same cluster, configured otherwise."""
        return dataclasses.replace(self, state=dataclasses.replace(self.state, **changes))  # type: ignore[arg-type]

    # --- the outside ------------------------------------------------------------------------------------------------

    def directory(self) -> MemoryDirectory:
        """A fresh directory with author, reader, outsider, the group `all@example.com` (author, reader) and `boss`."""
        directory = MemoryDirectory("EXAMPLE", domain_sid=DOMAIN_SID)
        for email, sid in self.emails.items():
            directory.add_user(email.partition("@")[0], email, sid=sid)
        directory.add_group("all@example.com", "author@example.com", "reader@example.com")
        return directory

    def ports(self, directory: MemoryDirectory | None = None, *, ready_keys: int = 3) -> Ports:
        """Every port in memory; the key pool has `ready_keys` keys, always the same ones, before it generates."""
        ready = [key(f"pool {n}", self.mode.rsa_bits) for n in range(ready_keys)]
        return memory_ports(directory or self.directory(), ready_keys=ready)

    def caller(self, email: str | None, **changes: object) -> RequestContext:
        """A request that came in as that account; None: without authentication."""
        if email is None:
            return RequestContext(anonymous_endpoint=True)
        context = RequestContext(AuthenticationType.NTLM, self.domain_account(email))
        return dataclasses.replace(context, **changes)  # type: ignore[arg-type]

    def domain_account(self, email: str) -> DomainAccount:
        return DomainAccount(f"EXAMPLE\\{email.partition('@')[0]}", self.sid(email))

    def sid(self, email: str) -> str:
        return self.emails.get(email) or f"{DOMAIN_SID}-{2000 + zlib.crc32(email.encode()) % 100000}"

    # --- machines and people ----------------------------------------------------------------------------------------

    def machine(
        self,
        name: str = "laptop",
        *,
        bits: int | None = None,
        mode: CryptoMode | None = None,
        hierarchy: Hierarchy | None = None,
        repository: str = "Example secure repository 6.3.0.0",
        machine_key: PrivateKey | None = None,
        issued: dt.datetime = NOW - 30 * DAY,
    ) -> Machine:
        """A machine whose certificate the cluster's SPC issuer signed (or another `hierarchy`)."""
        mode, issuer = mode or self.mode, (hierarchy or self.machines).licensor
        own = machine_key or key(f"machine {name}", bits or mode.rsa_bits)
        text = write_security_processor_certificate(
            certificate_id=guid(f"spc {name}"),
            machine_id=guid(f"machine {name}"),
            machine_key=own.public,
            hardware_digest=bytes(mode.hash.digest_size),
            issuer_inner=issuer.certificate.issuer_inner_surface,
            platform="10.0.22631.0",
            manufacturer="Example Security Processor 6.3.0.0",
            repository=repository,
            activation_url="file:///rmactivate.exe",
            issued=issued,
            signing_key=issuer.key,
            mode=mode,
        )
        return Machine(own, (text, *issuer.chain))

    def account(
        self,
        email: str = "author@example.com",
        *,
        machine: Machine | None = None,
        licensor: Licensor | None = None,
        mode: CryptoMode | None = None,
        id_type: str = "Windows",
        aliases: tuple[str, ...] = (),
        validity: TimeRange | None = None,
        issued: dt.datetime = NOW - 10 * DAY,
    ) -> Account:
        """A RAC for `email`, as `licensor` (the cluster, unless told) issues it."""
        mode, issuer = mode or self.mode, licensor or self.state.licensor
        own = key(f"account {email}", mode.rsa_bits)
        text = write_rights_account_certificate(
            certificate_id=guid(f"rac {email}"),
            issuer_inner=issuer.certificate.issuer_inner_surface,
            account_object=account_object_xml(id_type, self.sid(email), email, aliases),
            account_key=own,
            persistent=True,
            validity=validity or TimeRange(issued - DAY, issued + 365 * DAY),
            certification_url=self.state.certification_url,
            extranet_url=None,
            machine=(machine or self.machine(mode=mode)).spc,
            session_key=system_randomness().bytes(16),
            issued=issued,
            signing_key=issuer.key,
            mode=mode,
        )
        return Account(own, (text, *issuer.chain), self.domain_account(email))

    def author(
        self,
        account: Account | None = None,
        *,
        licensor: Licensor | None = None,
        issuance: TimeRange | None = None,
        name: str = "clc",
        issued: dt.datetime = NOW - 9 * DAY,
    ) -> Author:
        """A CLC for `account`, as `licensor` (the cluster, unless told) issues it."""
        account, issuer = account or self.account(), licensor or self.state.licensor
        rac, own = account.rac, key(f"{name} {account.account.sid}", self.mode.rsa_bits)
        assert rac.validity is not None
        text = write_client_licensor_certificate(
            certificate_id=guid(f"{name} {account.account.sid}"),
            issuer_inner=issuer.certificate.issuer_inner_surface,
            account_object=rac.principal.object.surface,
            licensor_key=own,
            account_key=rac.principal.public_key,
            issuance=issuance or rac.validity,
            internal_url=self.state.internal_licensing_url,
            external_url=None,
            session_key=system_randomness().bytes(16),
            issued=issued,
            signing_key=issuer.key,
            mode=issuer.mode,
        )
        return Author(account, own, (text, *issuer.chain))

    # --- documents --------------------------------------------------------------------------------------------------

    def publish(
        self,
        author: Author | None = None,
        rights: Iterable[Right] = (),
        *,
        sealed_to: Licensor | None = None,
        content_key: ContentKey | None = None,
        rights_data: str | None = None,
        owner: str = "author@example.com",
        name: str = "document",
        policies: Iterable[Policy] = (),
        preconditions: TimeConditions | None = None,
        issued: dt.datetime = NOW - 5 * DAY,
    ) -> Published:
        """A publishing licence as clients write it: signed with the author's CLC key, unsigned without an author.

        `rights_data` takes the place of what `rights`, `policies` and `preconditions` say (for example a template).
        """
        server = (sealed_to or self.state.licensor).certificate.principal
        content = content_key or ContentKey.build(system_randomness().bytes(32), RESERVED_CBC_4K)
        data = rights_data or write_rights_data(
            work_id=guid(name),
            owner_email=owner,
            rights=tuple(rights) or (Right.of("VIEW", grantee("reader@example.com")),),
            issued=issued,
            preconditions=preconditions or TimeConditions(),
            policies=policies,
        )
        text = write_publishing_license(
            descriptor="",
            issuer_inner="" if author is None else _client_issuer(author),
            server=server,
            payload=content.payload,
            session_key=system_randomness().bytes(16),
            acquisition_points=acquisition_points_xml(self.state.internal_licensing_url, None),
            referral=None,
            work=object_xml("", "MS-GUID", guid(name).braced) + owner_metadata_xml(owner),
            encrypted_rights=content.encrypt_text(data),
            issued=issued,
            mode=(sealed_to or self.state.licensor).mode,
            signing_key=None if author is None else author.key,
        )
        return Published(text, (text,) if author is None else (text, author.chain[0]), content)

    def template(
        self,
        name: str = "Confidential",
        rights: Iterable[Right] = (),
        *,
        licensor: Licensor | None = None,
        preconditions: TimeConditions | None = None,
        issued: dt.datetime = NOW - 20 * DAY,
    ) -> RightsTemplate:
        """An official template that `licensor` (the cluster, unless told) signed."""
        issuer = licensor or self.state.licensor
        text = write_rights_template(
            template_id=guid(f"template {name}"),
            names=(LocalizedName(1033, name, f"{name} documents"),),
            issuer_object_and_key=issuer.certificate.principal.object_and_key_surface,
            licensing_url=self.state.internal_licensing_url,
            rights_request_url="mailto:rights@example.com",
            rights=tuple(rights) or (Right.of("VIEW", grantee("reader@example.com")),),
            preconditions=preconditions or TimeConditions(),
            issued=issued,
            signing_key=issuer.key,
            mode=issuer.mode,
        )
        return RightsTemplate.read(text)


def _client_issuer(author: Author) -> str:
    return author.clc.principal.object_and_key_surface + level_xml("SDK", "6.1.7600.16385")


@functools.cache
def make_cluster(mode: CryptoMode, name: str = "example") -> Cluster:
    """A cluster of its own hierarchy: two of different names share no key."""
    servers, machines = server_hierarchy(mode, name), machine_hierarchy(mode, name)
    slc_key = servers.licensor.certificate.principal.public_key
    spc_issuer_key = machines.licensor.certificate.principal.public_key
    state = ServerState(
        licensor=servers.licensor,
        base_url=BASE_URL,
        name=name.upper(),
        cryptographic_mode=mode,
        machine_issuer=machines.licensor,
        trusted_rac_issuers={slc_key.id: slc_key},
        trusted_machine_issuers={spc_issuer_key.id: spc_issuer_key},
    )
    people = ("author", "reader", "outsider", "boss")
    emails = {f"{person}@example.com": f"{DOMAIN_SID}-{1105 + n}" for n, person in enumerate(people)}
    return Cluster(mode, servers, machines, state, emails)


def known(directory: MemoryDirectory, email: str) -> DirectoryAccount:
    """An account that must be in the directory."""
    found = directory.by_email(email)
    assert found is not None
    return found
