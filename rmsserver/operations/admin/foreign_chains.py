"""Checking a server licensor certificate chain that came in a file: form, links, strength; never trust.

A chain that closes proves nothing about who a server is (wire facts 5). Trust in it is the operator's decision, who compares
a fingerprint.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rmsserver.errors import OperatorError
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.values import Guid

MAX_CHAIN = 9
_ABOVE = (IssuingKind.SERVER, IssuingKind.AUTHORITY)


def read_server_chain(texts: Sequence[str], what: str) -> tuple[IssuingCertificate, ...]:
    """The SLC and what stands above it, each link verified with the parent at its position.

    Raises OperatorError, also for keys that others can factor (threat C8).
    """
    if not 1 <= len(texts) <= MAX_CHAIN:
        raise OperatorError(f"{what} has no certificate chain, or too long a one: check that it is the right file")
    try:
        chain = tuple(IssuingCertificate.read(text) for text in texts)
        for child, parent in itertools.pairwise(chain):
            parent.issued(child)
        chain[-1].verify()
        CryptoMode.of_key_bits(chain[0].principal.public_key.bits)
        for certificate in chain:
            certificate.principal.public_key.check_strength()
        _ = Guid.parse(chain[0].principal.object.id)
    except XrmlError as error:
        raise OperatorError(f"{what} holds no certificate chain that can be used: {error}") from None
    slc, *above = chain
    if slc.kind is not IssuingKind.SERVER or any(certificate.kind not in _ABOVE for certificate in above):
        raise OperatorError(
            f"{what} does not begin with a server licensor certificate: check that it is the right file"
        )
    return chain


def name_of(certificate: IssuingCertificate) -> str:
    """What people call a server: its friendly name, else its address, else its GUID; printable, at most 200 characters."""
    object_ = certificate.principal.object
    name = object_.name or object_.address("URL") or object_.id
    return "".join(c if c.isprintable() else "?" for c in name)[:200]
