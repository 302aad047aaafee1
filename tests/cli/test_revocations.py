"""`rmsserver revocation` as an operator has it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.opening import open_home
from rmsserver.cli.rmsserver import program
from rmsserver.errors import OperatorError
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.revocation import Revocation, RevocationList, RevokedBy
from tests.homes import make_home

GUID = "7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11"
SID = "S-1-5-21-1-2-3-1104"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def invoke(home: Path, *words: str) -> Result:
    return CliRunner().invoke(program, ["revocation", *words, "--home", str(home)], prog_name="rmsserver")


def run(home: Path, *words: str) -> str:
    result = invoke(home, *words)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_the_list_as_it_grows_and_shrinks(home: Path, tmp_path: Path) -> None:
    """The type of an ID is seen from its form; what is exported is signed."""
    key = base64.b64encode(PrivateKey.generate(1024).public.pkcs1_der).decode()
    assert "Nothing" in run(home, "list")
    for type_, value in (("content-id", GUID), ("principal-id", SID), ("issuer-id", "Contoso"), ("principal-key", key)):
        run(home, "add", type_, value)
    run(home, "remove", "issuer-id", "Contoso")
    assert json.loads(run(home, "list", "--json"))[:2] == [
        {"type": "content-id", "value": GUID},
        {"type": "principal-id", "value": SID},
    ]
    run(home, "export", "-o", str(tmp_path / "list.xml"))
    found = RevocationList.read((tmp_path / "list.xml").read_text("utf-8"))
    found.verify(open_home(home).state.licensor.key.public)
    assert found.revocations == (
        Revocation(RevokedBy.CONTENT_ID, "{" + GUID + "}"),
        Revocation(RevokedBy.PRINCIPAL_ID, SID, "Windows"),
        Revocation(RevokedBy.PRINCIPAL_KEY, key, ""),
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "principal-key", "AAAA"), "base64"),
        (("add", "license-hash", "AAAA"), "base64"),
        (("add", "content-id", ""), "TYPE=VALUE"),
        (("add", "content-id", "two words"), "blanks"),
        (("add", "principal-id", "alice@example.com"), "`rmsserver user list` shows SIDs"),
        (("add", "principal-id", "EXAMPLE\\alice"), "`rmsserver user list` shows SIDs"),
        (("remove", "content-id", GUID), "revocation list"),
    ],
)
def test_what_cannot_be_is_one_line(home: Path, words: tuple[str, ...], says: str) -> None:
    """Nothing changes."""
    error = invoke(home, *words).exception
    assert isinstance(error, OperatorError)
    assert says in str(error)
    assert "\n" not in str(error)
    assert open_home(home).state.revocations == ()


@pytest.mark.parametrize("principal", [SID, GUID, "{" + GUID.upper() + "}"])
def test_people_are_revoked_by_sid_or_guid(home: Path, principal: str) -> None:
    """What clients compare: a SID in a domain's account certificates, a GUID in federated ones."""
    run(home, "add", "principal-id", principal)
    (revoked,) = open_home(home).state.revocations
    assert (revoked.by, revoked.value.strip("{}").lower()) == (RevokedBy.PRINCIPAL_ID, principal.strip("{}").lower())
