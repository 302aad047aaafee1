"""What is in a backup, signed by the cluster's management certificate: names, sizes, digests, and whose it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.foreign_chains import name_of
from rmsserver.operations.admin.imported_xml import children
from rmsserver.operations.admin.signed_exports import (
    NAMESPACE,
    ManagementIdentity,
    new_root,
    read_signed_export,
    sign_export,
)
from rmsserver.state import ServerState

ROOT = "BackupManifest"
MAX_FILES = 10_000
_WHAT = "the backup's manifest"


@dataclass(frozen=True)
class BackupFile:
    """`digest` is SHA-256, in hexadecimal digits."""

    size: int
    digest: str


@dataclass(frozen=True)
class BackupManifest:
    cluster: str
    created: str
    files: Mapping[str, BackupFile]
    fingerprint: str


def write_manifest(
    state: ServerState, files: Mapping[str, BackupFile], identity: ManagementIdentity, now: dt.datetime
) -> bytes:
    """The signed manifest of these files."""
    root = new_root(
        ROOT,
        cluster=name_of(state.licensor.certificate),
        key=state.licensor.key.public.id.hex(),
        created=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    for name, file in sorted(files.items()):
        attributes = {"name": name, "size": str(file.size), "sha256": file.digest}
        etree.SubElement(root, f"{{{NAMESPACE}}}File", attributes)
    return sign_export(root, identity)


def read_manifest(data: bytes) -> BackupManifest:
    """Raises OperatorError."""
    export = read_signed_export(data, ROOT, _WHAT)
    listed = children(export.root, "File")
    try:
        files = {f.attrib["name"]: BackupFile(int(f.attrib["size"]), f.attrib["sha256"]) for f in listed}
        manifest = BackupManifest(
            export.root.attrib["cluster"], export.root.attrib["created"], files, export.fingerprint
        )
    except (KeyError, ValueError):
        raise OperatorError(f"{_WHAT} is not complete: use another copy of the backup") from None
    if len(files) != len(listed) or len(files) > MAX_FILES:
        raise OperatorError(f"{_WHAT} names a file twice, or too many: use another copy of the backup")
    return manifest
