"""Ending TLS: certificate and key from PEM files, and the channel binding that sign-on can demand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from OpenSSL import SSL, crypto
from twisted.internet import ssl

from rmsserver.errors import OperatorError


@dataclass(frozen=True)
class Tls:
    """What a server that ends TLS itself listens with, and what channel bindings are made of ([RFC5929])."""

    options: Any
    channel_bindings: bytes

    @classmethod
    def load(cls, certificate: Path, key: Path) -> Tls:
        """Read PEM files: the server's certificate first, then intermediates. Raises OperatorError."""
        try:
            chain = x509.load_pem_x509_certificates(certificate.read_bytes())
            private: Any = serialization.load_pem_private_key(key.read_bytes(), None)
            if private.public_key() != chain[0].public_key():
                raise ValueError("the key is not the certificate's")
            options: Any = ssl.CertificateOptions(
                privateKey=crypto.PKey.from_cryptography_key(private),
                certificate=crypto.X509.from_cryptography(chain[0]),
                extraCertChain=[crypto.X509.from_cryptography(extra) for extra in chain[1:]],
                raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
            )
            options.getContext()
        except (OSError, ValueError, TypeError, SSL.Error) as error:
            raise OperatorError(f"tls_certificate, tls_key: {certificate} and {key} cannot be used: {error}") from None
        return cls(options, end_point_binding(chain[0]))


def end_point_binding(certificate: x509.Certificate) -> bytes:
    """`tls-server-end-point`: the hash of the certificate by its own algorithm, SHA-256 where that is MD5 or SHA-1."""
    algorithm = certificate.signature_hash_algorithm
    name = "sha256" if algorithm is None or isinstance(algorithm, hashes.MD5 | hashes.SHA1) else algorithm.name
    der = certificate.public_bytes(serialization.Encoding.DER)
    return b"tls-server-end-point:" + hashlib.new(name, der).digest()
