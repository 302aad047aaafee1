"""Clusters that trust, inherit, renew and come back, over HTTP: `rmsserver serve` as a process, `rmsclient` commands.

What counts in each story is that documents protected before open afterwards, for who may and for nobody else.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rmsserver.client.bundle import public_key_from_json
from rmsserver.client.pfile import read_pfile
from rmsserver.xrml.files import split_documents
from tests.client.served_cluster import Outcome, ServedCluster, free_port, rmsclient

Clusters = Callable[[str], ServedCluster]
SECRET = b"The plan: meet at noon. \xc3\xa4\n"
FILE_PASSWORD = "a long password for files"


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ServedCluster]:
    """Three clusters that share nothing, with the same people; tests work on copies of them."""
    folder = tmp_path_factory.mktemp("originals")
    made = {}
    for name, mode in (("one", "2"), ("two", "2"), ("old", "1")):
        environment = {"RMSSERVER_SIGN_ON__BASIC": "never"}
        made[name] = ServedCluster(folder / name, free_port(), environment=environment)
        made[name].create("--name", name.upper(), "--crypto-mode", mode)
    made["two"].rmsserver("template", "add", "--name", "Staff", "--grant", "reader@example.com=VIEW")
    return made


@pytest.fixture
def clusters(originals: dict[str, ServedCluster], tmp_path: Path) -> Callable[[str], ServedCluster]:
    """A fresh copy of the cluster of that name."""

    def copy(name: str) -> ServedCluster:
        shutil.copytree(originals[name].home, tmp_path / name)
        return dataclasses.replace(originals[name], home=tmp_path / name)

    return copy


@pytest.fixture
def password(tmp_path: Path) -> tuple[str, str]:
    """The option that names a file with a password for exported files."""
    path = tmp_path / "file-password"
    path.write_text(FILE_PASSWORD + "\n")
    return "--password-file", str(path)


def _protect(cluster: ServedCluster, folder: Path, name: str = "plan", *words: str) -> Path:
    plain, target = folder / f"{name}.txt", folder / f"{name}.ptxt"
    plain.write_bytes(SECRET)
    words = words or ("--grant", "reader@example.com=VIEW")
    outcome = cluster.rmsclient("author", "protect", str(plain), "-o", str(target), *words)
    assert outcome.code == 0, outcome.error
    return target


def _opens(cluster: ServedCluster, who: str, file: Path) -> bool:
    outcome = cluster.rmsclient(who, "open", str(file))
    assert outcome.output == (SECRET if outcome.code == 0 else b"")
    return outcome.code == 0


def _bootstrap(cluster: ServedCluster, *people: str) -> None:
    for person in people or ("author", "reader", "outsider"):
        outcome = cluster.bootstrap(person)
        assert outcome.code == 0, outcome.error


def _refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 2
    for word in words:
        assert word in outcome.error


# --- another cluster's documents -----------------------------------------------------------------------------------------


def test_documents_of_an_imported_domain(clusters: Clusters, tmp_path: Path, password: tuple[str, str]) -> None:
    """Rulings 2, 3: protected at the old cluster, with its template too; opened at the new one, until it is removed."""
    old, new = clusters("two"), clusters("one")
    with old.serving():
        _bootstrap(old, "author")
        (template,) = old.rmsclient("author", "templates", "--json").json
        plan = _protect(old, tmp_path)
        by_template = _protect(old, tmp_path, "by-template", "--template", template["id"])
        online = _protect(old, tmp_path, "online", "--grant", "reader@example.com=VIEW", "--online")
    exported = tmp_path / "old.xml"
    old.rmsserver("tpd", "export", "-o", str(exported), *password)
    with new.serving():
        _bootstrap(new)
        _refused(new.rmsclient("reader", "open", str(online)), "another server")
    new.rmsserver("tpd", "import", str(exported), *password)
    with new.serving():
        for file in (plan, by_template, online):
            assert _opens(new, "reader", file)
            assert not _opens(new, "outsider", file)
    (row,) = _json(new, "tpd", "list")
    new.rmsserver("tpd", "remove", str(row["id"]), "--yes")
    with new.serving():
        assert not _opens(new, "reader", plan)


def test_taking_a_cluster_over(clusters: Clusters, tmp_path: Path, password: tuple[str, str]) -> None:
    """`tpd adopt`: the new cluster issues as the old one; documents of both open; templates and notes are there."""
    old, new = clusters("two"), clusters("one")
    with old.serving():
        _bootstrap(old, "author")
        inherited = _protect(old, tmp_path, "inherited")
    with new.serving():
        _bootstrap(new)
        own = _protect(new, tmp_path, "own")
    exported = tmp_path / "old.xml"
    old.rmsserver("tpd", "export", "-o", str(exported), *password)
    report = new.rmsserver("tpd", "adopt", str(exported), "--yes", *password)
    assert f"127.0.0.1:{old.port}" in report
    assert "key pairs in users' account certificates" in report
    assert _json(new, "key", "list")[0]["key"] == _json(old, "key", "list")[0]["key"]
    with new.serving():
        _refused(new.rmsclient("reader", "open", str(inherited)), "bootstrap")
        _bootstrap(new)
        for file in (inherited, own):
            assert _opens(new, "reader", file)
            assert not _opens(new, "outsider", file)
        (template,) = new.rmsclient("author", "templates", "--json").json
        assert template["names"][0]["name"] == "Staff"
        assert _opens(new, "reader", _protect(new, tmp_path, "later", "--template", template["id"]))


# --- another cluster's users ---------------------------------------------------------------------------------------------


def test_users_of_a_trusted_domain(clusters: Clusters, tmp_path: Path) -> None:
    """A file exported, imported by its fingerprint; altered on the way it is refused, as is another fingerprint."""
    home, partner = clusters("one"), clusters("two")
    file = tmp_path / "partner.tud"
    fingerprint = partner.rmsserver("tud", "export", "-o", str(file)).splitlines()[-1]
    altered = tmp_path / "altered.tud"
    altered.write_bytes(re.sub(rb"TWO", b"TWA", file.read_bytes()))
    words = ("--domain", "example.com", "--fingerprint", fingerprint)
    assert "signature" in home.rmsserver_fails("tud", "import", str(altered), *words)
    assert "fingerprint" in home.rmsserver_fails("tud", "import", str(file), *words[:2], "--fingerprint", "00" * 32)
    assert _json(home, "tud", "list") == []
    home.rmsserver("tud", "import", str(file), *words)
    (row,) = _json(home, "tud", "list")
    assert (row["email_domains"], row["signed_by"]) == (["example.com"], fingerprint)


# --- the own keys --------------------------------------------------------------------------------------------------------


def test_a_rollover_while_serving(clusters: Clusters, tmp_path: Path) -> None:
    """A running server takes the new key over; what was protected before opens for who may, old certificates still count."""
    cluster = clusters("two")
    cluster.rmsserver("config", "set", "configurationRefreshInterval", "1s")
    with cluster.serving():
        _bootstrap(cluster)
        before = _protect(cluster, tmp_path, "before")
        cluster.rmsserver("key", "renew")
        assert _opens(cluster, "reader", before)
        cluster.rmsserver("key", "rollover", "--yes")
        _until_key(cluster)
        _bootstrap(cluster, "outsider")
        assert _opens(cluster, "reader", before)
        assert not _opens(cluster, "outsider", before)
        # The author has still the certificates of before: what she protects with them opens too.
        later = _protect(cluster, tmp_path, "later")
        assert _opens(cluster, "reader", later)
        _bootstrap(cluster, "author")
        (template,) = cluster.rmsclient("author", "templates", "--json").json
        assert _opens(cluster, "reader", _protect(cluster, tmp_path, "new", "--template", template["id"]))


def test_from_mode_1_to_mode_2(clusters: Clusters, tmp_path: Path) -> None:
    """Rulings 25: documents of mode 1 are served with the old key, their use licences are of mode 2."""
    cluster = clusters("old")
    with cluster.serving():
        _bootstrap(cluster)
        old = _protect(cluster, tmp_path, "old")
    cluster.rmsserver("key", "upgrade-mode", "--yes")
    with cluster.serving():
        _refused(cluster.rmsclient("reader", "open", str(old)), "UnsupportedCryptographicSet")
        _bootstrap(cluster)
        assert _opens(cluster, "reader", old)
        assert not _opens(cluster, "outsider", old)
        new = _protect(cluster, tmp_path, "new")
        assert _opens(cluster, "reader", new)
    assert [(_mode(file)) for file in (old, new)] == ["sealed-key", "sealed-key-v2"]
    assert [row["crypto_mode"] for row in _json(cluster, "key", "list")] == [2, 1]


# --- lost and restored ---------------------------------------------------------------------------------------------------


def test_a_restored_cluster_opens_documents(clusters: Clusters, tmp_path: Path, password: tuple[str, str]) -> None:
    """Backed up while it serves, restored elsewhere: the same people open the same documents with the same certificates."""
    cluster = clusters("one")
    with cluster.serving():
        _bootstrap(cluster)
        plan = _protect(cluster, tmp_path)
        cluster.rmsserver("backup", str(tmp_path / "one.backup"), *password)
    restored = ServedCluster(tmp_path / "restored", cluster.port, environment=cluster.environment)
    restored.rmsserver(
        "restore", str(tmp_path / "one.backup"), *password, "--passphrase-file", str(tmp_path / "other-passphrase")
    )
    with restored.serving():
        assert rmsclient(cluster.store("reader"), "open", str(plan)).output == SECRET
        assert rmsclient(cluster.store("outsider"), "open", str(plan)).code == 2
        assert restored.bootstrap("reader").code == 0
        assert _opens(restored, "reader", plan)


def _json(cluster: ServedCluster, *words: str) -> list[dict[str, object]]:
    found = json.loads(cluster.rmsserver(*words, "--json"))
    assert isinstance(found, list)
    return found


def _mode(file: Path) -> str:
    with file.open("rb") as stream:
        first = split_documents(read_pfile(stream).license_text)[0]
    found = re.search(r'<ENABLINGBITS type="([^"]*)"', first)
    assert found is not None
    return found.group(1)


def _until_key(cluster: ServedCluster) -> None:
    """Wait until the running server has taken the newest key over: it answers a new client with it."""
    key = _json(cluster, "key", "list")[0]["key"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert cluster.bootstrap("reader").code == 0
        server = json.loads((cluster.store("reader") / "settings.json").read_bytes())["server"]
        if public_key_from_json(server).id.hex() == key:
            return
        time.sleep(0.5)
    raise AssertionError("the server goes on with the old key")
