"""The documents of a new cluster: its own hierarchy and server licensor certificate ([MS-RMPR] 2.2.9.3,
3.1.3).

The cluster enrolls itself under a root of its own. Types of objects and identifiers are the literal strings
of 2.2.9.3, and the Enrollment Service has the name that section demands of a self-enrolled server; every
other name is our own, so that nobody takes this root for Microsoft's. Two chains hang on one root and one CA:
server and machine.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, fields
from urllib.parse import urlsplit

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
from rmsserver.xrml.values import Guid, TimeRange

ROOT = "rmsserver Cluster Root"
CA = "rmsserver Cluster CA"
ENROLLMENT_CA = "rmsserver Server Enrollment CA"
SELF_ENROLLMENT = "Microsoft DRM Server Self Enrollment Service"
"""The literal that 2.2.9.3.3 demands of a self-enrolled server."""
MACHINE_INTERMEDIATE = "rmsserver Machine Activation Server CA"
MACHINE_AUTHORITY = "rmsserver Machine Activation Desktop Security Processor CA"
MACHINE_ISSUER = "rmsserver Desktop Security Processor Activation Certificate"

_BEFORE = dt.timedelta(days=1)
_AFTER = dt.timedelta(days=50 * 365)


@dataclass(frozen=True)
class ClusterKeys:
    """A key pair for each place in the hierarchy. The root's is needed only to sign another CA."""

    root: PrivateKey
    ca: PrivateKey
    enrollment_ca: PrivateKey
    enrollment_service: PrivateKey
    licensor: PrivateKey
    machine_intermediate: PrivateKey
    machine_authority: PrivateKey
    machine_issuer: PrivateKey

    @classmethod
    def make(cls, mode: CryptoMode, take: Callable[[int], PrivateKey]) -> ClusterKeys:
        """Take each from `take(bits)`: authorities have 2048 bits in either mode (2.2.9.3.2), the rest the
        mode's.
        """
        authorities = {"root", "ca", "enrollment_ca", "machine_intermediate"}
        return cls(**{f.name: take(2048 if f.name in authorities else mode.rsa_bits) for f in fields(cls)})


@dataclass(frozen=True)
class ClusterDocuments:
    """Two chains as surface texts, leaf first; neither holds the root, which is the key in the last
    ISSUER.
    """

    licensor_chain: tuple[str, ...]
    """SLC, Enrollment Service, Enrollment CA, CA."""
    machine_chain: tuple[str, ...]
    """SPC issuer, security processor CA, intermediate CA, CA."""


def create_cluster(
    keys: ClusterKeys,
    *,
    guid: Callable[[], Guid],
    base_url: str,
    name: str | None,
    mode: CryptoMode,
    now: dt.datetime,
    server_version: str,
    sku: str,
) -> ClusterDocuments:
    """Write and sign both chains. `base_url` as in ServerState; `name` goes into the SLC where it is
    given.
    """
    writer = _Writer(guid, mode, now)
    root = issuer_xml(authority_object_xml(ROOT), keys.root.public)
    ca = writer.write(IssuingKind.AUTHORITY, root, keys.root, authority_object_xml(CA), keys.ca)
    enrollment_ca = writer.write(
        IssuingKind.AUTHORITY, _inner(ca), keys.ca, authority_object_xml(ENROLLMENT_CA), keys.enrollment_ca
    )
    service = writer.write(
        IssuingKind.SERVER,
        _inner(enrollment_ca),
        keys.enrollment_ca,
        server_object_xml(guid(), SELF_ENROLLMENT, None),
        keys.enrollment_service,
    )
    licensor = writer.write(
        IssuingKind.SERVER,
        _inner(service),
        keys.enrollment_service,
        server_object_xml(guid(), name, licensor_address(base_url)),
        keys.licensor,
        levels=(("Server-Version", server_version), ("Server-SKU", sku)),
    )
    return ClusterDocuments((licensor, service, enrollment_ca, ca), _machine_chain(keys, writer, guid, ca))


def licensor_address(base_url: str) -> str:
    """The ADDRESS of a server's OBJECT: `HTTP` in capitals, as genuine servers write it (wire facts 7)."""
    parts = urlsplit(base_url)
    scheme = "HTTP" if parts.scheme.lower() == "http" else parts.scheme
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _machine_chain(keys: ClusterKeys, writer: _Writer, guid: Callable[[], Guid], ca: str) -> tuple[str, ...]:
    intermediate = writer.write(
        IssuingKind.AUTHORITY,
        _inner(ca),
        keys.ca,
        authority_object_xml(MACHINE_INTERMEDIATE),
        keys.machine_intermediate,
    )
    authority = writer.write(
        IssuingKind.PROCESSOR_AUTHORITY,
        _inner(intermediate),
        keys.machine_intermediate,
        processor_object_xml(guid(), MACHINE_AUTHORITY, type_=PROCESSOR_AUTHORITY),
        keys.machine_authority,
    )
    issuer = writer.write(
        IssuingKind.PROCESSOR_ISSUER,
        _inner(authority),
        keys.machine_authority,
        processor_object_xml(guid(), MACHINE_ISSUER),
        keys.machine_issuer,
    )
    return (issuer, authority, intermediate, ca)


@dataclass(frozen=True)
class _Writer:
    guid: Callable[[], Guid]
    mode: CryptoMode
    now: dt.datetime

    def write(
        self,
        kind: IssuingKind,
        issuer_inner: str,
        issuer_key: PrivateKey,
        principal_object: str,
        principal_key: PrivateKey,
        levels: tuple[tuple[str, str], ...] = (),
    ) -> str:
        return write_issuing_certificate(
            kind=kind,
            certificate_id=self.guid(),
            issuer_inner=issuer_inner,
            principal_object=principal_object,
            principal_key=principal_key.public,
            levels=levels,
            issued=self.now,
            # One range for the whole hierarchy: a self-made root has nothing to gain from an earlier end
            # above.
            issuance=TimeRange(self.now - _BEFORE, self.now + _AFTER),
            signing_key=issuer_key,
            mode=self.mode,
        )


def _inner(certificate: str) -> str:
    return IssuingCertificate.read(certificate).issuer_inner_surface
