"""Documents made to deceive, over HTTP: in the place of every kind of document that a request may hold.

Each is a clean fault: nothing of it in the answer, nothing stored, the genuine request served afterwards (threats X1 to
X6, XW1 to XW4, XW7, XW10, C5).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rmsserver.ports import Ports
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import Right
from tests.cluster import Cluster, grantee, make_cluster
from tests.http_server import Response
from tests.operations.licensing import READER
from tests.operations.test_hostile_certificates import CHANGES, MARK
from tests.wire import calls
from tests.wire.real_server import RealServer

Build = Callable[[Cluster, Callable[[str], str]], tuple[str, str]]
"""Operation and parameters, one document changed by the function."""


def machine(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    leaf, *above = cluster.machine().chain
    return "Certify", calls.certify((change(leaf), *above))


def machine_issuer(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    leaf, issuer, *above = cluster.machine().chain
    return "Certify", calls.certify((leaf, change(issuer), *above))


def account(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    leaf, *above = cluster.account(READER).chain
    return "GetClientLicensorCert", calls.get_client_licensor_cert((change(leaf), *above))


def server(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    leaf, slc, *above = cluster.account(READER).chain
    return "GetClientLicensorCert", calls.get_client_licensor_cert((leaf, change(slc), *above))


def reader(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    leaf, *above = cluster.account(READER).chain
    return "AcquireLicense", calls.acquire_license(((change(leaf), *above), licence_chain(cluster)))


@functools.cache
def genuine_racs(cluster_mode: CryptoMode) -> tuple[str, ...]:
    """Always the same, so that what is remembered of it is remembered once."""
    return make_cluster(cluster_mode).account(READER).chain


def licence(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    pl, clc = licence_chain(cluster)
    return "AcquireLicense", calls.acquire_license((genuine_racs(cluster.mode), (change(pl), clc)))


def licensor(cluster: Cluster, change: Callable[[str], str]) -> tuple[str, str]:
    pl, clc = licence_chain(cluster)
    return "AcquireLicense", calls.acquire_license((genuine_racs(cluster.mode), (pl, change(clc))))


def licence_chain(cluster: Cluster) -> tuple[str, str]:
    pl, clc = cluster.publish(cluster.author(), (Right.of("VIEW", grantee(READER)),)).chain
    return pl, clc


KINDS: dict[str, Build] = {
    "SPC": machine,
    "SPC issuer": machine_issuer,
    "RAC of an author": account,
    "SLC above a RAC": server,
    "RAC of a reader": reader,
    "PL": licence,
    "CLC": licensor,
}
NAMES = {
    "Certify": ("VerifyMachineCertificateChainFailed", "UnsupportedCryptographicSet"),
    "GetClientLicensorCert": ("InvalidPersonaCertSignature", "UnexpectedPersonaCert", "UnsupportedCryptographicSet"),
    "AcquireLicense": (
        "InvalidPersonaCertSignature",
        "UnexpectedPersonaCert",
        "UnsupportedCryptographicSet",
        "InvalidRightsLabelSignature",
    ),
}
SOAP = "soap:Client"
"""What is no XML at all is the envelope's fault, not a document's."""


@pytest.fixture(scope="module")
def running() -> Iterator[RealServer]:
    server = RealServer(make_cluster(CryptoMode.MODE_2))
    racs = calls.acquire_license((genuine_racs(CryptoMode.MODE_2), licence_chain(server.cluster)))
    assert server.ask("AcquireLicense", racs).status == 200
    yield server
    server.http.stop()


def stored(ports: Ports) -> dict[str, Any]:
    """All that requests leave behind, but the audit."""
    holders: dict[str, Any] = {
        "keys": ports.user_keys,
        "pool": ports.key_pool,
        "licensors": ports.licensors,
        "witness": ports.witness,
        "cache": ports.license_cache,
    }
    return {
        f"{name}.{field}": len(value)
        for name, holder in holders.items()
        for field, value in vars(holder).items()
        if hasattr(value, "__len__")
    }


def sound(text: str) -> str:
    return text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [name for name in CHANGES if name != "half a character"])
def test_a_hostile_document_is_a_clean_fault(running: RealServer, kind: str, change: str) -> None:
    """X1 to X6, XW1 to XW4, XW7, XW10, C5: a fault of that document's names, nothing of it in the answer, nothing kept."""
    before = stored(running.ports)
    operation, parameters = KINDS[kind](running.cluster, CHANGES[change])
    answer = running.ask(operation, parameters)
    assert answer.status == 500
    assert MARK not in answer.body.decode()
    assert names(answer, operation)
    assert stored(running.ports) == before


def names(answer: Response, operation: str) -> bool:
    text = answer.body.decode()
    return SOAP in text or any(f"{name}Exception" in text for name in NAMES[operation])


@pytest.mark.parametrize("kind", KINDS)
def test_the_genuine_document_is_served_afterwards(kind: str) -> None:
    """On the connection on which all the hostile ones were sent; and the audit has a record for each of them."""
    cluster = make_cluster(CryptoMode.MODE_2)
    server = RealServer(cluster, dataclasses.replace(cluster.ports()))
    try:
        with server.http.connect() as wire:
            for name, change in CHANGES.items():
                if name != "half a character":
                    assert wire.ask(calls.call(*KINDS[kind](cluster, change))).status == 500
            assert wire.ask(calls.call(*KINDS[kind](cluster, sound))).status == 200
        assert len(server.audit) == len(CHANGES)
        assert all(MARK not in repr(record) for record in server.audit)
    finally:
        server.http.stop()
