"""Files that clusters of ours exchange: XML under an enveloped XML signature of the cluster's management certificate.

The certificate is self-signed, so it proves nothing by itself: whoever imports compares its SHA-256 fingerprint with what the
other administrator says. `signxml` makes and verifies the signature (decision 1); what is read afterwards is what it says was
signed, never the tree it was given (threat XW).
"""

from __future__ import annotations

import datetime as dt
import hmac
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.imported_xml import local_name, read_xml

NAMESPACE = "urn:rmsserver:exchange:1"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_KEY_BITS = 3072
_LIFETIME = dt.timedelta(days=50 * 365)
_EXPECTED = SignatureConfiguration(
    require_x509=True,
    location="./",
    expect_references=1,
    signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
)


@dataclass(frozen=True)
class ManagementIdentity:
    """The management certificate (PEM) and its private key (PKCS#8 DER)."""

    certificate: bytes
    key: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the DER certificate, 64 hexadecimal digits."""
        return _fingerprint(x509.load_pem_x509_certificate(self.certificate))


@dataclass(frozen=True)
class SignedExport:
    """A verified file: `root` is the element that was signed. Trust in `fingerprint` is the operator's."""

    root: etree._Element = field(repr=False)
    fingerprint: str


def make_management_identity(name: str, now: dt.datetime) -> ManagementIdentity:
    """A new self-signed certificate; `name` says whose it is, for people."""
    key = rsa.generate_private_key(65537, _KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"rmsserver {name}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return ManagementIdentity(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def sign_export(root: etree._Element, identity: ManagementIdentity) -> bytes:
    """The file: `root` (in `NAMESPACE`) with the signature as its last child."""
    key = serialization.load_der_private_key(identity.key, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise OperatorError("the management key is damaged: restore the certificates from a backup")
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    signed = signer.sign(root, key=key, cert=[x509.load_pem_x509_certificate(identity.certificate)])
    return etree.tostring(signed, xml_declaration=True, encoding="utf-8")


def is_signed_export(data: bytes) -> bool:
    """Does it say of itself that it is one? Everything else is treated as a file of the product."""
    return NAMESPACE.encode() in data[:4_096]


def read_signed_export(data: bytes, name: str, what: str) -> SignedExport:
    """Verify a file whose root is `name` with the certificate it carries. Raises OperatorError."""
    tree = read_xml(data, what)
    certificate = _certificate(tree, what)
    try:
        signed = XMLVerifier().verify(tree, x509_cert=certificate, expect_config=_EXPECTED)
    except (SignXMLException, ValueError, etree.LxmlError):
        raise OperatorError(f"the signature of {what} does not hold: it was altered, or damaged on the way") from None
    root = None if isinstance(signed, list) else signed.signed_xml
    if root is None or root.tag != f"{{{NAMESPACE}}}{name}":
        raise OperatorError(f"{what} is not a {name} of a cluster like this: check that it is the right file")
    return SignedExport(root, _fingerprint(certificate))


def check_fingerprint(found: str, expected: str) -> None:
    """Compare what an operator typed, in any letter case, with colons or blanks. Raises OperatorError."""
    typed = "".join(c for c in expected.lower() if c not in ": -")
    if not hmac.compare_digest(typed.encode(), found.encode()):
        raise OperatorError(f"the file's fingerprint is {found}, not the one given: ask its sender which is right")


def add_text(parent: etree._Element, name: str, text: str) -> None:
    """A child in our namespace with text; XrML stands in it escaped, character for character."""
    try:
        etree.SubElement(parent, f"{{{NAMESPACE}}}{name}").text = text
    except ValueError:
        raise OperatorError(f"{name} holds characters that XML cannot: nothing was written") from None


def new_root(tag: str, /, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{NAMESPACE}}}{tag}", attributes, nsmap={None: NAMESPACE})


def _certificate(tree: etree._Element, what: str) -> x509.Certificate:
    """The one certificate of the signature that is a child of the root."""
    signatures = [child for child in tree if child.tag == f"{{{_DSIG}}}Signature"]
    found = [e for s in signatures for e in s.iter() if local_name(e) == "X509Certificate"]
    if len(signatures) != 1 or len(found) != 1:
        raise OperatorError(f"{what} is not signed with exactly one certificate: check that it is the right file")
    try:
        text = "".join((found[0].text or "").split())
        pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
    except ValueError:
        raise OperatorError(f"the certificate of {what} cannot be read: it was damaged on the way") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise OperatorError(f"the certificate of {what} has a weak key: nothing was imported")
    return certificate


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()
