"""The whole story over HTTP: `rmsserver serve` as a process, `rmsclient` commands of several people.

One cluster for each mode and transport, made once; the tests tell their stories on it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.http_server import make_certificate
from tests.client.served_cluster import PASSWORD, Outcome, ServedCluster, free_port, rmsclient
from tests.conformance import conforms

SECRET = b"The plan: meet at noon. \xc3\xa4\n"
POSIX = pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="measures memory as Linux tells it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clusters")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[ServedCluster]:
    """Mode 2 over plain HTTP on this machine: everyone signs on by NTLM."""
    made = ServedCluster(folder / "two", free_port(), environment={"RMSSERVER_SIGN_ON__BASIC": "never"})
    made.create()
    made.rmsserver(
        "template",
        "add",
        "--name",
        "Staff only",
        "--description",
        "For staff",
        "--grant",
        "staff@example.com=VIEW",
    )
    with made.serving():
        for person in ("author", "reader", "outsider"):
            assert made.bootstrap(person).code == 0
        yield made


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.txt"
    path.write_bytes(SECRET)
    return path


def _protected(cluster: ServedCluster, plan: Path, *words: str) -> Path:
    target = plan.with_suffix(".ptxt")
    outcome = cluster.rmsclient("author", "protect", str(plan), "-o", str(target), "--force", *words)
    assert outcome.code == 0, outcome.error
    assert SECRET not in target.read_bytes()
    return target


def _refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 2
    assert SECRET not in outcome.output
    assert "\n" not in outcome.error.strip()
    for word in words:
        assert word in outcome.error


# --- one protects, another opens, a third is refused ----------------------------------------------


@pytest.mark.parametrize("signed", [(), ("--online",)])
def test_the_story(cluster: ServedCluster, plan: Path, signed: tuple[str, ...]) -> None:
    """Author protects, offline or online; reader sees and may not save; outsider is refused; author saves."""
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW,PRINT", *signed)
    assert cluster.rmsclient("reader", "open", str(file)).output == SECRET
    copy = plan.with_name("copy.txt")
    _refused(cluster.rmsclient("reader", "open", str(file), "-o", str(copy)), "EXPORT", "VIEW, PRINT")
    assert not copy.exists()
    _refused(cluster.rmsclient("outsider", "open", str(file)), "NoRightsForRequestedPrincipalException")
    assert cluster.rmsclient("author", "open", str(file), "-o", str(copy)).code == 0
    assert copy.read_bytes() == SECRET


def test_an_author_opens_her_file_without_the_server(cluster: ServedCluster, plan: Path) -> None:
    """Published offline: the licence stands in the file, no password is needed."""
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW")
    outcome = cluster.rmsclient("author", "open", str(file), "--json", password=None)
    assert outcome.json["offline"] is True
    assert outcome.json["rights"] == ["OWNER"]


def test_groups_and_anyone(cluster: ServedCluster, plan: Path) -> None:
    """A grant to a group reaches its members and nobody else; one to anyone reaches everyone."""
    file = _protected(cluster, plan, "--grant", "staff@example.com=VIEW,EXPORT")
    assert cluster.rmsclient("reader", "open", str(file), "--json").json["rights"] == ["VIEW", "EXPORT"]
    _refused(cluster.rmsclient("outsider", "open", str(file)))
    file = _protected(cluster, plan, "--grant", "anyone=VIEW")
    assert cluster.rmsclient("outsider", "open", str(file)).output == SECRET


@pytest.mark.parametrize("signed", [(), ("--online",)])
def test_templates(cluster: ServedCluster, plan: Path, signed: tuple[str, ...]) -> None:
    """A template is fetched, used, and holds: for its group, not for others; info tells its name."""
    (template,) = cluster.rmsclient("author", "templates", "--json").json
    assert template["names"] == [{"lcid": 1033, "name": "Staff only", "description": "For staff"}]
    assert cluster.rmsclient("author", "templates", "--offline", "--json", password=None).json == [template]
    file = _protected(cluster, plan, "--template", template["id"], *signed)
    assert cluster.rmsclient("reader", "open", str(file)).output == SECRET
    _refused(cluster.rmsclient("outsider", "open", str(file)))
    assert cluster.rmsclient("reader", "info", str(file), "--json").json["policy_names"] == ["Staff only"]


@pytest.mark.parametrize("version", ["2.0", "2.1", "3.0"])
@pytest.mark.parametrize("cipher", ["cbc4k", "cbc4k-nopadding", "cbc512-nopadding", "ecb"])
@pytest.mark.parametrize("bits", ["128", "256"])
def test_every_container_and_cipher(
    cluster: ServedCluster, tmp_path: Path, version: str, cipher: str, bits: str
) -> None:
    """The content key of any cipher and length goes through the server octet for octet."""
    plan = tmp_path / "plan.txt"
    plan.write_bytes(SECRET.ljust(4096 + 32, b"."))
    words = ("--format", version, "--cipher", cipher, "--key-bits", bits)
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW", *words)
    assert cluster.rmsclient("reader", "open", str(file)).output == plan.read_bytes()


def test_rights_end(cluster: ServedCluster, plan: Path) -> None:
    """A grant that runs on opens, one that is over cannot even be given."""
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW", "--until", "2099-01-01")
    assert cluster.rmsclient("reader", "open", str(file)).output == SECRET
    outcome = cluster.rmsclient(
        "author",
        "protect",
        str(plan),
        "--grant",
        "reader@example.com=VIEW",
        "--until",
        "2001-01-01",
        "--force",
    )
    _refused(outcome, "expired")


# --- what is told ---------------------------------------------------------------------------------


def test_info_tells_each_what_she_may_know(cluster: ServedCluster, plan: Path) -> None:
    """The author sees the rights, the reader whom she would ask, a stranger the outside."""
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW,PRINT")
    author = cluster.rmsclient("author", "info", str(file), "--json", password=None).json
    assert {g["who"]: g["rights"] for g in author["rights"]}["reader@example.com"] == ["VIEW", "PRINT"]
    assert {v["trust"] for v in author["chain"]} == {"ok"}
    reader = cluster.rmsclient("reader", "info", str(file), "--json", password=None).json
    assert reader["rights"] is None
    assert reader["requests"] == [f"AcquireLicense at {cluster.url}/licensing/license.asmx for reader@example.com"]
    stranger = cluster.rmsclient("nobody", "info", str(file), password=None)
    assert stranger.code == 0
    assert "author@example.com" in stranger.text


def test_bootstrap_tells_what_it_trusts(cluster: ServedCluster) -> None:
    """The root's fingerprint, the same for everyone; a second run renews and keeps the machine."""
    machine = (cluster.store("author") / "machine.key").read_bytes()
    one, two = cluster.bootstrap("author", "--json").json, cluster.bootstrap("reader", "--json").json
    assert one["root_fingerprint"] == two["root_fingerprint"]
    assert (one["email"], one["mode"]) == ("author@example.com", 2)
    assert (cluster.store("author") / "machine.key").read_bytes() == machine


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_wrong_password_is_one_line(cluster: ServedCluster) -> None:
    """Nothing is stored, exit 2."""
    _refused(cluster.rmsclient("stranger", "bootstrap", "--url", cluster.url, "--user", "author", password="wrong"))
    assert not (cluster.store("stranger") / "settings.json").exists()


def test_an_altered_licence_opens_for_nobody(cluster: ServedCluster, plan: Path) -> None:
    """One letter of the signed body changed: reader and author are refused by the server."""
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW")
    data = file.read_bytes()
    altered = data.replace(b"<NAME>author@example.com</NAME>", b"<NAME>authxr@example.com</NAME>", 1)
    assert altered != data
    file.write_bytes(altered)
    for person in ("reader", "author"):
        _refused(cluster.rmsclient(person, "open", str(file)), "InvalidRightsLabelSignatureException")


def test_without_a_setup_the_line_says_what_to_do(cluster: ServedCluster, plan: Path) -> None:
    """protect, open and templates before bootstrap."""
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW")
    for words in (("open", str(file)), ("protect", str(plan), "--grant", "a@b.example=VIEW"), ("templates",)):
        _refused(cluster.rmsclient("nobody", *words), "rmsclient bootstrap")


def test_files_that_are_none_are_one_line(cluster: ServedCluster, plan: Path) -> None:
    """Opening what is not protected, and protecting over an existing file."""
    _refused(cluster.rmsclient("reader", "open", str(plan)), "not a PFile")
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW")
    _refused(cluster.rmsclient("author", "protect", str(plan), "--grant", "a@b.example=VIEW"), "exists already")
    assert file.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--grant"),
        (("--grant", "nonsense"), "reader@example.com=VIEW"),
        (("--template", "nonsense"), "templates"),
        (("--template", "11111111-2222-4333-8444-555555555555"), "templates"),
        (("--grant", "a@b.example=VIEW", "--template", "x"), "not both"),
    ],
)
def test_arguments_that_say_nothing(cluster: ServedCluster, plan: Path, words: tuple[str, ...], said: str) -> None:
    """Each mistake is told with what to write."""
    outcome = cluster.rmsclient("author", "protect", str(plan), *words)
    assert outcome.code == 2
    assert said in outcome.error


def test_the_process_exits_with_2_and_one_line(cluster: ServedCluster, plan: Path) -> None:
    """As a program sees it: exit code, nothing on standard output, one line without a traceback."""
    command = [sys.executable, "-c", "from rmsserver.cli.rmsclient import main; main()", "open", str(plan)]
    environment = {**os.environ, "RMSCLIENT_HOME": str(cluster.store("reader"))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rmsclient: ")
    assert done.stderr.count("\n") == 1


# --- other ways in --------------------------------------------------------------------------------


def test_a_bundle_signs_the_machine_itself(cluster: ServedCluster, plan: Path) -> None:
    """A machine that made its own certificate under the cluster's SPC issuer is certified like any other."""
    bundle = plan.with_name("machines.bundle")
    cluster.rmsserver("client-bundle", "-o", str(bundle))
    store = plan.with_name("store")
    outcome = rmsclient(
        store,
        "bootstrap",
        "--url",
        cluster.url,
        "--user",
        "reader",
        "--bundle",
        str(bundle),
        password=PASSWORD,
    )
    assert outcome.code == 0, outcome.error
    file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW")
    assert rmsclient(store, "open", str(file)).output == SECRET


def test_mode_1(folder: Path, plan: Path) -> None:
    """The same story with RSA-1024 and SHA-1, offline and online."""
    cluster = ServedCluster(folder / "one", free_port())
    cluster.create("--crypto-mode", "1")
    with cluster.serving():
        for person in ("author", "reader"):
            assert cluster.bootstrap(person, "--json").json["mode"] == 1
        for words in ((), ("--online",)):
            file = _protected(cluster, plan, "--grant", "reader@example.com=VIEW", *words)
            assert cluster.rmsclient("reader", "open", str(file)).output == SECRET


@pytest.mark.parametrize("binding", ["optional", "required"])
@conforms("MS-RMPR 3.3.4.1", "A client that signs on by NTLM is certified.")
def test_tls(folder: Path, plan: Path, binding: str) -> None:
    """Over TLS a user without an NT hash signs on by Basic; where Basic is off, NTLM with channel binding
    works."""
    pem = make_certificate(plan.with_name("server.pem"))
    settings = {"RMSSERVER_SIGN_ON__CHANNEL_BINDING": binding}
    if binding == "required":
        settings["RMSSERVER_SIGN_ON__BASIC"] = "never"
    cluster = ServedCluster(folder / f"tls-{binding}", free_port(), pem, settings)
    cluster.create()
    with cluster.serving():
        _refused(cluster.bootstrap("author"), "--ca FILE")
        assert cluster.bootstrap("author", "--ca", str(pem)).code == 0
        outcome = cluster.bootstrap("plain", "--ca", str(pem))
        assert outcome.code == (0 if binding == "optional" else 2)
        file = _protected(cluster, plan, "--grant", "author@example.com=VIEW", "--online")
        assert cluster.rmsclient("author", "open", str(file)).output == SECRET


# --- size -----------------------------------------------------------------------------------------


@POSIX
def test_a_large_file_needs_little_memory(cluster: ServedCluster, tmp_path: Path) -> None:
    """Protecting and opening 300 MB each stay under 200 MB of memory, the whole process counted."""
    source, target, copy = tmp_path / "big.bin", tmp_path / "big.pfile", tmp_path / "copy.bin"
    with source.open("wb") as stream:
        stream.truncate(300_000_000)
    script = (
        # Not ru_maxrss: that begins with what the test run itself had in memory when it forked.
        "import sys\nfrom rmsserver.cli.rmsclient import program\n"
        "program(sys.argv[1:], standalone_mode=False)\n"
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print('PEAK', int(peak.split()[1]) // 1024)\n"
    )
    environment = {**os.environ, "RMSCLIENT_HOME": str(cluster.store("author"))}
    for words in (
        ("protect", str(source), "--grant", "reader@example.com=VIEW", "-o", str(target)),
        ("open", str(target), "-o", str(copy)),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.rpartition("PEAK ")[2]) < 200
    assert copy.stat().st_size == source.stat().st_size
    target.unlink()
    copy.unlink()
