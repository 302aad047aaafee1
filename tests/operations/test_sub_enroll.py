"""A licensing-only cluster gets its certificate from its root cluster ([MS-RMPRS] 3.3.4.1)."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import pytest

from rmsserver.errors import (
    Argument,
    ArgumentNull,
    ArgumentOutOfRange,
    ClusterDecommissioned,
    DrmsArgument,
    RmsError,
    UnauthorizedAccess,
    UnspecifiedError,
    UntrustedPersonaCert,
    WrongFormat,
)
from rmsserver.operations.account_certificate import verify_account_certificate
from rmsserver.operations.enrollee import EnrolleeInformation, EnrolleeKey
from rmsserver.operations.sub_enroll import SubEnrollRequest, sub_enroll
from rmsserver.state import Licensor
from rmsserver.xrml.chain import close_server_chain
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import PublicKey
from tests.cluster import ALWAYS, NOW, Cluster, key
from tests.conformance import conforms
from tests.operations.enrollees import GUID, INFORMATION, encoded, key_of, sent_by
from tests.operations.weak_keys import WEAK_MODULI


@pytest.fixture
def root(cluster: Cluster) -> Cluster:
    return cluster.with_state(sub_enrollment_enabled=True)


def ask(
    root: Cluster, key: EnrolleeKey | None = None, information: EnrolleeInformation | None = INFORMATION, **at: Any
) -> tuple[str, ...]:
    request = SubEnrollRequest(key or sent_by(root), information)
    return sub_enroll(request, root.caller("boss@example.com"), root.state, root.ports(), at.get("now", NOW))


def test_the_certificate(root: Cluster) -> None:
    """Key, GUID, SKU, version, name and URL of the request; then our own chain, to the letter."""
    chain = ask(root)
    slc = IssuingCertificate.read(chain[0])
    assert chain[1:] == root.state.licensor.chain
    assert (slc.kind, slc.principal.public_key) == (IssuingKind.SERVER, key_of(root).public)
    assert (slc.principal.object.guid, slc.principal.object.name) == (GUID, "BRANCH")
    assert slc.principal.object.address("URL") == "HTTP://branch.example.com/_wmcs"
    assert slc.principal.levels == {"Server-Version": "6.3.0.0", "Server-SKU": "RMS 2.0"}
    assert slc.issuance.end == ALWAYS.end
    root_key = IssuingCertificate.read(chain[-1]).issuer.public_key
    close_server_chain(slc, [IssuingCertificate.read(text) for text in chain[1:]], {root_key.id: root_key})


def test_without_a_name_and_with_line_breaks_in_the_key(root: Cluster) -> None:
    """Name is optional; .NET breaks long base64 into lines."""
    broken = EnrolleeKey(
        "\r\n".join(base64.encodebytes(key_of(root).public.pkcs1_der).decode().split()), "{" + GUID + "}"
    )
    slc = IssuingCertificate.read(ask(root, broken, dataclasses.replace(INFORMATION, name=None))[0])
    assert (slc.principal.object.name, slc.principal.object.guid) == (None, GUID)


def test_its_account_certificates_count_for_nothing(root: Cluster) -> None:
    """1.3.2: licensing, not certification. A RAC that it signs is trusted nowhere, also at its root."""
    chain = ask(root)
    branch = Licensor(IssuingCertificate.read(chain[0]), chain, key_of(root))
    forged = root.account(licensor=branch, issued=NOW)
    with pytest.raises(UntrustedPersonaCert):
        verify_account_certificate(forged.chain, root.caller("author@example.com"), root.state, NOW)


OTHER_LENGTH = {1024: 2048, 2048: 1024}


@conforms("MS-RMPRS 3.3.4.1.2.1", "A request without key, GUID, SKU, version or URL is refused.")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"public_key": None}, ArgumentNull),
        ({"guid": None}, ArgumentNull),
        ({"public_key": "AAA"}, WrongFormat),
        ({"public_key": "CANARY!"}, WrongFormat),
        ({"public_key": "A" * 4000}, WrongFormat),
        ({"public_key": "AAAA"}, DrmsArgument),
        ({"guid": "CANARY"}, WrongFormat),
        ({"guid": "{" + GUID}, WrongFormat),
    ],
)
def test_keys_that_are_refused(root: Cluster, change: dict[str, Any], error: type[RmsError]) -> None:
    """Each with its name of 2.2.9.1."""
    with pytest.raises(error):
        ask(root, dataclasses.replace(sent_by(root), **change))


def test_C8_keys_of_another_length_and_weak_ones(root: Cluster) -> None:
    """C8: refused before use; rulings 33: as long as the mode's."""
    bits = root.mode.rsa_bits
    with pytest.raises(ArgumentOutOfRange):
        ask(root, EnrolleeKey(encoded(key("other length", OTHER_LENGTH[bits])), GUID))
    for modulus in WEAK_MODULI.values():
        weak = base64.b64encode(PublicKey(modulus, 2048).pkcs1_der).decode()
        with pytest.raises(DrmsArgument):
            ask(root, EnrolleeKey(weak, GUID))


def test_a_server_does_not_enroll_under_itself(root: Cluster) -> None:
    """Neither with our key nor with our GUID."""
    own = root.state.licensor
    for sent in (
        EnrolleeKey(encoded(own.key), GUID),
        EnrolleeKey(encoded(key_of(root)), own.certificate.principal.object.id),
    ):
        with pytest.raises(Argument):
            ask(root, sent)


@conforms("MS-RMPRS 3.3.4.1.2.1", "A request without key, GUID, SKU, version or URL is refused.")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sku": None}, ArgumentNull),
        ({"version": ""}, ArgumentNull),
        ({"url": None}, ArgumentNull),
        ({"url": "ftp://branch.example.com"}, Argument),
        ({"url": "http://branch.example.com/<x>"}, Argument),
        ({"url": "http://user@branch.example.com/_wmcs"}, Argument),
        ({"sku": "a\x00b"}, Argument),
        ({"name": "x" * 201}, Argument),
        ({"version": " "}, Argument),
    ],
)
def test_information_that_is_refused(root: Cluster, change: dict[str, Any], error: type[RmsError]) -> None:
    """What could not stand in a certificate."""
    with pytest.raises(error):
        ask(root, information=dataclasses.replace(INFORMATION, **change))


@conforms("MS-RMPRS 3.3.4.1.2.1", "A request without key, GUID, SKU, version or URL is refused.")
def test_nothing_at_all(root: Cluster) -> None:
    """Both parts are required."""
    with pytest.raises(ArgumentNull):
        ask(root, information=None)
    with pytest.raises(ArgumentNull):
        sub_enroll(SubEnrollRequest(None, INFORMATION), root.caller(None), root.state, root.ports(), NOW)


def test_L10_off_by_default_and_not_on_a_licensing_only_cluster(cluster: Cluster, root: Cluster) -> None:
    """L10; and a licensing-only cluster enrolls nobody in turn. Decommissioned comes first."""
    for other in (cluster, root.with_state(root_url="http://root.example.com/_wmcs")):
        with pytest.raises(UnauthorizedAccess):
            ask(other)
    with pytest.raises(ClusterDecommissioned):
        ask(root.with_state(decommissioned=True))


@conforms("MS-RMPRS 3.3.4", "Nothing is issued while this server's own certificate is not valid.")
@conforms("MS-RMPR 2.2.9.3", "A certificate that was issued outside its issuer's range is refused, and none is issued.")
def test_K4_outside_the_own_range(root: Cluster) -> None:
    """K4: nothing is issued before our own certificate was."""
    with pytest.raises(UnspecifiedError):
        ask(root, now=ALWAYS.start)


def test_each_enrollment_is_an_alert(root: Cluster) -> None:
    """Somebody may issue licences from now on."""
    caller = root.caller("boss@example.com")
    sub_enroll(SubEnrollRequest(sent_by(root), INFORMATION), caller, root.state, root.ports(), NOW)
    assert caller.trail.facts["enrollee"] == [GUID]
    assert caller.trail.alerts == ["a licensing-only cluster was enrolled: http://branch.example.com/_wmcs"]
