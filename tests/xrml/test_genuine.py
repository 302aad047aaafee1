"""Documents of genuine servers and clients: read, given back, verified; and ours have their skeleton (wire facts 7)."""

from __future__ import annotations

import json
import re

import pytest

from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.document import Document
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import KeyId, PublicKey
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.report import inspect
from rmsserver.xrml.rights import Grantee, RightsData
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.use_license import UseLicense
from tests.conformance import conforms
from tests.shared import GENUINE_DOCUMENTS, genuine, shared_file
from tests.xrml.hierarchy import Hierarchy

READER_OF = {
    "spc": SecurityProcessorCertificate.read,
    "rac": RightsAccountCertificate.read,
    "clc": ClientLicensorCertificate.read,
    "pl": PublishingLicense.read,
    "erd": RightsData.read,
    "ul": UseLicense.read,
}
CLIENT_WRITTEN = ("mode1-erd",)
"""Spelled by clients in a way that .NET would not (wire facts 1): `<RIGHT name = "OWNER">`."""


def read(name: str) -> Document:
    kind = name.partition("-")[2]
    return READER_OF.get(kind, IssuingCertificate.read)(genuine(name))


@pytest.mark.parametrize("name", GENUINE_DOCUMENTS)
def test_a_genuine_document_comes_back_character_for_character(name: str) -> None:
    """Reading keeps the text, and the surface of the root is the whole text."""
    text = genuine(name)
    assert read(name).text == text
    assert parse(text).surface == text


@pytest.mark.parametrize("name", [name for name in GENUINE_DOCUMENTS if name not in CLIENT_WRITTEN])
def test_a_genuine_document_verifies(name: str) -> None:
    """Every signed one verifies with the key in its ISSUER, and rendering it changes nothing."""
    read(name).verify()
    assert render(parse(genuine(name))) == genuine(name)


def test_one_changed_character_breaks_a_genuine_signature() -> None:
    """The verification above is not vacuous."""
    text = genuine("mode1-rac").replace("owner@contoso.com", "Owner@contoso.com")
    verdict = inspect([text], {})[0]
    assert verdict.signature == "the digest does not match the body"


def test_genuine_rights_data_reads_as_the_specification_prints_it() -> None:
    """MS-RMPR 4.5.5: seventeen rights, the last one a VIEW for one other person, with a range."""
    data = RightsData.read(genuine("mode1-erd"))
    assert len(data.rights) == 17
    last = data.rights[-1]
    assert (last.name, last.as_element, last.grantee) == ("VIEW", True, Grantee("Unspecified", "", "user@contoso.com"))
    assert last.conditions.span is not None
    assert [right.name for right in data.rights if not right.as_element] == ["OBJMODEL", "OWNER", "SIGN"] * 2
    assert data.referral is not None
    assert "mailto:owner@contoso.com" in data.referral


def test_genuine_rights_data_is_what_the_genuine_licence_encrypts() -> None:
    """UTF-16LE in whole AES blocks: the lengths agree, and repeated blocks stand in the same places (wire facts 4)."""
    encrypted = PublishingLicense.read(genuine("mode1-pl")).encrypted_rights
    plain = genuine("mode1-erd").encode("utf-16-le")
    plain += bytes(-len(plain) % 16)
    assert len(encrypted) == len(plain)
    assert _pattern(encrypted) == _pattern(plain)


def _pattern(data: bytes) -> list[int]:
    first: dict[bytes, int] = {}
    return [first.setdefault(data[at : at + 16], at) for at in range(0, len(data), 16)]


def test_the_genuine_documents_refer_to_each_other() -> None:
    """PL by CLC, rights in the UL from the rights data, machine in the RAC from the SPC."""
    pl, clc = PublishingLicense.read(genuine("mode1-pl")), ClientLicensorCertificate.read(genuine("mode1-clc"))
    rac, spc = (
        RightsAccountCertificate.read(genuine("mode1-rac")),
        SecurityProcessorCertificate.read(genuine("mode1-spc")),
    )
    ul = UseLicense.read(genuine("mode1-ul"))
    assert pl.issuer.key == clc.principal.key
    assert pl.addressed_to(rac.issuer)
    assert ul.issuer.inner_surface == rac.issuer.inner_surface == clc.issuer.inner_surface
    assert rac.machine is not None
    assert rac.machine.object == spc.principal.object
    assert rac.machine.object.surface == spc.machine_object
    assert str(spc.security_processor_version) == "6.1.7600.16385"
    assert [right.name for right in ul.rights] == ["VIEW"]
    assert pl.work_object in ul.text
    assert pl.metadata in ul.text
    assert pl.referral is not None
    assert pl.referral in ul.text


@pytest.mark.parametrize("mode", ["mode1", "mode2"])
def test_the_genuine_server_hierarchy_closes_at_the_production_root(mode: str) -> None:
    """Enrollment Service, Enrollment CA, CA, and the production root as anchor: three verdicts "ok"."""
    names = [f"{mode}-issuing-{part}" for part in ("enrollment-service", "enrollment-ca", "ca")]
    verdicts = inspect([genuine(name) for name in names], production_root())
    assert [(v.signature, v.link, v.trust) for v in verdicts] == [
        ("ok", "ok", "ok"),
        ("ok", "ok", "ok"),
        ("ok", "root", "ok"),
    ]


def production_root() -> dict[KeyId, PublicKey]:
    keys = json.loads(shared_file("facts/trust-anchors.json").read_text())["keys"]
    root = next(key for key in keys if key["name"].endswith("Production Root"))
    key = PublicKey.from_wire(root["modulus"], str(root["bits"]), "65537")
    return {key.id: key}


# --- what we issue ----------------------------------------------------------------------------------------------------


def skeleton(text: str) -> str:
    """Tags, attribute names and their spelling; every value gone."""
    tags = re.sub(r">[^<]*<", "><", text)
    return re.sub(r'"[^"]*"', '""', tags)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("rac", "mode1-rac"),
        ("clc", "mode1-clc"),
        ("spc", "mode1-spc"),
        ("ca", "mode1-issuing-ca"),
    ],
)
@conforms("MS-RMPR 2.2.9.1", "What is issued has the elements of genuine documents of its kind, in their order.")
def test_what_we_issue_has_the_skeleton_of_the_genuine_one(mode1: Hierarchy, kind: str, name: str) -> None:
    """Element order, attribute order and spelling are the same to the letter (wire facts 7)."""
    assert skeleton(mode1.text(kind)) == skeleton(genuine(name))


@conforms("MS-RMPR 2.2.9.1", "What is issued has the elements of genuine documents of its kind, in their order.")
def test_our_slc_has_the_skeleton_of_a_genuine_issuing_certificate(mode1: Hierarchy) -> None:
    """Beyond the Enrollment Service's it has the server's address and two levels, as in a genuine RAC's ISSUER."""
    ours = skeleton(mode1.slc)
    for level in ('<ADDRESS type=""></ADDRESS>', '<SECURITYLEVEL name="" value="" />' * 2):
        assert ours.count(level) == 1
        ours = ours.replace(level, "")
    assert ours == skeleton(genuine("mode1-issuing-enrollment-service"))
    inside = re.search(r"<ISSUER>(.*?)</ISSUER>", skeleton(genuine("mode1-rac")))
    assert inside is not None
    assert inside.group(1) in skeleton(mode1.slc)


@conforms("MS-RMPR 2.2.9.1", "What is issued has the elements of genuine documents of its kind, in their order.")
def test_our_use_licence_has_the_skeleton_of_the_genuine_one(mode1: Hierarchy) -> None:
    """Up to the rights granted, POLICYLIST and application data, which the genuine example has not."""
    ours, theirs = skeleton(mode1.ul), skeleton(genuine("mode1-ul"))
    right = re.compile(
        r'<RIGHT name="">.*?</RIGHT>|<POLICYLIST.*?</POLICYLIST>|<AUTHENTICATEDDATA.*?</AUTHENTICATEDDATA>'
    )
    assert right.sub("", ours) == theirs
    assert re.findall(r'(?:purpose|type|version|xmlns)="[^"]*"', mode1.ul[:90]) == re.findall(
        r'(?:purpose|type|version|xmlns)="[^"]*"', genuine("mode1-ul")[:90]
    )


def test_our_clients_licence_has_the_skeleton_of_the_genuine_one(mode1: Hierarchy) -> None:
    """The genuine one names a level SDK in its ISSUER and a second acquisition point, and spells levels in its own way."""
    ours, theirs = skeleton(mode1.pl), skeleton(genuine("mode1-pl"))

    def outline(text: str) -> list[str]:
        tree = parse(text)
        body = [child.tag for child in tree.children[0].children if child.tag != "DISTRIBUTIONPOINT"]
        return [*tree.attributes, *body, *(child.tag for child in tree.children[1].children)]

    assert outline(ours) == outline(theirs)
    principal = re.compile(r"<ISSUEDPRINCIPALS>.*</ISSUEDPRINCIPALS>")
    mine, genuine_one = principal.findall(ours)[0], principal.findall(theirs)[0]
    assert mine.replace(" />", "></SECURITYLEVEL>") == genuine_one.replace(" />", "></SECURITYLEVEL>")
