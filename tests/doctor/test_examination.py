"""rmsserver.doctor.examination and `rmsserver doctor` on clusters with the embedded directory; a domain: tests/live."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rmsserver.cli.doctor import doctor
from rmsserver.config import load_config
from rmsserver.doctor.examination import Examination, Wanted
from rmsserver.doctor.finding import Finding, Verdict
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from tests.homes import PASSPHRASE, make_home

EMBEDDED = {"home", "database", "certificates", "licensor", "name", "configuration", "user", "group", "round trip"}
DOMAIN = {"controller", "clock", "search", "scp", "keytab", "spn"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """With alice in `inner`, which is in `outer`; bob in none; carol disabled."""
    made = Home(load_config(make_home(tmp_path / "home")), lambda: PASSPHRASE)
    administration = made.administration
    for name in ("alice", "bob", "carol"):
        administration.add_user(name, [f"{name}@example.com"])
    administration.set_enabled("carol", False)
    for group, member in (("inner@example.com", "alice"), ("outer@example.com", "inner@example.com")):
        administration.add_group(group)
        administration.add_member(group, member)
    yield made
    made.database.close()


def examine(home: Home, user: str | None = None, group: str | None = None, **more: object) -> dict[str, Finding]:
    found = Examination(home, Wanted(user, group), **more).run()  # type: ignore[arg-type]
    return {finding.check: finding for finding in found}


def test_checks_that_apply(home: Home) -> None:
    """All that make sense without a domain, none of the others. The URL's host is nowhere, so its port is not looked at."""
    found = examine(home, "alice", "outer@example.com")
    assert set(found) == EMBEDDED
    assert found["name"].verdict is Verdict.FAILURE
    assert {found[check].verdict for check in EMBEDDED - {"name"}} == {Verdict.OK}


def test_the_round_trip_through_nested_groups(home: Home) -> None:
    """What is granted to the outer group opens for who is in the inner one."""
    found = examine(home, "alice@example.com", "outer@example.com")
    assert found["group"].seen == "EXAMPLE\\alice > inner@example.com > outer@example.com"
    assert found["round trip"].seen == "EXAMPLE\\alice certifies, and opens what is granted to outer@example.com: VIEW"


def test_outside_the_group(home: Home) -> None:
    """No member: a failure. The round trip goes by the user's own address then."""
    found = examine(home, "bob", "outer@example.com")
    assert found["group"].verdict is Verdict.FAILURE
    assert found["round trip"].seen.endswith("bob@example.com: VIEW")


@pytest.mark.parametrize("user", ["carol", "nosuch", "S-1-5-21-1-2-3-4", "*"])
def test_nobody_to_go(home: Home, user: str) -> None:
    """Disabled or unknown: told, and no round trip."""
    found = examine(home, user)
    assert found["user"].verdict is Verdict.FAILURE
    assert "round trip" not in found


def test_nothing_stays_behind(home: Home) -> None:
    """Neither a key pair nor a licensor, nor a line in the audit."""
    examine(home, "alice", "outer@example.com")
    with home.database.read() as connection:
        for table in ("user_keys", "issued_licensors", "content_key_witness", "audit"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0


def test_K4_a_wrong_clock(home: Home) -> None:
    """K4: two days back nothing is issued: the licensor's check says so, and the round trip fails with that line."""
    back = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    found = examine(home, "alice", now=lambda: back)
    assert found["licensor"].verdict is Verdict.FAILURE
    assert found["round trip"].verdict is Verdict.FAILURE
    assert "machine certificate answers UnspecifiedErrorException: nothing is issued" in found["round trip"].seen


def test_a_stored_key_that_cannot_be_opened(home: Home) -> None:
    """K1: a row swapped with another's shows before the user finds out."""
    examine(home, "alice")
    with home.database.write() as connection:
        sid = home.administration.user("alice").sid
        connection.exec_driver_sql(
            "INSERT INTO user_keys (account, bits, wrapped, created) VALUES (?, 2048, ?, '2026-01-01 00:00:00')",
            (sid.casefold(), b"x" * 64),
        )
    found = examine(home, "alice")
    assert found["round trip"].verdict is Verdict.FAILURE
    assert found["round trip"].seen == "the key pair that is stored for EXAMPLE\\alice cannot be opened"


def test_an_open_endpoint(home: Home) -> None:
    """Anonymous licensing is worth a word each time."""
    settings = home.config.home / "rmsserver.toml"
    settings.write_text(settings.read_text() + '[endpoints."licensing/license.asmx"]\naccess = "anonymous"\n')
    found = examine(Home(load_config(home.config.home), lambda: PASSPHRASE))
    assert found["configuration"].verdict is Verdict.WARNING
    assert "licensing/license.asmx" in found["configuration"].seen


def test_without_a_database(home: Home) -> None:
    """What can be said without it is said; the rest is left out."""
    home.database.close()
    (home.config.home / "state.db").rename(home.config.home / "away.db")
    found = examine(Home(home.config, lambda: PASSPHRASE), "alice")
    assert set(found) == {"home", "database", "certificates", "licensor"}
    assert found["database"].verdict is Verdict.FAILURE


def test_with_a_wrong_passphrase(home: Home) -> None:
    """The store does not open, and neither the right nor the wrong passphrase is told."""
    found = examine(Home(home.config, lambda: "sesame wrong"), "alice")
    assert found["certificates"].verdict is Verdict.FAILURE
    assert {"configuration", "licensor", "round trip"}.isdisjoint(found)
    text = " ".join(finding.seen + finding.remedy for finding in found.values())
    assert "sesame" not in text


# --- the command ------------------------------------------------------------------------------------------------------


def command(home: Home, *words: str) -> Result:
    return CliRunner().invoke(doctor, ["--home", str(home.config.home), *words])


def test_one_line_each(home: Home) -> None:
    """Mark, check, what was seen, remedy; exit code 2 for the failure among them."""
    result = command(home, "--user", "alice")
    assert result.exit_code == 2
    marks = {line[5:19].strip(): line[:4].strip() for line in result.output.splitlines()}
    assert marks["name"] == "FAIL"
    assert marks["round trip"] == "ok"
    assert ": give rms.rms.test an A record in DNS" in result.output


def test_for_programs(home: Home) -> None:
    """The same in JSON, with the exit code in it."""
    result = command(home, "--user", "alice", "--json")
    report = json.loads(result.output)
    assert report["exit_code"] == result.exit_code == 2
    assert {"check": "database", "verdict": "ok", "seen": "opens, and can be written", "remedy": ""} in report[
        "findings"
    ]
    assert PASSPHRASE not in result.output


def test_a_configuration_that_cannot_be_read(home: Home) -> None:
    """A finding like any other, and exit code 2."""
    (home.config.home / "rmsserver.toml").write_text("nonsense = 1\n")
    result = command(home)
    assert result.exit_code == 2
    assert result.output.startswith("FAIL configuration")


def test_a_group_without_a_user(home: Home) -> None:
    """Whose membership, is not said."""
    assert isinstance(command(home, "--group", "outer@example.com").exception, OperatorError)


def test_a_passphrase_that_is_away(home: Home) -> None:
    """The check that needs it says so; the others are there."""
    (home.config.home / "passphrase").unlink()
    output = command(home).output
    assert "FAIL certificates   passphrase_file" in output, output
    assert "ok   database" in output
