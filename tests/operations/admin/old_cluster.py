"""A cluster with a chain like those of real ones: authorities that ended in 2014, an SLC of 2011 that issues until 2255."""

from __future__ import annotations

import datetime as dt
import functools

from rmsserver.operations.admin.publishing_domain_file import PublishingDomain
from rmsserver.state import Licensor
from rmsserver.xrml.issuing import (
    IssuingCertificate,
    IssuingKind,
    authority_object_xml,
    issuer_xml,
    server_object_xml,
    write_issuing_certificate,
)
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.rights import Right
from rmsserver.xrml.template import LocalizedName, RightsTemplate, write_rights_template
from rmsserver.xrml.values import TimeRange
from tests.cluster import grantee, guid, key

HOST = "rms.old.example"
_START = dt.datetime(2002, 12, 5, 1, 7, tzinfo=dt.UTC)
_ENDED = dt.datetime(2014, 1, 20, 23, 59, tzinfo=dt.UTC)
_FAR = dt.datetime(2255, 4, 18, 16, 50, tzinfo=dt.UTC)
_CERTIFIED = dt.datetime(2005, 6, 16, 23, 59, tzinfo=dt.UTC)
_INSTALLED = dt.datetime(2011, 3, 1, 8, 0, tzinfo=dt.UTC)


@functools.cache
def old_licensor(mode: CryptoMode = CryptoMode.MODE_1, *, until: dt.datetime = _FAR) -> Licensor:
    """SLC, Enrollment Service, Enrollment CA and CA under a root that is nowhere else."""
    names = [f"Old Production {role}" for role in ("Root", "CA", "Server Enrollment CA")]
    root, ca = key("old root", 2048), key("old ca", 2048)
    enrollment, service, slc = (key(f"old {role} {mode}", mode.rsa_bits) for role in ("enrollment", "service", "slc"))
    top = _write(
        mode,
        IssuingKind.AUTHORITY,
        issuer_xml(authority_object_xml(names[0]), root.public),
        authority_object_xml(names[1]),
        ca,
        root,
        _CERTIFIED,
        _ENDED,
    )
    middle = _under(
        mode, top, IssuingKind.AUTHORITY, authority_object_xml(names[2]), enrollment, ca, _CERTIFIED, _ENDED
    )
    own = server_object_xml(guid("old service"), "Microsoft DRM Server Self Enrollment Service", None)
    issuing = _under(mode, middle, IssuingKind.SERVER, own, service, enrollment, _CERTIFIED, _FAR)
    server = server_object_xml(guid("old server"), "OLD-RMS", f"HTTP://{HOST}/_wmcs")
    leaf = _under(mode, issuing, IssuingKind.SERVER, server, slc, service, _INSTALLED, until)
    return Licensor(leaf, tuple(c.text for c in (leaf, issuing, middle, top)), slc)


def old_template(licensor: Licensor) -> RightsTemplate:
    return RightsTemplate.read(
        write_rights_template(
            template_id=guid("old template"),
            names=(LocalizedName(1033, "Old", "Of the old cluster"),),
            issuer_object_and_key=licensor.certificate.principal.object_and_key_surface,
            licensing_url=f"http://licensing.{HOST}/_wmcs/licensing",
            rights_request_url="mailto:rights@old.example",
            rights=(Right.of("VIEW", grantee("reader@example.com")),),
            issued=_INSTALLED,
            signing_key=licensor.key,
            mode=licensor.mode,
        )
    )


def old_file(mode: CryptoMode = CryptoMode.MODE_1, *, until: dt.datetime = _FAR) -> PublishingDomain:
    """What its exported file holds."""
    licensor = old_licensor(mode, until=until)
    return PublishingDomain(licensor.chain, (old_template(licensor).text,), licensor.key, guid("old server").braced)


def _under(
    mode: CryptoMode,
    parent: IssuingCertificate,
    kind: IssuingKind,
    object_: str,
    own: PrivateKey,
    signer: PrivateKey,
    issued: dt.datetime,
    end: dt.datetime,
) -> IssuingCertificate:
    return _write(mode, kind, parent.issuer_inner_surface, object_, own, signer, issued, end)


def _write(
    mode: CryptoMode,
    kind: IssuingKind,
    issuer: str,
    object_: str,
    own: PrivateKey,
    signer: PrivateKey,
    issued: dt.datetime,
    end: dt.datetime,
) -> IssuingCertificate:
    text = write_issuing_certificate(
        kind=kind,
        certificate_id=guid(object_),
        issuer_inner=issuer,
        principal_object=object_,
        principal_key=own.public,
        issued=issued,
        issuance=TimeRange(_START, end),
        signing_key=signer,
        mode=mode,
    )
    return IssuingCertificate.read(text)
