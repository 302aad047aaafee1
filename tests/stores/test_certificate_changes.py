"""Other keys in the place of the own ones, imported domains, the management certificate: each change in one step."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rmsserver.errors import OperatorError
from rmsserver.operations.enrollee import Enrollee, issue_licensor
from rmsserver.stores import file_set
from rmsserver.stores.certificates import Certificates, CertificateStore, StoredPublishingDomain
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid
from tests.cluster import make_cluster
from tests.stores.test_certificates import new_cluster, new_store

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
OTHER = make_cluster(CryptoMode.MODE_2, "stranger")
LICENSOR = OTHER.state.licensor
_THIRD = make_cluster(CryptoMode.MODE_2, "third").state.licensor
_OTHER_KEY = (_THIRD.chain, _THIRD.key)
DOMAIN = StoredPublishingDomain(
    Guid("11111111-2222-4333-8444-555555555555"), "../../etc/passwd", NOW, LICENSOR, (OTHER.template(),)
)


@pytest.fixture
def store(tmp_path: Path) -> CertificateStore:
    return new_store(tmp_path / "home")


def texts(certificates: Certificates) -> tuple[object, ...]:
    former = [licensor.chain for licensor in certificates.former_licensors]
    return certificates.licensor.chain, former, [domain.id for domain in certificates.publishing_domains]


# --- the own key ---------------------------------------------------------------------------------------------------------


def test_another_key(store: CertificateStore) -> None:
    """The new chain is the own one, the old one a former licensor with its key."""
    before = store.load().licensor
    store.install_licensor(LICENSOR.chain, LICENSOR.key)
    after = store.load()
    assert after.licensor.chain == LICENSOR.chain
    assert after.licensor.key.to_der() == LICENSOR.key.to_der()
    (former,) = after.former_licensors
    assert (former.chain, former.key.to_der()) == (before.chain, before.key.to_der())
    assert set(after.trusted_rac_issuers) == {before.key.public.id, LICENSOR.key.public.id}


def test_the_same_key(store: CertificateStore) -> None:
    """A renewed certificate leaves no former licensor behind."""
    licensor = store.load().licensor
    store.install_licensor(licensor.chain, licensor.key)
    assert store.load().former_licensors == ()


@functools.cache
def enrolled_elsewhere() -> tuple[tuple[str, ...], PrivateKey]:
    """Another cluster's certificate for the key that `new_store` has, and that key."""
    own = new_cluster(CryptoMode.MODE_2)[0].licensor
    enrollee = Enrollee(own.public, Guid(str(uuid.uuid4())), "6.3.0.0", None, None, None)
    return issue_licensor(enrollee, LICENSOR, OTHER.state, lambda: Guid(str(uuid.uuid4())), NOW), own


def test_the_same_key_under_another_issuer(store: CertificateStore) -> None:
    """Where it counts who issued it, the certificate of before stays, once: the issuers of both certify."""
    first, (chain, key) = store.load().licensor, enrolled_elsewhere()
    for _ in range(2):
        store.install_licensor(chain, key, keep_issuer=True)
        after = store.load()
        assert after.licensor.chain == chain
        assert [former.chain for former in after.former_licensors] == [first.chain]
    issuers = {first.certificate.issuer.public_key.id, LICENSOR.key.public.id}
    assert set(after.root_licensors) == issuers
    assert set(after.trusted_rac_issuers) == {key.public.id}


def test_back_to_a_former_key(store: CertificateStore) -> None:
    """What becomes the own key again is a former one no longer; an imported domain with that key is gone too."""
    first = store.load().licensor
    store.add_publishing_domain(DOMAIN)
    store.install_licensor(LICENSOR.chain, LICENSOR.key)
    assert store.load().publishing_domains == ()
    store.install_licensor(first.chain, first.key)
    after = store.load()
    assert after.licensor.chain == first.chain
    assert [former.chain for former in after.former_licensors] == [LICENSOR.chain]


def test_two_commands_at_the_same_time(store: CertificateStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second key or passphrase that is made while the first is being installed is refused; the store stays usable."""
    change, directory = file_set.change, store._directory
    pairs: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (lambda: store.install_licensor(LICENSOR.chain, LICENSOR.key), lambda: store.install_licensor(*_OTHER_KEY)),
        (lambda: store.change_passphrase("the first one"), lambda: store.change_passphrase("the second one")),
    ]
    for first, second in pairs:

        def interrupted(*arguments: Any, _first: Callable[[], None] = first, **more: Any) -> None:
            monkeypatch.setattr(file_set, "change", change)
            _first()
            change(*arguments, **more)

        monkeypatch.setattr(file_set, "change", interrupted)
        with pytest.raises(OperatorError, match="try again"):
            second()
    assert store.load().licensor.chain == LICENSOR.chain
    CertificateStore.open(directory.parent, "the first one")


def test_a_whole_new_hierarchy(tmp_path: Path) -> None:
    """Server and machine chains and the keys above them, replaced together."""
    store = new_store(tmp_path / "home", CryptoMode.MODE_1)
    keys, documents = new_cluster(CryptoMode.MODE_2)
    replaced = {role: getattr(keys, role) for role in ("enrollment_service", "machine_authority", "machine_issuer")}
    store.install_licensor(
        documents.licensor_chain, keys.licensor, machine_chain=documents.machine_chain, keys=replaced
    )
    after = store.load()
    assert after.machine_issuer is not None
    assert after.machine_issuer.chain == documents.machine_chain
    assert after.licensor.mode is CryptoMode.MODE_2
    assert store.hierarchy_key("enrollment_service").public == keys.enrollment_service.public
    assert store.hierarchy_key("root").public != keys.root.public
    assert CertificateStore.open(tmp_path / "home", "passphrase").load().licensor.chain == after.licensor.chain


# --- imported domains ----------------------------------------------------------------------------------------------------


def test_a_domain_comes_back(store: CertificateStore) -> None:
    """Chain, key, templates and name, whatever the name looks like (N4: it is in no path)."""
    store.add_publishing_domain(DOMAIN)
    (found,) = store.load().publishing_domains
    assert dataclasses.replace(found, licensor=LICENSOR, templates=()) == dataclasses.replace(DOMAIN, templates=())
    assert found.licensor.chain == LICENSOR.chain
    assert found.licensor.key.to_der() == LICENSOR.key.to_der()
    (template,) = found.templates
    assert isinstance(template, RightsTemplate)
    assert found.server.templates == {DOMAIN.templates[0].guid: template}


def test_K1_imported_keys_are_wrapped(tmp_path: Path, store: CertificateStore) -> None:
    """K1: no prime of an imported or management key is on the disk; a key file under another name does not open."""
    store.add_publishing_domain(DOMAIN)
    store.add_management_identity(b"certificate", b"management secret")
    directory = tmp_path / "home" / "certificates"
    everything = b"".join(path.read_bytes() for path in directory.iterdir())
    size = LICENSOR.key.public.bits // 8
    blob = LICENSOR.key.to_capi_blob()
    assert blob[20 + size : 20 + size + size // 2] not in everything
    assert b"management secret" not in everything
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    other = dataclasses.replace(DOMAIN, id=Guid("22222222-2222-4333-8444-555555555555"))
    store.add_publishing_domain(other)
    files = file_set.read(directory)
    with pytest.raises(OperatorError, match="changed"):
        store._key({f"domain-{DOMAIN.id}.key": files[f"domain-{other.id}.key"]}, f"domain-{DOMAIN.id}.key")


def test_removal(store: CertificateStore) -> None:
    """Nothing of a removed domain stays in the directory."""
    store.add_publishing_domain(DOMAIN)
    store.remove_publishing_domain(DOMAIN.id)
    assert store.load().publishing_domains == ()
    assert not [name for name in file_set.read(store._directory) if "domain" in name]
    with pytest.raises(OperatorError, match="no trusted publishing domain"):
        store.remove_publishing_domain(DOMAIN.id)


def test_the_management_certificate(store: CertificateStore) -> None:
    """None until it is needed, then the same, with its key; never two, by two commands at the same time."""
    assert store.management_identity() is None
    store.add_management_identity(b"certificate", b"key")
    assert store.management_identity() == (b"certificate", b"key")
    with pytest.raises(OperatorError, match="try again"):
        store.add_management_identity(b"another", b"other key")
    assert store.management_identity() == (b"certificate", b"key")


# --- crashes -------------------------------------------------------------------------------------------------------------


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(
    "change",
    [
        lambda store: store.install_licensor(LICENSOR.chain, LICENSOR.key),
        lambda store: store.install_licensor(*enrolled_elsewhere(), keep_issuer=True),
        lambda store: store.add_publishing_domain(DOMAIN),
        lambda store: store.change_passphrase("another passphrase"),
    ],
    ids=["licensor", "issuer", "domain", "passphrase"],
)
def test_K5_killed_at_any_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[CertificateStore], None]
) -> None:
    """K5: killed before any write, rename or removal, the store holds the old content or the new one, never between.

    A file that belongs to neither is refused with its name; without it the store opens.
    """
    store = new_store(tmp_path / "reference")
    old = texts(store.load())
    change(store)
    new = texts(store.load())
    seen = set()
    for step in range(60):
        home = tmp_path / f"home{step}"
        killed = _kill_at(step, new_store(home), change, monkeypatch)
        found = texts(_opened(home).load())
        assert found in (old, new)
        seen.add(str(found))
        if not killed:
            break
    assert 5 < step < 59
    assert seen == {str(old), str(new)}


def _kill_at(
    step: int, store: CertificateStore, change: Callable[[CertificateStore], None], monkeypatch: pytest.MonkeyPatch
) -> bool:
    """Run the change; its system call number `step` does not happen any more. False where it got through before."""
    count = 0

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **settings: object) -> object:
            nonlocal count
            if count == step:
                raise _Killed
            count += 1
            return original(*arguments, **settings)

        return call

    with monkeypatch.context() as patch:
        for owner, name in ((os, "open"), (os, "fsync"), (Path, "rename"), (Path, "unlink")):
            patch.setattr(owner, name, counted(getattr(owner, name)))
        try:
            change(store)
        except _Killed:
            return True
    return False


def _opened(home: Path) -> CertificateStore:
    """The store after a crash, without the files that belong to nothing."""
    directory = home / "certificates"
    listed = {*json.loads((directory / file_set.MANIFEST).read_bytes())["files"], file_set.MANIFEST, file_set.LOCK}
    strays = {path.name for path in directory.iterdir()} - listed
    if strays:
        with pytest.raises(OperatorError, match="unfinished change"):
            CertificateStore.open(home, "passphrase")
    for name in strays:
        (directory / name).unlink()
    try:
        return CertificateStore.open(home, "passphrase")
    except OperatorError:
        return CertificateStore.open(home, "another passphrase")
