"""Templates in files: packages that clusters of ours exchange, signed, and the bare XrML that the product writes.

Whoever imports signs the templates anew, so what a file says is only what its administrator would have typed. The signature
of a package says whose it is; a bare template says that of itself and nobody vouches for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.imported_xml import children
from rmsserver.operations.admin.signed_exports import (
    ManagementIdentity,
    add_text,
    is_signed_export,
    new_root,
    read_signed_export,
    sign_export,
)
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.template import RightsTemplate

ROOT = "RightsTemplates"
MAX_TEMPLATES = 1_000
_WHAT = "the template file"


@dataclass(frozen=True)
class OfferedTemplates:
    """What a file holds; each template's own signature holds. `fingerprint` is None where nobody signed the file."""

    templates: tuple[RightsTemplate, ...]
    fingerprint: str | None


def write_package(templates: Iterable[RightsTemplate], identity: ManagementIdentity, now: dt.datetime) -> bytes:
    """A signed package."""
    root = new_root(ROOT, created=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for template in templates:
        add_text(root, "Template", template.text)
    return sign_export(root, identity)


def write_bare(template: RightsTemplate) -> bytes:
    """The template as it is distributed, in the encoding that the product's tools write."""
    return template.text.encode("utf-16")


def read_templates(data: bytes) -> OfferedTemplates:
    """A package of ours, or templates as bare XrML. Raises OperatorError."""
    if is_signed_export(data):
        export = read_signed_export(data, ROOT, _WHAT)
        texts = [element.text or "" for element in children(export.root, "Template")]
        return OfferedTemplates(_read(texts), export.fingerprint)
    try:
        return OfferedTemplates(_read(split_documents(decode_documents(data))), None)
    except XrmlError:
        raise OperatorError(
            f"{_WHAT} is neither a package of a cluster like this nor a rights policy template"
        ) from None


def _read(texts: list[str]) -> tuple[RightsTemplate, ...]:
    if not 1 <= len(texts) <= MAX_TEMPLATES:
        raise OperatorError(f"{_WHAT} holds no template, or too many")
    try:
        templates = tuple(map(RightsTemplate.read, texts))
        for template in templates:
            template.verify()
    except XrmlError as error:
        raise OperatorError(f"a template of the file cannot be used ({error}): ask for it again") from None
    if len({template.guid for template in templates}) != len(templates):
        raise OperatorError(f"{_WHAT} holds one template twice")
    return templates
