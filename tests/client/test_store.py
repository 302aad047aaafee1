"""The client's own store: round trips, modes, damage."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from rmsserver.client.errors import SetupError
from rmsserver.client.services import ServiceLocations
from rmsserver.client.store import Settings, Store
from rmsserver.xrml.values import Guid
from tests.client.peer import TRUST, machine

SETTINGS = Settings(
    "https://rms.example.com/_wmcs",
    "EXAMPLE\\author",
    ServiceLocations(("https://a/certification",), ("https://a/licensing", "https://b/licensing")),
    TRUST,
    "/etc/ca.pem",
    True,
)
posix = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")


def test_everything_comes_back(tmp_path: Path) -> None:
    """Settings, machine key and chains read as they were written."""
    store, own = Store(tmp_path / "store"), machine()
    store.write_settings(SETTINGS)
    store.write_machine(own.key, own.chain)
    assert store.is_set_up
    assert not Store(tmp_path / "other").is_set_up
    assert store.settings == SETTINGS
    assert store.machine_key.public == own.key.public
    assert store.chain("machine") == own.chain


def test_the_place_is_named_by_the_environment(tmp_path: Path) -> None:
    """RMSCLIENT_HOME wins over the home folder."""
    assert Store.locate({"RMSCLIENT_HOME": str(tmp_path)}, Path("/home/x")).folder == tmp_path
    assert Store.locate({}, tmp_path).folder == tmp_path / ".rmsclient"


@posix
def test_files_are_private(tmp_path: Path) -> None:
    """Folders 0700, files 0600, whatever the umask."""
    store, own = Store(tmp_path / "store"), machine()
    mask = os.umask(0)
    try:
        store.write_machine(own.key, own.chain)
        store.replace_templates({Guid("11111111-2222-4333-8444-555555555555"): "<a/>"})
    finally:
        os.umask(mask)
    for path in (tmp_path / "store").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("name", [".", "machine.key"])
def test_what_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    """A folder or key that is open to others is not used, and the line says what to do."""
    store, own = Store(tmp_path / "store"), machine()
    store.write_machine(own.key, own.chain)
    path = tmp_path / "store" / name
    path.chmod(path.stat().st_mode | 0o040)
    with pytest.raises(SetupError, match="chmod go-rwx"):
        _ = store.machine_key


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"base_url": 1}', b"\xff"])
def test_damaged_settings_are_one_line(tmp_path: Path, data: bytes) -> None:
    """Settings that are not ours say which file, and to set up again."""
    store = Store(tmp_path / "store")
    store.write_settings(SETTINGS)
    (tmp_path / "store" / "settings.json").write_bytes(data)
    with pytest.raises(SetupError, match=r"settings\.json is damaged"):
        _ = store.settings


def test_a_pinned_key_that_is_none_is_damage(tmp_path: Path) -> None:
    """The trusted keys are read as strictly as those in documents."""
    store = Store(tmp_path / "store")
    store.write_settings(SETTINGS)
    value = json.loads((tmp_path / "store" / "settings.json").read_text())
    value["server"]["modulus"] = "AAAA"
    (tmp_path / "store" / "settings.json").write_text(json.dumps(value))
    with pytest.raises(SetupError, match="damaged"):
        _ = store.settings


@pytest.mark.parametrize("what", ["machine_key", "settings"])
def test_before_bootstrap_the_line_says_so(tmp_path: Path, what: str) -> None:
    """A store that is not there."""
    with pytest.raises(SetupError, match="run rmsclient bootstrap"):
        getattr(Store(tmp_path / "none"), what)


def test_templates_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """What the server no longer has goes; files of other names are not taken for templates."""
    store = Store(tmp_path / "store")
    first, second = Guid("11111111-2222-4333-8444-555555555555"), Guid("99999999-2222-4333-8444-555555555555")
    store.replace_templates({first: "<a/>"})
    store.replace_templates({second: "<b/>"})
    other = tmp_path / "store" / "templates" / "note.xrml"
    other.write_text("x")
    assert store.templates() == {second: "<b/>"}
