"""Machine certificates that the cluster signs for our own client."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from rmsserver import __version__
from rmsserver.errors import (
    ArgumentNull,
    ClusterDecommissioned,
    InvalidOperation,
    RmsError,
    UnauthorizedAccess,
    UnspecifiedError,
    UnsupportedCryptographicSet,
)
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.machine_certificate import MachineCertificateRequest, issue_machine_certificate
from rmsserver.state import RequestContext
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.spc import SecurityProcessorCertificate
from rmsserver.xrml.values import Version
from tests.cluster import NOW, Cluster, key
from tests.conformance import conforms
from tests.operations.weak_keys import WEAK_MODULI

READER = "reader@example.com"


def request(cluster: Cluster, machine_key: PrivateKey | None = None) -> MachineCertificateRequest:
    own = (machine_key or key("new machine", cluster.mode.rsa_bits)).public
    modulus = own.modulus.to_bytes(own.bits // 8)
    return MachineCertificateRequest(modulus, bytes(cluster.mode.hash.digest_size), "6.8.0.51")


def ask(
    cluster: Cluster,
    wanted: MachineCertificateRequest | None = None,
    caller: RequestContext | None = None,
    now: dt.datetime = NOW,
) -> tuple[str, ...]:
    caller = caller or cluster.caller(READER)
    wanted = wanted or request(cluster)
    return issue_machine_certificate(wanted, caller, cluster.state, cluster.ports(), now).chain


def refused(cluster: Cluster, error: type[RmsError], **changes: object) -> None:
    with pytest.raises(RmsError) as caught:
        ask(cluster, dataclasses.replace(request(cluster), **changes))  # type: ignore[arg-type]
    assert type(caught.value) is error


def test_machine_can_be_certified_with_it(cluster: Cluster) -> None:
    """The chain is one that Certify accepts, and the machine opens what is sealed to it."""
    machine_key = key("new machine", cluster.mode.rsa_bits)
    chain = ask(cluster)
    assert chain[1:] == cluster.machines.licensor.chain
    answer = certify(CertifyRequest(chain, True), cluster.caller(READER), cluster.state, cluster.ports(), NOW)
    rac = RightsAccountCertificate.read(answer.chain[0])
    assert rac.open_private_key(machine_key, bytes(16)).public == rac.principal.public_key


def test_levels_name_the_client_and_its_version(mode_2: Cluster) -> None:
    """Platform from the request; Repository ends in a version that exclusion can compare."""
    spc = SecurityProcessorCertificate.read(ask(mode_2)[0])
    assert spc.principal.levels["Platform"] == "6.8.0.51"
    assert "rmsclient" in spc.principal.levels["Manufacturer"]
    assert spc.principal.levels["Repository"].startswith("rmsclient ")
    assert spc.security_processor_version == Version.parse(__version__)
    assert spc.issued_time == NOW


def test_every_machine_has_its_own_guid(mode_2: Cluster) -> None:
    """Machine and certificate GUIDs are new each time, and in the audit."""
    caller = mode_2.caller(READER)
    spcs = [SecurityProcessorCertificate.read(ask(mode_2, caller=caller)[0]) for _ in range(2)]
    machines = [spc.principal.object.id for spc in spcs]
    certificates = [spc.descriptor.id for spc in spcs if spc.descriptor]
    assert len({*machines, *certificates}) == 4
    assert caller.trail.facts["machine"] == machines
    assert caller.trail.facts["machine_certificate"] == certificates


def test_anonymous_caller_is_refused(mode_2: Cluster) -> None:
    """Only accounts of the directory get machine certificates here."""
    with pytest.raises(UnauthorizedAccess):
        ask(mode_2, caller=mode_2.caller(None))


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """First of all checks (rulings 34)."""
    with pytest.raises(ClusterDecommissioned):
        ask(mode_2.with_state(decommissioned=True), caller=mode_2.caller(None))


def test_cluster_without_an_issuer(mode_2: Cluster) -> None:
    """A cluster that only trusts other SPC issuers signs nothing."""
    with pytest.raises(UnspecifiedError):
        ask(mode_2.with_state(machine_issuer=None))


def test_K4_issuer_outside_its_range(mode_2: Cluster) -> None:
    """K4: a wrong clock makes no machine certificates; the detail says so."""
    with pytest.raises(UnspecifiedError) as caught:
        ask(mode_2, now=dt.datetime(2300, 1, 1, tzinfo=dt.UTC))
    assert "2300-01-01" in caught.value.detail


def test_missing_key(mode_2: Cluster) -> None:
    """There is nothing to certify."""
    refused(mode_2, ArgumentNull, modulus=b"")


@pytest.mark.parametrize(("bits", "in_mode_1"), [(512, False), (1024, True), (2048, True), (3072, False)])
def test_C8_L11_key_length_is_of_the_mode(mode_1: Cluster, mode_2: Cluster, bits: int, in_mode_1: bool) -> None:
    """C8, L11: 1024 or 2048 bits in mode 1, 2048 in mode 2."""
    modulus = bytes([0x80]) + bytes(bits // 8 - 2) + b"\x01" if bits not in (1024, 2048) else None
    if modulus is None:
        public = key("new machine", bits).public
        modulus = public.modulus.to_bytes(bits // 8)
    for cluster, accepted in ((mode_1, in_mode_1), (mode_2, bits == 2048)):
        if accepted:
            ask(cluster, dataclasses.replace(request(cluster), modulus=modulus))
        else:
            refused(cluster, UnsupportedCryptographicSet, modulus=modulus)


@pytest.mark.parametrize("weakness", WEAK_MODULI)
def test_C8_weak_keys(mode_2: Cluster, weakness: str) -> None:
    """C8: keys that others can factor."""
    refused(mode_2, UnsupportedCryptographicSet, modulus=WEAK_MODULI[weakness].to_bytes(256))


def test_C8_even_or_short_modulus(mode_2: Cluster) -> None:
    """C8: 2048 bits of data that are not a modulus of 2048 bits."""
    good = key("new machine", 2048).public.modulus
    for modulus in (good - 1, good >> 8, 0, 1):
        refused(mode_2, UnsupportedCryptographicSet, modulus=modulus.to_bytes(256))


@pytest.mark.parametrize("platform", ["", "Linux", "1.2.3.4.5", '1" evil="', "1.2\n"])
def test_platform_is_a_version(mode_2: Cluster, platform: str) -> None:
    """N4: nothing else gets into the certificate."""
    refused(mode_2, InvalidOperation, platform=platform)


@pytest.mark.parametrize("length", [0, 20, 31, 33])
@conforms("MS-RMPR 2.2.9.4.4", "The digest is the one that the machine sent, as long as the hash.")
def test_hardware_digest_has_the_length_of_the_hash(mode_2: Cluster, length: int) -> None:
    """32 bytes in mode 2."""
    refused(mode_2, InvalidOperation, hardware_digest=bytes(length))
