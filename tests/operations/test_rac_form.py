"""The account certificate that Certify issues, part by part ([MS-RMPR] 2.2.9.5)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from rmsserver.xrml.errors import SealError
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import RightsAccountCertificate
from tests.conformance import conforms
from tests.operations.issued_documents import AUTHOR, GUEST, Issued, form, issued, modulus, one, text, verify

KEY = "PUBLICKEY(ALGORITHM PARAMETER@name(VALUE@encoding) PARAMETER@name(VALUE@encoding@size))"
LEVELS = " SECURITYLEVEL@name@value"
PRINCIPAL = "BODY/ISSUEDPRINCIPALS/PRINCIPAL"
MACHINE = "BODY/FEDERATIONPRINCIPALS/PRINCIPAL"
certified = pytest.mark.parametrize("kind", ["rac", "temporary rac", "federated rac"])


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def all_kinds(request: pytest.FixtureRequest) -> Issued:
    return issued(request.param)


@conforms("MS-RMPR 2.2.9.5", "An account certificate has the elements of the template in its order.")
@conforms("MS-RMPR 2.2.9.5", "ISSUEDTIME is when the account certificate was made.")
@conforms("MS-RMPR 2.2.9.5", "VALIDITYTIME is there.")
@conforms("MS-RMPR 2.2.9.5", "FEDERATIONPRINCIPALS has the account's private key.")
@certified
def test_the_whole(all_kinds: Issued, kind: str) -> None:
    """All parts, and nothing else."""
    root = all_kinds.root(kind)
    assert [child.tag for child in root] == ["BODY", "SIGNATURE"]
    assert dict(root[0].attrib) == {"type": "LICENSE", "version": "3.0"}
    assert [child.tag for child in root[0]] == [
        "ISSUEDTIME", "VALIDITYTIME", "DESCRIPTOR", "ISSUER", "DISTRIBUTIONPOINT", "DISTRIBUTIONPOINT", "ISSUEDPRINCIPALS",
        "FEDERATIONPRINCIPALS",
    ]  # fmt: skip
    assert text(root, "BODY/ISSUEDTIME") == "2026-06-01T12:00"
    assert text(root, "BODY/VALIDITYTIME/FROM") == "2026-05-31T12:00"
    until = {"rac": "2027-06-01T12:00", "temporary rac": "2026-06-01T12:15", "federated rac": "2026-06-02T12:00"}
    assert text(root, "BODY/VALIDITYTIME/UNTIL") == until[kind]


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        pytest.param(
            "rac",
            "BODY/DESCRIPTOR",
            "DESCRIPTOR(OBJECT@type(ID@type))",
            marks=conforms("MS-RMPR 2.2.9.5.1", "DESCRIPTOR has the type of account certificates and a GUID."),
        ),
        pytest.param(
            "rac",
            "BODY/ISSUER",
            f"ISSUER(OBJECT@type(ID@type NAME ADDRESS@type) {KEY}{LEVELS * 2})",
            marks=conforms("MS-RMPR 2.2.9.5.2", "ISSUER has OBJECT, key and levels in the template's order."),
        ),
        pytest.param(
            "rac",
            PRINCIPAL,
            f"PRINCIPAL@internal-id(OBJECT@type(ID@type NAME) {KEY}{LEVELS * 3})",
            marks=conforms(
                "MS-RMPR 2.2.9.5.4", "The account's principal has OBJECT, key and three levels in the template's order."
            ),
        ),
        pytest.param(
            "federated rac",
            PRINCIPAL,
            f"PRINCIPAL@internal-id(OBJECT@type(ID@type NAME ADDRESS@type ADDRESS@type) {KEY}{LEVELS * 3})",
            marks=conforms("MS-RMPR 2.2.9.5.4", "Aliases are addresses of type email_alias, one element each."),
        ),
        pytest.param(
            "rac",
            MACHINE,
            f"PRINCIPAL(OBJECT@type(ID@type NAME) ENABLINGBITS@type(VALUE@encoding@size){LEVELS * 3})",
            marks=conforms("MS-RMPR 2.2.9.5.5", "The principal has the machine, the sealed key and three levels."),
        ),
    ],
)
def test_parts(all_kinds: Issued, kind: str, path: str, expected: str) -> None:
    """Elements and attributes of each part, and their order."""
    assert form(one(all_kinds.root(kind), path)) == expected


# --- issuer ---------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.5", "DESCRIPTOR is that of an account certificate.")
def test_descriptor(all_kinds: Issued) -> None:
    """Type and type of the ID."""
    found = one(all_kinds.root("rac"), "BODY/DESCRIPTOR/OBJECT")
    assert (found.get("type"), one(found, "ID").get("type")) == ("Group-Identity-Credential", "MS-GUID")


@conforms("MS-RMPR 2.2.9.5", "ISSUER describes the server.")
@conforms("MS-RMPR 2.2.9.5.2", "ISSUER is the inside of the SLC's principal, to the letter.")
@conforms("MS-RMPR 2.2.9.5.2", "The server goes by a GUID in braces.")
@conforms("MS-RMPR 2.2.9.5.2", "The server's GUID is that of its SLC's principal.")
@conforms("MS-RMPR 2.2.9.5.2", "NAME is the server's name.")
@conforms("MS-RMPR 2.2.9.5.2", "ADDRESS is the server's URL.")
@conforms("MS-RMPR 2.2.9.5.2", "The server's version is a SECURITYLEVEL named Server-Version.")
@conforms("MS-RMPR 2.2.9.5.2", "The server's SKU is a SECURITYLEVEL named Server-SKU.")
@certified
def test_issuer(all_kinds: Issued, kind: str) -> None:
    """Who the server is, as its own certificate has it."""
    slc = all_kinds.texts["slc"]
    inside = slc.partition('<PRINCIPAL internal-id="1">')[2].partition("</PRINCIPAL>")[0]
    assert f"<ISSUER>{inside}</ISSUER>" in all_kinds.texts[kind]
    issuer = one(all_kinds.root(kind), "BODY/ISSUER")
    found = one(issuer, "OBJECT")
    assert (found.get("type"), one(found, "ID").get("type")) == ("MS-DRM-Server", "MS-GUID")
    assert text(found, "ID") == all_kinds.cluster.state.licensor.certificate.principal.object.guid.braced
    assert text(found, "NAME") == "EXAMPLE"
    assert text(found, "ADDRESS[@type='URL']") == "HTTP://rms.example.com/_wmcs"
    assert [(level.get("name"), level.get("value")) for level in issuer.findall("SECURITYLEVEL")] == [
        ("Server-Version", "6.3.0.0"),
        ("Server-SKU", "RMS 2.0"),
    ]


@conforms("MS-RMPR 2.2.9.5", "The account certificate ends in a signature of the server.")
@conforms("MS-RMPR 2.2.9.5", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.5", "The signature verifies with the server's key.")
@conforms("MS-RMPR 2.2.9.5", "The signature's size is that of the server's private key.")
@conforms("MS-RMPR 2.2.9.5", "The server's private key is as long as the public key in ISSUER.")
@conforms("MS-RMPR 2.2.9.5.2", "ISSUER has the server's public key.")
@conforms("MS-RMPR 2.2.9.5.2", "The exponent of the server's key is 65537.")
@conforms("MS-RMPR 2.2.9.5.2", "The size is that of the server's key.")
@conforms("MS-RMPR 2.2.9.5.2", "The modulus is that of the server's key.")
@certified
def test_key_of_the_server(all_kinds: Issued, kind: str) -> None:
    """In ISSUER, and under the signature."""
    key, found = all_kinds.keys.licensor, one(all_kinds.root(kind), "BODY/ISSUER/PUBLICKEY")
    _is_key(found, key.public.modulus, key.public.bits)
    verify(all_kinds, kind, found)
    assert one(all_kinds.root(kind), "SIGNATURE/VALUE").get("size") == str(key._key.key_size)


def _is_key(element: Element, number: int, bits: int) -> None:
    assert modulus(element) == number
    assert text(element, "PARAMETER[@name='public-exponent']/VALUE") == "65537"
    assert one(element, "PARAMETER[@name='modulus']/VALUE").get("size") == str(bits)


# --- where the server is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "kind", "url"),
    [
        pytest.param(
            0,
            "Activation",
            "http://rms.example.com/_wmcs/certification",
            marks=[
                conforms("MS-RMPR 2.2.9.5", "There is a point with the intranet URL."),
                conforms("MS-RMPR 2.2.9.5.3", "The intranet's address is the cluster's certification URL."),
            ],
        ),
        pytest.param(
            1,
            "Extranet-Activation",
            "https://rms.example.net/_wmcs/certification",
            marks=[
                conforms("MS-RMPR 2.2.9.5", "There is a point with the extranet URL where one is configured."),
                conforms("MS-RMPR 2.2.9.5.3", "The extranet's address is the configured external URL."),
            ],
        ),
    ],
)
@conforms("MS-RMPR 2.2.9.5.3", "A point has OBJECT with GUID, the name of the template, and an address.")
@conforms(
    "MS-RMPR 2.2.9.5.3", "The intranet's point is of type Activation, the extranet's of type Extranet-Activation."
)
@conforms("MS-RMPR 2.2.9.5.3", "A point's GUID is the product's constant, in braces.")
def test_points(all_kinds: Issued, at: int, kind: str, url: str) -> None:
    """Two, of which the second stands only where it is configured (operations/test_certify.py)."""
    point = all_kinds.root("rac").findall("BODY/DISTRIBUTIONPOINT")[at]
    assert form(point) == "DISTRIBUTIONPOINT(OBJECT@type(ID@type NAME ADDRESS@type))"
    found = one(point, "OBJECT")
    assert (found.get("type"), one(found, "ID").get("type")) == (kind, "MS-GUID")
    assert text(found, "ID") == "{8BA9EA80-99E4-4a2b-9764-4CD84F77C3A0}"
    assert text(found, "NAME") == "Microsoft Identity Certification Server"
    assert text(found, "ADDRESS[@type='URL']") == url


# --- the account ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "id_type", "email", "aliases"),
    [
        pytest.param(
            "rac",
            "Windows",
            AUTHOR,
            (),
            marks=[
                conforms("MS-RMPR 2.2.9.5.4", "Accounts of the directory are of type Windows."),
                conforms("MS-RMPR 2.2.9.5.4", "The ID of an account of the directory is its SID."),
            ],
        ),
        pytest.param(
            "federated rac",
            "Federation",
            GUEST.email,
            GUEST.proxy_addresses,
            marks=[
                conforms("MS-RMPR 2.2.9.5.4", "Accounts that signed on by federation are of type Federation."),
                conforms("MS-RMPR 2.2.9.5.4", "A federated account has its further addresses as aliases."),
            ],
        ),
    ],
)
@conforms(
    "MS-RMPR 2.2.9.5.4",
    "The type of the ID says how the user signed on, and account certificates of other types are refused.",
)
@conforms("MS-RMPR 2.2.9.5.4", "NAME is the primary e-mail address.")
@conforms("MS-RMPR 2.2.9.5.4", "Aliases are addresses of type email_alias, one element each.")
def test_account(all_kinds: Issued, kind: str, id_type: str, email: str, aliases: tuple[str, ...]) -> None:
    """Type and ID, address, aliases."""
    found = one(all_kinds.root(kind), f"{PRINCIPAL}/OBJECT")
    assert (found.get("type"), one(found, "ID").get("type"), text(found, "NAME")) == ("Group-Identity", id_type, email)
    assert [(address.get("type"), address.text) for address in found.findall("ADDRESS")] == [
        ("email_alias", alias) for alias in aliases
    ]
    if id_type == "Windows":
        assert text(found, "ID") == all_kinds.cluster.sid(AUTHOR)


@conforms("MS-RMPR 2.2.9.5", "ISSUEDPRINCIPALS has the account and its public key.")
@conforms("MS-RMPR 2.2.9.5.4", "The principal has the account's public key.")
@conforms("MS-RMPR 2.2.9.5.4", "The exponent of the account's key is 65537.")
@conforms("MS-RMPR 2.2.9.5.4", "The size is that of the account's key.")
@conforms("MS-RMPR 2.2.9.5.4", "The modulus is that of the account's key.")
def test_key_of_the_account(all_kinds: Issued) -> None:
    """The one that is stored for it."""
    found, key = one(all_kinds.root("rac"), f"{PRINCIPAL}/PUBLICKEY"), all_kinds.account.public
    _is_key(found, key.modulus, key.bits)


@pytest.mark.parametrize(
    ("kind", "word"), [("rac", "Persistent"), ("temporary rac", "Temporary"), ("federated rac", "Persistent")]
)
@conforms("MS-RMPR 2.2.9.5.4", "A level says whether the account certificate is persistent or temporary.")
def test_levels_of_the_account(all_kinds: Issued, kind: str, word: str) -> None:
    """And two that are always the same."""
    levels = one(all_kinds.root(kind), PRINCIPAL).findall("SECURITYLEVEL")
    assert [(level.get("name"), level.get("value")) for level in levels] == [
        ("Group-Identity-Credential-Type", word),
        ("Group-Identity-Type", "Group"),
        ("Group-Identity-Policy", "Group-Identity-Credential"),
    ]


# --- the machine ----------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 2.2.9.5.5", "OBJECT names the machine.")
@conforms("MS-RMPR 2.2.9.5.5", "OBJECT is that of the machine certificate, to the letter.")
@certified
def test_machine(all_kinds: Issued, kind: str) -> None:
    """Copied with its GUID."""
    spc, rac = all_kinds.texts["spc"], all_kinds.texts[kind]
    start = spc.index('<OBJECT type="Machine-Unique-Identifier">')
    object_ = spc[start : spc.index("</OBJECT>", start) + len("</OBJECT>")]
    assert f"<FEDERATIONPRINCIPALS><PRINCIPAL>{object_}<ENABLINGBITS" in rac


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=[
                conforms("MS-RMPR 2.2.9.5.5", f"The level {name} is there."),
                conforms("MS-RMPR 2.2.9.5.5", f"The level {name} is that of the machine certificate."),
            ],
        )
        for name in ("Platform", "Manufacturer", "Repository")
    ],
)
def test_levels_of_the_machine(all_kinds: Issued, name: str) -> None:
    """The SPC's text."""
    levels = [
        level for level in one(all_kinds.root("spc"), PRINCIPAL).findall("SECURITYLEVEL") if level.get("name") == name
    ]
    surface = f'<SECURITYLEVEL name="{name}" value="{levels[0].get("value")}" />'
    assert surface in all_kinds.texts["spc"]
    assert surface in all_kinds.texts["rac"].partition("<FEDERATIONPRINCIPALS>")[2]


@conforms("MS-RMPR 2.2.9.5", "FEDERATIONPRINCIPALS has the account's private key.")
@conforms("MS-RMPR 2.2.9.5.5", "The account's private key opens with the machine's, and with no other.")
@certified
def test_private_key(all_kinds: Issued, kind: str) -> None:
    """What the machine opens is the private half of the key in ISSUEDPRINCIPALS."""
    rac = RightsAccountCertificate.read(all_kinds.texts[kind])
    opened = rac.open_private_key(all_kinds.machine, bytes(16))
    assert opened.public.modulus == modulus(one(all_kinds.root(kind), f"{PRINCIPAL}/PUBLICKEY"))
    with pytest.raises(SealError):
        rac.open_private_key(all_kinds.account, bytes(16))
