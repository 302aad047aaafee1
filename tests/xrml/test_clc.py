"""The client licensor certificate."""

from __future__ import annotations

import pytest

from rmsserver.xrml.clc import ClientLicensorCertificate, acquisition_points_xml
from rmsserver.xrml.errors import SealError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.rac import RightsAccountCertificate
from tests.xrml.hierarchy import NOW, STAND_IN, YEAR, Hierarchy


def test_what_is_written_reads_back(hierarchy: Hierarchy) -> None:
    """The account's OBJECT from the RAC, the range, both acquisition points."""
    clc = ClientLicensorCertificate.read(hierarchy.clc)
    assert clc.principal.object == RightsAccountCertificate.read(hierarchy.rac).principal.object
    assert (clc.issuance, clc.issued_time, clc.validity) == (YEAR, NOW, None)
    assert [(p.type, p.addresses[0].text) for p in clc.distribution_points()] == [
        ("License-Acquisition-URL", "http://rms.example.com/_wmcs/licensing"),
        ("Extranet-License-Acquisition-URL", "http://extranet.example.com/_wmcs/licensing"),
    ]


def test_the_licensor_key_opens_for_its_account_alone(hierarchy: Hierarchy) -> None:
    clc = ClientLicensorCertificate.read(hierarchy.clc)
    assert clc.open_private_key(hierarchy.keys.account, STAND_IN) == hierarchy.keys.licensor
    for other in (hierarchy.keys.machine, hierarchy.keys.root):
        with pytest.raises(SealError):
            clc.open_private_key(other, STAND_IN)


def test_the_hash_binds_the_key_to_its_issuer(mode1: Hierarchy) -> None:
    """A sealed key moved under another ISSUER does not open."""
    text = mode1.respelled("clc", "<NAME>Example &amp; Sons</NAME>", "<NAME>Another</NAME>")
    with pytest.raises(SealError):
        ClientLicensorCertificate.read(text).open_private_key(mode1.keys.account, STAND_IN)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('name="ISSUE"', 'name="VIEW"', WrongKindError),
        ('type="Group-Identity"', 'type="MS-DRM-Server"', WrongKindError),
        ("<TIME>", "<TIME></TIME><TIME>", XrmlSyntaxError),
        ("<RIGHTSLIST>", '<RIGHTSLIST><RIGHT name="ISSUE"></RIGHT>', XrmlSyntaxError),
    ],
)
def test_another_structure_is_refused(mode1: Hierarchy, old: str, new: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        ClientLicensorCertificate.read(mode1.respelled("clc", old, new))


def test_an_extranet_point_stands_only_where_there_is_one() -> None:
    """Rulings 7."""
    assert "Extranet" not in acquisition_points_xml("http://x", None)
    assert acquisition_points_xml("http://x", "http://y").count("<DISTRIBUTIONPOINT>") == 2
