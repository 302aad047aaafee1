"""rmsserver.doctor.home_checks, on a home that `rmsserver init` made"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pytest

from rmsserver.config import load_config
from rmsserver.doctor.finding import Finding, Verdict
from rmsserver.doctor.home_checks import check_database, check_issuing_time, check_permissions, check_store
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.stores.configuration import StateHolder
from tests.homes import PASSPHRASE, make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(load_config(make_home(tmp_path / "home")), lambda: PASSPHRASE)


def one(findings: Iterable[Finding]) -> Finding:
    (found,) = findings
    return found


def test_permissions(home: Home) -> None:
    """K1: as init leaves it, and with one key that others can read."""
    folder = home.config.home
    assert one(check_permissions(folder)).verdict is Verdict.OK
    (folder / "certificates/licensor.key").chmod(0o640)
    found = one(check_permissions(folder))
    assert found.verdict is Verdict.FAILURE
    assert "licensor.key" in found.seen
    assert found.remedy == f"chmod -R go= {folder}"


def test_no_home(tmp_path: Path) -> None:
    """Said so."""
    assert one(check_permissions(tmp_path / "nosuch")).verdict is Verdict.FAILURE


def test_database(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there and takes a row; then it takes none."""
    assert one(check_database(home)).verdict is Verdict.OK
    monkeypatch.setattr(home.database, "is_ready", lambda: False)
    assert one(check_database(home)).verdict is Verdict.FAILURE


def test_store(home: Home) -> None:
    """The passphrase opens it; another one does not, and is not told."""
    assert one(check_store(home)).seen == "the passphrase opens the store; mode 2, 4 certificates"
    wrong = Home(home.config, lambda: "something else")
    with pytest.raises(OperatorError) as caught:
        list(check_store(wrong))
    assert "something else" not in str(caught.value)


@pytest.mark.parametrize(
    ("days", "verdict", "told"),
    [
        (0, Verdict.OK, "may issue from"),
        (-2, Verdict.FAILURE, "and the clock says"),
        (365 * 300, Verdict.FAILURE, "and the clock says"),
    ],
)
def test_K4_issuing_time(home: Home, days: int, verdict: Verdict, told: str) -> None:
    """K4: a clock two days back or centuries ahead: nothing would be issued, and the line says so."""
    state = StateHolder(home.certificates, home.configuration).current()
    found = one(check_issuing_time(state, dt.datetime.now(dt.UTC) + dt.timedelta(days=days)))
    assert found.verdict is verdict
    assert told in found.seen


def test_a_certificate_that_ends_soon(home: Home) -> None:
    """A month before its end it is worth a word."""
    state = StateHolder(home.certificates, home.configuration).current()
    end = state.licensor.certificate.issuance.end
    assert one(check_issuing_time(state, end - dt.timedelta(days=10))).verdict is Verdict.WARNING


def test_a_decommissioned_cluster(home: Home) -> None:
    """It issues nothing, whatever the clock says."""
    state = StateHolder(home.certificates, home.configuration).current()
    found = one(check_issuing_time(dataclasses.replace(state, decommissioned=True), dt.datetime.now(dt.UTC)))
    assert found.verdict is Verdict.FAILURE
