"""rmsserver.cli.documents: what `rmsserver xrml` prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rmsserver.cli.rmsserver import program
from tests.cli.test_program import line_of, run

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "xrml"


def text(*names: str) -> str:
    """Recorded documents of mode 2, one after the other."""
    return "".join((FIXTURES / f"mode2-{name}.xml").read_text("utf-8") for name in names)


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """An account certificate with all that stands above it, the root's key excepted."""
    path = tmp_path / "chain.xml"
    path.write_text(text("rac", "slc", "ca"), "utf-8")
    return path


def test_an_unknown_root_alone_is_no_failure(chain: Path) -> None:
    """Each document with kind, issuer, subject, mode and three verdicts; exit code 0."""
    done = CliRunner().invoke(program, ["xrml", "verify", "--json", str(chain)])
    assert done.exit_code == 0, done.output
    [report] = json.loads(done.output)
    documents = report["documents"]
    assert [d["kind"] for d in documents] == [
        "rights account certificate",
        "server licensor certificate",
        "CA certificate",
    ]
    assert {d["signature"] for d in documents} == {"ok"}
    assert {d["trust"] for d in documents} == {"unknown"}
    assert {"kind", "issuer", "subject", "mode", "signature", "link", "trust"} <= set(documents[0])


def test_an_anchor_makes_it_trusted(chain: Path, tmp_path: Path) -> None:
    """--anchor names the root by the issuer of a file's last certificate."""
    anchor = tmp_path / "anchor.xml"
    anchor.write_text(text("ca"), "utf-8")
    done = CliRunner().invoke(program, ["xrml", "verify", "--json", "--anchor", str(anchor), str(chain)])
    assert {d["trust"] for d in json.loads(done.output)[0]["documents"]} == {"ok"}


def test_a_wrong_signature_fails(chain: Path) -> None:
    """One character of the signed text is another: no signature, no link, and exit code 1 though another file is well."""
    good = chain.with_name("good.xml")
    good.write_text(text("ca"), "utf-8")
    chain.write_text(chain.read_text("utf-8").replace("<ISSUEDTIME>20", "<ISSUEDTIME>19", 1), "utf-8")
    done = CliRunner().invoke(program, ["xrml", "verify", "--json", str(chain), str(good)])
    assert done.exit_code == 1
    altered, licensor, _ = json.loads(done.output)[0]["documents"]
    assert altered["signature"] not in ("ok", "none")
    assert altered["link"] not in ("ok", "none", "root")
    assert (licensor["signature"], licensor["link"]) == ("ok", "ok")


@pytest.mark.parametrize("content", ["", "no documents", "<XrML>", text("rac")], ids=["empty", "text", "half", "kind"])
def test_an_anchor_that_is_none(chain: Path, tmp_path: Path, content: str) -> None:
    """One line, exit code 2."""
    anchor = tmp_path / "anchor.xml"
    anchor.write_text(content, "utf-8")
    assert str(anchor) in line_of(run("rmsserver", "xrml", "verify", "--anchor", str(anchor), str(chain)))


def test_show_prints_for_reading(chain: Path) -> None:
    """Indented, long values cut."""
    done = CliRunner().invoke(program, ["xrml", "show", str(chain)])
    assert done.exit_code == 0
    assert done.output.startswith("<XrML")
    assert "\n  <BODY" in done.output
