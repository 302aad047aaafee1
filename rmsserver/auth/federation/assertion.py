"""What a SAML 1.1 assertion says, in the form of [MS-MWBF] 2.2.4.2. Reads only what the signature has been checked for.

Whatever departs from that form is refused as a whole; a claim that nobody asked for is passed over.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from lxml import etree

from rmsserver.auth.federation import TokenRefused

SAML = "urn:oasis:names:tc:SAML:1.0:assertion"
CLAIMS = "http://schemas.xmlsoap.org/claims"
IDENTITY_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
EMAIL_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
BEARER = "urn:oasis:names:tc:SAML:1.0:cm:bearer"
VALUES_LIMIT = 200

_EMAIL_NAMES = ((CLAIMS, "EmailAddress"), (IDENTITY_CLAIMS, "emailaddress"))
"""The claim of 3.1.1.4, and the same as later versions of the issuing product name it."""
_PROXY_NAMES = ((CLAIMS, "ProxyAddresses"),)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")
_SPACE = " \t\r\n"


@dataclass(frozen=True)
class Assertion:
    """`email` and `proxy_addresses` as the claims have them, white space round them cut off."""

    id: str
    issuer: str
    issued: dt.datetime
    not_before: dt.datetime
    not_on_or_after: dt.datetime
    audience: str
    authenticated: dt.datetime
    email: str
    proxy_addresses: tuple[str, ...]

    @classmethod
    def read(cls, element: etree._Element) -> Assertion:
        """Raises TokenRefused."""
        if element.tag != _saml("Assertion") or (_get(element, "MajorVersion"), _get(element, "MinorVersion")) != (
            "1",
            "1",
        ):
            raise TokenRefused("not a SAML 1.1 assertion")
        conditions = _conditions(element)
        authentication, attributes = _statements(element)
        return cls(
            id=_get(element, "AssertionID"),
            issuer=_get(element, "Issuer"),
            issued=_time(element, "IssueInstant"),
            not_before=_time(conditions, "NotBefore"),
            not_on_or_after=_time(conditions, "NotOnOrAfter"),
            audience=_text(_one(_one(conditions, "AudienceRestrictionCondition"), "Audience")),
            authenticated=_time(authentication, "AuthenticationInstant"),
            email=_email(authentication, attributes),
            proxy_addresses=_values(attributes, _PROXY_NAMES),
        )


def _conditions(assertion: etree._Element) -> etree._Element:
    """With conditions that are understood and no others, whose meaning nobody may guess ([SAMLCore] 2.3.2.1)."""
    conditions = _one(assertion, "Conditions")
    understood = {_saml("AudienceRestrictionCondition"), _saml("DoNotCacheCondition")}
    if any(child.tag not in understood for child in conditions):
        raise TokenRefused("a condition that is not understood")
    return conditions


def _statements(assertion: etree._Element) -> tuple[etree._Element, etree._Element | None]:
    """The authentication statement, and the attribute statement where there is one (2.2.4.2.1)."""
    known = {_saml(name) for name in ("Conditions", "Advice", "AuthenticationStatement", "AttributeStatement")}
    if any(child.tag not in known for child in assertion):
        raise TokenRefused("a statement that may not stand in a token")
    authentication = _one(assertion, "AuthenticationStatement")
    if [child.tag for child in authentication] != [_saml("Subject")] or not _get(
        authentication, "AuthenticationMethod"
    ):
        raise TokenRefused("an authentication statement of another form")
    attributes = assertion.findall(_saml("AttributeStatement"))
    if len(attributes) > 1:
        raise TokenRefused("more than one attribute statement")
    if not attributes:
        return authentication, None
    if _subject(authentication) != _subject(attributes[0]):
        raise TokenRefused("the statements are about different subjects")
    return authentication, attributes[0]


def _subject(statement: etree._Element) -> tuple[str | None, str | None]:
    """Format and text of the NameIdentifier; (None, None) without one (2.2.4.2.1.3)."""
    subject = _one(statement, "Subject")
    _check_bearer(subject)
    identifiers = subject.findall(_saml("NameIdentifier"))
    if len(identifiers) > 1 or any(name.get("NameQualifier") is not None for name in identifiers):
        raise TokenRefused("a subject of another form")
    return (identifiers[0].get("Format"), _text(identifiers[0])) if identifiers else (None, None)


def _check_bearer(subject: etree._Element) -> None:
    """Who brings a token proves nothing else here, so one that asks for more is not taken ([SAMLCore] 2.4.2.3)."""
    for confirmation in subject.findall(_saml("SubjectConfirmation")):
        if [_text(method) for method in confirmation.findall(_saml("ConfirmationMethod"))] != [BEARER]:
            raise TokenRefused("the token is only for who proves more than having it")


def _email(authentication: etree._Element, attributes: etree._Element | None) -> str:
    values = _values(attributes, _EMAIL_NAMES)
    form, text = _subject(authentication)
    if not values and form == EMAIL_FORMAT and text:
        return text
    if len(values) != 1:
        raise TokenRefused("not exactly one EmailAddress claim")
    return values[0]


def _values(statement: etree._Element | None, names: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Values of the claims of these names, each once, in their order."""
    if statement is None:
        return ()
    found = (
        _text(value)
        for attribute in statement.findall(_saml("Attribute"))
        if (attribute.get("AttributeNamespace"), attribute.get("AttributeName")) in names
        for value in attribute.findall(_saml("AttributeValue"))
    )
    values = tuple(dict.fromkeys(found))
    if len(values) > VALUES_LIMIT:
        raise TokenRefused("too many values of one claim")
    return values


def _saml(name: str) -> str:
    return f"{{{SAML}}}{name}"


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(_saml(name))
    if len(found) != 1:
        raise TokenRefused(f"not exactly one {name}")
    return found[0]


def _get(element: etree._Element, name: str) -> str:
    value = element.get(name)
    if not value:
        raise TokenRefused(f"no {name}")
    return value


def _text(element: etree._Element) -> str:
    """The text of an element that holds nothing else."""
    if len(element):
        raise TokenRefused("an element where text belongs")
    return (element.text or "").strip(_SPACE)


def _time(element: etree._Element, name: str) -> dt.datetime:
    """SAML's times are UTC ([SAMLCore] 1.2.2)."""
    value = _get(element, name)
    try:
        if not _TIME.fullmatch(value):
            raise ValueError
        return dt.datetime.strptime(value[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=dt.UTC)
    except ValueError:
        raise TokenRefused(f"{name} is not a time in UTC") from None
