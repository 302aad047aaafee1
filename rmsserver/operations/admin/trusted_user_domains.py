"""Trusted user domains: telling other clusters who we are, and reading what they say.

A file of ours is signed and may hold several chains, the own SLC's and those of former keys, whose account certificates are
in use for a year after a rollover. The product's file is a bare SLC chain, signed by nobody: it is marked as such, and what
the operator compares then is the fingerprint of the SLC's key.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.foreign_chains import name_of, read_server_chain
from rmsserver.operations.admin.imported_xml import children
from rmsserver.operations.admin.signed_exports import (
    ManagementIdentity,
    add_text,
    is_signed_export,
    new_root,
    read_signed_export,
    sign_export,
)
from rmsserver.state import Licensor, ServerState
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.issuing import IssuingCertificate

ROOT = "TrustedUserDomain"
MAX_CHAINS = 20
_WHAT = "the trusted user domain file"
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[^\s@.\x00-\x1f\x7f]{1,63}(\.[^\s@.\x00-\x1f\x7f]{1,63})*")


@dataclass(frozen=True)
class OfferedUserDomain:
    """What a file offers to trust, checked. `fingerprint` is what the operator has to compare before it counts."""

    name: str
    chains: tuple[tuple[str, ...], ...]
    fingerprint: str
    """Of the management certificate, or of the SLC's key where the file is not signed."""
    signed: bool

    @property
    def certificates(self) -> tuple[IssuingCertificate, ...]:
        """The SLCs."""
        return tuple(IssuingCertificate.read(chain[0]) for chain in self.chains)


def export_user_domain(state: ServerState, identity: ManagementIdentity, now: dt.datetime) -> bytes:
    """A signed file with the own SLC chain, and those of former own keys."""
    root = new_root(ROOT, name=name_of(state.licensor.certificate), created=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for licensor in (state.licensor, *state.former_licensors):
        chain = new_root("Chain")
        for text in licensor.chain:
            add_text(chain, "Certificate", text)
        root.append(chain)
    return sign_export(root, identity)


def export_bare_chain(licensor: Licensor) -> bytes:
    """What clusters of the product import: the SLC chain, documents one after the other, without a signature."""
    return "".join(licensor.chain).encode()


def read_user_domain(data: bytes) -> OfferedUserDomain:
    """A file of ours or of the product. Raises OperatorError."""
    if is_signed_export(data):
        return _read_signed(data)
    try:
        texts = tuple(split_documents(decode_documents(data)))
    except XrmlError:
        raise OperatorError(f"{_WHAT} is neither one of a cluster like this nor a certificate chain") from None
    slc = read_server_chain(texts, _WHAT)[0]
    return OfferedUserDomain(name_of(slc), (texts,), slc.principal.public_key.id.hex(), signed=False)


def check_foreign(offered: OfferedUserDomain, state: ServerState) -> None:
    """Nobody imports himself: his own certificates would be restricted. Raises OperatorError."""
    own = {licensor.key.public.id for licensor in (state.licensor, *state.former_licensors)}
    if any(slc.principal.public_key.id in own for slc in offered.certificates):
        raise OperatorError("this file is of this cluster itself, whose account certificates it trusts anyway")


def email_domains(given: Iterable[str]) -> frozenset[str]:
    """What an operator wrote, in the form state.TrustedUserDomain compares. Raises OperatorError."""
    found = []
    for text in given:
        domain = text.strip().removeprefix("@")
        if not _DOMAIN.fullmatch(domain):
            raise OperatorError(f"{text[:80]!r} is not an e-mail domain: write it like example.com")
        found.append(domain.lower() if domain.isascii() else domain)
    return frozenset(found)


def _read_signed(data: bytes) -> OfferedUserDomain:
    export = read_signed_export(data, ROOT, _WHAT)
    chains = tuple(
        tuple(certificate.text or "" for certificate in children(chain, "Certificate"))
        for chain in children(export.root, "Chain")
    )
    if not 1 <= len(chains) <= MAX_CHAINS:
        raise OperatorError(f"{_WHAT} holds no chain, or too many")
    first = [read_server_chain(chain, _WHAT)[0] for chain in chains]
    return OfferedUserDomain(name_of(first[0]), chains, export.fingerprint, signed=True)
