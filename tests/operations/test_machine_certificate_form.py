"""The machine certificate that a cluster signs, part by part ([MS-RMPR] 2.2.9.4)."""

from __future__ import annotations

import base64

import pytest

from rmsserver import __version__
from rmsserver.operations.machine_certificate import MachineCertificateRequest, issue_machine_certificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.spc import SecurityProcessorCertificate
from tests.cluster import NOW, Cluster, key
from tests.conformance import conforms
from tests.operations.issued_documents import Issued, form, issued, modulus, one, text, verify

KEY = "PUBLICKEY(ALGORITHM PARAMETER@name(VALUE@encoding) PARAMETER@name(VALUE@encoding@size))"
DIGEST = "DIGEST(ALGORITHM PARAMETER@name(VALUE@encoding) VALUE@encoding@size)"
PRINCIPAL = "BODY/ISSUEDPRINCIPALS/PRINCIPAL"


@pytest.fixture(scope="module", params=list(CryptoMode), ids=["mode1", "mode2"])
def all_kinds(request: pytest.FixtureRequest) -> Issued:
    return issued(request.param)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(
            "BODY/DESCRIPTOR",
            "DESCRIPTOR(OBJECT@type(ID@type NAME))",
            marks=[
                conforms("MS-RMPR 2.2.9.4.1", "DESCRIPTOR has type, GUID and name of a machine certificate."),
                conforms(
                    "MS-RMPR 2.2.9.4",
                    "A machine certificate has the DESCRIPTOR of one, and certificates of other kinds are refused.",
                ),
            ],
        ),
        pytest.param(
            "BODY/ISSUER",
            f"ISSUER(OBJECT@type(ID@type NAME) {KEY})",
            marks=[
                conforms("MS-RMPR 2.2.9.4.2", "ISSUER has OBJECT with ID and NAME, then the key."),
                conforms(
                    "MS-RMPR 2.2.9.4", "A machine certificate names its issuer, and one that does not is refused."
                ),
            ],
        ),
        pytest.param(
            "BODY/DISTRIBUTIONPOINT",
            "DISTRIBUTIONPOINT(OBJECT@type(ID@type NAME ADDRESS@type))",
            marks=conforms("MS-RMPR 2.2.9.4", "A machine certificate has the point of its activation."),
        ),
        pytest.param(
            PRINCIPAL,
            f"PRINCIPAL(OBJECT@type(ID@type NAME) {KEY} {DIGEST}{' SECURITYLEVEL@name@value' * 3})",
            marks=[
                conforms(
                    "MS-RMPR 2.2.9.4.4",
                    "The machine's principal has OBJECT, key, digest and three levels in the template's order.",
                ),
                conforms(
                    "MS-RMPR 2.2.9.4",
                    "A machine certificate has a machine and its key, and one that does not is refused.",
                ),
            ],
        ),
    ],
)
def test_parts(all_kinds: Issued, path: str, expected: str) -> None:
    """Elements and attributes of each part, and their order."""
    assert form(one(all_kinds.root("spc"), path)) == expected


@conforms("MS-RMPR 2.2.9.4", "A machine certificate has the elements of the template in its order.")
@conforms("MS-RMPR 2.2.9.4", "A machine certificate says when it was issued, and one that does not is refused.")
def test_the_whole(all_kinds: Issued) -> None:
    """All parts, and nothing else."""
    root = all_kinds.root("spc")
    assert [child.tag for child in root] == ["BODY", "SIGNATURE"]
    assert dict(root[0].attrib) == {"type": "LICENSE", "version": "3.0"}
    assert [child.tag for child in root[0]] == [
        "ISSUEDTIME", "DESCRIPTOR", "ISSUER", "DISTRIBUTIONPOINT", "ISSUEDPRINCIPALS",
    ]  # fmt: skip
    assert text(root, "BODY/ISSUEDTIME") == "2026-06-01T12:00"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("BODY/DESCRIPTOR/OBJECT[@type='Machine-Certificate']/NAME", "Microsoft Machine-Certificate"),
        pytest.param(
            "BODY/DISTRIBUTIONPOINT/OBJECT[@type='Activation']/ID[@type='MS-GUID']",
            "{99F48562-703E-4E7D-9175-DD69C66921B7}",
            marks=conforms(
                "MS-RMPR 2.2.9.4.3",
                "The point has type, GUID and name of the template and the URL of the activation.",
            ),
        ),
        ("BODY/DISTRIBUTIONPOINT/OBJECT/NAME", "Microsoft Activation"),
        ("BODY/DISTRIBUTIONPOINT/OBJECT/ADDRESS[@type='URL']", "http://rms.example.com/_wmcs/certification"),
        (f"{PRINCIPAL}/OBJECT[@type='Machine-Unique-Identifier']/NAME", "Machine"),
        pytest.param(
            f"{PRINCIPAL}/PUBLICKEY/PARAMETER[@name='public-exponent']/VALUE",
            "65537",
            marks=conforms(
                "MS-RMPR 2.2.9.4.4", "The exponent of the machine's key is 65537, and another one is refused."
            ),
        ),
        pytest.param(
            "BODY/ISSUER/PUBLICKEY/PARAMETER[@name='public-exponent']/VALUE",
            "65537",
            marks=conforms("MS-RMPR 2.2.9.4.2", "The exponent is 65537, and another one is refused."),
        ),
    ],
)
def test_constants(all_kinds: Issued, path: str, expected: str) -> None:
    """Texts that are the same in every machine certificate of a cluster."""
    assert text(all_kinds.root("spc"), path) == expected


@conforms("MS-RMPR 2.2.9.4.2", "ISSUER is the inside of the SPC issuer's principal, to the letter.")
@conforms("MS-RMPR 2.2.9.4.2", "The issuer goes by a GUID in braces.")
@conforms("MS-RMPR 2.2.9.4.2", "The issuer's GUID is that of its certificate's principal, and another one is refused.")
@conforms("MS-RMPR 2.2.9.4.2", "ISSUER has the key of the SPC issuer, and another key is refused.")
@conforms("MS-RMPR 2.2.9.4.2", "The size is that of the issuer's key.")
@conforms("MS-RMPR 2.2.9.4.2", "The modulus is that of the issuer's key.")
@conforms(
    "MS-RMPR 2.2.9.4",
    "A machine certificate is signed by its issuer, and one whose signature does not hold is refused.",
)
def test_issuer(all_kinds: Issued) -> None:
    """Text, GUID, key; and the signature verifies with the key in the issuer's own certificate."""
    issuer, spc = all_kinds.texts["spc issuer"], all_kinds.texts["spc"]
    inside = issuer.partition('<PRINCIPAL internal-id="1">')[2].partition("</PRINCIPAL>")[0]
    assert f"<ISSUER>{inside}</ISSUER>" in spc
    parent = one(all_kinds.root("spc issuer"), PRINCIPAL)
    identity = one(parent, "OBJECT/ID")
    assert (identity.get("type"), (identity.text or "")[0], (identity.text or "")[-1]) == ("MS-GUID", "{", "}")
    key = all_kinds.keys.machine_issuer.public
    named = one(all_kinds.root("spc"), "BODY/ISSUER/PUBLICKEY")
    assert modulus(named) == key.modulus
    assert one(named, "PARAMETER[@name='modulus']/VALUE").get("size") == str(key.bits)
    verify(all_kinds, "spc", one(parent, "PUBLICKEY"))


@conforms("MS-RMPR 2.2.9.4.4", "The principal has the public key of the machine.")
@conforms("MS-RMPR 2.2.9.4.4", "The size is that of the machine's key.")
@conforms("MS-RMPR 2.2.9.4.4", "The modulus is that of the machine's key.")
def test_key_of_the_machine(all_kinds: Issued) -> None:
    """The one that the machine sent."""
    found = one(all_kinds.root("spc"), f"{PRINCIPAL}/PUBLICKEY")
    assert modulus(found) == all_kinds.machine.public.modulus
    assert one(found, "PARAMETER[@name='modulus']/VALUE").get("size") == str(all_kinds.machine.public.bits)


@conforms("MS-RMPR 2.2.9.4.4", "The digest names the hash of the cluster's mode.")
@conforms("MS-RMPR 2.2.9.4.4", "The digest's size stands in bits.")
@conforms("MS-RMPR 2.2.9.4.4", "The digest is the one that the machine sent, as long as the hash.")
def test_digest_of_the_hardware(all_kinds: Issued) -> None:
    """SHA1 with 160 bits, SHA256 with 256."""
    digest = one(all_kinds.root("spc"), f"{PRINCIPAL}/DIGEST")
    value = one(digest, "VALUE")
    name, size = {CryptoMode.MODE_1: ("SHA1", 160), CryptoMode.MODE_2: ("SHA256", 256)}[all_kinds.cluster.mode]
    assert (text(digest, "ALGORITHM"), value.get("size")) == (name, str(size))
    assert base64.b64decode(value.text or "") == bytes(range(size // 8))


@conforms(
    "MS-RMPR 2.2.9.4.4",
    "The level Platform has the version of the client's platform, and a certificate without it is refused.",
)
@conforms(
    "MS-RMPR 2.2.9.4.4",
    "The level Manufacturer says who made the security processor, and a certificate without it is refused.",
)
@conforms(
    "MS-RMPR 2.2.9.4.4",
    "The level Repository ends in the version of the security processor, and a certificate without it is refused.",
)
def test_levels(all_kinds: Issued) -> None:
    """In this order; the platform is what the machine sent."""
    levels = one(all_kinds.root("spc"), PRINCIPAL).findall("SECURITYLEVEL")
    assert [level.get("name") for level in levels] == ["Platform", "Manufacturer", "Repository"]
    platform, manufacturer, repository = (level.get("value") or "" for level in levels)
    assert platform == "10.0.22631.0"
    assert manufacturer.startswith("rmsclient desktop security processor")
    assert repository.endswith(f" {__version__}")


@conforms("MS-RMPR 2.2.9.4.1", "Each machine certificate has a GUID of its own, in braces.")
@conforms("MS-RMPR 2.2.9.4.4", "Each machine has a GUID of its own, in braces.")
def test_guids(cluster: Cluster) -> None:
    """New for each certificate and each machine."""
    ids: list[str] = []
    number = key("new machine", cluster.mode.rsa_bits).public.modulus.to_bytes(cluster.mode.rsa_bits // 8)
    wanted = MachineCertificateRequest(number, bytes(cluster.mode.hash.digest_size), "10.0.22631.0")
    for _ in range(3):
        caller = cluster.caller("reader@example.com")
        chain = issue_machine_certificate(wanted, caller, cluster.state, cluster.ports(), NOW).chain
        spc = SecurityProcessorCertificate.read(chain[0])
        assert spc.descriptor is not None
        ids += [spc.descriptor.id, spc.principal.object.id]
    assert len(set(ids)) == 6
    assert all(identity[0] == "{" and identity[-1] == "}" and len(identity) == 38 for identity in ids)
