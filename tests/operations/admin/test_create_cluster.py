"""rmsserver.operations.admin.create_cluster"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import uuid

import pytest

from rmsserver.operations.admin.create_cluster import (
    SELF_ENROLLMENT,
    ClusterDocuments,
    ClusterKeys,
    create_cluster,
    licensor_address,
)
from rmsserver.xrml.chain import check_mode
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.values import Guid

NOW = dt.datetime(2026, 11, 22, 12, 0, 59, tzinfo=dt.UTC)


@functools.cache
def _cluster(mode: CryptoMode) -> tuple[ClusterKeys, ClusterDocuments]:
    keys = ClusterKeys.make(mode, PrivateKey.generate)
    return keys, create_cluster(
        keys,
        guid=lambda: Guid(str(uuid.uuid4())),
        base_url="http://rms.example.com/_wmcs/",
        name=None,
        mode=mode,
        now=NOW,
        server_version="6.3.0.0",
        sku="RMS 2.0",
    )


@pytest.mark.parametrize("mode", CryptoMode)
@pytest.mark.parametrize("which", ["licensor_chain", "machine_chain"])
def test_chains_close_at_the_root(mode: CryptoMode, which: str) -> None:
    """Every link verifies with the parent at its position, fits the mode, and the last one with the root's
    key.
    """
    keys, documents = _cluster(mode)
    chain = [IssuingCertificate.read(text) for text in getattr(documents, which)]
    for child, parent in itertools.pairwise(chain):
        parent.issued(child)
        check_mode(child, mode)
    chain[-1].verify(keys.root.public)


def test_kinds() -> None:
    """The kinds of 2.2.9.3, in the order of wire facts 2."""
    _, documents = _cluster(CryptoMode.MODE_2)
    kinds = [
        [IssuingCertificate.read(text).kind for text in c] for c in (documents.licensor_chain, documents.machine_chain)
    ]
    authority = IssuingKind.AUTHORITY
    assert kinds == [
        [IssuingKind.SERVER, IssuingKind.SERVER, authority, authority],
        [IssuingKind.PROCESSOR_ISSUER, IssuingKind.PROCESSOR_AUTHORITY, authority, authority],
    ]


def test_licensor() -> None:
    """The SLC names its server, version and SKU, and has the range that is documented."""
    _, documents = _cluster(CryptoMode.MODE_2)
    slc = IssuingCertificate.read(documents.licensor_chain[0])
    assert slc.principal.object.address("URL") == "HTTP://rms.example.com/_wmcs"
    assert slc.principal.object.name is None
    assert slc.principal.levels == {"Server-Version": "6.3.0.0", "Server-SKU": "RMS 2.0"}
    assert slc.issuer.object.name == SELF_ENROLLMENT
    assert slc.validity is None
    assert slc.issuance.start == dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
    assert slc.issuance.end.year == 2076


def test_nobody_takes_our_root_for_microsofts() -> None:
    """No name but the one that 2.2.9.3.3 demands is Microsoft's."""
    _, documents = _cluster(CryptoMode.MODE_2)
    text = "".join((*documents.licensor_chain, *documents.machine_chain)).replace(SELF_ENROLLMENT, "")
    assert "Microsoft" not in text


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("http://rms.example.com/_wmcs", "HTTP://rms.example.com/_wmcs"),
        ("https://rms.example.com:8443/_wmcs", "https://rms.example.com:8443/_wmcs"),
    ],
)
def test_address(base_url: str, address: str) -> None:
    """Capitals for http, small letters under TLS (wire facts 7)."""
    assert licensor_address(base_url) == address
