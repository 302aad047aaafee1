"""What a cluster whose certificate another one issued does when that one has a new key, or its own needs one.

Real processes, real HTTP, the real client: `rmsserver key renew|rollover|upgrade-mode` at the enrolled cluster.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.served_cluster import PASSWORD, ServedCluster, free_port
from tests.live.test_enrolled_clusters import TEXT, Clusters, enrolling_options, make_root


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[Clusters]:
    """Root and licensing-only cluster, both serving, both seeing changes within a second."""
    root, branch = make_root(tmp_path / "root"), ServedCluster(tmp_path / "branch", free_port())
    root.rmsserver("config", "set", "configurationRefreshInterval", "1s")
    with root.serving():
        branch.create("--name", "BRANCH", "--licensing-only", *enrolling_options(root))
        branch.rmsserver("config", "set", "configurationRefreshInterval", "1s")
        with branch.serving():
            yield Clusters(root, branch)


def again(clusters: Clusters) -> list[str]:
    return ["--root-user", "branch", "--root-password-file", str(clusters.password_file)]


def protect(branch: ServedCluster, who: str, file: Path) -> Path:
    plain = file.with_suffix(".txt")
    plain.write_bytes(TEXT)
    granted = [
        word for name in ("author", "reader", "plain") for word in ("--grant", f"{name}@example.com=VIEW,EXPORT")
    ]
    made = branch.rmsclient(who, "protect", str(plain), *granted, "-o", str(file))
    assert made.code == 0, made.error
    return file


def opens(branch: ServedCluster, who: str, file: Path) -> bool:
    outcome = branch.rmsclient(who, "open", str(file))
    assert outcome.code == 2 or outcome.output == TEXT
    return outcome.code == 0


def taken_over() -> None:
    """Servers look for changes each second."""
    time.sleep(2.5)


def keys(cluster: ServedCluster) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(cluster.rmsserver("key", "list", "--json"))
    return found


def test_the_root_has_a_new_key(clusters: Clusters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch renews: new people are set up there, and open documents of before; those of before go on."""
    root, branch = clusters.root, clusters.branch
    for person in ("author", "outsider"):
        assert branch.bootstrap(person).code == 0
    before = protect(branch, "author", tmp_path / "before.ptxt")
    root.rmsserver("key", "rollover", "--yes")
    taken_over()
    assert "neither the one that certifies" in branch.bootstrap("reader").error
    own = keys(branch)[0]
    assert "of the root cluster's key" in branch.rmsserver("key", "renew", *again(clusters))
    taken_over()
    assert [(row["role"], row["key"], row["slc"]) for row in keys(branch)] == [
        (role, own["key"], own["slc"]) for role in ("own", "former")
    ]
    outcome = branch.bootstrap("reader")
    assert outcome.code == 0, outcome.error
    assert opens(branch, "reader", before)
    assert opens(branch, "author", before)
    assert not opens(branch, "outsider", before)
    assert opens(branch, "reader", protect(branch, "author", tmp_path / "old-author.ptxt"))
    after = protect(branch, "reader", tmp_path / "after.ptxt")
    assert opens(branch, "author", after)
    assert branch.bootstrap("author").code == 0
    assert opens(branch, "author", before)
    monkeypatch.setenv("RMS_ROOT_PASSWORD", PASSWORD)
    branch.rmsserver("key", "renew", "--root-user", "branch")
    assert len(keys(branch)) == 2, "the same issuer is kept once"
    rows = json.loads(branch.rmsserver("audit", "--alerts", "--json", "--limit", "1000"))
    assert json.dumps(rows).count("count from now on") == 1


def test_the_branch_gets_a_new_key(clusters: Clusters, tmp_path: Path) -> None:
    """Its documents of before open for whoever fetched new certificates; templates carry the new signature."""
    branch = clusters.branch
    branch.rmsserver("template", "add", "--name", "Staff", "--grant", "reader@example.com=VIEW,EXPORT")
    for person in ("author", "reader"):
        assert branch.bootstrap(person).code == 0
    before = protect(branch, "author", tmp_path / "before.ptxt")
    old = keys(branch)[0]
    branch.rmsserver("key", "rollover", "--yes", *again(clusters))
    taken_over()
    own, former = keys(branch)
    assert former["key"] == old["key"] != own["key"]
    assert own["slc"] != old["slc"]
    for person in ("author", "reader"):
        outcome = branch.bootstrap(person)
        assert outcome.code == 0, outcome.error
    assert opens(branch, "reader", before)
    assert branch.rmsclient("outsider", "open", str(before)).code != 0
    (template,) = branch.rmsclient("author", "templates", "--json").json
    plain, protected = tmp_path / "new.txt", tmp_path / "new.ptxt"
    plain.write_bytes(TEXT)
    words = ("--template", template["id"], "-o", str(protected))
    assert branch.rmsclient("author", "protect", str(plain), *words).code == 0
    assert opens(branch, "reader", protected)


def test_what_makes_renewing_fail(clusters: Clusters) -> None:
    """One line that says what to do, and the certificates stay what they are."""
    root, branch = clusters.root, clusters.branch
    before = keys(branch)
    for command in (["renew"], ["rollover", "--yes"]):
        assert "--root-user" in branch.rmsserver_fails("key", *command)
        wrong = branch.rmsserver_fails("key", *command, *again(clusters), "--root-fingerprint", "ab" * 32)
        assert "not the one expected" in wrong
    assert "leave --root out" in branch.rmsserver_fails(
        "key", "renew", *again(clusters), "--root", "https://x.test/_wmcs"
    )
    assert "over the network alone" in branch.rmsserver_fails("key", "renew", "--request", str(root.home / "r.xml"))
    assert "mode 2 already" in branch.rmsserver_fails("key", "upgrade-mode", "--yes", *again(clusters))
    assert "root of its own" in root.rmsserver_fails("key", "renew", *again(clusters))
    assert "no terminal to ask on" in branch.rmsserver_fails("key", "renew", "--root-user", "branch")
    clusters.password_file.chmod(0o644)
    assert "chmod 600" in branch.rmsserver_fails("key", "renew", *again(clusters))
    clusters.password_file.chmod(0o600)
    root.rmsserver("config", "set", "subEnrollmentEnabled", "false")
    taken_over()
    assert "config get subEnrollmentEnabled" in branch.rmsserver_fails("key", "renew", *again(clusters))
    assert keys(branch) == before


def test_a_cluster_beside_the_root(tmp_path: Path) -> None:
    """Enroll again, and the same by files; who may revoke the certificate stays. Its mode cannot change."""
    root, beside = make_root(tmp_path / "root"), ServedCluster(tmp_path / "beside", free_port())
    authority = root.home / "certificates" / "licensor.xrml"
    with root.serving():
        beside.create(*enrolling_options(root), "--revocation-authority", str(authority))
        first = keys(beside)[0]
        assert "--request FILE" in beside.rmsserver_fails("key", "renew")
        beside.rmsserver("key", "renew", *enrolling_options(root))
        assert _chain(beside).count("External revocation authority") == 2
        beside.rmsserver("key", "rollover", "--yes", *enrolling_options(root))
    assert _chain(beside).count("External revocation authority") == 2
    assert "tpd export" in beside.rmsserver_fails("key", "upgrade-mode", "--yes")
    own, former = keys(beside)
    assert (former["key"], former["slc"]) == (first["key"], first["slc"])
    request, answer, before = tmp_path / "request.xml", tmp_path / "answer.xml", _chain(beside)
    assert own["key"] in beside.rmsserver("key", "renew", "--request", str(request))
    root.rmsserver("enrollment", "answer", str(request), "-o", str(answer), "--fingerprint", own["key"])
    beside.rmsserver("key", "renew", "--answer", str(answer))
    assert keys(beside) == [own, former]
    assert _chain(beside) != before
    assert _chain(beside).count("External revocation authority") == 2
    changed = tmp_path / "changed.xml"
    changed.write_bytes(answer.read_bytes().replace(b"RMS 2.0", b"RMS 2.1"))
    assert "do not hold" in beside.rmsserver_fails("key", "renew", "--answer", str(changed))
    with beside.serving():
        for person in ("author", "reader"):
            assert beside.bootstrap(person).code == 0
        assert opens(beside, "reader", protect(beside, "author", tmp_path / "plan.ptxt"))


def test_both_change_to_mode_2(tmp_path: Path) -> None:
    """The root first, then the branch; what was protected in mode 1 opens."""
    root = make_root(tmp_path / "root", "--crypto-mode", "1")
    branch = ServedCluster(tmp_path / "branch", free_port())
    with root.serving():
        branch.create("--crypto-mode", "1", "--licensing-only", *enrolling_options(root))
        with branch.serving():
            for person in ("author", "reader"):
                assert branch.bootstrap(person).code == 0
            old = protect(branch, "author", tmp_path / "old.ptxt")
        both = Clusters(root, branch)
        assert "mode 2" in branch.rmsserver_fails("key", "upgrade-mode", "--yes", *again(both))
    root.rmsserver("key", "upgrade-mode", "--yes")
    with root.serving():
        assert "ArgumentOutOfRange" in branch.rmsserver_fails("key", "renew", *again(both))
        branch.rmsserver("key", "upgrade-mode", "--yes", *again(both))
        with branch.serving():
            for person in ("author", "reader"):
                outcome = branch.bootstrap(person)
                assert outcome.code == 0, outcome.error
            assert opens(branch, "reader", old)
            assert opens(branch, "reader", protect(branch, "author", tmp_path / "new.ptxt"))


def _chain(cluster: ServedCluster) -> str:
    """The own SLC chain's file."""
    (file,) = (cluster.home / "certificates").glob("licensor*.xrml")
    return file.read_text()
