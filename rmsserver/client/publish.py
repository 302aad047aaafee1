"""Publishing: from grants or a template to a publishing licence, offline and online ([MS-RMPR] 3.8.4.3,
3.8.4.4).

Offline the client signs with its licensor key and adds a use licence for the owner, so that she opens her
own file without asking anybody. Online the server signs, and the owner asks like everybody else.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rmsserver.client.account import Account, Licensor
from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import ClientError, PFileError, ServerAnswerError, TrustError
from rmsserver.client.machine import CLIENT_VERSION
from rmsserver.client.output import atomic_output
from rmsserver.client.pfile import MAGIC, PFileDraft, PFileVersion, Progress, write_pfile
from rmsserver.client.services import Services
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.clc import acquisition_points_xml
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.license import PublishingLicense, write_publishing_license
from rmsserver.xrml.principal import level_xml, object_xml
from rmsserver.xrml.rights import (
    ANYONE,
    NO_CONDITIONS,
    OWNER,
    THE_OWNER,
    Grantee,
    Right,
    TimeConditions,
    owner_metadata_xml,
    referral_xml,
    write_rights_data,
)
from rmsserver.xrml.signature import SignatureStyle
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.use_license import OWNER_RIGHT, write_use_license
from rmsserver.xrml.values import Guid, TimeRange

_EMAIL = re.compile(r"[^\s@,=<>\"]{1,200}@[^\s@,=<>\"]{1,200}\Z")
_RIGHT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


class GrantError(ClientError):
    """A grant that says nothing a licence could."""


@dataclass(frozen=True)
class Grant:
    """Rights for one person, group, or everyone."""

    grantee: Grantee
    rights: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Grant:
        """From `reader@example.com=VIEW,PRINT` or `anyone=VIEW`. Raises GrantError."""
        who, equals, what = text.partition("=")
        who, rights = who.strip(), tuple(dict.fromkeys(r.strip().upper() for r in what.split(",")))
        if not equals or not all(map(_RIGHT.match, rights)):
            raise GrantError(f"{text!r} is not a grant; write, for example, reader@example.com=VIEW,PRINT.")
        if who.lower() == "anyone":
            return cls(ANYONE, rights)
        if not _EMAIL.match(who):
            raise GrantError(f"{who!r} is not an e-mail address; write, for example, reader@example.com=VIEW.")
        return cls(Grantee("Unspecified", "", who), rights)


@dataclass(frozen=True)
class UsagePolicy:
    """What a licence shall say: the rights data in clear text, and what of it stands outside."""

    work_id: Guid
    rights_data: str = field(repr=False)
    descriptor: str = ""
    """The OBJECT inside DESCRIPTOR; "" leaves it out, as most genuine clients do (wire facts 8)."""


def policy_of_grants(owner: str, grants: Iterable[Grant], now: dt.datetime, until: dt.datetime | None) -> UsagePolicy:
    """Rights that an author names. `owner` is her e-mail address; she keeps every right. Raises
    GrantError."""
    if until is not None and until <= now:
        raise GrantError("The rights would have expired already; name a later time.")
    conditions = NO_CONDITIONS if until is None else TimeConditions(TimeRange(now, until))
    rights = [Right.of(name, grant.grantee, conditions) for grant in grants for name in grant.rights]
    work_id = Guid(uuid.uuid4())
    text = write_rights_data(
        work_id=work_id,
        owner_email=owner,
        rights=[Right.of(OWNER, THE_OWNER), *rights],
        issued=now,
        referral=referral_xml(owner, f"mailto:{owner}"),
    )
    return UsagePolicy(work_id, text)


def policy_of_template(template: RightsTemplate) -> UsagePolicy:
    """An administrator's policy: the signed template goes into the licence verbatim (2.2.9.8, 3.8.4.3)."""
    descriptor = template.body.one("DESCRIPTOR").one("OBJECT").surface
    return UsagePolicy(Guid(uuid.uuid4()), template.text, descriptor)


def new_content_key(cipher: ContentCipher, bits: int = 256) -> ContentKey:
    """A fresh content key of 128 or 256 bits that names its cipher."""
    return ContentKey.build(secrets.token_bytes(bits // 8), cipher)


def publish_offline(
    policy: UsagePolicy, content: ContentKey, account: Account, licensor: Licensor, now: dt.datetime
) -> tuple[str, ...]:
    """Sign with the licensor key: PL, CLC, then the owner's use licence with its whole chain (wire facts 5).

    Raises TrustError where the licensor certificate does not cover the present.
    """
    clc = licensor.clc
    if now not in clc.issuance:
        raise TrustError("Your licensor certificate is not valid now; run rmsclient bootstrap again.")
    issuer = clc.principal.object_and_key_surface + level_xml("SDK", CLIENT_VERSION)
    work, metadata = object_xml("", "MS-GUID", policy.work_id.braced), owner_metadata_xml(account.email)
    license_ = write_publishing_license(
        descriptor=policy.descriptor,
        issuer_inner=issuer,
        server=clc.issuer,
        payload=content.payload,
        session_key=secrets.token_bytes(16),
        acquisition_points="".join(point.surface for point in clc.body.all("DISTRIBUTIONPOINT")),
        referral=referral_xml(account.email, f"mailto:{account.email}"),
        work=work + metadata,
        encrypted_rights=content.encrypt_text(policy.rights_data),
        issued=now,
        mode=clc.mode,
        signing_key=licensor.key,
    )
    owner_license = write_use_license(
        license_id=Guid(uuid.uuid4()),
        issuer_inner=issuer,
        licensee=account.rac.principal,
        referral=None,
        work_object=work,
        metadata=metadata,
        revocation="",
        rights=[OWNER_RIGHT],
        payload=content.payload,
        session_key=secrets.token_bytes(16),
        issued=now,
        signing_key=licensor.key,
        mode=clc.mode,
        style=SignatureStyle.CLIENT,
    )
    return (license_, licensor.chain[0], owner_license, *licensor.chain)


def publish_online(
    policy: UsagePolicy,
    content: ContentKey,
    owner: str,
    services: Services,
    trust: ClusterTrust,
    licensing_url: str,
    now: dt.datetime,
) -> tuple[str, ...]:
    """Have the server sign: PL and the server's chain (3.8.4.3). Raises TrustError or what the services
    raise."""
    chain = services.get_licensing_certificate()
    if ClusterTrust.pin(chain, trust.root).server != trust.licensing:
        raise TrustError("The server has a new certificate; run rmsclient bootstrap again.")
    server = IssuingCertificate.read(chain[0])
    unsigned = write_publishing_license(
        descriptor=policy.descriptor,
        issuer_inner="",
        server=server.principal,
        payload=content.payload,
        session_key=secrets.token_bytes(16),
        acquisition_points=acquisition_points_xml(licensing_url, None),
        referral=referral_xml(owner, f"mailto:{owner}"),
        work=object_xml("", "MS-GUID", policy.work_id.braced) + owner_metadata_xml(owner),
        encrypted_rights=content.encrypt_text(policy.rights_data),
        issued=now,
        mode=trust.mode,
        signing_key=None,
    )
    signed = services.acquire_issuance_license(unsigned)
    _check_signed(signed, unsigned, trust)
    return signed


def _check_signed(signed: Sequence[str], unsigned: str, trust: ClusterTrust) -> None:
    """The server signed what we sent: same rights, same work, its own key as licensor. Raises TrustError."""
    try:
        sent = PublishingLicense.read(unsigned, signed=False)
        got = PublishingLicense.read(signed[0])
    except XrmlError:
        raise ServerAnswerError("The server answered with something else than a publishing licence.") from None
    trust.close(got, signed[1:], "The publishing licence")
    if (got.encrypted_rights, got.work_object) != (sent.encrypted_rights, sent.work_object):
        raise TrustError("The server signed another policy than it was sent.")
    if not got.addressed_to(sent.principal):
        raise TrustError("The server sealed the licence to another key than its own.")


_OWN_EXTENSIONS = frozenset(
    {".txt", ".xml", ".jpg", ".jpeg", ".jpe", ".jfif", ".jt", ".pdf", ".png", ".tif", ".tiff", ".bmp", ".gif"}
)


def protected_name(source: Path) -> Path:
    """Where a protected copy goes, named as other clients name it: `a.txt` to `a.ptxt`, others get `.pfile`
    added."""
    if source.suffix.lower() in _OWN_EXTENSIONS:
        return source.with_suffix(f".p{source.suffix[1:]}")
    return source.with_name(source.name + ".pfile")


@dataclass(frozen=True)
class Wrapping:
    """How a file is wrapped: container version, content cipher, key length in bits."""

    version: PFileVersion = PFileVersion.V2_1
    cipher: ContentCipher = ContentCipher.CBC4K
    key_bits: int = 256


def protect_file(
    source: Path,
    target: Path,
    wrapping: Wrapping,
    publish: Callable[[ContentKey], tuple[str, ...]],
    *,
    overwrite: bool = False,
    progress: Progress = lambda _bytes: None,
) -> int:
    """Write `source` protected to `target`: whole or not at all. Returns the content's size in bytes.

    `publish` makes the licences for a content key. Raises ClientError or OSError where `source` cannot be
    read.
    """
    content = new_content_key(wrapping.cipher, wrapping.key_bits)
    with source.open("rb") as stream, atomic_output(target, overwrite=overwrite) as output:
        if stream.read(len(MAGIC)) == MAGIC:
            raise PFileError(f"{source} is protected already; open it first, or protect another file.")
        stream.seek(0)
        draft = PFileDraft(wrapping.version, source.suffix, "".join(publish(content)))
        return write_pfile(output, draft, wrapping.cipher, content.key, stream, progress)
