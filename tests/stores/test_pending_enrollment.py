"""What a new cluster keeps while its enrollment request travels."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmsserver.errors import OperatorError
from rmsserver.stores.pending_enrollment import DIRECTORY, PendingEnrollment, load_pending, remove_pending
from rmsserver.stores.wrapping import ScryptCost
from rmsserver.xrml.values import Guid
from tests.cluster import key
from tests.operations.enrollees import GUID

CHEAP = ScryptCost(n=2**10)
PENDING = PendingEnrollment(
    Guid(GUID), key("branch slc", 2048), {"base_url": "http://x/_wmcs", "mode": 2, "name": None}
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    PENDING.save(tmp_path / "home", "passphrase", CHEAP)
    return tmp_path / "home"


def test_what_was_saved_is_loaded(home: Path) -> None:
    """Key, GUID and settings."""
    assert load_pending(home, "passphrase") == PENDING


def test_K1_nothing_of_it_is_in_the_clear(home: Path) -> None:
    """K1: files of their owner alone, and the passphrase opens them."""
    files = list((home / DIRECTORY).iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in [home, home / DIRECTORY, *files])
    der = PENDING.key.to_der()
    assert not [path for path in files if der[-64:] in path.read_bytes() or GUID.encode() in path.read_bytes()]
    assert GUID not in repr(PENDING.key)
    with pytest.raises(OperatorError, match="passphrase is wrong"):
        load_pending(home, "another")


def test_one_request_at_a_time(home: Path) -> None:
    """The key of the first one is not lost; without one there is nothing to load."""
    with pytest.raises(OperatorError, match="exists already"):
        PENDING.save(home, "passphrase", CHEAP)
    remove_pending(home)
    with pytest.raises(OperatorError, match="no enrollment is pending"):
        load_pending(home, "passphrase")
    PENDING.save(home, "passphrase", CHEAP)


def test_a_changed_file_is_refused(home: Path) -> None:
    """As in the certificate store."""
    path = home / DIRECTORY / "request.key"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(OperatorError):
        load_pending(home, "passphrase")
