"""Whom this client believes: the root and the server certificates it was set up with.

Rules of this module:
1. The root key is pinned when the client is set up: out of a bundle file, or from the server's own chain, which then is
   only as sure as the connection it came over.
2. What the cluster signs (account, licensor, use licence, templates) has the pinned server key as its issuer. That its
   chain closes at the root is not enough: machine issuers stand under the same root, and every server of Microsoft's
   hierarchy under one (wire facts 11). Where a licensing-only cluster licenses, its key is pinned too, for all but account
   certificates, and only where the pinned server issued its certificate ([MS-RMPRS] 3.3).
3. A use licence that an author made for herself is issued by a licensor certificate of that author, which is itself issued
   by the pinned server key.
4. A link in a chain is verified with the parent at its position, never with one looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rmsserver.client.errors import TrustError
from rmsserver.xrml.chain import CLC_TOLERANCE, close_server_chain
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import ChainError, SignatureError, XrmlError
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, PublicKey
from rmsserver.xrml.rac import RightsAccountCertificate

_SERVER_KINDS = frozenset({IssuingKind.SERVER, IssuingKind.AUTHORITY})
_OTHER_SERVER = (
    "was issued by another server than the one this client was set up with; "
    "if your cluster has a new certificate, run rmsclient bootstrap again."
)


@dataclass(frozen=True)
class ClusterTrust:
    """The pinned keys of one cluster."""

    root: PublicKey
    server: PublicKey
    """The key of the server licensor certificate."""
    licensor: PublicKey | None = None
    """The key of the licensing-only cluster that licenses instead of `server`; None where there is none."""

    @property
    def licensing(self) -> PublicKey:
        """The key that signs everything but account certificates."""
        return self.licensor or self.server

    @property
    def mode(self) -> CryptoMode:
        """The cryptographic mode of the cluster, by the length of its key."""
        return CryptoMode.of_key_bits(self.server.bits)

    @classmethod
    def pin(cls, chain: Sequence[str], root: PublicKey | None = None) -> ClusterTrust:
        """Trust the server whose certificate chain this is: under `root`, or under its own root where none
        is given.

        Raises TrustError.
        """
        try:
            certificates = _read_issuers(chain)
            slc, *issuers = certificates
            if slc.kind is not IssuingKind.SERVER:
                raise ChainError("it does not begin with a server licensor certificate")
            found = certificates[-1].issuer.public_key
            close_server_chain(slc, issuers, {found.id: found})
            trust = cls(found, slc.principal.public_key)
            _ = trust.mode
        except XrmlError as error:
            raise TrustError(f"The server's certificate chain is not valid: {error}.") from None
        if root is not None and found != root:
            raise TrustError("The server's certificate chain ends at another root than the bundle says.")
        return trust

    def with_licensor(self, chain: Sequence[str]) -> ClusterTrust:
        """The same, where the server that licenses has this chain: our own, or that of a licensing-only cluster under it.

        Raises TrustError.
        """
        found = ClusterTrust.pin(chain, self.root)
        if found.server == self.server:
            return self
        slc = IssuingCertificate.read(chain[0])
        if slc.issuer.public_key != self.server or found.mode is not self.mode:
            raise TrustError("The licensing server is neither the one that certifies nor one enrolled under it.")
        return replace(self, licensor=found.server)

    def close(self, leaf: Document, issuers: Sequence[str], what: str) -> None:
        """Check that the pinned server issued `leaf` and that its chain closes at the root. Raises
        TrustError."""
        try:
            expected = self.server if isinstance(leaf, RightsAccountCertificate) else self.licensing
            if leaf.issuer.public_key != expected:
                raise TrustError(f"{what} {_OTHER_SERVER}")
            close_server_chain(leaf, _read_issuers(issuers), {self.root.id: self.root})
            if leaf.mode is not self.mode:
                raise SignatureError("its hash algorithm is not that of the cluster")
        except XrmlError as error:
            raise TrustError(f"{what} cannot be trusted: {error}.") from None

    def close_leaf(self, leaf: Document, what: str) -> None:
        """The same for a document that comes without a chain: a template. Raises TrustError."""
        try:
            if leaf.issuer.public_key != self.licensing:
                raise TrustError(f"{what} {_OTHER_SERVER}")
            leaf.verify(self.licensing)
        except XrmlError as error:
            raise TrustError(f"{what} cannot be trusted: {error}.") from None

    def close_owner_license(self, leaf: Document, chain: Sequence[str]) -> ClientLicensorCertificate:
        """Check a use licence that an author made: its licensor certificate, then the chain above that.

        `chain` begins with the licensor certificate. Raises TrustError.
        """
        what = "The owner's licence"
        try:
            if not chain:
                raise ChainError("its licensor certificate is missing")
            clc = ClientLicensorCertificate.read(chain[0])
            leaf.verify(clc.principal.public_key)
            if not leaf.issuer.object.same_identity(clc.principal.object):
                raise ChainError("its issuer is not the principal of its licensor certificate")
            if leaf.issued_time not in clc.issuance.widened(CLC_TOLERANCE):
                raise ChainError("it was issued outside the range of its licensor certificate")
        except XrmlError as error:
            raise TrustError(f"{what} cannot be trusted: {error}.") from None
        self.close(clc, chain[1:], "The licensor certificate")
        return clc


def _read_issuers(texts: Sequence[str]) -> list[IssuingCertificate]:
    if not 1 <= len(texts) <= 9:
        raise ChainError("a chain has one to nine certificates")
    certificates = [IssuingCertificate.read(text) for text in texts]
    if not _SERVER_KINDS.issuperset(certificate.kind for certificate in certificates):
        raise ChainError("a machine issuer stands in a server's chain")
    return certificates
