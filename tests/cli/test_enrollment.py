"""`rmsserver enrollment`: a new cluster asks by a file, another one answers, the new one is completed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rmsserver.cli.rmsserver import program
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.offline_enrollment import read_answer
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.principal import read_public_key
from tests.cluster import key
from tests.conformance import conforms
from tests.homes import make_home

AUTHORITY = key("revocation authority", 2048).public
BASE_URL = "http://new.example.com/_wmcs"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster that answers; its switch for enrollment over the network is off."""
    return make_home(tmp_path_factory.mktemp("enrollment") / "root")


@pytest.fixture(scope="module")
def requested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the home of a new cluster and its request; `fingerprint` beside them."""
    folder = tmp_path_factory.mktemp("enrollment")
    authority = folder / "authority.pem"
    authority.write_bytes(AUTHORITY.rsa.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    words = ("--base-url", BASE_URL, "--name", "NEW", "--revocation-authority", authority, "-o", folder / "request.xml")
    shown = json.loads(done(folder / "home", "enrollment", "request", *words, "--json"))
    (folder / "fingerprint").write_text(shown["fingerprint"])
    return folder


@pytest.fixture
def folder(requested: Path, tmp_path: Path) -> Path:
    """A copy for each test."""
    return Path(shutil.copytree(requested, tmp_path / "folder"))


def run(home: Path, *words: object) -> Result:
    variables = {"RMSSERVER_PASSPHRASE": "passphrase"}
    return CliRunner().invoke(program, [*map(str, words), "--home", str(home)], env=variables)


def done(home: Path, *words: object) -> str:
    result = run(home, *words)
    assert result.exit_code == 0, (result.exception, result.output)
    return result.output


def refused(home: Path, *words: object, match: str) -> None:
    result = run(home, *words)
    assert isinstance(result.exception, OperatorError)
    assert re.search(match, str(result.exception)), result.exception


def answered(root: Path, folder: Path) -> Path:
    """The answer's file."""
    fingerprint = (folder / "fingerprint").read_text()
    words = (folder / "request.xml", "-o", folder / "answer.xml", "--fingerprint", fingerprint)
    done(root, "enrollment", "answer", *words)
    return folder / "answer.xml"


def root_key(answer: Path) -> str:
    """The fingerprint that the answering cluster's administrator tells."""
    return IssuingCertificate.read(read_answer(answer.read_bytes())[-1]).issuer.public_key.id.hex()


@conforms("MS-RMPR 3.6.4.2", "A request file tells the new cluster's SKU, version, name and base URL.")
@conforms("MS-RMPR 3.6.4.2", "A request file asks for the revocation that the new cluster is set up with.")
def test_three_steps_make_a_cluster(root: Path, folder: Path) -> None:
    """It has the certificate of the answer, its own settings, and nothing pending any more; both audits know."""
    answer, home = answered(root, folder), folder / "home"
    shown = json.loads(done(home, "enrollment", "complete", answer, "--root-fingerprint", root_key(answer), "--json"))
    assert (shown["base_url"], shown["root_fingerprint"]) == (BASE_URL, root_key(answer))
    chain = (home / "certificates" / "licensor.xrml").read_text()
    assert chain == "".join(read_answer(answer.read_bytes()))
    assert chain.endswith("".join(_above(root)))
    slc = IssuingCertificate.read(read_answer(answer.read_bytes())[0])
    assert slc.principal.levels == {"Server-Version": "6.3.0.0", "Server-SKU": "RMS 2.0"}
    assert slc.principal.object.address("URL") == BASE_URL.replace("http", "HTTP")
    points = slc.body.one("CONDITIONLIST").one("REFRESH").all("DISTRIBUTIONPOINT")
    assert read_public_key(points[1].one("PUBLICKEY")) == AUTHORITY
    assert not (home / "enrollment").exists()
    assert "NEW" in done(home, "config", "get", "name")
    for cluster, step in ((root, "answer"), (home, "complete")):
        [record] = [row for row in audit(cluster) if row["operation"] == f"enrollment {step}"][:1]
        assert record["outcome"] == "ok"
    assert "a cluster was enrolled: http://new.example.com/_wmcs" in done(root, "audit", "--alerts", "--json")


def audit(home: Path) -> list[dict[str, object]]:
    rows = json.loads(done(home, "audit", "--json"))
    assert isinstance(rows, list)
    return rows


def _above(root: Path) -> tuple[str, ...]:
    """The documents above the answering cluster's own certificate."""
    text = (root / "certificates" / "licensor.xrml").read_text()
    return tuple(re.findall(r"<XrML.*?</XrML>", text, re.DOTALL))[1:]


def test_a_completed_cluster_lists_its_key(root: Path, folder: Path) -> None:
    """The key that waited in the home is the cluster's."""
    answer, home = answered(root, folder), folder / "home"
    done(home, "enrollment", "complete", answer, "--root-fingerprint", root_key(answer))
    [row] = json.loads(done(home, "key", "list", "--json"))
    assert row["key"] == (folder / "fingerprint").read_text()
    refused(
        home, "enrollment", "complete", answer, "--root-fingerprint", root_key(answer), match="a cluster in .* already"
    )


def test_nothing_is_signed_or_trusted_unseen(root: Path, folder: Path) -> None:
    """Without a fingerprint and without a terminal nothing happens; with a wrong one neither."""
    request, output = folder / "request.xml", folder / "other.xml"
    ask = ("enrollment", "answer", request, "-o", output)
    refused(root, *ask, match="compare the fingerprint")
    refused(root, *ask, "--fingerprint", "00" * 32, match="not the one expected")
    refused(root, *ask, "--fingerprint", "xyz", match="64 hexadecimal digits")
    assert not output.exists()
    answer, home = answered(root, folder), folder / "home"
    refused(home, "enrollment", "complete", answer, match="compare the fingerprint")
    refused(home, "enrollment", "complete", answer, "--root-fingerprint", "00" * 32, match="not the one expected")
    assert not (home / "certificates").exists()
    assert (home / "enrollment").exists()


def test_L9_the_answer_to_another_request(root: Path, folder: Path, tmp_path: Path) -> None:
    """L9: another cluster's certificate, a changed one, and a file that is none make no cluster; the right one still does."""
    other = tmp_path / "other"
    words = ("--base-url", BASE_URL, "-o", tmp_path / "other.xml", "--json")
    asked = json.loads(done(other, "enrollment", "request", *words))
    out = tmp_path / "answer.xml"
    done(root, "enrollment", "answer", tmp_path / "other.xml", "-o", out, "--fingerprint", asked["fingerprint"])
    answer, home = answered(root, folder), folder / "home"
    changed = tmp_path / "changed.xml"
    changed.write_bytes(answer.read_bytes().replace(b"//new.", b"//old.", 1))
    expected = ("--root-fingerprint", root_key(answer))
    refused(home, "enrollment", "complete", out, *expected, match="certificate of another server")
    refused(home, "enrollment", "complete", changed, *expected, match="do not hold")
    refused(home, "enrollment", "complete", folder / "request.xml", *expected, match="the right file")
    assert not (home / "certificates").exists()
    done(home, "enrollment", "complete", answer, *expected)


def test_a_request_that_cannot_be_made(root: Path, folder: Path, tmp_path: Path) -> None:
    """Where there is a cluster or a request already, a file would be overwritten, or a key is none. Nothing is left."""
    words = ("enrollment", "request", "--base-url", BASE_URL, "-o")
    refused(root, *words, tmp_path / "x.xml", match="a cluster in .* already")
    refused(folder / "home", *words, tmp_path / "x.xml", match="a cluster in .* already")
    refused(tmp_path / "new", *words, folder / "request.xml", match="exists already")
    wrong = ("--revocation-authority", folder / "request.xml")
    refused(tmp_path / "new", *words, tmp_path / "x.xml", *wrong, match="no RSA public key")
    assert run(tmp_path / "new", *words, tmp_path / "nowhere" / "x.xml").exit_code != 0
    assert not (tmp_path / "new" / "rmsserver.toml").exists()
    assert not (tmp_path / "new" / "enrollment").exists()
    assert not (tmp_path / "x.xml").exists()


def test_a_revocation_authority_may_be_a_cluster(root: Path, tmp_path: Path) -> None:
    """The first certificate of its chain; DER and PEM are taken too."""
    der = tmp_path / "authority.der"
    der.write_bytes(AUTHORITY.rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    chain = root / "certificates" / "licensor.xrml"
    words = ("--revocation-authority", der, "--revocation-authority", chain, "-o", tmp_path / "request.xml")
    done(tmp_path / "new", "enrollment", "request", "--base-url", BASE_URL, *words)
    assert (tmp_path / "request.xml").read_text().count("<aRevocationAuthorityPublicKey>") == 2
