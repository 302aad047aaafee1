"""Clusters of ours that get their certificates from each other: a root cluster, a licensing-only one, one of its own beside.

Real processes, real HTTP, the real client: `rmsserver init --root`, SubEnroll and Enroll, certification at the root,
publishing and licences at the licensing-only cluster ([MS-RMPRS] 1.3.2, 3.3; [MS-RMPR] 3.6).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.client.served_cluster import PASSWORD, PEOPLE, ServedCluster, free_port
from tests.conformance import conforms
from tests.http_server import Response, Wire
from tests.wire import calls

TEAM = "team@example.net"
"""A group that the root's directory alone knows."""
TEXT = b"the plan\n" * 100


@dataclass(frozen=True)
class Clusters:
    root: ServedCluster
    branch: ServedCluster

    @property
    def password_file(self) -> Path:
        return self.root.home / "branch-password"


def enrolling_options(root: ServedCluster) -> list[str]:
    return ["--root", root.url, "--root-user", "branch", "--root-password-file", str(root.home / "branch-password")]


def make_root(home: Path, *options: str) -> ServedCluster:
    """A cluster at which the account `branch` may enroll others. `options` of `rmsserver init`."""
    root = ServedCluster(home, free_port())
    root.create(*options)
    root.rmsserver("user", "add", "branch", "--email", "branch@example.com", "--ntlm")
    password = root.home / "branch-password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    rules = "\n".join(
        f'[endpoints."{path}"]\naccess = "listed"\naccounts = ["branch"]\n'
        for path in (
            "certification/subenrollservice.asmx",
            "enrollment/enrollservice.asmx",
            "groupexpansion/groupexpansion.asmx",
        )
    )
    settings = root.home / "rmsserver.toml"
    settings.write_text(settings.read_text() + "\n" + rules)
    for key in ("subEnrollmentEnabled", "enrollmentEnabled", "groupExpansionEnabled"):
        root.rmsserver("config", "set", key, "true")
    root.rmsserver("group", "add", TEAM)
    root.rmsserver("group", "add-member", TEAM, "reader@example.com")
    return root


def let_ask(branch: ServedCluster, root: ServedCluster) -> None:
    """The branch asks the root about groups of example.net, signed on as `branch`."""
    settings = branch.home / "rmsserver.toml"
    peers = f'\n[peers]\nlogin = "branch"\npassword_file = "{root.home / "branch-password"}"\n'
    settings.write_text(settings.read_text() + peers)
    branch.rmsserver("config", "set", "forests", f"example.net={root.url}/groupexpansion/GroupExpansion.asmx")


@pytest.fixture(scope="module")
def clusters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clusters]:
    """Root and licensing-only cluster, both serving; the same people sign on at either."""
    folder = tmp_path_factory.mktemp("enrolled")
    root, branch = make_root(folder / "root"), ServedCluster(folder / "branch", free_port())
    with root.serving():
        branch.create("--name", "BRANCH", "--licensing-only", *enrolling_options(root))
        let_ask(branch, root)
        with branch.serving():
            yield Clusters(root, branch)


def ask(cluster: ServedCluster, operation: str, parameters: str) -> Response:
    data = calls.call(operation, parameters)
    with Wire(socket.create_connection(("127.0.0.1", cluster.port), 10)) as wire:
        return wire.ask(data)


def audited(cluster: ServedCluster) -> list[str]:
    """Operations and outcomes, newest first."""
    return [f"{row['operation']} {row['outcome']}" for row in json.loads(cluster.rmsserver("audit", "--json"))]


@conforms("MS-RMPRS 3.3.3", "A licensing-only cluster has a key of its own before it asks for a certificate.")
def test_people_certify_at_the_root_and_license_at_the_branch(clusters: Clusters, tmp_path: Path) -> None:
    """The whole story: set up at the branch's address; protect; open; refusal."""
    root, branch = clusters.root, clusters.branch
    for person in PEOPLE:
        outcome = branch.bootstrap(person)
        assert outcome.code == 0, outcome.error
    plain, protected, opened = tmp_path / "plan.txt", tmp_path / "plan.ptxt", tmp_path / "opened.txt"
    plain.write_bytes(TEXT)
    made = branch.rmsclient(
        "author", "protect", str(plain), "--grant", "reader@example.com=VIEW,EXPORT", "-o", str(protected)
    )
    assert made.code == 0, made.error
    read = branch.rmsclient("reader", "open", str(protected), "-o", str(opened))
    assert (read.code, read.error) == (0, "")
    assert opened.read_bytes() == TEXT
    assert branch.rmsclient("outsider", "open", str(protected)).code == 2
    at_root, at_branch = audited(root), audited(branch)
    assert at_root.count("Certify ok") == 3
    assert not any(line.startswith(("AcquireLicense", "GetClientLicensorCert")) for line in at_root)
    assert "AcquireLicense ok" in at_branch
    assert at_branch.count("GetClientLicensorCert ok") == 3
    assert not any(line.startswith("Certify") for line in at_branch)


def test_a_group_of_another_forest_is_asked_there(clusters: Clusters, tmp_path: Path) -> None:
    """[MS-RMPRS] 4.1, over HTTP with NTLM: a group that the licensing server's directory does not know."""
    root, branch = clusters.root, clusters.branch
    plain, protected, opened = tmp_path / "plan.txt", tmp_path / "plan.ptxt", tmp_path / "opened.txt"
    plain.write_bytes(TEXT)
    for person in PEOPLE:
        assert branch.bootstrap(person).code == 0
    made = branch.rmsclient("author", "protect", str(plain), "--grant", f"{TEAM}=VIEW,EXPORT", "-o", str(protected))
    assert made.code == 0, made.error
    read = branch.rmsclient("reader", "open", str(protected), "-o", str(opened))
    assert (read.code, read.error) == (0, "")
    assert opened.read_bytes() == TEXT
    assert branch.rmsclient("outsider", "open", str(protected)).code == 2
    rows = json.loads(root.rmsserver("audit", "--json"))
    asked = [row for row in rows if row["operation"] == "IsPrincipalMemberOf"]
    assert sorted(json.dumps(row).count("true") for row in asked) == [0, 1]
    assert all("branch" in row["account"].lower() for row in asked)


def test_a_group_with_a_subgroup_in_another_forest(clusters: Clusters, tmp_path: Path) -> None:
    """[MS-RMPRS] 3.5.4.1: the branch's own group holds the root's, which holds the reader."""
    branch = clusters.branch
    plain, protected, opened = tmp_path / "plan.txt", tmp_path / "plan.ptxt", tmp_path / "opened.txt"
    plain.write_bytes(TEXT)
    for person in PEOPLE:
        assert branch.bootstrap(person).code == 0
    branch.rmsserver("group", "add", "friends@example.com")
    branch.rmsserver("group", "add-member", "friends@example.com", TEAM)
    made = branch.rmsclient(
        "author", "protect", str(plain), "--grant", "friends@example.com=VIEW,EXPORT", "-o", str(protected)
    )
    assert made.code == 0, made.error
    read = branch.rmsclient("reader", "open", str(protected), "-o", str(opened))
    assert (read.code, read.error) == (0, "")
    assert opened.read_bytes() == TEXT
    assert branch.rmsclient("outsider", "open", str(protected)).code == 2


def test_the_branch_does_not_certify(clusters: Clusters) -> None:
    """It has authority to license alone, and says where certification is."""
    refused = ask(clusters.branch, "Certify", calls.certify(["<XrML/>"]))
    assert b"System.UnauthorizedAccessException" in refused.body
    located = ask(
        clusters.branch,
        "FindServiceLocationsForUser",
        calls.find_service_locations("CertificationService", "LicensingService"),
    )
    assert f"<URL>{clusters.root.url}/certification</URL>".encode() in located.body
    assert f"<URL>{clusters.branch.url}/licensing</URL>".encode() in located.body


def test_the_branch_stands_under_the_root(clusters: Clusters) -> None:
    """Its chain is its certificate and the root's chain, to the letter; nothing of a hierarchy is in its store."""
    own, above = (
        (cluster.home / "certificates" / "licensor.xrml").read_text() for cluster in (clusters.branch, clusters.root)
    )
    assert own.endswith(above)
    keys = sorted(path.name for path in (clusters.branch.home / "certificates").glob("*.key"))
    assert keys == ["licensor.key"]


def test_the_root_notes_who_enrolled(clusters: Clusters) -> None:
    """As an alert: somebody may issue licences from now on."""
    rows = json.loads(clusters.root.rmsserver("audit", "--alerts", "--json", "--limit", "1000"))
    assert any(f"licensing-only cluster was enrolled: {clusters.branch.url}" in json.dumps(row) for row in rows)


@conforms("MS-RMPR 3.1.3.2", "A cluster that enrolls elsewhere sends its public key and GUID there.")
def test_a_cluster_of_its_own_beside_the_root(clusters: Clusters, tmp_path: Path) -> None:
    """Enroll: it certifies its own people, under the same root key; neither cluster trusts the other's."""
    beside = ServedCluster(tmp_path / "beside", free_port())
    own = clusters.root.home / "certificates" / "licensor.xrml"
    beside.create(*enrolling_options(clusters.root), "--revocation-authority", str(own))
    assert (beside.home / "certificates" / "licensor.xrml").read_text().count("External revocation authority") == 2
    plain, protected, opened = tmp_path / "plan.txt", tmp_path / "plan.ptxt", tmp_path / "opened.txt"
    plain.write_bytes(TEXT)
    with beside.serving():
        mine = beside.rmsclient("author", "bootstrap", "--url", beside.url, "--user", "author", "--json")
        assert mine.code == 0, mine.error
        assert beside.bootstrap("reader").code == 0
        granted = ("--grant", "reader@example.com=VIEW,EXPORT", "-o", str(protected))
        assert beside.rmsclient("author", "protect", str(plain), *granted).code == 0
        read = beside.rmsclient("reader", "open", str(protected), "-o", str(opened))
    assert (read.code, read.error) == (0, "")
    theirs = clusters.branch.rmsclient("plain", "bootstrap", "--url", clusters.root.url, "--user", "reader", "--json")
    assert mine.json["root_fingerprint"] == theirs.json["root_fingerprint"]


def test_a_cluster_without_a_connection_to_the_root(clusters: Clusters, tmp_path: Path) -> None:
    """3.6.4.2: the same by two files; while the root serves, and with its switch off for it. It serves its own people."""
    alone, request, answer = ServedCluster(tmp_path / "alone", free_port()), tmp_path / "r.xml", tmp_path / "a.xml"
    words = ("--base-url", alone.url, "--passphrase-file", str(tmp_path / "passphrase"), "-o", str(request), "--json")
    asked = json.loads(alone.rmsserver("enrollment", "request", *words))
    fingerprints = ("--fingerprint", asked["fingerprint"])
    clusters.root.rmsserver("config", "set", "enrollmentEnabled", "false")
    try:
        clusters.root.rmsserver("enrollment", "answer", str(request), "-o", str(answer), *fingerprints)
    finally:
        clusters.root.rmsserver("config", "set", "enrollmentEnabled", "true")
    theirs = clusters.root.rmsclient("other", "bootstrap", "--url", clusters.root.url, "--user", "reader", "--json")
    expected = theirs.json["root_fingerprint"]
    alone.rmsserver("enrollment", "complete", str(answer), "--root-fingerprint", expected)
    alone.rmsserver("user", "add", "author", "--email", "author@example.com", "--ntlm")
    with alone.serving():
        mine = alone.rmsclient("author", "bootstrap", "--url", alone.url, "--user", "author", "--json")
    assert mine.code == 0, mine.error
    assert mine.json["root_fingerprint"] == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--root-user": "author"}, "403"),
        ({"--root": "http://127.0.0.1:1/_wmcs"}, "no answer"),
        ({"--root": "http://rms.example.com/_wmcs"}, "no TLS"),
        ({"--root-fingerprint": "ab" * 32}, "not the one expected"),
        ({"--crypto-mode": "1"}, "ArgumentOutOfRangeException"),
    ],
)
def test_what_makes_enrolling_fail(clusters: Clusters, tmp_path: Path, change: dict[str, str], words: str) -> None:
    """One line that says what to do, and no cluster is left behind."""
    options = dict(zip(*[iter(enrolling_options(clusters.root))] * 2, strict=True)) | change
    failing = ServedCluster(tmp_path / "failing", free_port())
    flat = [word for pair in options.items() for word in pair]
    passphrase = ["--passphrase-file", str(tmp_path / "passphrase")]
    line = failing.rmsserver_fails("init", "--base-url", failing.url, "--licensing-only", *passphrase, *flat)
    assert words in line
    assert not (failing.home / "certificates").exists()
    assert not (failing.home / "rmsserver.toml").exists()


def test_options_that_go_with_a_root(tmp_path: Path) -> None:
    """Alone they mean nothing."""
    cluster = ServedCluster(tmp_path / "alone", free_port())
    line = cluster.rmsserver_fails("init", "--base-url", cluster.url, "--licensing-only")
    assert "go with --root" in line


def test_L10_a_stranger_cannot_enroll(clusters: Clusters) -> None:
    """L10: over HTTP, as somebody who may sign on but is not listed."""
    data = calls.call("SubEnroll", calls.sub_enroll(""), person="author")
    with Wire(socket.create_connection(("127.0.0.1", clusters.root.port), 10)) as wire:
        assert wire.ask(data).status == 403
