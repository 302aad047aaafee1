"""The issuing certificates of a cluster's own hierarchy and of clusters that it enrolls, part by part ([MS-RMPR] 2.2.9.3)."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

import pytest

from rmsserver.xrml.keys import CryptoMode, PrivateKey
from tests.cluster import key
from tests.conformance import conforms
from tests.operations.enrollees import GUID, key_of
from tests.operations.issued_documents import (
    ISSUING,
    MACHINE_CHAIN,
    SERVER_CHAIN,
    Issued,
    form,
    issued,
    modulus,
    one,
    text,
    verify,
)

KEY = "PUBLICKEY(ALGORITHM PARAMETER@name(VALUE@encoding) PARAMETER@name(VALUE@encoding@size))"
LEVELS = " SECURITYLEVEL@name@value" * 2
PRINCIPAL = "BODY/ISSUEDPRINCIPALS/PRINCIPAL"
BRACED = re.compile(r"\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}")
SELF_ENROLLMENT = "Microsoft DRM Server Self Enrollment Service"
SLCS = ("slc", "enrolled slc", "sub-enrolled slc")
ALL = (*ISSUING, *SLCS[1:])
PARENT = {
    **dict(zip(SERVER_CHAIN, (*SERVER_CHAIN[1:], None), strict=True)),
    **dict(zip(MACHINE_CHAIN, (*MACHINE_CHAIN[1:], None), strict=True)),
    "enrolled slc": "enrollment service",
    "sub-enrolled slc": "slc",
}
"""Who issued what; the CA's issuer is the root, which has no certificate."""
SERVER, AUTHORITY = "MS-DRM-Server", "DRM-Certificate-Authority"
PROCESSORS, PROCESSOR = "DRM-Desktop-Security-Processor-Certificate-Authority", "MS-DRM-Desktop-Security-Processor"
LICENSOR_CERTIFICATE, CA_CERTIFICATE = "Server-Licensor-Certificate", "DRM-CA-Certificate"
TYPES = {
    "slc": (LICENSOR_CERTIFICATE, SERVER, "MS-GUID"),
    "enrolled slc": (LICENSOR_CERTIFICATE, SERVER, "MS-GUID"),
    "sub-enrolled slc": (LICENSOR_CERTIFICATE, SERVER, "MS-GUID"),
    "enrollment service": (LICENSOR_CERTIFICATE, SERVER, "MS-GUID"),
    "enrollment ca": (CA_CERTIFICATE, AUTHORITY, "ascii-tag"),
    "spc issuer": (LICENSOR_CERTIFICATE, PROCESSOR, "MS-GUID"),
    "security processor ca": (CA_CERTIFICATE, PROCESSORS, "MS-GUID"),
    "intermediate ca": (CA_CERTIFICATE, AUTHORITY, "ascii-tag"),
    "ca": (CA_CERTIFICATE, AUTHORITY, "ascii-tag"),
}
"""Type of the DESCRIPTOR, type of the principal, type of its ID (tables of 2.2.9.3.1 and 2.2.9.3.3)."""
ISSUER_TYPES = {
    "slc": (SERVER, "MS-GUID"),
    "enrolled slc": (SERVER, "MS-GUID"),
    "sub-enrolled slc": (SERVER, "MS-GUID"),
    "enrollment service": (AUTHORITY, "ascii-tag"),
    "enrollment ca": (AUTHORITY, "ascii-tag"),
    "spc issuer": (PROCESSORS, "MS-GUID"),
    "security processor ca": (AUTHORITY, "ascii-tag"),
    "intermediate ca": (AUTHORITY, "ascii-tag"),
    "ca": (AUTHORITY, "ascii-tag"),
}
"""Type of the issuer and of its ID (tables of 2.2.9.3.2)."""
NAMES = {
    "enrollment service": SELF_ENROLLMENT,
    "enrollment ca": "rmsserver Server Enrollment CA",
    "spc issuer": "rmsserver Desktop Security Processor Activation Certificate",
    "security processor ca": "rmsserver Machine Activation Desktop Security Processor CA",
    "intermediate ca": "rmsserver Machine Activation Server CA",
    "ca": "rmsserver Cluster CA",
}
every_one = pytest.mark.parametrize("kind", ALL)


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def all_kinds(request: pytest.FixtureRequest) -> Issued:
    return issued(request.param)


def keys_of(all_kinds: Issued) -> dict[str, PrivateKey]:
    keys = all_kinds.keys
    return {
        "root": keys.root,
        "ca": keys.ca,
        "enrollment ca": keys.enrollment_ca,
        "enrollment service": keys.enrollment_service,
        "slc": keys.licensor,
        "enrolled slc": key_of(all_kinds.cluster),
        "sub-enrolled slc": key_of(all_kinds.cluster),
        "intermediate ca": keys.machine_intermediate,
        "security processor ca": keys.machine_authority,
        "spc issuer": keys.machine_issuer,
    }


def has_key(element: Element, expected: PrivateKey) -> bool:
    """Modulus, exponent, size of a PUBLICKEY."""
    assert form(element) == KEY
    assert text(element, "PARAMETER[@name='public-exponent']/VALUE") == "65537"
    assert one(element, "PARAMETER[@name='modulus']/VALUE").get("size") == str(expected.public.bits)
    return modulus(element) == expected.public.modulus


# --- the whole ------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.3", "The certificates of a new hierarchy have the elements of the template in its order.")
@conforms("MS-RMPR 2.2.9.3", "Issuing certificates have no VALIDITYTIME.")
@conforms("MS-RMPR 2.2.9.3", "An SLC that was enrolled with revocation authorities has a CONDITIONLIST.")
@conforms("MS-RMPR 2.2.9.3", "No other issuing certificate has a CONDITIONLIST of that kind.")
@every_one
def test_the_whole(all_kinds: Issued, kind: str) -> None:
    """All parts, and nothing else; conditions only where revocation authorities were asked for."""
    root = all_kinds.root(kind)
    assert [child.tag for child in root] == ["BODY", "SIGNATURE"]
    assert dict(root.attrib) == {"version": "1.2"}
    assert dict(root[0].attrib) == {"type": "LICENSE", "version": "3.0"}
    parts = ["ISSUEDTIME", "DESCRIPTOR", "ISSUER", "ISSUEDPRINCIPALS", "WORK"]
    assert [child.tag for child in root[0]] == parts + ["CONDITIONLIST"] * (kind == "enrolled slc")
    assert form(one(root, "BODY/WORK")) == (
        "WORK(OBJECT@type(ID@type) RIGHTSGROUP@name(RIGHTSLIST(RIGHT@name(CONDITIONLIST("
        "TIME(RANGETIME(FROM UNTIL)) ACCESS(PRINCIPAL@internal-id))))))"
    )
    assert one(root, "BODY/WORK/RIGHTSGROUP").get("name") == "Main-Rights"
    assert one(root, "BODY/WORK/RIGHTSGROUP/RIGHTSLIST/RIGHT").get("name") == "ISSUE"
    principal = one(root, "BODY/WORK/RIGHTSGROUP/RIGHTSLIST/RIGHT/CONDITIONLIST/ACCESS/PRINCIPAL")
    assert principal.get("internal-id") == "1"


@conforms("MS-RMPR 2.2.9.3", "ISSUEDTIME is when the certificate was made.")
@conforms("MS-RMPR 2.2.9.3", "A certificate that was issued outside its issuer's range is refused, and none is issued.")
@conforms("MS-RMPR 2.2.9.3", "The ISSUE right has the range in which the certificate may issue.")
@every_one
def test_times(all_kinds: Issued, kind: str) -> None:
    """Those of the hierarchy's making or of the enrollment; within the range of the certificate above."""
    root = all_kinds.root(kind)
    moment = text(root, "BODY/ISSUEDTIME")
    assert moment == ("2026-01-05T09:30" if kind in ISSUING else "2026-06-01T12:00")
    assert span(root) == (
        ("2026-01-04T09:30", "2075-12-24T09:30") if kind in ISSUING else ("2026-05-31T12:00", "2075-12-24T09:30")
    )
    parent = PARENT[kind]
    if parent is not None:
        start, end = span(all_kinds.root(parent))
        assert start <= moment < end


def span(root: Element) -> tuple[str, str]:
    found = one(root, "BODY/WORK/RIGHTSGROUP/RIGHTSLIST/RIGHT/CONDITIONLIST/TIME/RANGETIME")
    return text(found, "FROM"), text(found, "UNTIL")


@conforms("MS-RMPR 2.2.9.3", "The certificate ends in a signature that the key of the certificate above verifies.")
@conforms("MS-RMPR 2.2.9.3", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.3", "The signature verifies with the key in ISSUER.")
@conforms("MS-RMPR 2.2.9.3", "The size of the signature is that of the issuer's private key.")
@conforms("MS-RMPR 2.2.9.3", "The issuer's private key is as long as the public key in ISSUER.")
@every_one
def test_signature(all_kinds: Issued, kind: str) -> None:
    """With the key in ISSUER, and with that of the certificate above; as long as the private key."""
    root, parent = all_kinds.root(kind), PARENT[kind]
    verify(all_kinds, kind, one(root, "BODY/ISSUER/PUBLICKEY"))
    if parent is not None:
        verify(all_kinds, kind, one(all_kinds.root(parent), f"{PRINCIPAL}/PUBLICKEY"))
    private = keys_of(all_kinds)[parent or "root"]._key
    assert one(root, "SIGNATURE/VALUE").get("size") == str(private.key_size)


# --- DESCRIPTOR -----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.3", "DESCRIPTOR says which kind of certificate it is.")
@conforms("MS-RMPR 2.2.9.3", "The OBJECT of WORK is that of DESCRIPTOR, to the letter.")
@conforms("MS-RMPR 2.2.9.3.1", "DESCRIPTOR is an OBJECT with a GUID and nothing else.")
@conforms("MS-RMPR 2.2.9.3.1", "The type is that of the table, and certificates of other types are refused.")
@every_one
def test_descriptor(all_kinds: Issued, kind: str) -> None:
    """Type by the table, and again in WORK."""
    descriptor = one(all_kinds.root(kind), "BODY/DESCRIPTOR")
    assert form(descriptor) == "DESCRIPTOR(OBJECT@type(ID@type))"
    assert (descriptor[0].get("type"), descriptor[0][0].get("type")) == (TYPES[kind][0], "MS-GUID")
    surface = re.search("<DESCRIPTOR>(.*)</DESCRIPTOR>", all_kinds.texts[kind])
    assert surface is not None
    assert f"<WORK>{surface[1]}<RIGHTSGROUP" in all_kinds.texts[kind]


@conforms("MS-RMPR 2.2.9.3.1", "Each certificate has a GUID of its own, in braces.")
@conforms("MS-RMPR 2.2.9.3.3", "Each principal with a GUID has one of its own, in braces.")
def test_guids(all_kinds: Issued) -> None:
    """Certificates and principals; the two enrolled ones are one server, which chose its GUID itself."""
    certificates = [text(all_kinds.root(kind), "BODY/DESCRIPTOR/OBJECT/ID") for kind in ALL]
    principals = {
        kind: text(all_kinds.root(kind), f"{PRINCIPAL}/OBJECT/ID") for kind in ALL if TYPES[kind][2] == "MS-GUID"
    }
    assert principals["enrolled slc"] == principals.pop("sub-enrolled slc") == f"{{{GUID}}}"
    assert len({*certificates, *principals.values()}) == len(certificates) + len(principals)
    assert all(BRACED.fullmatch(identity) for identity in (*certificates, *principals.values()))


# --- ISSUER ---------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.3", "ISSUER is the principal of the certificate above, to the letter.")
@conforms("MS-RMPR 2.2.9.3.2", "ISSUER has OBJECT with ID and NAME, then the key.")
@conforms("MS-RMPR 2.2.9.3.2", "The issuer's GUID is that of its own certificate, and another one is refused.")
@conforms("MS-RMPR 2.2.9.3.2", "ISSUER has the key of the certificate above.")
@every_one
def test_issuer(all_kinds: Issued, kind: str) -> None:
    """The inside of the parent's PRINCIPAL, GUID and key included; in a sub-enrolled one it is an SLC's, with its levels."""
    issuer, parent = one(all_kinds.root(kind), "BODY/ISSUER"), PARENT[kind]
    if parent is not None:
        above = re.search('<PRINCIPAL internal-id="1">(.*)</PRINCIPAL></ISSUEDPRINCIPALS>', all_kinds.texts[parent])
        assert above is not None
        assert f"<ISSUER>{above[1]}</ISSUER>" in all_kinds.texts[kind]
    if parent != "slc":
        assert form(issuer) == f"ISSUER(OBJECT@type(ID@type NAME) {KEY})"


@conforms("MS-RMPR 2.2.9.3.2", "The issuer's type is that of the table.")
@conforms("MS-RMPR 2.2.9.3.2", "The type of the issuer's ID is that of the table.")
@conforms("MS-RMPR 2.2.9.3.2", "Authorities go by their own names, servers and processors by GUIDs.")
@conforms("MS-RMPR 2.2.9.3.2", "The issuer has a name.")
@every_one
def test_kind_and_name_of_the_issuer(all_kinds: Issued, kind: str) -> None:
    """The types are those of the tables, the names our own: the ID of an authority is its name."""
    found = one(all_kinds.root(kind), "BODY/ISSUER/OBJECT")
    assert (found.get("type"), one(found, "ID").get("type")) == ISSUER_TYPES[kind]
    parent = PARENT[kind]
    name = {None: "rmsserver Cluster Root", "slc": "EXAMPLE"}.get(parent) or NAMES[parent or ""]
    assert text(found, "NAME") == name
    identity = text(found, "ID")
    assert BRACED.fullmatch(identity) if ISSUER_TYPES[kind][1] == "MS-GUID" else identity == name


@conforms("MS-RMPR 2.2.9.3.2", "The SLC's issuer has the name of a self-enrollment service.")
@conforms("MS-RMPR 2.2.9.3.3", "The Enrollment Service has the name of a self-enrollment service.")
def test_self_enrollment(all_kinds: Issued) -> None:
    """The literal of both sections."""
    assert text(all_kinds.root("slc"), "BODY/ISSUER/OBJECT/NAME") == "Microsoft DRM Server Self Enrollment Service"
    service = text(all_kinds.root("enrollment service"), f"{PRINCIPAL}/OBJECT/NAME")
    assert service == "Microsoft DRM Server Self Enrollment Service"


@conforms("MS-RMPR 2.2.9.3.2", "The exponent of the issuer's key is 65537.")
@conforms("MS-RMPR 2.2.9.3.2", "The modulus is that of the issuer's key.")
@conforms("MS-RMPR 2.2.9.3.2", "The size of the issuer's key stands in bits.")
@conforms("MS-RMPR 2.2.9.3.2", "The issuers' keys have the lengths of the table.")
@every_one
def test_key_of_the_issuer(all_kinds: Issued, kind: str) -> None:
    """2048 bits for those whom the table allows no other; the mode's, or 2048, for the rest."""
    found, private = one(all_kinds.root(kind), "BODY/ISSUER/PUBLICKEY"), keys_of(all_kinds)[PARENT[kind] or "root"]
    assert has_key(found, private)
    longest_only = ("enrollment ca", "intermediate ca", "ca")
    assert private.public.bits in ((2048,) if kind in longest_only else (all_kinds.cluster.mode.rsa_bits, 2048))


@conforms("MS-RMPR 2.2.9.3.2", "The SLC names no practice statement.")
@conforms("MS-RMPR 2.2.9.3.2", "No other issuing certificate names a practice statement.")
@every_one
def test_practice_statement(all_kinds: Issued, kind: str) -> None:
    """Nowhere: genuine servers have none either."""
    assert "Certificate Practice Statement" not in all_kinds.texts[kind]


# --- ISSUEDPRINCIPALS -----------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.3.3", "The principal has OBJECT, key and levels in the template's order.")
@conforms("MS-RMPR 2.2.9.3.3", "Every principal but the SLC's has a name.")
@conforms("MS-RMPR 2.2.9.3.3", "An SLC has no name but that of a server that enrolled itself.")
@conforms("MS-RMPR 2.2.9.3.3", "The SLC has an address.")
@conforms("MS-RMPR 2.2.9.3.3", "No other issuing certificate has an address.")
@conforms("MS-RMPR 2.2.9.3.3", "The SLC says the server's version.")
@conforms("MS-RMPR 2.2.9.3.3", "No other issuing certificate says a server's version.")
@conforms("MS-RMPR 2.2.9.3.3", "The SLC says the server's SKU.")
@conforms("MS-RMPR 2.2.9.3.3", "No other issuing certificate says a server's SKU.")
@every_one
def test_principal(all_kinds: Issued, kind: str) -> None:
    """Address and levels in SLCs alone; a name in all but the SLC of a server that another one enrolled."""
    name = "" if kind == "enrolled slc" else " NAME"
    address, levels = (" ADDRESS@type", LEVELS) if kind in SLCS else ("", "")
    principal = f"PRINCIPAL@internal-id(OBJECT@type(ID@type{name}{address}) {KEY}{levels})"
    assert form(one(all_kinds.root(kind), "BODY/ISSUEDPRINCIPALS")) == f"ISSUEDPRINCIPALS({principal})"


@conforms("MS-RMPR 2.2.9.3.3", "The principal's type is that of the table, and other types are refused.")
@conforms("MS-RMPR 2.2.9.3.3", "The type of the principal's ID is that of the table.")
@conforms(
    "MS-RMPR 2.2.9.3.3",
    "Principals of authorities go by their own names, those of servers and processors by GUIDs.",
)
@conforms("MS-RMPR 2.2.9.3.3", "The principals' names are those of our own hierarchy.")
@every_one
def test_kind_and_name_of_the_principal(all_kinds: Issued, kind: str) -> None:
    """The types are those of the tables, the names our own."""
    found = one(all_kinds.root(kind), f"{PRINCIPAL}/OBJECT")
    assert (found.get("type"), one(found, "ID").get("type")) == TYPES[kind][1:]
    names = {**NAMES, "slc": "EXAMPLE", "enrolled slc": None, "sub-enrolled slc": "BRANCH"}
    assert [name.text for name in found.findall("NAME")] == [names[kind]] * (names[kind] is not None)
    if TYPES[kind][2] == "ascii-tag":
        assert text(found, "ID") == names[kind]


@conforms("MS-RMPR 2.2.9.3.3", "The address is the server's URL.")
@conforms("MS-RMPR 2.2.9.3.3", "The version is a SECURITYLEVEL named Server-Version.")
@conforms("MS-RMPR 2.2.9.3.3", "The SKU is a SECURITYLEVEL named Server-SKU.")
@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("slc", "HTTP://rms.example.com/_wmcs"),
        ("enrolled slc", "HTTP://branch.example.com/_wmcs"),
        ("sub-enrolled slc", "HTTP://branch.example.com/_wmcs"),
    ],
)
def test_what_an_slc_says_of_its_server(all_kinds: Issued, kind: str, url: str) -> None:
    """URL, version, SKU."""
    principal = one(all_kinds.root(kind), PRINCIPAL)
    assert text(principal, "OBJECT/ADDRESS[@type='URL']") == url
    assert [(level.get("name"), level.get("value")) for level in principal.findall("SECURITYLEVEL")] == [
        ("Server-Version", "6.3.0.0"),
        ("Server-SKU", "RMS 2.0"),
    ]


@conforms("MS-RMPR 2.2.9.3", "ISSUEDPRINCIPALS has the principal and its public key.")
@conforms("MS-RMPR 2.2.9.3.3", "The principal has the key that is issued.")
@conforms("MS-RMPR 2.2.9.3.3", "The exponent of the issued key is 65537.")
@conforms("MS-RMPR 2.2.9.3.3", "The modulus is that of the issued key.")
@conforms("MS-RMPR 2.2.9.3.3", "The size of the issued key stands in bits and is that of the table.")
@every_one
def test_key_of_the_principal(all_kinds: Issued, kind: str) -> None:
    """That of the server or authority; the CA's has 2048 bits in either mode."""
    found, private = one(all_kinds.root(kind), f"{PRINCIPAL}/PUBLICKEY"), keys_of(all_kinds)[kind]
    assert has_key(found, private)
    assert private.public.bits in ((2048,) if kind == "ca" else (all_kinds.cluster.mode.rsa_bits, 2048))


# --- CONDITIONLIST --------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.3", "The CONDITIONLIST names who may revoke the SLC.")
@conforms("MS-RMPR 2.2.9.3.4", "An SLC that was enrolled with revocation authorities lists them.")
@conforms("MS-RMPR 2.2.9.3.4", "The list is REFRESH with points and an empty INTERVALTIME.")
@conforms("MS-RMPR 2.2.9.3.4", "The first point has the key of the SLC's issuer.")
@conforms("MS-RMPR 2.2.9.3.4", "Each revocation authority of the request has a point with its key.")
@conforms("MS-RMPR 2.2.9.3.5", "A revocation authority's point has the OBJECT of the template and a key.")
@conforms("MS-RMPR 2.2.9.3.5", "The key of a revocation authority is a whole PUBLICKEY.")
def test_revocation_authorities(all_kinds: Issued) -> None:
    """The Enrollment Service, then the one that the request named."""
    refresh = one(all_kinds.root("enrolled slc"), "BODY/CONDITIONLIST/REFRESH")
    point = f"DISTRIBUTIONPOINT(OBJECT@type(ID@type) {KEY})"
    assert form(refresh) == f"REFRESH({point} {point} INTERVALTIME)"
    authorities = (all_kinds.keys.enrollment_service, key("revocation authority", 2048))
    for found, authority in zip(refresh, authorities, strict=False):
        assert (found[0].get("type"), found[0][0].get("type")) == ("Revocation", "ascii-tag")
        assert text(found, "OBJECT/ID") == "External revocation authority"
        assert has_key(one(found, "PUBLICKEY"), authority)
