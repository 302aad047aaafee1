"""Issuing certificates: kinds, ranges, and what they issued."""

from __future__ import annotations

import pytest

from rmsserver.xrml.errors import ChainError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind, server_object_xml
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.spc import SecurityProcessorCertificate
from tests.conformance import conforms
from tests.xrml.hierarchy import ISSUANCE, NOW, Hierarchy, guid


def test_what_is_written_reads_back(hierarchy: Hierarchy) -> None:
    """Kind, names, key, levels, range, time."""
    slc = IssuingCertificate.read(hierarchy.slc)
    assert (slc.kind, slc.issuance, slc.issued_time) == (IssuingKind.SERVER, ISSUANCE, NOW)
    assert slc.principal.key == hierarchy.keys.slc.public
    assert slc.principal.object.name == "Example & Sons"
    assert slc.principal.object.guid == guid("server")
    assert dict(slc.principal.levels) == {"Server-Version": "6.3.0.0", "Server-SKU": "RMS 2.0"}
    assert slc.validity is None
    assert IssuingCertificate.read(hierarchy.ca).kind is IssuingKind.AUTHORITY
    assert IssuingCertificate.read(hierarchy.spc_issuer).kind is IssuingKind.PROCESSOR_ISSUER


def test_the_issuer_of_what_it_issues_is_the_inside_of_its_principal(hierarchy: Hierarchy) -> None:
    """One and the same text in RAC, CLC and use licence (wire facts 7)."""
    inner = IssuingCertificate.read(hierarchy.slc).issuer_inner_surface
    for kind in ("rac", "clc", "ul", "server_pl"):
        assert f"<ISSUER>{inner}</ISSUER>" in hierarchy.text(kind)
    assert inner.startswith("<OBJECT")
    assert inner.endswith("/>")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('name="ISSUE"', 'name="VIEW"', WrongKindError),
        ("Server-Licensor-Certificate", "DRM-CA-Certificate", WrongKindError),
        ("MS-DRM-Server", "Group-Identity", WrongKindError),
        ("<RANGETIME>", "<RANGETIME /><RANGETIME>", XrmlSyntaxError),
        ("<FROM>", "<FROM>x", XrmlSyntaxError),
        ("<UNTIL>2054-04-08T17:00</UNTIL>", "", XrmlSyntaxError),
        ("</RIGHT>", '</RIGHT><RIGHT name="ISSUE"></RIGHT>', XrmlSyntaxError),
    ],
)
@conforms("MS-RMPR 2.2.9.3.1", "The type is that of the table, and certificates of other types are refused.")
@conforms("MS-RMPR 2.2.9.3.3", "The principal's type is that of the table, and other types are refused.")
def test_another_structure_is_refused(mode1: Hierarchy, old: str, new: str, error: type[Exception]) -> None:
    """Where the signature covers it as well."""
    with pytest.raises(error):
        IssuingCertificate.read(mode1.respelled("slc", old, new, count=-1))


@conforms("MS-RMPR 2.2.9.3.2", "The issuer's GUID is that of its own certificate, and another one is refused.")
def test_the_parent_is_the_one_named(mode1: Hierarchy) -> None:
    """By key and by ID; the ID in any case and with or without braces."""
    slc = IssuingCertificate.read(mode1.slc)
    object_id = guid("server").braced
    other = mode1.respelled("rac", object_id, guid("another server").braced)
    with pytest.raises(ChainError):
        slc.issued(RightsAccountCertificate.read(other))
    slc.issued(RightsAccountCertificate.read(mode1.respelled("rac", object_id, object_id.upper())))
    slc.issued(RightsAccountCertificate.read(mode1.respelled("rac", object_id, object_id.strip("{}"))))
    with pytest.raises(ChainError):
        IssuingCertificate.read(mode1.ca).issued(RightsAccountCertificate.read(mode1.rac))


@conforms("MS-RMPR 2.2.9.3.2", "The issuer's type counts with its letter case.")
@conforms("MS-RMPR 2.2.9.3.3", "The principal's type is that of the table, and other types are refused.")
def test_types_of_issuers_have_their_letter_case(mode1: Hierarchy) -> None:
    """2.2.9.3.2; what an SPC says of its issuer's type is ignored (3.3.4.1)."""
    ca, issuer = IssuingCertificate.read(mode1.ca), IssuingCertificate.read(mode1.spc_issuer)
    spelled = mode1.respelled("slc", '<ISSUER><OBJECT type="DRM-C', '<ISSUER><OBJECT type="drm-C')
    with pytest.raises(ChainError):
        ca.issued(IssuingCertificate.read(spelled))
    with pytest.raises(WrongKindError):
        IssuingCertificate.read(mode1.respelled("slc", "MS-DRM-Server", "ms-drm-server"))
    ignored = mode1.respelled("spc", '<ISSUER><OBJECT type="MS-DRM-Desktop', '<ISSUER><OBJECT type="ms-DRM-Desktop')
    issuer.issued(SecurityProcessorCertificate.read(ignored))


@conforms("MS-RMPR 2.2.9.4.2", "The issuer's GUID is that of its certificate's principal, and another one is refused.")
@conforms("MS-RMPR 2.2.9.4.2", "ISSUER has the key of the SPC issuer, and another key is refused.")
def test_a_machine_names_guid_and_key_of_its_issuer(mode1: Hierarchy) -> None:
    """Each of them alone is not enough, though the issuer signed."""
    issuer = IssuingCertificate.read(mode1.spc_issuer)
    issuer.issued(SecurityProcessorCertificate.read(mode1.spc))
    keys = mode1.keys
    for old, new in (
        (guid("spc issuer").braced, guid("another issuer").braced),
        (keys.spc_issuer.public.modulus_base64, keys.slc.public.modulus_base64),
    ):
        with pytest.raises(ChainError):
            issuer.issued(SecurityProcessorCertificate.read(mode1.respelled("spc", old, new)))


def test_N4_names_are_escaped() -> None:
    """A name cannot become markup."""
    text = server_object_xml(guid("x"), '</NAME><NAME>"&', 'http://x/?a="&b')
    assert text.count("<NAME>") == 1
    assert "&lt;/NAME&gt;&lt;NAME&gt;" in text
