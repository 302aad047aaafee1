"""Trusted publishing domain files: round trip, both derivations, tampering, hostile content."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from rmsserver.errors import OperatorError
from rmsserver.operations.admin import publishing_domain_file as files
from rmsserver.operations.admin.publishing_domain_file import (
    PublishingDomain,
    WrongPassword,
    delayed,
    read_publishing_domain,
    write_publishing_domain,
)
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from tests.operations.admin.old_cluster import old_file

PASSWORD = "Påssword with blanks"
_FIXTURES = Path(__file__).resolve().parents[3] / "fixtures"


def written(domain: PublishingDomain, password: str = PASSWORD) -> bytes:
    return write_publishing_domain(domain.chain, domain.templates, domain.key, domain.key_id, password)


@pytest.mark.parametrize("mode", CryptoMode)
def test_round_trip(mode: CryptoMode) -> None:
    """Chain and templates come back character for character, with the key."""
    domain = old_file(mode)
    found = read_publishing_domain(written(domain), PASSWORD)
    assert (found.chain, found.templates, found.key_id) == (domain.chain, domain.templates, domain.key_id)
    assert found.key.to_der() == domain.key.to_der()
    assert not found.old_derivation


def test_a_file_of_the_first_versions() -> None:
    """The old derivation, in a file that .NET classes wrote (fixtures/tpd): opened, and told apart."""
    found = read_publishing_domain((_FIXTURES / "tpd/old-derivation.xml").read_bytes(), "pässword")
    texts = [(_FIXTURES / f"xrml/mode1-{name}.xml").read_text("utf-8") for name in ("slc", "ca", "template")]
    assert [*found.chain, *found.templates] == texts
    assert found.key.to_der() == (_FIXTURES / "keys/mode1-slc.der").read_bytes()
    assert found.old_derivation


def test_the_form_that_net_reads() -> None:
    """Names and types of both layers, as .NET's serialiser expects them; nothing of the content in the clear."""
    data = written(old_file())
    assert re.search(
        rb'<ArrayOfAnyType [^>]*><anyType xsi:type="EncryptedTrustedDocDomain"><m_strTrustedDocDomainInfo>', data
    )
    assert b"</m_strTrustedDocDomainInfo><m_strKeyData>" in data
    assert b"XrML" not in data
    assert b"OLD-RMS" not in data


# --- passwords -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper()])
def test_a_wrong_password(password: str) -> None:
    """One error for every password that is not the one."""
    with pytest.raises(WrongPassword):
        read_publishing_domain(written(old_file()), password)


def test_a_wrong_password_takes_its_time() -> None:
    """Told after a pause; a right one, and other errors, at once."""
    pauses: list[float] = []
    with pytest.raises(WrongPassword):
        delayed(lambda: read_publishing_domain(written(old_file()), "wrong"), pauses.append)
    assert pauses == [2.0]
    delayed(lambda: read_publishing_domain(written(old_file()), PASSWORD), pauses.append)
    with pytest.raises(OperatorError):
        delayed(lambda: read_publishing_domain(b"<a/>", PASSWORD), pauses.append)
    assert pauses == [2.0]


# --- tampering -----------------------------------------------------------------------------------------------------------


def _tampered(name: bytes, at: int) -> bytes:
    """The file with one bit of an encrypted part turned."""
    data = written(old_file())
    match = re.search(rb"<%b>([^<]*)</%b>" % (name, name), data)
    assert match is not None
    sealed = bytearray(base64.b64decode(match.group(1)))
    sealed[at] ^= 1
    return data[: match.start(1)] + base64.b64encode(sealed) + data[match.end(1) :]


@pytest.mark.parametrize("at", [0, 20, 100, 300, 500, -17, -1])
def test_an_altered_key(at: int) -> None:
    """Whatever bit of the key is turned, it is not accepted: not a key, or none whose numbers agree."""
    with pytest.raises(OperatorError):
        read_publishing_domain(_tampered(b"m_strKeyData", at), PASSWORD)


@pytest.mark.parametrize("at", [0, 40, -17, -1])
def test_an_altered_layer(at: int) -> None:
    """A turned bit garbles a block of the XML around the documents."""
    with pytest.raises(OperatorError):
        read_publishing_domain(_tampered(b"m_strTrustedDocDomainInfo", at), PASSWORD)


# --- hostile content -----------------------------------------------------------------------------------------------------


def _sealed(inner: bytes, blob: bytes) -> bytes:
    key = files._new_key(PASSWORD)
    parts = [base64.b64encode(files._encrypt(data, key)).decode() for data in (inner, blob)]
    return (
        '<ArrayOfAnyType xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><anyType xsi:type="EncryptedTrustedDocDomain">'
        f"<m_strTrustedDocDomainInfo>{parts[0]}</m_strTrustedDocDomainInfo><m_strKeyData>{parts[1]}</m_strKeyData>"
        "</anyType></ArrayOfAnyType>"
    ).encode()


def _inner(content: str, prolog: str = "") -> bytes:
    return (
        f'{prolog}<ArrayOfAnyType xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f'<anyType xsi:type="TrustedDocDomain">{content}</anyType></ArrayOfAnyType>'
    ).encode()


_CHAIN = "<m_strLicensorCertChain><string>a</string></m_strLicensorCertChain>"


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(_inner(_CHAIN, '<!DOCTYPE a [<!ENTITY e "x">]>'), id="doctype"),
        pytest.param(_inner(_CHAIN, '<!DOCTYPE a SYSTEM "http://attacker.example/">'), id="external subset"),
        pytest.param(_inner(""), id="no chain"),
        pytest.param(_inner(_CHAIN * 2), id="two chains"),
        pytest.param(_inner(_CHAIN.replace("a", "<b/>")), id="elements in a string"),
        pytest.param(_inner(_CHAIN.replace("</m", "<string/>" * 20 + "</m")), id="long chain"),
        pytest.param(
            _inner(_CHAIN + "<m_astrRightsTemplates>" + "<string/>" * 300 + "</m_astrRightsTemplates>"), id="templates"
        ),
        pytest.param(_inner(_CHAIN).replace(b"TrustedDocDomain", b"Process"), id="another type"),
        pytest.param(b"<a>" + b"<b>" * 40, id="deep"),
    ],
)
def test_hostile_inner_layers(inner: bytes) -> None:
    """X1 to X6, N1: refused in one line; no entity, no other type, nothing without bounds."""
    with pytest.raises(OperatorError) as caught:
        read_publishing_domain(_sealed(inner, old_file().key.to_capi_blob()), PASSWORD)
    assert "attacker" not in str(caught.value)


@pytest.mark.parametrize("outer", [b"<a/>", b"<a><b/></a>", b"junk", b"<a><b/><b/></a>", b"<!DOCTYPE a><a/>"])
def test_files_that_are_something_else(outer: bytes) -> None:
    """Another file is not called a wrong password."""
    with pytest.raises(OperatorError) as caught:
        read_publishing_domain(outer, PASSWORD)
    assert not isinstance(caught.value, WrongPassword)


def test_a_file_without_the_key() -> None:
    """A domain whose key is in a hardware module: said so."""
    data = re.sub(rb"<m_strKeyData>[^<]*", b"<m_strKeyData>", written(old_file()))
    with pytest.raises(OperatorError, match="no private key"):
        read_publishing_domain(data, PASSWORD)


def test_C8_weak_keys() -> None:
    """C8: a short key, another exponent, and a key whose primes are too close are refused before use."""
    good = old_file().key.to_capi_blob()
    short = good[:12] + (512).to_bytes(4, "little") + good[16:20] + bytes(288)
    exponent = good[:16] + (3).to_bytes(4, "little") + good[20:]
    for blob in (short, exponent, _close_primes().to_capi_blob()):
        with pytest.raises(OperatorError, match="cannot be used"):
            read_publishing_domain(_sealed(_inner(_CHAIN), blob), PASSWORD)


def _close_primes() -> PrivateKey:
    p, q = 2**1024 - 105, 2**1024 - 1093337
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    )
    return PrivateKey.of(numbers.private_key())
