"""Tokens, honest and hostile: what `verify_token` takes and what it refuses."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod

from rmsserver.auth.federation import TokenRefused
from rmsserver.auth.federation.assertion import Assertion
from rmsserver.auth.federation.issuer import FederationIssuer, thumbprint
from rmsserver.auth.federation.token import TOKEN_LIMIT_BYTES, verify_token
from tests.auth.federation.partner import CLAIMS, DSIG, EMAIL, SAML, Partner, certificate, response, rsa_key
from tests.cluster import NOW

FIXTURES = Path(__file__).parents[3] / "fixtures" / "federation"
PARTNER = Partner()
HONEST = PARTNER.token()


def take(token: str, issuer: FederationIssuer | None = None, now: dt.datetime = NOW) -> Assertion:
    return verify_token(token, [issuer or PARTNER.issuer()], now)[0]


def refused(token: str, reason: str, issuer: FederationIssuer | None = None, now: dt.datetime = NOW) -> None:
    with pytest.raises(TokenRefused, match=reason):
        take(token, issuer, now)


def reordered(arrange: Callable[[etree._Element], etree._Element | None], token: str = HONEST) -> str:
    """The response after `arrange` changed its tree, or the tree it gives back."""
    root = etree.fromstring(token)
    return etree.tostring(arrange(root) or root, encoding="unicode")


def assertion_of(root: etree._Element) -> etree._Element:
    return next(root.iter(f"{{{SAML}}}Assertion"))


# --- what is accepted ---------------------------------------------------------------------------------------------------


def test_a_token_says_who_is_calling() -> None:
    """Every field of the assertion that the decision needs."""
    assertion = take(HONEST)
    assert (assertion.id, assertion.issuer, assertion.audience) == (PARTNER.id, PARTNER.name, PARTNER.audience)
    assert (assertion.email, assertion.proxy_addresses) == (EMAIL, ())
    assert (assertion.not_before, assertion.not_on_or_after) == (NOW, NOW + dt.timedelta(hours=1))


@pytest.mark.parametrize("name", ["xmlsec1-sha256", "xmlsec1-sha1", "java-sha256"])
def test_tokens_of_other_implementations(name: str) -> None:
    """Signed by libxmlsec and by the JDK, which share no code with our verifier (fixtures/federation)."""
    known = x509.load_pem_x509_certificate((FIXTURES / "partner.pem").read_bytes())
    issuer = PARTNER.issuer(certificates=(known,), allow_sha1=name.endswith("sha1"))
    now = dt.datetime(2027, 1, 15, 8, 5, tzinfo=dt.UTC)
    text = (FIXTURES / f"{name}.xml").read_text("utf-8")
    assert take(text, issuer, now).email == "Jürgen.o'Neill@partner.example"
    refused(text.replace("Approver", "Improver"), "signature does not hold", issuer, now)


def test_certificate_by_its_thumbprint() -> None:
    """The certificate travels in the token and is trusted by its SHA-256 alone."""
    listed = frozenset({thumbprint(PARTNER.certificate)})
    assert take(HONEST, PARTNER.issuer(certificates=(), thumbprints=listed)).email == EMAIL
    refused(HONEST, "not the issuer's", PARTNER.issuer(certificates=(), thumbprints=frozenset({"0" * 64})))


def test_certificate_by_its_subject_key_identifier() -> None:
    """X509SKI in place of the certificate (2.2.4.2.2): only among those configured."""
    identifier = PARTNER.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    text = base64.b64encode(identifier).decode()
    token = re.sub(
        r"<X509Certificate>.*</X509Certificate>", f"<X509SKI>{text}</X509SKI>", HONEST, count=1, flags=re.DOTALL
    )
    assert "X509SKI" in token
    assert take(token).email == EMAIL
    listed = frozenset({thumbprint(PARTNER.certificate)})
    refused(token, "not the issuer's", PARTNER.issuer(certificates=(), thumbprints=listed))


def test_the_successor_of_a_key() -> None:
    """While an issuer changes its key, both certificates are configured."""
    other = Partner(key=rsa_key(1))
    issuer = PARTNER.issuer(certificates=(PARTNER.certificate, other.certificate))
    assert take(HONEST, issuer).email == take(other.token(), issuer).email == EMAIL


def test_trust_1_3() -> None:
    """The later namespace of RequestSecurityTokenResponse."""
    token = HONEST.replace(
        "http://schemas.xmlsoap.org/ws/2005/02/trust", "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
    )
    assert take(token).email == EMAIL


@pytest.mark.parametrize(
    "partner",
    [
        PARTNER.with_(email=None, claims=((CLAIMS + "/other", "x", ("y",)),), subject=f'<saml:NameIdentifier '
        f'Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress">{EMAIL}</saml:NameIdentifier>'),
        PARTNER.with_(
            email=None,
            claims=(("http://schemas.xmlsoap.org/ws/2005/05/identity/claims", "emailaddress", (f" {EMAIL}\n",)),),
        ),
    ],
)  # fmt: skip
def test_other_places_of_the_address(partner: Partner) -> None:
    """In the subject (3.1.1.4), and as later issuers name the claim."""
    assert take(partner.token()).email == EMAIL


# --- signatures that do not count ---------------------------------------------------------------------------------------


def test_unsigned() -> None:
    """No signature, no token."""
    refused(response(PARTNER.assertion()), "not exactly one signature")


def test_signed_by_another_key() -> None:
    """Another key under its own certificate, and under the issuer's."""
    stranger = Partner(key=rsa_key(1))
    refused(stranger.token(), "not the issuer's")
    offered = base64.b64encode(PARTNER.certificate.public_bytes(serialization.Encoding.DER)).decode()
    pretended = re.sub(
        r"(<X509Certificate>).*(</X509Certificate>)", rf"\g<1>{offered}\g<2>", stranger.token(), flags=re.DOTALL
    )
    refused(pretended, "signature does not hold")


def test_another_issuers_key_under_this_issuers_name() -> None:
    """A key counts for its own issuer alone, though both are trusted."""
    other = Partner(key=rsa_key(1), name="urn:federation:other")
    token = other.with_(name=PARTNER.name).token()
    with pytest.raises(TokenRefused, match="not the issuer's"):
        verify_token(token, [PARTNER.issuer(), other.issuer()], NOW)


def test_unknown_issuer() -> None:
    refused(PARTNER.with_(name="urn:federation:stranger").token(), "not the name of a configured issuer")


def test_changed_after_signing() -> None:
    """A single letter of the claim."""
    refused(HONEST.replace(EMAIL, "chief@partner.example"), "signature does not hold")


def test_sha1_only_where_it_is_allowed() -> None:
    """RSA-SHA1, and SHA-1 as digest under a good method, are off until the operator says otherwise."""
    old = PARTNER.with_(method=SignatureMethod.RSA_SHA1, digest=DigestAlgorithm.SHA1).token()
    half = PARTNER.with_(digest=DigestAlgorithm.SHA1).token()
    for token in (old, half):
        refused(token, "algorithm is not allowed")
        assert take(token, PARTNER.issuer(allow_sha1=True)).email == EMAIL


def test_hmac_with_the_public_key_as_secret() -> None:
    """Key confusion: a signature made with what everybody knows."""
    tokens = [PARTNER.with_(method=SignatureMethod.HMAC_SHA256).token()]
    public = PARTNER.certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    tokens.append(PARTNER.with_(method=SignatureMethod.HMAC_SHA256).token_under(public))
    for token in tokens:
        assert "hmac-sha256" in token
        refused(token.replace("<X509Data/>", ""), "not exactly one certificate|algorithm is not allowed")


def test_hmac_beside_the_issuers_certificate() -> None:
    """The certificate is there, the method is HMAC with the certificate's public key as secret."""
    token = PARTNER.with_(method=SignatureMethod.HMAC_SHA256).token_under(b"any")
    offered = base64.b64encode(PARTNER.certificate.public_bytes(serialization.Encoding.DER)).decode()
    info = f"<KeyInfo><X509Data><X509Certificate>{offered}</X509Certificate></X509Data></KeyInfo></Signature>"
    token = re.sub(r"(<KeyInfo>.*</KeyInfo>|<KeyInfo/>)?</Signature>", info, token, flags=re.DOTALL)
    refused(token, "algorithm is not allowed")


def test_certificate_out_of_its_time() -> None:
    """An expired certificate, and one that is not valid yet ([MS-MWBF] 5.1.2)."""
    for begins, ends in ((-9, -1), (1, 9)):
        day = dt.timedelta(days=1)
        timed = certificate(PARTNER.key, begins=NOW + begins * day, ends=NOW + ends * day)
        offered = base64.b64encode(timed.public_bytes(serialization.Encoding.DER)).decode()
        token = re.sub(r"(<X509Certificate>).*(</X509Certificate>)", rf"\g<1>{offered}\g<2>", HONEST, flags=re.DOTALL)
        refused(token, "has expired or is not yet valid", PARTNER.issuer(certificates=(timed,)))


def test_short_keys_are_not_configured() -> None:
    """1024 bits, whoever vouches for them."""
    with pytest.raises(ValueError, match="at least 2048 bits"):
        PARTNER.issuer(certificates=(certificate(rsa_key(2, 1024)),))


# --- wrapping -----------------------------------------------------------------------------------------------------------


def forged() -> etree._Element:
    return PARTNER.with_(email="chief@partner.example", id="_forged").assertion()


def test_XW1_two_assertions() -> None:
    """Before and after the signed one, signed or not; beside RequestedSecurityToken too."""
    signed = PARTNER.signed()
    for pair in ((forged(), signed), (signed, forged()), (signed, copy.deepcopy(signed))):
        refused(response(*pair), "not exactly one assertion")

    def beside(root: etree._Element) -> None:
        root.append(forged())

    refused(reordered(beside), "more than one assertion")


def test_XW2_signed_assertion_inside_a_forged_one() -> None:
    """In Advice, in the Signature's Object, and below the Signature."""
    signed = PARTNER.signed()
    outer = forged()
    etree.SubElement(outer, f"{{{SAML}}}Advice").append(copy.deepcopy(signed))
    refused(response(outer), "more than one assertion")

    outer = forged()
    signature = copy.deepcopy(signed.find(f"{{{DSIG}}}Signature"))
    assert signature is not None
    holder = etree.SubElement(signature, f"{{{DSIG}}}Object")
    holder.append(copy.deepcopy(signed))
    outer.append(signature)
    refused(response(outer), "more than one assertion")


def test_XW3_the_signature_names_another_element() -> None:
    """A renamed copy of the signed content under a name that is not `Assertion`, and the URI that points to it."""
    signed = PARTNER.signed()
    signature = signed.find(f"{{{DSIG}}}Signature")
    assert signature is not None
    outer = forged()
    outer.append(signature)
    refused(response(outer), "not over the assertion")
    outer.set("AssertionID", PARTNER.id)
    refused(response(outer), "signature does not hold")


def test_XW4_two_elements_with_one_id() -> None:
    """An element that answers to the signed ID where the digest does not reach: inside the signature."""

    def twin(root: etree._Element) -> None:
        inside = etree.SubElement(next(root.iter(f"{{{DSIG}}}KeyInfo")), "twin")
        inside.set("AssertionID", PARTNER.id)

    refused(reordered(twin), "not exactly one AssertionID")


def test_XW5_whole_document_by_an_empty_uri() -> None:
    """URI="" names the document, which is not what a token signs."""
    refused(HONEST.replace(f'URI="#{PARTNER.id}"', 'URI=""'), "not over the assertion")


def test_XW6_other_transforms() -> None:
    """A transform that picks a part of the assertion, or comments, or a third one."""
    enveloped = f'<Transform Algorithm="{DSIG}enveloped-signature"/>'
    for other in (
        '<Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>false()</XPath></Transform>',
        '<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>',
        "",
    ):
        token = HONEST.replace(enveloped, enveloped + other if other else "")
        assert token != HONEST
        refused(token, "other transforms")
    refused(HONEST.replace("xml-exc-c14n#", "xml-exc-c14n#WithComments"), "other transforms")


def test_XW7_two_signatures_and_two_references() -> None:
    """One too many of either."""

    def twice(root: etree._Element, name: str) -> None:
        found = next(root.iter(f"{{{DSIG}}}{name}"))
        found.addnext(copy.deepcopy(found))

    refused(reordered(lambda root: twice(root, "Signature")), "not exactly one signature")
    refused(reordered(lambda root: twice(root, "Reference")), "not over the assertion")


def test_XW8_comment_in_the_address() -> None:
    """A comment vanishes from what is hashed, so a reader could see half of an address: none is taken, nor a PI."""
    for inset in ("<!-- -->", "<?x?>"):
        token = HONEST.replace(EMAIL, f"guest@partner.example{inset}.evil.example")
        refused(token, "comment or a processing instruction")
        refused(HONEST.replace(EMAIL, EMAIL + inset), "comment or a processing instruction")


def test_elements_in_a_value() -> None:
    """A value with elements in it is signed well and still no address."""

    def change(assertion: etree._Element) -> None:
        value = next(assertion.iter(f"{{{SAML}}}AttributeValue"))
        value.text = "chief@partner.example"
        etree.SubElement(value, "x").tail = ".evil.example"

    refused(PARTNER.token(change), "an element where text belongs")


# --- XML ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY e "guest@partner.example">]>' + HONEST,
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + HONEST,
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>' + HONEST.replace(EMAIL, "&b;"),
        '<!DOCTYPE x [<!ATTLIST saml:Advice AssertionID ID #IMPLIED>]>' + HONEST,
    ],
)  # fmt: skip
def test_X2_X3_dtd(text: str) -> None:
    """X2, X3: no DTD of any kind, before anything is read from it."""
    refused(text, "has a DTD")


def test_X2_dtd_in_another_encoding() -> None:
    """What the text declares about its encoding is not believed, so a DTD cannot hide in another."""
    refused('<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE x+AD4-' + HONEST, "not well-formed")
    refused('<?xml version="1.0" encoding="UTF-16"?>' + "x", "not well-formed")


def test_X1_X4_X6_size_and_depth() -> None:
    """X1, X4, X6: a bound on octets, and the parser's own on depth."""
    refused(HONEST + " " * TOKEN_LIMIT_BYTES, "too long")
    refused(HONEST + "é" * (TOKEN_LIMIT_BYTES // 2), "too long")
    refused("<a>" * 8_000 + "</a>" * 8_000, "not well-formed")


@pytest.mark.parametrize("text", ["", "x", "<a/>", HONEST[:-10], HONEST.replace(":Assertion", ":Assertions"), "\ud800"])
def test_no_token(text: str) -> None:
    """Whatever is not a token response is refused like one."""
    with pytest.raises(TokenRefused):
        take(text)


# --- the form of an assertion -------------------------------------------------------------------------------------------


def _drop(name: str) -> Callable[[etree._Element], None]:
    def change(assertion: etree._Element) -> None:
        found = next(assertion.iter(f"{{{SAML}}}{name}"))
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)

    return change


def _set(name: str, attribute: str, value: str) -> Callable[[etree._Element], None]:
    def change(assertion: etree._Element) -> None:
        next(assertion.iter(f"{{{SAML}}}{name}")).set(attribute, value)

    return change


def _add(name: str, child: str) -> Callable[[etree._Element], None]:
    def change(assertion: etree._Element) -> None:
        parent = next(assertion.iter(f"{{{SAML}}}{name}"))
        etree.SubElement(parent, f"{{{SAML}}}{child}").text = "x"

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_set("Assertion", "MinorVersion", "0"), "not a SAML 1.1 assertion"),
        (_set("Assertion", "IssueInstant", "2026-06-01T12:00:00+02:00"), "not a time in UTC"),
        (_set("Assertion", "IssueInstant", "2026-06-31T12:00:00Z"), "not a time in UTC"),
        (_set("NameIdentifier", "NameQualifier", "q"), "subject of another form"),
        (_drop("Conditions"), "not exactly one Conditions"),
        (_drop("Audience"), "not exactly one Audience"),
        (_drop("AudienceRestrictionCondition"), "not exactly one AudienceRestrictionCondition"),
        (_drop("AuthenticationStatement"), "not exactly one AuthenticationStatement"),
        (_drop("NameIdentifier"), "different subjects"),
        (_add("AudienceRestrictionCondition", "Audience"), "not exactly one Audience"),
        (_add("Conditions", "AudienceRestrictionCondition"), "not exactly one AudienceRestrictionCondition"),
        (_add("Assertion", "AttributeStatement"), "more than one attribute statement"),
        (_add("Assertion", "AuthorizationDecisionStatement"), "may not stand in a token"),
        (_add("AuthenticationStatement", "SubjectLocality"), "authentication statement of another form"),
        (_add("Conditions", "OnlyOnTuesdays"), "a condition that is not understood"),
        (_add("Subject", "SubjectConfirmation"), "proves more than having it"),
    ],
)
def test_form(change: Callable[[etree._Element], None], reason: str) -> None:
    """[MS-MWBF] 2.2.4.2 to the letter: a well-signed assertion of another form is no token."""
    refused(PARTNER.token(change), reason)


def _confirmed(*methods: str) -> str:
    """A token whose subjects are confirmed by these methods, after a condition that every relying party understands."""

    def change(assertion: etree._Element) -> None:
        next(assertion.iter(f"{{{SAML}}}Conditions")).append(etree.Element(f"{{{SAML}}}DoNotCacheCondition"))
        for subject in list(assertion.iter(f"{{{SAML}}}Subject")):
            confirmation = etree.SubElement(subject, f"{{{SAML}}}SubjectConfirmation")
            for method in methods:
                etree.SubElement(
                    confirmation, f"{{{SAML}}}ConfirmationMethod"
                ).text = f"urn:oasis:names:tc:SAML:1.0:cm:{method}"

    return PARTNER.token(change)


def test_only_a_bearer_token_is_for_whoever_bears_it() -> None:
    """[SAMLCore] 2.4.2.3: one that is confirmed by a key is of no use to who merely holds the token."""
    assert take(_confirmed("bearer")).email == EMAIL
    for methods in (("holder-of-key",), ("sender-vouches",), ("bearer", "holder-of-key")):
        refused(_confirmed(*methods), "proves more than having it")


def test_one_address() -> None:
    """None, two, or none that anybody named."""
    refused(PARTNER.with_(email=None).token(), "not exactly one EmailAddress")
    two = PARTNER.with_(email=None, claims=((CLAIMS, "EmailAddress", (EMAIL, "chief@partner.example")),))
    refused(two.token(), "not exactly one EmailAddress")


def test_applies_to_says_the_same() -> None:
    """2.2.4.1: AppliesTo duplicates the audience; it may be missing."""
    signed = PARTNER.signed()
    refused(response(signed, applies_to="urn:other"), "AppliesTo and Audience differ")
    assert take(response(PARTNER.signed(), applies_to=None)).email == EMAIL


def test_encrypted_token() -> None:
    """Not taken, as by the product (<75>)."""
    refused(response('<EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"/>'), "not exactly one assertion")
