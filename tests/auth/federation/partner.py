"""A federation partner for tests: signs SAML 1.1 tokens with signxml, honest ones and others."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner

from rmsserver.auth.federation.issuer import FederationIssuer
from tests.cluster import NOW

NAME = "urn:federation:partner"
SIGN_IN_URL = "https://sts.partner.example/adfs/ls/"
REALM = "urn:rms:example"
EMAIL = "guest@partner.example"
SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
MINUTE = dt.timedelta(minutes=1)
Claims = tuple[tuple[str, str, tuple[str, ...]], ...]
CLAIMS = "http://schemas.xmlsoap.org/claims"


@functools.cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def certificate(
    key: rsa.RSAPrivateKey,
    *,
    begins: dt.datetime = NOW - dt.timedelta(days=300),
    ends: dt.datetime = NOW + dt.timedelta(days=9_000),
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token signing")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, begins, ends)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())


class _OldSigner(XMLSigner):
    """Signs with SHA-1 too."""

    def check_deprecated_methods(self) -> None:
        pass


@dataclass(frozen=True)
class Partner:
    """`token` is a whole `wresult`. What a test wants otherwise it says with `replace`."""

    key: rsa.RSAPrivateKey = field(default_factory=rsa_key)
    name: str = NAME
    id: str = "_9f0c7a52-0d5e-4a0f-9a70-1f1de1d0a001"
    audience: str = REALM
    now: dt.datetime = NOW
    not_before: dt.timedelta = dt.timedelta()
    lifetime: dt.timedelta = dt.timedelta(hours=1)
    email: str | None = EMAIL
    claims: Claims = ()
    method: SignatureMethod = SignatureMethod.RSA_SHA256
    digest: DigestAlgorithm = DigestAlgorithm.SHA256
    subject: str = "<saml:NameIdentifier>guest</saml:NameIdentifier>"
    statements: str = ""

    @functools.cached_property
    def certificate(self) -> x509.Certificate:
        return certificate(self.key)

    def issuer(self, **changes: object) -> FederationIssuer:
        """The partner as the cluster has it in its configuration."""
        known = FederationIssuer(
            name=self.name,
            sign_in_url=SIGN_IN_URL,
            certificates=(self.certificate,),
            thumbprints=frozenset(),
            email_domains=frozenset({"partner.example"}),
            realm=REALM,
        )
        return replace(known, **changes)  # type: ignore[arg-type]

    def with_(self, **changes: object) -> Partner:
        return replace(self, **changes)  # type: ignore[arg-type]

    def assertion(self) -> etree._Element:
        """Unsigned."""
        begins = self.now + self.not_before
        claims = self.claims
        if self.email is not None:
            claims = ((CLAIMS, "EmailAddress", (self.email,)), *claims)
        subject = f"<saml:Subject>{self.subject}</saml:Subject>"
        attributes = "".join(
            f"<saml:Attribute AttributeName={quoteattr(name)} AttributeNamespace={quoteattr(namespace)}>"
            + "".join(f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for namespace, name, values in claims
        )
        statement = f"<saml:AttributeStatement>{subject}{attributes}</saml:AttributeStatement>" if attributes else ""
        return etree.fromstring(
            f'<saml:Assertion xmlns:saml="{SAML}" MajorVersion="1" MinorVersion="1" AssertionID={quoteattr(self.id)} '
            f'Issuer={quoteattr(self.name)} IssueInstant="{stamp(self.now)}">'
            f'<saml:Conditions NotBefore="{stamp(begins)}" NotOnOrAfter="{stamp(begins + self.lifetime)}">'
            f"<saml:AudienceRestrictionCondition><saml:Audience>{escape(self.audience)}</saml:Audience>"
            "</saml:AudienceRestrictionCondition></saml:Conditions>"
            f'<saml:AuthenticationStatement AuthenticationInstant="{stamp(self.now)}" '
            f'AuthenticationMethod="urn:oasis:names:tc:SAML:1.0:am:password">{subject}</saml:AuthenticationStatement>'
            f"{statement}{self.statements}</saml:Assertion>"
        )

    def signed(
        self, change: Callable[[etree._Element], None] | None = None, secret: bytes = b"secret"
    ) -> etree._Element:
        """The assertion with its signature; `change` is made before signing. `secret`: for HMAC."""
        assertion = self.assertion()
        if change is not None:
            change(assertion)
        signer = _OldSigner(
            SignatureConstructionMethod.enveloped,
            self.method,
            self.digest,
            CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        signer.namespaces = {None: DSIG}  # type: ignore[dict-item]
        key = secret if self.method.name.startswith("HMAC") else self.key
        signed = signer.sign(
            assertion,
            key=key,
            cert=[self.certificate],
            reference_uri=self.id,
            id_attribute="AssertionID",
            always_add_key_value=False,
        )
        return etree.fromstring(etree.tostring(signed))

    def token(self, change: Callable[[etree._Element], None] | None = None) -> str:
        return response(self.signed(change), applies_to=self.audience)

    def token_under(self, secret: bytes) -> str:
        """With HMAC under `secret`."""
        return response(self.signed(secret=secret))


def response(*assertions: etree._Element | str, applies_to: str | None = REALM) -> str:
    """A RequestSecurityTokenResponse of [MS-MWBF] 4.2.1."""
    inner = "".join(a if isinstance(a, str) else etree.tostring(a, encoding="unicode") for a in assertions)
    address = (
        '<wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy"><wsa:EndpointReference '
        'xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"><wsa:Address>'
        f"{escape(applies_to or '')}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>"
        if applies_to is not None
        else ""
    )
    return (
        '<wst:RequestSecurityTokenResponse xmlns:wst="http://schemas.xmlsoap.org/ws/2005/02/trust">'
        f"<wst:RequestedSecurityToken>{inner}</wst:RequestedSecurityToken>{address}"
        "</wst:RequestSecurityTokenResponse>"
    )


def form(token: str, context: str = "", **more: str) -> bytes:
    """The body of the post that brings a token."""
    return urlencode({"wa": "wsignin1.0", "wresult": token, "wctx": context, **more}).encode()


def stamp(time: dt.datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)
