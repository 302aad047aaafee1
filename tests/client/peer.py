"""A cluster that answers the client without a network: what `ClusterServices` does over SOAP, in memory.

It issues with the engine's own writers, so that workflow tests are about the client. That client and server
agree over HTTP is shown elsewhere.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rmsserver.client.account import Account, Licensor, Profile, open_account, open_licensor
from rmsserver.client.errors import ServiceFaultError
from rmsserver.client.machine import Machine
from rmsserver.client.services import ServiceLocations, TemplateHash
from rmsserver.client.store import Settings, Store
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.enabling_bits import ContentKey, open_enabling_bits
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.license import PublishingLicense, sign_publishing_license
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import OWNER, ApplicationData, Policy, RightsData
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.use_license import UseRight, write_use_license
from rmsserver.xrml.values import Guid, TimeRange
from tests import cluster as clusters
from tests.cluster import NOW, Cluster, Hierarchy, make_cluster

CLUSTER = make_cluster(CryptoMode.MODE_2)
TRUST = ClusterTrust(CLUSTER.servers.root.public, CLUSTER.servers.licensor.key.public)


@dataclass
class MemoryServices:
    """`rmsserver.client.services.Services` for the account `email`."""

    email: str = "author@example.com"
    cluster: Cluster = CLUSTER
    servers: Hierarchy = CLUSTER.servers
    now: dt.datetime = NOW
    templates: list[RightsTemplate] = field(default_factory=list)
    policies: tuple[Policy, ...] = ()
    application_data: tuple[ApplicationData, ...] = ()
    validity: TimeRange | None = None
    calls: list[str] = field(default_factory=list)

    def get_licensor_certificate(self) -> tuple[str, ...]:
        self.calls.append("GetLicensorCertificate")
        return self.servers.licensor.chain

    def get_licensing_certificate(self) -> tuple[str, ...]:
        return tuple(self.get_licensor_certificate())

    def certify(self, machine_chain: Sequence[str]) -> tuple[str, ...]:
        self.calls.append("Certify")
        machine = clusters.Machine(clusters.key("unused", 2048), tuple(machine_chain))
        account = self.cluster.account(
            self.email, machine=machine, licensor=self.servers.licensor, validity=self.validity
        )
        return account.chain

    def get_client_licensor_certificate(self, rac_chain: Sequence[str]) -> tuple[str, ...]:
        self.calls.append("GetClientLicensorCert")
        account = clusters.Account(
            clusters.key(f"account {self.email}", self.cluster.mode.rsa_bits),
            tuple(rac_chain),
            self.cluster.domain_account(self.email),
        )
        return self.cluster.author(account, licensor=self.servers.licensor).chain

    def acquire_issuance_license(self, unsigned: str) -> tuple[str, ...]:
        self.calls.append("AcquireIssuanceLicense")
        license_ = PublishingLicense.read(unsigned, signed=False)
        licensor = self.servers.licensor
        signed = sign_publishing_license(
            license_,
            payload=self._open(license_).payload,
            session_key=secrets.token_bytes(16),
            slc_principal=licensor.certificate.principal,
            internal_url=self.cluster.state.internal_licensing_url,
            external_url=None,
            issued=self.now,
            signing_key=licensor.key,
            mode=licensor.mode,
        )
        return (signed, *licensor.chain)

    def acquire_license(self, rac_chain: Sequence[str], license_chain: Sequence[str]) -> tuple[str, ...]:
        self.calls.append("AcquireLicense")
        rac, license_ = RightsAccountCertificate.read(rac_chain[0]), PublishingLicense.read(license_chain[0])
        license_.verify()
        content = self._open(license_)
        rights = self._granted(rac.email, license_, content)
        if not rights:
            raise ServiceFaultError("NoRightsForRequestedPrincipalException", "You were granted no rights.")
        licensor = self.servers.licensor
        text = write_use_license(
            license_id=Guid("11111111-2222-4333-8444-555555555555"),
            issuer_inner=licensor.certificate.issuer_inner_surface,
            licensee=rac.principal,
            referral=None,
            work_object=license_.work_object,
            metadata=license_.metadata,
            revocation=license_.revocation,
            rights=rights,
            payload=content.payload,
            session_key=secrets.token_bytes(16),
            policies=self.policies,
            application_data=self.application_data,
            issued=self.now,
            signing_key=licensor.key,
            mode=licensor.mode,
        )
        return (text, *licensor.chain)

    def acquire_template_information(self) -> tuple[TemplateHash, ...]:
        self.calls.append("AcquireTemplateInformation")
        return tuple(TemplateHash(t.guid.braced.upper(), t.hash_text) for t in self.templates)

    def acquire_templates(self, guids: Sequence[str]) -> tuple[str, ...]:
        self.calls.append(f"AcquireTemplates {len(guids)}")
        return tuple(t.text for t in self.templates if t.guid.braced.upper() in guids)

    def _open(self, license_: PublishingLicense) -> ContentKey:
        opened = open_enabling_bits(
            license_.enabling_bits, self.servers.licensor.key, license_.hashed_texts, secrets.token_bytes(16)
        )
        return ContentKey.of_payload(opened.payload)

    def _granted(self, email: str, license_: PublishingLicense, content: ContentKey) -> list[UseRight]:
        data = RightsData.read(content.decrypt_text(license_.encrypted_rights))
        if license_.owner and license_.owner.email == email:
            return [UseRight(OWNER, False, data.preconditions)]
        return [
            UseRight(r.name, r.as_element, r.conditions)
            for r in data.rights
            if r.grantee.is_anyone or r.grantee.email == email
        ]


def machine(name: str = "laptop", cluster: Cluster = CLUSTER) -> Machine:
    made = cluster.machine(name)
    return Machine(made.key, made.chain)


def account(email: str, cluster: Cluster = CLUSTER) -> Account:
    own = machine(cluster=cluster)
    services = MemoryServices(email, cluster, cluster.servers)
    trust = ClusterTrust(cluster.servers.root.public, cluster.servers.licensor.key.public)
    return open_account(services.certify(own.chain), own, trust, NOW)


def licensor(of: Account) -> Licensor:
    return open_licensor(MemoryServices(of.email).get_client_licensor_certificate(of.chain), of, TRUST)


def fill_store(folder: Path, email: str, validity: TimeRange | None = None) -> Profile:
    """A store as `rmsclient bootstrap` leaves it."""
    store, own = Store(folder), machine()
    services = MemoryServices(email, validity=validity)
    rac_chain = services.certify(own.chain)
    store.write_machine(own.key, own.chain)
    store.write_chain("rac", rac_chain)
    person = open_account(rac_chain, own, TRUST, NOW)
    clc = licensor(person)
    store.write_chain("clc", clc.chain)
    locations = ServiceLocations.below("https://rms.example.com/_wmcs")
    settings = Settings("https://rms.example.com/_wmcs", email, locations, TRUST)
    store.write_settings(settings)
    return Profile(settings, own, person, clc)
