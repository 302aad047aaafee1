"""`rmsserver tud`, `tpd`, `key`, `backup`: what an operator sees, and what is asked before anything happens."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.rmsserver import program
from rmsserver.config import load_config
from rmsserver.errors import OperatorError
from rmsserver.home import NewCluster, create_home
from rmsserver.operations.admin.publishing_domain_file import write_publishing_domain
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.operations.admin.old_cluster import old_file

PARTNER = make_cluster(CryptoMode.MODE_2, "stranger").state.licensor
PASSWORD = "password of the file"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mode 1 cluster whose passphrase comes from the environment."""
    path = tmp_path_factory.mktemp("cli") / "home"
    path.mkdir(mode=0o700)
    (path / "rmsserver.toml").write_text('passphrase_source = "environment"\n')
    new = NewCluster("http://rms.example.com/_wmcs", None, CryptoMode.MODE_1, "HERE", "EXAMPLE")
    create_home(load_config(path), new, "passphrase")
    return path


@pytest.fixture
def partner(tmp_path: Path) -> Path:
    path = tmp_path / "partner.bin"
    path.write_text("".join(PARTNER.chain))
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    domain = old_file()
    path = tmp_path / "old.xml"
    path.write_bytes(write_publishing_domain(domain.chain, domain.templates, domain.key, domain.key_id, PASSWORD))
    return path


def run(home: Path, *words: object, answer: str = "", **environment: str) -> Result:
    variables = {"RMSSERVER_PASSPHRASE": "passphrase", "RMS_FILE_PASSWORD": PASSWORD, **environment}
    return CliRunner().invoke(program, [*map(str, words), "--home", str(home)], env=variables, input=answer)


def done(home: Path, *words: object) -> str:
    result = run(home, *words)
    assert result.exit_code == 0, result.exception
    return result.output


def refused(home: Path, *words: object, match: str, **environment: str) -> None:
    result = run(home, *words, **environment)
    assert isinstance(result.exception, OperatorError)
    assert match in str(result.exception)


def test_user_domains_from_end_to_end(home: Path, partner: Path) -> None:
    """Imported by the key's fingerprint, listed as unsigned, removed."""
    words = ("tud", "import", partner, "--domain", "partner.example", "--trust-federated", "--name", "Partner")
    imported = json.loads(done(home, *words, "--fingerprint", PARTNER.key.public.id.hex(), "--json"))
    (row,) = json.loads(done(home, "tud", "list", "--json"))
    assert imported == row
    assert (row["name"], row["email_domains"], row["signed_by"]) == ("Partner", ["partner.example"], None)
    assert (row["sids_trusted"], row["federated_trusted"]) == (False, True)
    assert dt.datetime.fromisoformat(row["imported"]).tzinfo is not None
    assert "unsigned" in done(home, "tud", "list")
    refused(home, *words, "--fingerprint", PARTNER.key.public.id.hex(), match="trusted already")
    done(home, *words, "--fingerprint", PARTNER.key.public.id.hex(), "--replace", row["id"])
    (row,) = json.loads(done(home, "tud", "list", "--json"))
    done(home, "tud", "remove", row["id"])
    assert json.loads(done(home, "tud", "list", "--json")) == []


def test_a_user_domain_is_never_imported_unseen(home: Path, partner: Path) -> None:
    """Without a fingerprint and without a terminal nothing happens; which addresses, must be said."""
    refused(home, "tud", "import", partner, "--domain", "partner.example", match="compare the fingerprint")
    refused(home, "tud", "import", partner, match="--all-domains")
    refused(home, "tud", "import", partner, "--all-domains", "--domain", "a.example", match="--all-domains")
    refused(home, "tud", "import", partner, "--domain", "partner.example", "--fingerprint", "00", match="not the one")
    assert json.loads(done(home, "tud", "list", "--json")) == []


def test_the_comparison_is_no_output(home: Path, partner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json standard output has the document alone; what a person compares and answers is on standard error."""
    words = ("tud", "import", partner, "--domain", "partner.example", "--json")
    without = run(home, *words)
    assert without.stdout == ""
    assert PARTNER.key.public.id.hex() in without.stderr
    monkeypatch.setattr("rmsserver.cli.user_domains.sys", _Terminal())
    answered = run(home, *words, answer="y\n")
    assert "Is it the one" in answered.stderr
    done(home, "tud", "remove", json.loads(answered.stdout)["id"])


class _Terminal:
    """Standard input as somebody has it who can be asked."""

    class stdin:  # noqa: N801 - the name in `sys`
        isatty = staticmethod(lambda: True)


def test_publishing_domains_from_end_to_end(home: Path, old: Path) -> None:
    """Imported with its password, listed, removed when somebody says so."""
    imported = json.loads(done(home, "tpd", "import", old, "--json"))
    (row,) = json.loads(done(home, "tpd", "list", "--json"))
    assert imported == row | {"templates_left_out": 0}
    assert (row["name"], row["crypto_mode"], row["templates"]) == ("OLD-RMS", 1, 1)
    refused(home, "tpd", "import", old, match="imported already")
    refused(home, "tpd", "remove", row["id"], match="--yes")
    refused(home, "tpd", "remove", "../../etc", "--yes", match="not the id")
    done(home, "tpd", "remove", row["id"], "--yes")
    assert json.loads(done(home, "tpd", "list", "--json")) == []
    assert "1 template:" in done(home, "tpd", "import", old)


def test_a_wrong_file_password(home: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told after a pause."""
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    refused(home, "tpd", "import", old, match="password is wrong", RMS_FILE_PASSWORD="wrong")
    assert pauses == [2.0]


@pytest.mark.parametrize(
    "words", [("key", "rollover"), ("key", "upgrade-mode"), ("tpd", "adopt", "OLD")], ids=lambda words: " ".join(words)
)
def test_what_cannot_be_undone_is_asked(home: Path, old: Path, words: tuple[str, ...]) -> None:
    """Without a terminal and without --yes nothing changes."""
    before = done(home, "key", "list")
    refused(home, *(str(old) if word == "OLD" else word for word in words), match="--yes")
    assert done(home, "key", "list") == before


def test_files_are_never_overwritten(home: Path, tmp_path: Path) -> None:
    """Exports and backups go to a file that is not there yet, readable by its owner alone."""
    there = tmp_path / "there"
    there.write_text("x")
    for words in (("tud", "export", "-o", there), ("tpd", "export", "-o", there), ("backup", there)):
        refused(home, *words, match="exists already")
    assert there.read_text() == "x"
    for name, command in (("tud", ("tud", "export", "-o")), ("tpd", ("tpd", "export", "-o")), ("backup", ("backup",))):
        done(home, *command, tmp_path / name)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert "fingerprint" in done(home, "tud", "export", "--bare", "-o", tmp_path / "bare").lower()
