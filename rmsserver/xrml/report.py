"""What an inspector wants to know of documents: kind, names, and three verdicts for each (`rmsserver xrml verify`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from rmsserver.xrml.clc import LICENSOR_CERTIFICATE, ClientLicensorCertificate
from rmsserver.xrml.document import LICENSE, OFFICIAL_TEMPLATE, RIGHTS_DATA, RIGHTS_LABEL, Document
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import KeyId, PublicKey
from rmsserver.xrml.principal import Principal
from rmsserver.xrml.rac import ACCOUNT_CERTIFICATE
from rmsserver.xrml.spc import MACHINE_CERTIFICATE
from rmsserver.xrml.use_license import CONTENT_LICENSE

_BY_BODY = {
    RIGHTS_LABEL: "publishing licence",
    RIGHTS_DATA: "rights data",
    OFFICIAL_TEMPLATE: "rights policy template",
}
_BY_DESCRIPTOR = {
    MACHINE_CERTIFICATE: "security processor certificate",
    ACCOUNT_CERTIFICATE: "rights account certificate",
    LICENSOR_CERTIFICATE: "client licensor certificate",
    CONTENT_LICENSE: "use licence",
}
_BY_ISSUING = {
    IssuingKind.SERVER: "server licensor certificate",
    IssuingKind.AUTHORITY: "CA certificate",
    IssuingKind.PROCESSOR_AUTHORITY: "security processor CA certificate",
    IssuingKind.PROCESSOR_ISSUER: "SPC issuer certificate",
}


@dataclass(frozen=True)
class Verdict:
    """One document's report. `signature` and `link` are "ok", "none" or what is wrong; `trust` is "ok" or "unknown".

    `link` tells whether a document in the same file issued this one: "ok", "root" where the issuer is a trust anchor,
    "none" where nothing in the file did, else what is wrong.
    """

    kind: str
    issuer: str
    subject: str
    mode: str
    signature: str
    link: str
    trust: str

    @property
    def wrong(self) -> bool:
        """A signature or a link that is there but does not hold."""
        return self.signature not in ("ok", "none") or self.link not in ("ok", "root", "none")


def kind_of(document: Document) -> str:
    """The kind in words; "document" where it is none of [MS-RMPR] 2.2.9."""
    if document.body_type != LICENSE:
        return _BY_BODY.get(document.body_type, "document")
    try:
        descriptor = document.descriptor
        if descriptor is not None and descriptor.type in _BY_DESCRIPTOR:
            return _BY_DESCRIPTOR[descriptor.type]
        if descriptor is not None:
            return _BY_ISSUING[IssuingKind((descriptor.type, document.principal.object.type))]
        return "use licence" if document.body.find("WORK") is not None else "document"
    except (XrmlError, ValueError):
        return "document"


def inspect(texts: Sequence[str], anchors: Mapping[KeyId, PublicKey]) -> list[Verdict]:
    """A verdict for each document of a file, in order."""
    documents: list[Document | XrmlError] = [_read(text) for text in texts]
    readable = [d for d in documents if isinstance(d, Document)]
    parents = [p for d in readable if (p := _as_parent(d)) is not None]
    return [
        Verdict("unreadable", "", "", "", str(d), "none", "unknown")
        if isinstance(d, XrmlError)
        else _verdict(d, parents, anchors)
        for d in documents
    ]


def _read(text: str) -> Document | XrmlError:
    try:
        return Document.read(text)
    except XrmlError as error:
        return error


def _as_parent(document: Document) -> IssuingCertificate | ClientLicensorCertificate | None:
    for kind in (IssuingCertificate, ClientLicensorCertificate):
        try:
            return kind.read(document.text)
        except XrmlError:
            continue
    return None


def _verdict(
    document: Document,
    parents: Sequence[IssuingCertificate | ClientLicensorCertificate],
    anchors: Mapping[KeyId, PublicKey],
) -> Verdict:
    signature = "none" if document.signature is None else _outcome(document.verify)
    link, trusted = _follow(document, parents, anchors, depth=0)
    return Verdict(
        kind_of(document),
        _name(document, "ISSUER"),
        _name(document, "ISSUEDPRINCIPALS"),
        f"mode {document.mode.value}" if document.signature else "unsigned",
        signature,
        link,
        "ok" if trusted and signature == "ok" and link in ("ok", "root") else "unknown",
    )


def _follow(
    document: Document,
    parents: Sequence[IssuingCertificate | ClientLicensorCertificate],
    anchors: Mapping[KeyId, PublicKey],
    depth: int,
) -> tuple[str, bool]:
    """The link verdict, and whether following links reaches an anchor."""
    try:
        key = document.issuer.public_key
    except XrmlError:
        return "none", False
    if document.signature is None:
        return "none", False
    if key.id in anchors:
        return "root", True
    for parent in parents:
        if parent.principal.public_key == key and parent.text != document.text:
            check = partial(parent.issued, document) if isinstance(parent, IssuingCertificate) else document.verify
            outcome = _outcome(check)
            if outcome != "ok":
                return outcome, False
            reached = depth < 10 and _follow(parent, parents, anchors, depth + 1)[1]
            return "ok", reached
    return "none", False


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except XrmlError as error:
        return str(error)
    return "ok"


def _name(document: Document, where: str) -> str:
    try:
        who: Principal = document.issuer if where == "ISSUER" else document.principal
    except XrmlError:
        return ""
    return who.object.name or who.object.id
