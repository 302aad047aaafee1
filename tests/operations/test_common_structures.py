"""The elements that all documents share, in everything that a cluster issues ([MS-RMPR] 2.2.9.1)."""

from __future__ import annotations

import base64
import hashlib
import re
from xml.etree.ElementTree import Element

import pytest

from rmsserver.xrml.keys import CryptoMode
from tests.conformance import conforms
from tests.operations.issued_documents import KINDS, Issued, body, form, issued, one, text, verify
from tests.operations.issued_documents import modulus as modulus_of

UTC = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]")
KEY = "PUBLICKEY(ALGORITHM PARAMETER@name(VALUE@encoding) PARAMETER@name(VALUE@encoding@size))"
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def all_kinds(request: pytest.FixtureRequest) -> Issued:
    return issued(request.param)


def everywhere(root: Element, tag: str) -> list[Element]:
    return list(root.iter(tag))


# --- times ----------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.1.1", "Everything that is issued says when.")
@conforms("MS-RMPR 2.2.9.1.1", "ISSUEDTIME is one UTC time to the minute.")
@every_kind
def test_issued_time(all_kinds: Issued, kind: str) -> None:
    """At the cluster's installation, or at NOW."""
    element = one(all_kinds.root(kind), "BODY/ISSUEDTIME")
    assert form(element) == "ISSUEDTIME"
    assert element.text in ("2026-01-05T09:30", "2026-06-01T12:00")


@pytest.mark.parametrize(
    ("tag", "kinds"),
    [
        pytest.param(
            "VALIDITYTIME",
            {"rac", "temporary rac", "federated rac", "pre-certified rac"},
            marks=[
                conforms("MS-RMPR 2.2.9.1.2", "Account certificates have a VALIDITYTIME."),
                conforms("MS-RMPR 2.2.9.1.2", "VALIDITYTIME is FROM and UNTIL, each a UTC time."),
            ],
        ),
        pytest.param(
            "RANGETIME",
            set(KINDS) - {"spc", "rac", "temporary rac", "federated rac", "pre-certified rac", "pl"},
            marks=conforms("MS-RMPR 2.2.9.1.3", "RANGETIME is FROM and UNTIL, each a UTC time."),
        ),
    ],
)
def test_spans_of_time(all_kinds: Issued, tag: str, kinds: set[str]) -> None:
    """Which documents have them, and of what they are made."""
    assert {kind for kind in KINDS if everywhere(all_kinds.root(kind), tag)} == kinds
    for span in (span for kind in kinds for span in everywhere(all_kinds.root(kind), tag)):
        assert form(span) == f"{tag}(FROM UNTIL)"
        start, end = (moment.text or "" for moment in span)
        assert UTC.fullmatch(start)
        assert UTC.fullmatch(end)
        assert start < end


# --- who and what ---------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.1.4", "Everything that is issued has a DESCRIPTOR.")
@conforms("MS-RMPR 2.2.9.1.4", "A DESCRIPTOR is one OBJECT.")
@every_kind
def test_descriptor(all_kinds: Issued, kind: str) -> None:
    """All but a publishing licence whose author gave none have one."""
    found = all_kinds.root(kind).findall("BODY/DESCRIPTOR")
    assert len(found) == (kind != "pl")
    for descriptor in found:
        assert [child.tag for child in descriptor] == ["OBJECT"]
        assert not descriptor.attrib


@conforms("MS-RMPR 2.2.9.1.5", "Everything that is issued has an ISSUER.")
@conforms("MS-RMPR 2.2.9.1.5", "ISSUER names its issuer in an OBJECT and has the key that verifies the signature.")
@conforms("MS-RMPR 2.2.9.1.5", "In ISSUER stand OBJECT, PUBLICKEY and perhaps SECURITYLEVELs, in this order.")
@every_kind
def test_issuer(all_kinds: Issued, kind: str) -> None:
    """One of them, and its key is the one that signed."""
    issuer = one(all_kinds.root(kind), "BODY/ISSUER")
    assert re.fullmatch("OBJECT PUBLICKEY( SECURITYLEVEL)*", " ".join(child.tag for child in issuer))
    assert text(issuer, "OBJECT/ID")
    verify(all_kinds, kind, one(issuer, "PUBLICKEY"))


@conforms("MS-RMPR 2.2.9.1.6", "A public key has algorithm, exponent and modulus, in this order and encoding.")
@conforms("MS-RMPR 2.2.9.1.6", "The exponent is 65537, and other exponents are refused.")
@conforms(
    "MS-RMPR 2.2.9.1.6",
    "The key's length stands in bits, and other lengths than those of RSA keys in use are refused.",
)
@conforms("MS-RMPR 2.2.9.1.6", "The modulus is that of the RSA key, and what cannot be a modulus is refused.")
@every_kind
def test_public_keys(all_kinds: Issued, kind: str) -> None:
    """In ISSUER, in ISSUEDPRINCIPALS, and where a licence names who revokes it."""
    keys = everywhere(all_kinds.root(kind), "PUBLICKEY")
    assert len(keys) >= (1 if kind == "template" else 2)
    for element in keys:
        assert form(element) == KEY
        exponent, modulus = element.findall("PARAMETER")
        assert (text(element, "ALGORITHM"), exponent.get("name"), modulus.get("name")) == (
            "RSA", "public-exponent", "modulus",
        )  # fmt: skip
        values = [one(parameter, "VALUE") for parameter in (exponent, modulus)]
        assert [value.get("encoding") for value in values] == ["integer32", "base64"]
        assert values[0].text == "65537"
        number = modulus_of(element)
        assert number % 2 == 1
        assert number.bit_length() in (1024, 2048)
        assert values[1].get("size") == str(number.bit_length())


@conforms("MS-RMPR 2.2.9.1.7", "In a DISTRIBUTIONPOINT stand an OBJECT and perhaps a key.")
@conforms("MS-RMPR 2.2.9.1.7", "Only points of revocation have a key.")
@conforms("MS-RMPR 2.2.9.1.7", "A point of revocation has one key.")
def test_distribution_points(all_kinds: Issued) -> None:
    """Where to ask, and who revokes; both kinds occur."""
    found: dict[bool, int] = {True: 0, False: 0}
    for point in (point for kind in KINDS for point in everywhere(all_kinds.root(kind), "DISTRIBUTIONPOINT")):
        revokes = one(point, "OBJECT").get("type") == "Revocation"
        assert [child.tag for child in point] == (["OBJECT", "PUBLICKEY"] if revokes else ["OBJECT"])
        assert not point.attrib
        found[revokes] += 1
    assert found[True] == 3  # two authorities of the enrolled cluster, one of the template
    assert found[False] > 10


@pytest.mark.parametrize(
    ("tag", "attributes"),
    [
        pytest.param("NAME", [], marks=conforms("MS-RMPR 2.2.9.1.8", "NAME is text, without attributes.")),
        pytest.param(
            "ADDRESS", ["type"], marks=conforms("MS-RMPR 2.2.9.1.9", "ADDRESS is text and says of which type.")
        ),
        pytest.param(
            "SECURITYLEVEL",
            ["name", "value"],
            marks=conforms("MS-RMPR 2.2.9.1.10", "A SECURITYLEVEL is an empty element with name and value."),
        ),
    ],
)
def test_simple_elements(all_kinds: Issued, tag: str, attributes: list[str]) -> None:
    """Text or attributes, never both but in an ADDRESS, never elements."""
    found = [element for kind in KINDS for element in everywhere(all_kinds.root(kind), tag)]
    assert len(found) > 10
    for element in found:
        assert list(element.attrib) == attributes
        assert len(element) == 0
        assert bool(element.text) == (tag != "SECURITYLEVEL")
        assert all(element.attrib.values())
        if tag == "ADDRESS":
            assert element.get("type") in ("URL", "email_alias")


# --- the principal --------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.1.11", "Every certificate and licence that is issued has ISSUEDPRINCIPALS.")
@conforms("MS-RMPR 2.2.9.1.11", "There is one principal, and documents with two are refused.")
@conforms("MS-RMPR 2.2.9.1.11", "The principal has its parts in their order.")
@every_kind
def test_principal(all_kinds: Issued, kind: str) -> None:
    """Templates have none (2.2.9.10). A machine's has no internal-id (2.2.9.4.4); a server writes enabling bits first."""
    found = all_kinds.root(kind).findall("BODY/ISSUEDPRINCIPALS")
    assert len(found) == (kind != "template")
    for principals in found:
        assert [child.tag for child in principals] == ["PRINCIPAL"]
        assert dict(principals[0].attrib) == ({} if kind == "spc" else {"internal-id": "1"})
        order = "OBJECT PUBLICKEY( DIGEST)?( ENABLINGBITS)?( SECURITYLEVEL)*"
        assert re.fullmatch(order, " ".join(child.tag for child in principals[0]))


@conforms("MS-RMPR 2.2.9.1.11", "A machine certificate has the digest of the hardware.")
@conforms("MS-RMPR 2.2.9.1.11", "No other principal has a digest.")
@conforms("MS-RMPR 2.2.9.1.11", "A publishing licence has enabling bits in its principal, and one without is refused.")
@conforms("MS-RMPR 2.2.9.1.11", "No other document has enabling bits there.")
@conforms("MS-RMPR 2.2.9.1.11", "Further information on servers, machines and accounts stands in SECURITYLEVELs.")
@pytest.mark.parametrize(
    ("tag", "kinds"),
    [
        ("DIGEST", {"spc"}),
        ("ENABLINGBITS", {"pl"}),
        (
            "SECURITYLEVEL",
            {"slc", "enrolled slc", "sub-enrolled slc", "spc", "pl"}
            | {"rac", "temporary rac", "federated rac", "pre-certified rac"},
        ),
    ],
)
def test_parts_of_some_principals(all_kinds: Issued, tag: str, kinds: set[str]) -> None:
    """Which documents have which."""
    path = f"BODY/ISSUEDPRINCIPALS/PRINCIPAL/{tag}"
    assert {kind for kind in KINDS if all_kinds.root(kind).findall(path)} == kinds


# --- the signature --------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.1.12", "In mode 2 the hash is SHA-256.")
@conforms("MS-RMPR 2.2.9.1.12", "The signature is made with the issuer's private key over the hash of the body.")
@conforms("MS-RMPR 2.2.9.1.12", "The signature's size is that of the issuer's key in bits.")
@conforms("MS-RMPR 2.2.9.1.12", "SIGNATURE has its parts, in the encodings that the template names.")
@every_kind
def test_signature(all_kinds: Issued, kind: str) -> None:
    """Recomputed by hand: the digest, then RSA with PKCS#1 v1.5 over it, as long as the key."""
    root, mode = all_kinds.root(kind), all_kinds.cluster.mode
    signature = root[1]
    order = "DIGEST(ALGORITHM PARAMETER@name(VALUE@encoding) VALUE@encoding@size) ALGORITHM VALUE@encoding@size"
    assert form(signature) == f"SIGNATURE({order})"
    assert text(signature, "ALGORITHM") == "RSA PKCS#1-V1.5"
    name, new = ("SHA1", hashlib.sha1) if mode is CryptoMode.MODE_1 else ("SHA256", hashlib.sha256)
    digest = new(body(all_kinds.texts[kind])).digest()
    assert text(signature, "DIGEST/ALGORITHM") == name
    coding = one(signature, "DIGEST/PARAMETER")
    assert (coding.get("name"), one(coding, "VALUE").get("encoding"), text(coding, "VALUE")) == (
        "codingtype", "string", "surface-coding",
    )  # fmt: skip
    found = one(signature, "DIGEST/VALUE")
    assert (found.get("encoding"), found.get("size"), found.text) == (
        "base64", str(len(digest) * 8), base64.b64encode(digest).decode(),
    )  # fmt: skip
    value = one(signature, "VALUE")
    number = modulus_of(one(root, "BODY/ISSUER/PUBLICKEY"))
    assert (value.get("encoding"), value.get("size")) == ("base64", str(number.bit_length()))
    padded = pow(int.from_bytes(base64.b64decode(value.text or "")), 65537, number)
    block = padded.to_bytes(number.bit_length() // 8)
    assert block.startswith(b"\0\1\xff\xff")
    assert block.endswith(digest)


# --- sealed keys ----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.1.13", "ENABLINGBITS has type, size and sealed key as the template has them.")
def test_enabling_bits(all_kinds: Issued) -> None:
    """Account and licensor certificates, publishing and use licences."""
    kinds = {"rac", "temporary rac", "federated rac", "clc", "pl", "ul"}
    assert {kind for kind in KINDS if everywhere(all_kinds.root(kind), "ENABLINGBITS")} == kinds
    for bits in (bits for kind in kinds for bits in everywhere(all_kinds.root(kind), "ENABLINGBITS")):
        assert form(bits) == "ENABLINGBITS@type(VALUE@encoding@size)"
        assert bits.get("type") == ("sealed-key" if all_kinds.cluster.mode is CryptoMode.MODE_1 else "sealed-key-v2")
        data = base64.b64decode(text(bits, "VALUE"), validate=True)
        value = one(bits, "VALUE")
        assert (value.get("encoding"), value.get("size")) == ("base64", str(len(data) * 8))
