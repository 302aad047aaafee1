"""What can be told of a protected file without opening it: licence, chain, and who would be asked what. Pure.

Rights stand encrypted to the server; they are shown where the file holds the owner's licence for this
account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rmsserver.client.account import Account
from rmsserver.client.consume import Licenses, find_owner_license
from rmsserver.client.pfile import PFile
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.clc import EXTERNAL_POINT, INTERNAL_POINT
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import SERVER
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.report import Verdict, inspect
from rmsserver.xrml.rights import Right, RightsData
from rmsserver.xrml.template import parse_names
from rmsserver.xrml.values import format_time


@dataclass(frozen=True)
class GrantReport:
    who: str
    rights: tuple[str, ...]
    until: str | None


@dataclass(frozen=True)
class FileReport:
    """Everything `rmsclient info` shows. Texts out of the file are not to be trusted before `chain` says
    so."""

    format: str
    extension: str
    original_bytes: int | None
    encrypted_bytes: int
    metadata_bytes: int
    issuer: str
    published: str
    """"offline" by an author's certificate, "online" by a server."""
    issued: str
    valid_until: str | None
    owner: str
    policy_names: tuple[str, ...]
    server: str
    licensing_urls: dict[str, str]
    rights: tuple[GrantReport, ...] | None
    """None where this client cannot see them."""
    owner_license: bool
    chain: tuple[Verdict, ...]
    requests: tuple[str, ...]
    """What opening would ask of which server, in words."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def inspect_file(
    pfile: PFile,
    trust: ClusterTrust | None = None,
    account: Account | None = None,
    licensing: tuple[str, ...] = (),
) -> FileReport:
    """`trust`, `account` and `licensing` (addresses of the own cluster) are None and empty where nothing is
    set up.

    Raises PFileError where there is no publishing licence to tell of.
    """
    licenses = Licenses.read(pfile.license_text)
    license_ = licenses.publishing
    content = None
    if trust is not None and account is not None:
        content = find_owner_license(licenses, account, trust)
    rights = None if content is None else _rights(license_, content.content_key.decrypt_text)
    anchors = {} if trust is None else {trust.root.id: trust.root, trust.server.id: trust.server}
    urls = _licensing_urls(license_)
    return FileReport(
        format=f"PFile {pfile.version}",
        extension=pfile.extension,
        original_bytes=pfile.original_bytes,
        encrypted_bytes=pfile.content.length,
        metadata_bytes=len(pfile.metadata),
        issuer=license_.issuer.object.name or license_.issuer.object.id,
        published="online" if license_.issuer.object.type == SERVER else "offline",
        issued=format_time(license_.issued_time),
        valid_until=None if license_.validity is None else format_time(license_.validity.end),
        owner=license_.owner.email if license_.owner else "",
        policy_names=_policy_names(license_),
        server=license_.principal.object.name or license_.principal.object.id,
        licensing_urls=urls,
        rights=rights,
        owner_license=content is not None,
        chain=tuple(inspect(licenses.documents, anchors)),
        requests=_requests(license_, urls, trust, account, licensing, offline=content is not None),
    )


def _licensing_urls(license_: PublishingLicense) -> dict[str, str]:
    urls = license_.acquisition_urls()
    names = (("intranet", INTERNAL_POINT[0]), ("extranet", EXTERNAL_POINT[0]))
    return {name: urls[type_] for name, type_ in names if type_ in urls}


def _policy_names(license_: PublishingLicense) -> tuple[str, ...]:
    text = license_.descriptor.name if license_.descriptor else None
    return tuple(name.name for name in parse_names(text or ""))


def _rights(license_: PublishingLicense, decrypt: Any) -> tuple[GrantReport, ...] | None:
    try:
        data = RightsData.read(decrypt(license_.encrypted_rights))
    except XrmlError:
        return None
    grouped: dict[tuple[str, str | None], list[str]] = {}
    for right in data.rights:
        grouped.setdefault((_who(right), _until(right)), []).append(right.name.upper())
    return tuple(GrantReport(who, tuple(dict.fromkeys(names)), until) for (who, until), names in grouped.items())


def _who(right: Right) -> str:
    if right.grantee.is_owner:
        return "the owner"
    return "anyone" if right.grantee.is_anyone else right.grantee.email or right.grantee.id


def _until(right: Right) -> str | None:
    span, days = right.conditions.span, right.conditions.days
    parts = ([format_time(span.end)] if span else []) + ([f"{days} days after each licence"] if days else [])
    return ", ".join(parts) or None


def _requests(
    license_: PublishingLicense,
    urls: Mapping[str, str],
    trust: ClusterTrust | None,
    account: Account | None,
    licensing: tuple[str, ...],
    *,
    offline: bool,
) -> tuple[str, ...]:
    named = ", ".join(urls.values()) or "no address"
    if offline:
        return ("none: the owner's licence in the file opens it",)
    if trust is None or account is None:
        return (f"AcquireLicense at the server the file names ({named}), once this client is set up for it",)
    where = licensing[0] if licensing else "the own cluster"
    own = license_.principal.key == trust.licensing
    note = "" if own else "; the file is sealed to another server, and only one that took over its key can answer"
    return (f"AcquireLicense at {where}/license.asmx for {account.email}{note}",)
