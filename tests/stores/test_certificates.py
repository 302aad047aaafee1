"""rmsserver.stores.certificates, with a cluster that operations/admin/create_cluster made"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import uuid
from pathlib import Path

import pytest

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.create_cluster import ClusterDocuments, ClusterKeys, create_cluster
from rmsserver.stores.certificates import CertificateStore
from rmsserver.stores.trust_anchors import production_anchors
from rmsserver.stores.wrapping import ScryptCost
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.values import Guid
from tests.shared import genuine

CHEAP = ScryptCost(n=2**4)
NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@functools.cache
def new_cluster(mode: CryptoMode) -> tuple[ClusterKeys, ClusterDocuments]:
    keys = ClusterKeys.make(mode, PrivateKey.generate)
    documents = create_cluster(
        keys,
        guid=lambda: Guid(str(uuid.uuid4())),
        base_url="http://rms.example.com/_wmcs",
        name=None,
        mode=mode,
        now=NOW,
        server_version="6.3.0.0",
        sku="RMS 2.0",
    )
    return keys, documents


def new_store(home: Path, mode: CryptoMode = CryptoMode.MODE_2) -> CertificateStore:
    keys, documents = new_cluster(mode)
    return CertificateStore.create(
        home,
        "passphrase",
        licensor_chain=documents.licensor_chain,
        machine_chain=documents.machine_chain,
        keys={field.name: getattr(keys, field.name) for field in dataclasses.fields(keys)},
        cost=CHEAP,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.mark.parametrize("mode", CryptoMode)
def test_round_trip(home: Path, mode: CryptoMode) -> None:
    """Chains come back character for character, with the keys that belong to them."""
    new_store(home, mode)
    keys, documents = new_cluster(mode)
    certificates = CertificateStore.open(home, "passphrase").load()
    assert certificates.licensor.chain == documents.licensor_chain
    assert certificates.licensor.mode is mode
    assert certificates.machine_issuer is not None
    assert certificates.machine_issuer.chain == documents.machine_chain
    assert certificates.root == keys.root.public
    assert certificates.licensor.key.to_der() == keys.licensor.to_der()


def test_hierarchy_keys(home: Path) -> None:
    """Keys above the SLC are kept, and opened only when asked for."""
    store = new_store(home)
    keys, _ = new_cluster(CryptoMode.MODE_2)
    assert store.hierarchy_key("enrollment_service").public == keys.enrollment_service.public
    with pytest.raises(OperatorError, match="no key"):
        store.hierarchy_key("nothing")


def test_K1_no_plain_key_on_the_disk(home: Path) -> None:
    """K1: no file holds a prime of any private key."""
    new_store(home)
    keys, _ = new_cluster(CryptoMode.MODE_2)
    stored = b"".join(path.read_bytes() for path in (home / "certificates").iterdir())
    for field in dataclasses.fields(keys):
        key: PrivateKey = getattr(keys, field.name)
        prime = key.to_capi_blob()[20 + key.public.bits // 8 :][: key.public.bits // 16]
        assert prime not in stored
        assert prime[::-1] not in stored


def test_K1_swapped_keys_are_refused(home: Path) -> None:
    """K1: a wrapped key under another name does not open, even where the manifest agrees."""
    from rmsserver.stores import file_set

    store = new_store(home)
    directory = home / "certificates"
    root = (directory / "root.key").read_bytes()
    file_set.change(directory, add={}, remove=frozenset({"licensor.key"}))
    file_set.change(directory, add={"licensor.key": root})
    with pytest.raises(OperatorError, match=r"licensor\.key"):
        store.load()


def test_wrong_passphrase(home: Path) -> None:
    """One line."""
    new_store(home)
    with pytest.raises(OperatorError, match="passphrase is wrong"):
        CertificateStore.open(home, "wrong")


def test_change_of_passphrase(home: Path) -> None:
    """Only the master key file changes; the old passphrase opens nothing any more."""
    store = new_store(home)
    before = {path.name: path.read_bytes() for path in (home / "certificates").glob("*.key")}
    store.change_passphrase("another", CHEAP)
    assert {path.name: path.read_bytes() for path in (home / "certificates").glob("*.key")} == before
    CertificateStore.open(home, "another").load()
    with pytest.raises(OperatorError):
        CertificateStore.open(home, "passphrase")


def test_no_cluster(home: Path) -> None:
    """A home without a cluster says how to make one."""
    with pytest.raises(OperatorError, match="rmsserver init"):
        CertificateStore.open(home, "passphrase")


def test_home_open_to_others(home: Path) -> None:
    """The home itself must be private."""
    new_store(home)
    home.chmod(0o755)
    with pytest.raises(OperatorError, match="chmod 700"):
        CertificateStore.open(home, "passphrase")


def test_trust(home: Path) -> None:
    """RACs are trusted by the own SLC key alone; machines by the own issuer, the shipped one, and two
    roots.
    """
    store = new_store(home)
    certificates = store.load()
    keys, _ = new_cluster(CryptoMode.MODE_2)
    assert set(certificates.trusted_rac_issuers) == {keys.licensor.public.id}
    shipped = {
        anchor.name: anchor.key.id for anchor in production_anchors() if anchor.is_root or anchor.is_machine_issuer
    }
    assert set(certificates.machine_roots) == {keys.root.public.id, shipped["Microsoft DRM Production Root"]}
    assert keys.machine_issuer.public.id in certificates.trusted_machine_issuers
    assert len(certificates.trusted_machine_issuers) == 2


def test_adding_a_machine_issuer(home: Path) -> None:
    """`spc trust FILE`: another cluster's SPC issuer is added once, and only such a certificate is."""
    store = new_store(home)
    _, other = new_cluster(CryptoMode.MODE_1)
    file = "".join(other.machine_chain).encode()
    issuer = store.trust_machine_issuer(file)
    assert issuer.principal.public_key.id in store.load().trusted_machine_issuers
    with pytest.raises(OperatorError, match="already"):
        store.trust_machine_issuer(file)
    for wrong in (
        b"",
        b"<XrML>",
        other.machine_chain[-1].encode(),
        file.replace(b"ISSUEDTIME>20", b"ISSUEDTIME>21", 2),
    ):
        with pytest.raises(OperatorError):
            store.trust_machine_issuer(wrong)


def test_genuine_kinds_are_ours(home: Path) -> None:
    """Our certificates have the kinds, identifier types and order of children that genuine ones have."""
    from rmsserver.xrml.issuing import IssuingCertificate

    certificates = new_store(home).load()
    ours = dict(zip(("slc", "enrollment-service", "enrollment-ca", "ca"), certificates.licensor.chain, strict=True))
    for name in ("enrollment-service", "enrollment-ca", "ca"):
        theirs = IssuingCertificate.read(genuine(f"mode2-issuing-{name}"))
        own = IssuingCertificate.read(ours[name])
        assert own.kind is theirs.kind
        assert [child.tag for child in own.body.children] == [child.tag for child in theirs.body.children]
        assert own.principal.object.id_type == theirs.principal.object.id_type
        assert own.issuer.object.type == theirs.issuer.object.type
        assert own.issuer.object.id_type == theirs.issuer.object.id_type


def test_a_licensing_only_cluster_has_one_key_and_no_machine_issuer(home: Path) -> None:
    """[MS-RMPRS] 3.3: nothing of a hierarchy; what certifies is whoever issued its certificate."""
    keys, documents = new_cluster(CryptoMode.MODE_2)
    CertificateStore.create(
        home,
        "passphrase",
        licensor_chain=documents.licensor_chain,
        machine_chain=(),
        keys={"licensor": keys.licensor},
        cost=CHEAP,
    )
    store = CertificateStore.open(home, "passphrase")
    certificates = store.load()
    assert certificates.machine_issuer is None
    assert set(certificates.root_licensors) == {keys.enrollment_service.public.id}
    assert store.enrollment_service(certificates.licensor) is None


def test_the_enrollment_service_is_the_certificate_above_the_own_one(home: Path) -> None:
    """[MS-RMPR] 3.6: certificate, chain and key."""
    keys, documents = new_cluster(CryptoMode.MODE_2)
    store = new_store(home)
    service = store.enrollment_service(store.load().licensor)
    assert service is not None
    assert (service.chain, service.key.public) == (documents.licensor_chain[1:], keys.enrollment_service.public)
