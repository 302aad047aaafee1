"""The use licence."""

from __future__ import annotations

import pytest

from rmsserver.xrml.errors import SealError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import ApplicationData, Policy, TimeConditions
from rmsserver.xrml.use_license import UseLicense, UseRight, write_use_license
from rmsserver.xrml.values import VersionSpan
from tests.conformance import conforms
from tests.xrml.hierarchy import NOW, STAND_IN, YEAR, Hierarchy, guid


def test_what_is_written_reads_back(hierarchy: Hierarchy) -> None:
    """Rights in the form read, conditions, policies, application data."""
    licence = UseLicense.read(hierarchy.ul)
    assert licence.rights == (
        UseRight("VIEW", True, TimeConditions(YEAR)),
        UseRight("OBJMODEL", False, TimeConditions()),
    )
    assert licence.policies == (Policy("exclusion", "WINWORD.EXE", "1.0.0.0", "2.0.0.0"),)
    assert licence.application_data == (ApplicationData("VIEWER", "1"),)
    assert licence.issued_time == NOW
    assert licence.descriptor is not None
    assert licence.descriptor.guid == guid("ul")


def test_the_licensee_is_the_account_without_its_levels(hierarchy: Hierarchy) -> None:
    """Rulings 22."""
    licence, rac = UseLicense.read(hierarchy.ul), RightsAccountCertificate.read(hierarchy.rac)
    assert licence.principal.inner_surface == rac.principal.object_and_key_surface
    assert not licence.principal.levels


def test_the_key_is_sealed_once_and_repeated(hierarchy: Hierarchy) -> None:
    """The same text in every right (wire facts 7), the payload octet for octet that of the publishing licence."""
    licence = UseLicense.read(hierarchy.ul)
    sealed = {e.surface for e in licence.body.walk() if e.tag == "ENABLINGBITS"}
    assert len(sealed) == 1
    assert hierarchy.ul.count("<ENABLINGBITS") == len(licence.rights)
    assert licence.open_content_key(hierarchy.keys.account, STAND_IN).payload == hierarchy.content_key.payload
    with pytest.raises(SealError):
        licence.open_content_key(hierarchy.keys.machine, STAND_IN)


def test_work_and_referral_are_those_of_the_publishing_licence(hierarchy: Hierarchy) -> None:
    pl = PublishingLicense.read(hierarchy.pl)
    for part in (pl.work_object, pl.metadata, pl.referral):
        assert part is not None
        assert part in hierarchy.ul


def test_nothing_empty_is_written(hierarchy: Hierarchy) -> None:
    """No empty CONDITIONLIST, METADATA or POLICYLIST (wire facts 7)."""
    for tag in ("CONDITIONLIST", "METADATA", "POLICYLIST"):
        assert f"<{tag}></{tag}>" not in hierarchy.ul
        assert f"<{tag} />" not in hierarchy.ul


def test_an_untyped_or_missing_descriptor_is_read(mode1: Hierarchy) -> None:
    """Rulings 23."""
    start, end = mode1.ul.index("<DESCRIPTOR>"), mode1.ul.index("<ISSUER>")
    UseLicense.read(mode1.respelled("ul", '<OBJECT type="Content-License">', "<OBJECT>"))
    UseLicense.read(mode1.respelled("ul", mode1.ul[start:end], ""))


def test_XW9_a_licensor_certificate_is_no_use_licence(mode1: Hierarchy) -> None:
    """It has an account, WORK and a sealed key too."""
    with pytest.raises(WrongKindError):
        UseLicense.read(mode1.clc)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="OBJMODEL"', ""),
        ("<CONDITIONLIST>", ""),
        ("<WORK>", "<WORK></WORK><WORK>"),
        ("<AUTHENTICATEDDATA ", '<AUTHENTICATEDDATA id="APPSPECIFIC"><x /></AUTHENTICATEDDATA><AUTHENTICATEDDATA '),
        ('<VERSIONSPAN min="1.0.0.0"', "<VERSIONSPAN"),
    ],
)
def test_another_structure_is_refused(mode1: Hierarchy, old: str, new: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        UseLicense.read(mode1.respelled("ul", old, new))


def written(hierarchy: Hierarchy, rights: list[UseRight]) -> str:
    pl = PublishingLicense.read(hierarchy.pl)
    return write_use_license(
        license_id=guid("another"),
        issuer_inner=IssuingCertificate.read(hierarchy.slc).issuer_inner_surface,
        licensee=RightsAccountCertificate.read(hierarchy.rac).principal,
        referral=None,
        work_object=pl.work_object,
        metadata="",
        revocation="",
        rights=rights,
        payload=hierarchy.content_key.payload,
        session_key=bytes(16),
        os_exclusion=VersionSpan("5.1.0.0", "6.0.0.0"),
        issued=NOW,
        signing_key=hierarchy.keys.slc,
        mode=hierarchy.mode,
    )


def test_an_excluded_system_is_a_condition(mode1: Hierarchy) -> None:
    """CONDITION of 2.2.9.9.9, after WORK."""
    licence = UseLicense.read(written(mode1, [UseRight("VIEW", True, TimeConditions())]))
    condition = licence.body.one("CONDITIONLIST").one("CONDITION")
    assert condition.attributes == {"NAME": "OS-Exclusion", "TYPE": "versionspan"}
    assert condition.text == "5.1.0.0-6.0.0.0"


@conforms("MS-RMPR 2.2.9.9.6", "A use licence without a right is not issued.")
def test_a_licence_without_rights_is_not_written(mode1: Hierarchy) -> None:
    with pytest.raises(XrmlSyntaxError):
        written(mode1, [])


def test_a_licence_that_grants_nothing_opens_for_nobody(mode1: Hierarchy) -> None:
    """Nor is it refused in reading: it is well made."""
    start, end = mode1.ul.index("<RIGHTSLIST>") + 12, mode1.ul.index("</RIGHTSLIST>")
    licence = UseLicense.read(mode1.respelled("ul", mode1.ul[start:end], ""))
    assert licence.rights == ()
    with pytest.raises(SealError):
        licence.open_content_key(mode1.keys.account, STAND_IN)
