"""rmsserver.stores.sql.decommissioning"""

from __future__ import annotations

import pytest

from rmsserver.errors import OperatorError
from rmsserver.stores.configuration_keys import KEYS
from rmsserver.stores.sql.configuration import SqlConfiguration
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.decommissioning import CODE_LIFETIME, DECOMMISSIONED, SqlDecommissioning
from tests.cluster import DAY, NOW


@pytest.fixture
def decommissioning(database: Database) -> SqlDecommissioning:
    return SqlDecommissioning(database)


@pytest.fixture
def configuration(database: Database) -> SqlConfiguration:
    return SqlConfiguration(database)


def test_two_steps_and_back(decommissioning: SqlDecommissioning, configuration: SqlConfiguration) -> None:
    """Only the second step changes what servers see, and they see it; so they do the way back."""
    version = configuration.version()
    code = decommissioning.prepare(NOW)
    assert not decommissioning.is_decommissioned()
    assert configuration.version() == version
    decommissioning.confirm(f" {code.lower()} ", NOW)
    assert decommissioning.is_decommissioned()
    assert configuration.read().values[DECOMMISSIONED] is True
    assert configuration.version() == version + 1
    assert decommissioning.undo()
    assert not decommissioning.is_decommissioned()
    assert configuration.version() == version + 2


def test_a_code_is_good_for_a_while_and_once(decommissioning: SqlDecommissioning) -> None:
    """Not after its time, not a second time, not after another was made or the way back was taken."""
    code = decommissioning.prepare(NOW)
    with pytest.raises(OperatorError, match="no code is good now"):
        decommissioning.confirm(code, NOW + CODE_LIFETIME)
    newer = decommissioning.prepare(NOW)
    with pytest.raises(OperatorError, match="not the code"):
        decommissioning.confirm(code, NOW)
    assert not decommissioning.undo()
    with pytest.raises(OperatorError, match="no code is good now"):
        decommissioning.confirm(newer, NOW)
    last = decommissioning.prepare(NOW)
    decommissioning.confirm(last, NOW)
    decommissioning.undo()
    with pytest.raises(OperatorError, match="no code is good now"):
        decommissioning.confirm(last, NOW)
    assert not decommissioning.is_decommissioned()


@pytest.mark.parametrize("code", ["", "yes", "\u00e9", "\ud800"])
def test_no_code(decommissioning: SqlDecommissioning, code: str) -> None:
    """One line, and nothing changes; also where no code was made."""
    with pytest.raises(OperatorError, match="prepare` first"):
        decommissioning.confirm(code, NOW)
    decommissioning.prepare(NOW)
    with pytest.raises(OperatorError, match="not the code"):
        decommissioning.confirm(code, NOW)
    assert not decommissioning.is_decommissioned()


def test_codes_differ_and_are_not_kept(decommissioning: SqlDecommissioning, configuration: SqlConfiguration) -> None:
    """A code that lies in the database would make one step of two."""
    codes = {decommissioning.prepare(NOW + n * DAY) for n in range(20)}
    assert len(codes) == 20
    assert not any(code in str(configuration.read().values) for code in codes)


def test_a_decommissioned_cluster_is_not_decommissioned_again(decommissioning: SqlDecommissioning) -> None:
    decommissioning.confirm(decommissioning.prepare(NOW), NOW)
    for step in (lambda: decommissioning.prepare(NOW), lambda: decommissioning.confirm("x", NOW)):
        with pytest.raises(OperatorError, match="already"):
            step()


def test_no_single_command_does_it(configuration: SqlConfiguration) -> None:
    """`config set` and `config reset` refuse the key and name the commands that own it."""
    assert KEYS[DECOMMISSIONED].commands == "rmsserver decommission"
    with pytest.raises(OperatorError, match="rmsserver decommission --help"):
        configuration.set("serverdecommissioned", "true")
    with pytest.raises(OperatorError, match="rmsserver decommission --help"):
        configuration.reset(DECOMMISSIONED)
    assert DECOMMISSIONED not in configuration.read().values
