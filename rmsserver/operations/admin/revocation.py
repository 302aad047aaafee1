"""What administrators say about revocation: points that templates name, entries of the cluster's own list."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rmsserver.errors import OperatorError
from rmsserver.state import ServerState
from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import decode_documents, split_documents
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.revocation import RevocationPoint

_AUTHORITY = "External revocation authority"


def foreign_revocation_point(
    url: str, key: PublicKey | None, state: ServerState, interval: dt.timedelta
) -> RevocationPoint:
    """A point at a list that somebody else serves; `key` None: this cluster signs it. The URL is never opened here
    (threat N1). Raises OperatorError.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable() or len(url) > 1_000:
        raise OperatorError(
            f"--revocation: {url[:80]!r} is not a web address, for example https://rms.example.com/list.xml"
        )
    if key is None:
        server = state.licensor.certificate.principal.object
        return RevocationPoint(server.id_type, server.id, url, state.licensor.key.public, interval, state.name)
    return RevocationPoint("ascii-tag", _AUTHORITY, url, key, interval)


def read_signer(data: bytes) -> PublicKey:
    """A public key in PEM, or that of an XrML document's ISSUER (a list that the authority signed). Raises OperatorError."""
    try:
        if b"-----BEGIN" in data:
            key = serialization.load_pem_public_key(data)
            if not isinstance(key, rsa.RSAPublicKey):
                raise ValueError
            der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
            return PublicKey.from_pkcs1(der)
        return Document.read(split_documents(decode_documents(data))[0]).issuer.public_key
    except (ValueError, IndexError, XrmlError):
        raise OperatorError("the key file is neither an RSA public key in PEM nor a signed XrML document") from None
