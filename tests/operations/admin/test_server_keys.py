"""The own key over the years: renewal, rollover, mode 2, templates signed again."""

from __future__ import annotations

import dataclasses
import itertools
import uuid

import pytest

from rmsserver.errors import OperatorError, UnspecifiedError
from rmsserver.operations.admin.create_cluster import ClusterKeys
from rmsserver.operations.admin.server_keys import (
    EnrollmentService,
    find_enrollment_service,
    is_issued_by,
    outdated_templates,
    reissue_template,
    renew_licensor,
    roll_over,
    upgrade_mode,
)
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.state import Licensor
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.values import Guid, TimeRange
from tests.cluster import DAY, NOW, Cluster, key, server_hierarchy
from tests.conformance import conforms
from tests.operations.admin.old_cluster import old_licensor


def new_guid() -> Guid:
    return Guid(str(uuid.uuid4()))


def service(cluster: Cluster) -> EnrollmentService:
    enrolling = key("example service", cluster.mode.rsa_bits)
    return find_enrollment_service([old_licensor(), cluster.state.licensor], enrolling)


def closed(chain: tuple[str, ...]) -> IssuingCertificate:
    """The leaf of a chain whose links hold."""
    read = [IssuingCertificate.read(text) for text in chain]
    for child, parent in itertools.pairwise(read):
        parent.issued(child)
    return read[0]


def test_renewal(cluster: Cluster) -> None:
    """The same key, principal and mode; a new range from now on."""
    licensor = cluster.state.licensor
    slc = closed(renew_licensor(licensor, service(cluster), new_guid, NOW))
    assert slc.principal.key == licensor.key.public
    assert slc.principal.object.same_identity(licensor.certificate.principal.object)
    assert slc.principal.levels == licensor.certificate.principal.levels
    assert slc.mode is cluster.mode
    assert slc.issued_time == NOW
    assert slc.issuance.end > NOW + 49 * 365 * DAY
    assert slc.descriptor != licensor.certificate.descriptor


@conforms("MS-RMPR 3.1.6.2", "An SLC whose range is over is issued anew, and then the server issues again.")
def test_renewal_of_an_expired_certificate(cluster: Cluster) -> None:
    """Refused under the old one; under the new one certified by the same server, as clients know it."""
    ended = server_hierarchy(cluster.mode, issuance=TimeRange(NOW - 100 * DAY, NOW - DAY)).licensor
    request, caller = CertifyRequest(cluster.machine().chain, persistent=True), cluster.caller("author@example.com")
    with pytest.raises(UnspecifiedError, match="nothing is issued"):
        certify(request, caller, cluster.with_state(licensor=ended).state, cluster.ports(), NOW)
    chain = renew_licensor(ended, service(cluster), new_guid, NOW)
    renewed = Licensor(IssuingCertificate.read(chain[0]), chain, ended.key)
    answer = certify(request, caller, cluster.with_state(licensor=renewed).state, cluster.ports(), NOW).chain
    assert closed(answer[1:]).principal.key == ended.key.public
    assert RightsAccountCertificate.read(answer[0]).issuer.inner_surface == ended.certificate.principal.inner_surface


def test_adopted_certificates_are_not_renewed(mode_1: Cluster) -> None:
    """Wire facts 11: authorities that are not here must not be stood in for."""
    assert not is_issued_by(old_licensor(), service(mode_1))
    with pytest.raises(OperatorError, match="adopted"):
        renew_licensor(old_licensor(), service(mode_1), new_guid, NOW)


def test_rollover(cluster: Cluster) -> None:
    """A new key under the same hierarchy: another server, which says its name and address."""
    fresh = key("fresh", cluster.mode.rsa_bits)
    slc = closed(roll_over(cluster.state, service(cluster), fresh, new_guid, NOW))
    old = cluster.state.licensor.certificate
    assert slc.principal.key == fresh.public
    assert not slc.principal.object.same_identity(old.principal.object)
    assert slc.principal.object.address("URL") == "HTTP://rms.example.com/_wmcs"
    assert slc.principal.object.name == "EXAMPLE"
    assert slc.mode is cluster.mode
    assert slc.issuer.key == old.issuer.key


def test_K4_a_clock_that_is_wrong(mode_2: Cluster) -> None:
    """K4: nothing is issued outside the enrollment certificate's range, nor before it was issued itself."""
    for moment in (NOW - 10 * 365 * DAY, NOW.replace(year=2300)):
        with pytest.raises(OperatorError, match="clock"):
            renew_licensor(mode_2.state.licensor, service(mode_2), new_guid, moment)


def test_a_key_without_certificate(mode_2: Cluster) -> None:
    """A store whose enrollment key belongs to nothing is not repaired by guess."""
    with pytest.raises(OperatorError, match="backup"):
        find_enrollment_service([mode_2.state.licensor], key("another", 2048))


def test_mode_upgrade(mode_1: Cluster) -> None:
    """Both chains in mode 2, under the same root; the length of no authority's key has to change."""
    made = ClusterKeys.make(CryptoMode.MODE_1, PrivateKey.generate)
    documents, keys = upgrade_mode(
        mode_1.state, lambda role: getattr(made, role), lambda bits: key("upgrade", bits), new_guid, NOW
    )
    slc = closed(documents.licensor_chain)
    issuer = closed(documents.machine_chain)
    assert (slc.mode, slc.principal.public_key.bits, slc.kind) == (CryptoMode.MODE_2, 2048, IssuingKind.SERVER)
    assert issuer.mode is CryptoMode.MODE_2
    for chain in (documents.licensor_chain, documents.machine_chain):
        assert IssuingCertificate.read(chain[-1]).issuer.key == made.root.public
        assert {IssuingCertificate.read(text).mode for text in chain} == {CryptoMode.MODE_2}
    assert keys.root is made.root


def test_no_way_back(mode_2: Cluster) -> None:
    """A cluster in mode 2 is not upgraded again."""
    with pytest.raises(OperatorError, match="already"):
        upgrade_mode(mode_2.state, lambda _role: key("x", 2048), PrivateKey.generate, new_guid, NOW)


def test_templates_signed_again(cluster: Cluster, stranger: Cluster) -> None:
    """The same GUID and rights under the new key, in its mode; those that it signed itself are left alone."""
    template = cluster.template()
    new = dataclasses.replace(stranger.state.licensor)
    state = cluster.with_state(licensor=new, published_templates={template.guid: template}).state
    assert outdated_templates(state) == (template,)
    again = type(template).read(reissue_template(template, new, NOW))
    again.verify(new.key.public)
    assert (again.guid, again.names, again.rights) == (template.guid, template.names, template.rights)
    assert (again.issued_time, again.mode) == (NOW, new.mode)
    assert outdated_templates(dataclasses.replace(state, published_templates={again.guid: again})) == ()
    assert isinstance(new, Licensor)
