"""rmsserver.endpoint_table and `rmsserver endpoints`"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rmsserver.auth.policy import DEFAULT_RULES, Demand
from rmsserver.cli.endpoints import endpoints
from rmsserver.config import load_config
from rmsserver.directory.memory import MemoryDirectory
from rmsserver.endpoint_table import endpoint_rows, listed_names, open_paths
from rmsserver.errors import OperatorError

SETTINGS = """
[endpoints."licensing/License.asmx"]
access = "anonymous"
[endpoints."certification/precertification.asmx"]
access = "listed"
accounts = ["EXAMPLE\\\\exchange", "servers@example.com"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "rmsserver.toml").write_text(SETTINGS)
    return tmp_path


def test_every_rule_is_a_row(tmp_path: Path) -> None:
    """The product's defaults, none of them configured, and nobody let in without signing on."""
    rows = endpoint_rows(load_config(tmp_path))
    assert {"/" + row.path.lower(): row.demand for row in rows} == {p: r.demand for p, r in DEFAULT_RULES.items()}
    assert not any(row.is_configured for row in rows)
    assert open_paths(load_config(tmp_path)) == ()


def test_what_is_configured(home: Path) -> None:
    """Marked as such, with the names as they were written; the other rows stay."""
    rows = {row.path: row for row in endpoint_rows(load_config(home))}
    precertification = rows["certification/Precertification.asmx"]
    assert (precertification.demand, precertification.is_configured) == (Demand.LISTED, True)
    assert precertification.accounts == ("EXAMPLE\\exchange", "servers@example.com")
    assert not rows["licensing/publish.asmx"].is_configured
    assert open_paths(load_config(home)) == ("licensing/license.asmx",)


def test_the_table_on_the_terminal(home: Path) -> None:
    """Who may call, in words, and where that comes from."""
    lines = CliRunner().invoke(endpoints, ["--home", str(home)]).output.splitlines()
    told = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert told["licensing/license.asmx"] == "EVERYBODY, without signing on (configured)"
    assert told["certification/Precertification.asmx"] == "EXAMPLE\\exchange, servers@example.com (configured)"
    assert told["certification/certification.asmx"] == "everybody who signs on (default)"
    assert told["DrmRemote/DirectoryServices/DirectoryServices.rem"] == "nobody (default)"
    assert told["licensingexternal/license.asmx"] == "who signed on through federation (default, not served here)"


def test_the_table_for_programs(home: Path) -> None:
    """One object for each endpoint."""
    rows = json.loads(CliRunner().invoke(endpoints, ["--home", str(home), "--json"]).output)
    assert {
        "path": "licensing/license.asmx", "access": "anonymous", "accounts": [], "configured": True, "served": True
    } in rows  # fmt: skip


def test_an_endpoint_that_there_is_not(tmp_path: Path) -> None:
    """A misspelt path is told in one line, with the way to the right one."""
    (tmp_path / "rmsserver.toml").write_text('[endpoints."licensing/licence.asmx"]\naccess = "anonymous"\n')
    with pytest.raises(OperatorError, match="rmsserver endpoints"):
        endpoint_rows(load_config(tmp_path))


def test_the_policy_of_a_serving_process(home: Path) -> None:
    """Lists come out resolved."""
    directory = MemoryDirectory("EXAMPLE")
    exchange = directory.add_user("exchange", "exchange@example.com")
    rule = listed_names(load_config(home), directory).policy().rule("/certification/precertification.asmx")
    assert rule.accounts == {exchange.account.sid}
    assert rule.groups == {"servers@example.com"}
