"""The cluster's own key over the years: a new range for the same key, a new key, the second cryptographic mode.

Whatever is issued here stands under the store's own hierarchy (create_cluster). A key that was ever the cluster's own is kept
by the store as a former licensor: documents sealed to it open, account certificates signed with it stay trusted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.create_cluster import (
    ClusterDocuments,
    ClusterKeys,
    create_cluster,
    licensor_address,
)
from rmsserver.state import Licensor, ServerState
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.issuing import (
    IssuingCertificate,
    IssuingKind,
    server_object_xml,
    write_issuing_certificate,
)
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.surface import render
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid, TimeRange, format_time

_BEFORE = dt.timedelta(days=1)
_AFTER = dt.timedelta(days=50 * 365)


@dataclass(frozen=True)
class EnrollmentService:
    """The certificate that signs SLCs, with those above it, and its key."""

    chain: tuple[str, ...]
    key: PrivateKey = field(repr=False)

    @property
    def certificate(self) -> IssuingCertificate:
        return IssuingCertificate.read(self.chain[0])


def find_enrollment_service(licensors: Iterable[Licensor], key: PrivateKey) -> EnrollmentService:
    """The chain above one of these SLCs that begins with the certificate of `key`. Raises OperatorError."""
    for licensor in licensors:
        above = licensor.chain[1:]
        if above and IssuingCertificate.read(above[0]).principal.public_key == key.public:
            return EnrollmentService(above, key)
    raise OperatorError(
        "no certificate here belongs to the store's enrollment key: restore the certificates from a backup"
    )


def is_issued_by(licensor: Licensor, service: EnrollmentService) -> bool:
    """Does this SLC stand under the store's own hierarchy? Adopted ones do not."""
    return licensor.certificate.issuer.public_key == service.key.public


def renew_licensor(
    licensor: Licensor, service: EnrollmentService, guid: Callable[[], Guid], now: dt.datetime
) -> tuple[str, ...]:
    """The chain of a new SLC for the same key and principal, with a new range. Raises OperatorError."""
    if not is_issued_by(licensor, service):
        raise OperatorError(
            "the certificate was adopted from another cluster, whose authorities are not here: it cannot be renewed; "
            f"it issues until {licensor.certificate.issuance.end:%Y-%m-%d}"
        )
    principal = licensor.certificate.principal
    object_ = render(principal.element.one("OBJECT"))
    return _server_certificate(object_, licensor.key, principal.levels, service, licensor.mode, guid, now)


def roll_over(
    state: ServerState, service: EnrollmentService, key: PrivateKey, guid: Callable[[], Guid], now: dt.datetime
) -> tuple[str, ...]:
    """The chain of a new SLC for a new key of the same mode: another server in the eyes of documents."""
    object_ = server_object_xml(guid(), state.name or None, licensor_address(state.base_url))
    levels = {"Server-Version": state.server_version, "Server-SKU": state.sku}
    return _server_certificate(object_, key, levels, service, state.cryptographic_mode, guid, now)


def upgrade_mode(
    state: ServerState,
    authorities: Callable[[str], PrivateKey],
    make_key: Callable[[int], PrivateKey],
    guid: Callable[[], Guid],
    now: dt.datetime,
) -> tuple[ClusterDocuments, ClusterKeys]:
    """Both chains anew in mode 2, under the same root and authorities, whose keys have the length already.

    `authorities` gives the store's key of a role. Raises OperatorError where the cluster is in mode 2.
    """
    if state.cryptographic_mode is CryptoMode.MODE_2:
        raise OperatorError("this cluster is in cryptographic mode 2 already")
    kept = {role: authorities(role) for role in ("root", "ca", "enrollment_ca", "machine_intermediate")}
    fresh = (f.name for f in fields(ClusterKeys) if f.name not in kept)
    keys = ClusterKeys(**kept, **{role: make_key(CryptoMode.MODE_2.rsa_bits) for role in fresh})
    documents = create_cluster(
        keys,
        guid=guid,
        base_url=state.base_url,
        name=state.name or None,
        mode=CryptoMode.MODE_2,
        now=now,
        server_version=state.server_version,
        sku=state.sku,
    )
    return documents, keys


def reissue_template(template: RightsTemplate, licensor: Licensor, now: dt.datetime) -> str:
    """The template signed with the own key: the same rights and GUID, so that documents follow it."""
    body, frame = template.body.surface, template.body
    issuer = f"<ISSUER>{licensor.certificate.principal.object_and_key_surface}</ISSUER>"
    for old, new in (
        (frame.one("ISSUER").surface, issuer),
        (frame.one("ISSUEDTIME").surface, f"<ISSUEDTIME>{format_time(now)}</ISSUEDTIME>"),
    ):
        body = body.replace(old, new, 1)
    return signed_document(body, licensor.key, licensor.mode)


def outdated_templates(state: ServerState) -> tuple[RightsTemplate, ...]:
    """Templates that another key than the present one signed: clients refuse those."""
    key = state.licensor.key.public
    everything = (*state.published_templates.values(), *state.archived_templates.values())
    return tuple(template for template in everything if template.issuer.public_key != key)


def _server_certificate(
    object_: str,
    key: PrivateKey,
    levels: Mapping[str, str],
    service: EnrollmentService,
    mode: CryptoMode,
    guid: Callable[[], Guid],
    now: dt.datetime,
) -> tuple[str, ...]:
    issuer = service.certificate
    start, end = issuer.issuance
    if not max(start, issuer.issued_time) <= now < end:
        raise OperatorError(
            f"the enrollment certificate issues from {max(start, issuer.issued_time):%Y-%m-%d %H:%M} until "
            f"{end:%Y-%m-%d %H:%M}, and the clock says {now:%Y-%m-%d %H:%M} UTC: set the clock right"
        )
    text = write_issuing_certificate(
        kind=IssuingKind.SERVER,
        certificate_id=guid(),
        issuer_inner=issuer.issuer_inner_surface,
        principal_object=object_,
        principal_key=key.public,
        levels=tuple(levels.items()),
        issued=now,
        issuance=TimeRange(now - _BEFORE, now + _AFTER),
        signing_key=service.key,
        mode=mode,
    )
    return (text, *service.chain)
