"""Another cluster gets its certificate from the Enrollment Service of our hierarchy ([MS-RMPR] 3.6)."""

from __future__ import annotations

import dataclasses

import pytest

from rmsserver.errors import (
    Argument,
    ArgumentNull,
    ArgumentOutOfRange,
    ClusterDecommissioned,
    DrmsArgument,
    RmsError,
    UnauthorizedAccess,
    WrongFormat,
)
from rmsserver.operations.enroll import CUSTOM, STANDARD, EnrollRequest, RevocationInformation, enroll
from rmsserver.operations.enrollee import EnrolleeInformation, EnrolleeKey
from rmsserver.state import Licensor
from rmsserver.xrml.chain import close_server_chain
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.principal import read_public_key
from tests.cluster import NOW, Cluster, key
from tests.operations.enrollees import GUID, INFORMATION, encoded, key_of, sent_by

STANDARD_REVOCATION = RevocationInformation(STANDARD)


def enrollment_service(cluster: Cluster) -> Licensor:
    """Certificate and key above the SLC, as the store has them."""
    chain = cluster.state.licensor.chain[1:]
    return Licensor(IssuingCertificate.read(chain[0]), chain, key("example service", cluster.mode.rsa_bits))


@pytest.fixture
def enrolling(cluster: Cluster) -> Cluster:
    return cluster.with_state(enrollment_enabled=True, enrollment_service=enrollment_service(cluster))


def ask(
    enrolling: Cluster,
    key: EnrolleeKey | None = None,
    information: EnrolleeInformation | None = INFORMATION,
    revocation: RevocationInformation | None = STANDARD_REVOCATION,
) -> tuple[str, ...]:
    request = EnrollRequest(key or sent_by(enrolling), information, revocation)
    return enroll(request, enrolling.caller("boss@example.com"), enrolling.state, enrolling.ports(), NOW)


def test_four_certificates(enrolling: Cluster) -> None:
    """SLC, Enrollment Service, Enrollment CA, CA; braces round the GUID in the certificate alone (rulings 32)."""
    chain = ask(enrolling)
    slc = IssuingCertificate.read(chain[0])
    assert len(chain) == 4
    assert chain[1:] == enrolling.state.licensor.chain[1:]
    assert f'<ID type="MS-GUID">{{{GUID}}}</ID>' in chain[0]
    assert slc.principal.public_key == key_of(enrolling).public
    root = IssuingCertificate.read(chain[-1]).issuer.public_key
    close_server_chain(slc, [IssuingCertificate.read(text) for text in chain[1:]], {root.id: root})


def test_what_the_service_ignores(enrolling: Cluster) -> None:
    """3.6.4.1.4.6: all but the version. What cannot stand in a certificate is left out, and the name always (2.2.9.3.3)."""
    slc = IssuingCertificate.read(ask(enrolling)[0])
    assert slc.principal.levels == {"Server-Version": "6.3.0.0", "Server-SKU": "RMS 2.0"}
    assert (slc.principal.object.name, slc.principal.object.address("URL")) == (None, "HTTP://branch.example.com/_wmcs")
    slc = IssuingCertificate.read(ask(enrolling, information=EnrolleeInformation("\x00", "1.0", None, "no URL"))[0])
    assert slc.principal.levels == {"Server-Version": "1.0"}
    assert (slc.principal.object.name, slc.principal.object.address("URL")) == (None, None)


def test_revocation_authorities(enrolling: Cluster) -> None:
    """2.2.9.3.4: the issuer's key, then each authority's, and the document still reads."""
    authority = key("revocation authority", 2048)
    text = ask(enrolling, revocation=RevocationInformation(CUSTOM, (encoded(authority),)))[0]
    body = IssuingCertificate.read(text).body
    points = body.one("CONDITIONLIST").one("REFRESH").all("DISTRIBUTIONPOINT")
    keys = [read_public_key(point.one("PUBLICKEY")) for point in points]
    service = enrolling.state.enrollment_service
    assert service is not None
    assert keys == [service.key.public, authority.public]


@pytest.mark.parametrize(
    ("revocation", "error"),
    [
        (None, ArgumentNull),
        (RevocationInformation(None), ArgumentNull),
        (RevocationInformation("NonRevocable"), Argument),
        (RevocationInformation("standardrevocation"), Argument),
        (RevocationInformation(CUSTOM), Argument),
        (RevocationInformation(STANDARD, ("AAAA",)), Argument),
        (RevocationInformation(CUSTOM, ("AAAA",) * 11), ArgumentOutOfRange),
        (RevocationInformation(CUSTOM, (None,)), ArgumentNull),
        (RevocationInformation(CUSTOM, ("CANARY!",)), WrongFormat),
        (RevocationInformation(CUSTOM, ("AAAA",)), DrmsArgument),
    ],
)
def test_revocation_that_is_refused(
    enrolling: Cluster, revocation: RevocationInformation | None, error: type[RmsError]
) -> None:
    """3.6.4.1.4.3."""
    with pytest.raises(error):
        ask(enrolling, revocation=revocation)


def test_what_is_missing(enrolling: Cluster) -> None:
    """Key, information, version."""
    for version in (None, ""):
        with pytest.raises(ArgumentNull):
            ask(enrolling, information=dataclasses.replace(INFORMATION, version=version))
    with pytest.raises(ArgumentNull):
        ask(enrolling, information=None)
    with pytest.raises(Argument):
        ask(enrolling, information=dataclasses.replace(INFORMATION, version="\x07"))


def test_L10_off_by_default_and_without_the_key(cluster: Cluster, enrolling: Cluster) -> None:
    """L10; a store that took over another cluster's key has no Enrollment Service. Decommissioned comes first."""
    for other in (cluster, enrolling.with_state(enrollment_service=None)):
        with pytest.raises(UnauthorizedAccess):
            ask(other)
    with pytest.raises(ClusterDecommissioned):
        ask(enrolling.with_state(decommissioned=True))
