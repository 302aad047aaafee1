"""`rmsserver exclusion` as an operator has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.opening import open_home
from rmsserver.cli.rmsserver import program
from rmsserver.errors import OperatorError
from rmsserver.state import ApplicationExclusion
from rmsserver.stores.sql.user_keys import SqlUserKeys
from rmsserver.xrml.keys import KeyId, PrivateKey
from rmsserver.xrml.values import Version, VersionSpan
from tests.homes import make_home

READER = "reader@example.com"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A cluster with a reader, who has a key pair."""
    home = make_home(tmp_path / "home")
    sid = open_home(home).accounts.add_account("reader", [READER]).sid
    keys(home).put_if_absent(sid, PrivateKey.generate(1024))
    return home


def keys(home: Path) -> SqlUserKeys:
    opened = open_home(home)
    return SqlUserKeys(opened.database, opened.certificates.master_key)


def sid_of(home: Path) -> str:
    account = open_home(home).accounts.by_email(READER)
    assert account is not None
    return account.sid


def run(home: Path, *words: str) -> str:
    result = invoke(home, *words)
    assert result.exit_code == 0, result.output
    return result.output


def invoke(home: Path, *words: str) -> Result:
    return CliRunner().invoke(program, ["exclusion", *words, "--home", str(home)], prog_name="rmsserver")


def test_excluding_a_user_excludes_the_stored_keys_and_retires_them(home: Path) -> None:
    """As in the product: the next certificate has another key, which is not excluded. The audit says whose it was."""
    sid = sid_of(home)
    [pair] = keys(home).pairs(sid)
    said = run(home, "user", "add", READER)
    assert pair.public.id.hex() in said
    assert open_home(home).state.excluded_racs == {pair.public.id}
    assert keys(home).pairs(sid) == []
    [record] = open_home(home).audit.read(limit=1)
    assert record.operation == "exclusion user add"
    assert record.trail.facts == {"account": [READER], "entry": [pair.public.id.hex()]}
    assert json.loads(run(home, "user", "list", "--json")) == {"excluded_keys": [pair.public.id.hex()], "blocked": []}
    run(home, "user", "remove", pair.public.id.hex())
    assert open_home(home).state.excluded_racs == frozenset()


def test_excluding_a_user_who_keeps_the_keys(home: Path) -> None:
    """The same certificates count again once the exclusion is taken back, by address."""
    [pair] = keys(home).pairs(sid_of(home))
    run(home, "user", "add", READER, "--keep-keys")
    assert open_home(home).state.excluded_racs == {pair.public.id}
    run(home, "user", "remove", READER)
    assert open_home(home).state.excluded_racs == frozenset()
    assert keys(home).pairs(sid_of(home)) == [pair]


def test_excluding_a_key_by_its_id(home: Path) -> None:
    run(home, "user", "add", "AB" * 32)
    assert open_home(home).state.excluded_racs == {KeyId(b"\xab" * 32)}


def test_blocking_is_by_address_and_sid(home: Path) -> None:
    """Lifting it takes both out."""
    run(home, "user", "block", "Reader@example.com")
    assert open_home(home).state.blocked_users == {READER, sid_of(home).lower()}
    assert "blocked" in run(home, "user", "list")
    run(home, "user", "unblock", READER)
    assert open_home(home).state.blocked_users == frozenset()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("user", "add", "stranger@example.com"), "exclusion user block"),
        (("user", "add", "reader"), "neither an e-mail address nor a SID"),
        (("user", "remove", READER), "exclusion user list"),
        (("user", "unblock", READER), "exclusion user list"),
        (("application", "add", "a/b.exe", "--versions", "0-1"), "file name"),
        (("application", "remove", "WINWORD.EXE"), "exclusion application list"),
        (("security-processor", "add", "new"), "for example"),
        (("os", "add", "2-1"), "lowest and highest"),
    ],
)
def test_what_cannot_be_is_one_line(home: Path, words: tuple[str, ...], says: str) -> None:
    """Nothing changes."""
    before = open_home(home).configuration.read()
    error = invoke(home, *words).exception
    assert isinstance(error, OperatorError)
    assert says in str(error)
    assert open_home(home).configuration.read() == before


def test_applications(home: Path) -> None:
    """One after the other; removed by name in any letter case."""
    assert "No application" in run(home, "application", "list")
    run(home, "application", "add", "WINWORD.EXE", "--versions", "0-11.9999.9999.9999")
    run(home, "application", "add", "EXCEL.EXE", "--versions", "1-2")
    assert open_home(home).state.application_exclusions == (
        ApplicationExclusion("WINWORD.EXE", VersionSpan("0", "11.9999.9999.9999")),
        ApplicationExclusion("EXCEL.EXE", VersionSpan("1", "2")),
    )
    run(home, "application", "remove", "winword.exe")
    assert json.loads(run(home, "application", "list", "--json")) == [{"filename": "EXCEL.EXE", "versions": "1-2"}]


def test_security_processors(home: Path) -> None:
    run(home, "security-processor", "add", "6.1.7600.16385")
    assert open_home(home).state.minimum_security_processor == Version(6, 1, 7600, 16385)
    assert "6.1.7600.16385" in run(home, "security-processor", "list")
    run(home, "security-processor", "remove")
    assert open_home(home).state.minimum_security_processor is None


def test_versions_of_windows(home: Path) -> None:
    """The product's span unless told otherwise; removing switches it off."""
    run(home, "os", "add")
    assert open_home(home).state.os_exclusion == VersionSpan("0", "2.1.5.2600")
    run(home, "os", "add", "0-2.6.0.0")
    assert "0-2.6.0.0" in run(home, "os", "list")
    run(home, "os", "remove")
    assert open_home(home).state.os_exclusion is None
