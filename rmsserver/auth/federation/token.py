"""From a token response to a verified assertion ([MS-MWBF] 2.2.4.1, 2.2.4.2.2). Pure: text, issuers and `now` in.

The rules, each with a test:
1. At most 64 KiB; no DTD, comment or processing instruction anywhere; no entity is ever expanded, nothing is fetched.
2. One RequestSecurityTokenResponse with one assertion in its RequestedSecurityToken, and no assertion anywhere else; an
   encrypted one is not taken (as the product, <75>).
3. One signature: a child of the assertion, over the whole assertion by its AssertionID, with the transforms enveloped
   signature and exclusive canonicalization and no others (against wrapping).
4. RSA with SHA-2; with SHA-1 only where the issuer's configuration says so. Nothing keyed otherwise: no HMAC, DSA or EC.
5. The key is that of a configured certificate of the issuer named in the token, never one that is only in the token.
6. From here on only what signxml gives back as signed is read: issuer, audience, times and claims.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterable

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from rmsserver.auth.federation import TokenRefused
from rmsserver.auth.federation.assertion import SAML, Assertion
from rmsserver.auth.federation.issuer import FederationIssuer, find_issuer

TOKEN_LIMIT_BYTES = 64 * 1024

_TRUST = ("http://schemas.xmlsoap.org/ws/2005/02/trust", "http://docs.oasis-open.org/ws-sx/ws-trust/200512")
_ADDRESSING = ("http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://www.w3.org/2005/08/addressing")
_ASSERTION = f"{{{SAML}}}Assertion"
_DSIG = "http://www.w3.org/2000/09/xmldsig#"
_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS = [_DSIG + "enveloped-signature", _EXCLUSIVE]
_METHODS = frozenset({SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512})
_DIGESTS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})


def verify_token(
    wresult: str, issuers: Iterable[FederationIssuer], now: dt.datetime
) -> tuple[Assertion, FederationIssuer]:
    """The assertion in the text of `wresult`, and whose it is. Its audience and times are not yet judged.

    Raises TokenRefused.
    """
    response = _parse(wresult)
    assertion, applies_to = _unwrap(response)
    issuer = find_issuer(issuers, assertion.get("Issuer"))
    signature = _signature(assertion)
    certificate = _certificate(signature, issuer, now)
    signed = _verified(assertion, certificate, issuer.allow_sha1, now)
    read = Assertion.read(signed)
    if read.id != assertion.get("AssertionID") or read.issuer != issuer.name:
        raise TokenRefused("what is signed is not the assertion that was sent")
    if applies_to is not None and applies_to != read.audience:
        raise TokenRefused("AppliesTo and Audience differ")
    return read, issuer


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, collect_ids=False
    )


def _parse(text: str) -> etree._Element:
    data = text.encode("utf-8", "replace")
    if len(data) > TOKEN_LIMIT_BYTES:
        raise TokenRefused("the token is too long")
    # The parser reads UTF-8 whatever the text declares, so these spellings are the only ones.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise TokenRefused("the token has a DTD")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise TokenRefused("the token is not well-formed") from None
    if next(root.iter(etree.Comment, etree.PI, etree.Entity), None) is not None:
        raise TokenRefused("the token has a comment or a processing instruction")
    return root


def _unwrap(response: etree._Element) -> tuple[etree._Element, str | None]:
    """The assertion as a document of its own, and the address in AppliesTo."""
    namespace = etree.QName(response).namespace
    if namespace not in _TRUST or etree.QName(response).localname != "RequestSecurityTokenResponse":
        raise TokenRefused("not a RequestSecurityTokenResponse")
    requested = response.findall(f"{{{namespace}}}RequestedSecurityToken")
    if len(requested) != 1 or [child.tag for child in requested[0]] != [_ASSERTION]:
        raise TokenRefused("not exactly one assertion in one RequestedSecurityToken")
    if len(list(response.iter(_ASSERTION))) != 1:
        raise TokenRefused("more than one assertion")
    text = etree.tostring(requested[0][0], with_tail=False)
    return etree.fromstring(text, _parser()), _applies_to(response)


def _applies_to(response: etree._Element) -> str | None:
    addresses = [element for namespace in _ADDRESSING for element in response.iter(f"{{{namespace}}}Address")]
    if len(addresses) > 1:
        raise TokenRefused("more than one address in AppliesTo")
    return (addresses[0].text or "").strip() if addresses else None


def _signature(assertion: etree._Element) -> etree._Element:
    """The one signature, of the form of rule 3."""
    signatures = list(assertion.iter(f"{{{_DSIG}}}Signature"))
    if len(signatures) != 1 or signatures[0].getparent() is not assertion:
        raise TokenRefused("not exactly one signature in its place")
    if sum(element.get("AssertionID") is not None for element in assertion.iter()) != 1:
        raise TokenRefused("not exactly one AssertionID")
    (signature,) = signatures
    references = list(signature.iter(f"{{{_DSIG}}}Reference"))
    transforms = [transform.get("Algorithm") for transform in signature.iter(f"{{{_DSIG}}}Transform")]
    methods = [method.get("Algorithm") for method in signature.iter(f"{{{_DSIG}}}CanonicalizationMethod")]
    if len(references) != 1 or references[0].get("URI") != f"#{assertion.get('AssertionID')}":
        raise TokenRefused("the signature is not over the assertion")
    if transforms != _TRANSFORMS or methods != [_EXCLUSIVE]:
        raise TokenRefused("other transforms than a token has")
    if next(signature.iter(f"{{{_DSIG}}}Object"), None) is not None:
        raise TokenRefused("an Object in the signature")
    return signature


def _certificate(signature: etree._Element, issuer: FederationIssuer, now: dt.datetime) -> x509.Certificate:
    offered = _key_data(signature, "X509Certificate")
    identifier = _key_data(signature, "X509SKI")
    if len(offered) > 1 or len(identifier) > 1 or not (offered or identifier):
        raise TokenRefused("not exactly one certificate or key identifier")
    return issuer.certificate(next(iter(offered), None), next(iter(identifier), None), now)


def _key_data(signature: etree._Element, name: str) -> list[bytes]:
    try:
        found = signature.findall(f"{{{_DSIG}}}KeyInfo/{{{_DSIG}}}X509Data/{{{_DSIG}}}{name}")
        return [base64.b64decode("".join((element.text or "").split()), validate=True) for element in found]
    except binascii.Error:
        raise TokenRefused(f"{name} is not base64") from None


def _verified(
    assertion: etree._Element, certificate: x509.Certificate, allow_sha1: bool, now: dt.datetime
) -> etree._Element:
    """What was signed, parsed from the very octets that were hashed."""
    config = SignatureConfiguration(
        location="./",
        signature_methods=_METHODS | ({SignatureMethod.RSA_SHA1} if allow_sha1 else set()),
        digest_algorithms=_DIGESTS | ({DigestAlgorithm.SHA1} if allow_sha1 else set()),
        verification_time=now,
    )
    try:
        result = XMLVerifier().verify(
            assertion, x509_cert=certificate, id_attribute="AssertionID", parser=_parser(), expect_config=config
        )
    except Exception:  # noqa: BLE001 - whatever the verifier makes of a hostile signature, it is not a good one
        raise TokenRefused("the signature does not hold, or its algorithm is not allowed") from None
    if not isinstance(result, VerifyResult) or result.signed_xml is None:
        raise TokenRefused("nothing is signed")
    return result.signed_xml
