"""A whole cluster in one file: made while it is in use, brought back, refused where anything is wrong."""

from __future__ import annotations

import datetime as dt
import functools
import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rmsserver.backup import MANIFEST, make_backup, restore_backup
from rmsserver.config import load_config
from rmsserver.errors import OperatorError
from rmsserver.home import Home, NewCluster, create_home
from rmsserver.operations.admin.backup_manifest import BackupManifest
from rmsserver.stores.sealed_stream import OpeningReader, SealingWriter
from rmsserver.stores.sql.key_pool import SqlKeyRows
from rmsserver.stores.sql.user_keys import SqlUserKeys
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import key

NOW = dt.datetime.now(dt.UTC)
PASSWORD = "password of the backup"
SETTINGS = 'passphrase_source = "environment"\n'
USER = "S-1-5-21-1-2-3-1104"


def opened(home: Path, passphrase: str) -> Home:
    return Home(load_config(home), lambda: passphrase)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster with an account, a stored key pair and a ready key in its pool."""
    home = tmp_path_factory.mktemp("original") / "home"
    home.mkdir(mode=0o700)
    (home / "rmsserver.toml").write_text(
        '# ours\npassphrase_source = "prompt"\nlisten_port = 9999\n\n[sign_on]\nbasic = "always"\n'
    )
    new = NewCluster("http://rms.example.com/_wmcs", None, CryptoMode.MODE_1, "BACKED-UP", "EXAMPLE")
    create_home(load_config(home), new, "passphrase")
    made = opened(home, "passphrase")
    made.administration.add_user("author", ("author@example.com",), None, ntlm=False)
    SqlUserKeys(made.database, made.certificates.master_key).put_if_absent(USER, key("backed up user", 1024))
    SqlKeyRows(made.database, made.certificates.master_key).add([key("backed up pool", 1024)])
    made.database.close()
    return home


@pytest.fixture(scope="module")
def backup(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backups") / "one.backup"
    make_backup(opened(original, "passphrase"), path, PASSWORD, NOW)
    return path


def restore(source: Path, home: Path, password: str = PASSWORD, fingerprint: str | None = None) -> BackupManifest:
    return restore_backup(
        source, home, password, SETTINGS, "new passphrase", fingerprint=fingerprint, pause=lambda _seconds: None
    )


def refused(source: Path, home: Path, match: str | None = None, **settings: str) -> None:
    """Refused in one line, and nothing is left where the home would be."""
    before = sorted(home.parent.iterdir())
    with pytest.raises(OperatorError, match=match) as caught:
        restore(source, home, **settings)
    assert "\n" not in str(caught.value)
    assert sorted(home.parent.iterdir()) == before


# --- brought back --------------------------------------------------------------------------------------------------------


def test_everything_comes_back(original: Path, backup: Path, tmp_path: Path) -> None:
    """The same chain, keys, accounts, user key pairs and settings, under another passphrase."""
    manifest = restore(backup, tmp_path / "home")
    before, after = opened(original, "passphrase"), opened(tmp_path / "home", "new passphrase")
    assert manifest.cluster == "BACKED-UP"
    assert after.state.licensor.chain == before.state.licensor.chain
    assert after.state.licensor.key.to_der() == before.state.licensor.key.to_der()
    assert [user.login for user in after.administration.users()] == ["author"]
    found = SqlUserKeys(after.database, after.certificates.master_key).get(USER, 1024)
    assert found is not None
    assert found.to_der() == key("backed up user", 1024).to_der()
    assert after.config.listen_port == 9999
    assert after.config.passphrase_source.value == "environment"
    with pytest.raises(OperatorError, match="passphrase is wrong"):
        _ = opened(tmp_path / "home", "passphrase").certificates


def test_files_are_their_owners_alone(backup: Path, tmp_path: Path) -> None:
    """K1: the backup and everything restored."""
    restore(backup, tmp_path / "home")
    assert backup.stat().st_mode & 0o777 == 0o600
    for path in (tmp_path / "home").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_K1_nothing_in_the_clear(original: Path, backup: Path) -> None:
    """K1: no name, no key and no text of a certificate can be read in the file."""
    data = backup.read_bytes()
    for secret in (b"BACKED-UP", b"author@example.com", b"<XrML", b"SQLite format"):
        assert secret not in data
    assert opened(original, "passphrase").state.name == "BACKED-UP"


def test_C7_ready_keys_do_not_come_back(backup: Path, tmp_path: Path) -> None:
    """C7: a key that was in the pool may have been handed out since."""
    restore(backup, tmp_path / "home")
    after = opened(tmp_path / "home", "new passphrase")
    assert SqlKeyRows(after.database, after.certificates.master_key).count(1024) == 0


def test_sids_are_not_given_out_again(original: Path, backup: Path, tmp_path: Path) -> None:
    """An account that was made after the backup keeps its SID to itself: documents may name it."""
    restore(backup, tmp_path / "home")
    later = shutil.copytree(original, tmp_path / "later")
    lost = opened(later, "passphrase").administration.add_user("later", ("l@example.com",), None, ntlm=False)
    new = opened(tmp_path / "home", "new passphrase").administration.add_user("n", ("n@e.example",), None, ntlm=False)
    assert new.sid != lost.sid


def test_an_empty_directory_will_do(backup: Path, tmp_path: Path) -> None:
    """A home that an operator made beforehand."""
    (tmp_path / "home").mkdir()
    restore(backup, tmp_path / "home")
    assert (tmp_path / "home" / "state.db").exists()


def test_while_others_write(original: Path, tmp_path: Path) -> None:
    """A transaction that is not over does not get in, and does not hold the backup up."""
    busy = opened(shutil.copytree(original, tmp_path / "busy"), "passphrase")
    other = opened(tmp_path / "busy", "passphrase")
    assert other.state.name == "BACKED-UP"
    with busy.database.write() as connection:
        connection.exec_driver_sql("UPDATE accounts SET login = 'changed'")
        make_backup(other, tmp_path / "b", PASSWORD, NOW)
    restore(tmp_path / "b", tmp_path / "home")
    users = opened(tmp_path / "home", "new passphrase").administration.users()
    assert [user.login for user in users] == ["author"]


# --- refused -------------------------------------------------------------------------------------------------------------


def test_homes_that_are_in_use(original: Path, backup: Path, tmp_path: Path) -> None:
    """Nothing is ever written over a cluster, or over another file."""
    refused(backup, original, "not empty")
    (tmp_path / "file").write_text("x")
    refused(backup, tmp_path / "file", "not empty")
    with pytest.raises(OperatorError, match="exists already"):
        make_backup(opened(original, "passphrase"), tmp_path / "file", PASSWORD, NOW)
    assert (tmp_path / "file").read_text() == "x"


def test_a_wrong_password_takes_its_time(backup: Path, tmp_path: Path) -> None:
    """Told after a pause."""
    pauses: list[float] = []
    with pytest.raises(OperatorError, match="password is wrong"):
        restore_backup(backup, tmp_path / "home", "wrong", SETTINGS, "new passphrase", pause=pauses.append)
    assert pauses == [2.0]


def test_short_passwords(original: Path, tmp_path: Path) -> None:
    """The file is worth as much as the cluster."""
    with pytest.raises(OperatorError, match="at least 12"):
        make_backup(opened(original, "passphrase"), tmp_path / "b", "short", NOW)
    assert list(tmp_path.iterdir()) == []


def test_another_cluster(backup: Path, tmp_path: Path) -> None:
    """A fingerprint that the operator wrote down settles whose backup it is."""
    fingerprint = restore(backup, tmp_path / "home").fingerprint
    restore(backup, tmp_path / "again", fingerprint=fingerprint.upper())
    refused(backup, tmp_path / "other", "fingerprint", fingerprint="00" * 32)


@pytest.mark.parametrize("keep", [0, 10, 150, 5_000, -1])
def test_a_file_that_was_cut_off(backup: Path, tmp_path: Path, keep: int) -> None:
    """Half a backup is none."""
    (tmp_path / "cut").write_bytes(backup.read_bytes()[:keep])
    refused(tmp_path / "cut", tmp_path / "home")


# --- archives that somebody with the password made -----------------------------------------------------------------------


def _repacked(backup: Path, target: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> Path:
    with backup.open("rb") as stream:
        plain = io.BytesIO(io.BufferedReader(OpeningReader(stream, PASSWORD)).read())
    entries = []
    with tarfile.open(fileobj=plain) as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            assert content is not None
            entries.append((entry, content.read()))
    change(entries)
    with target.open("wb") as stream:
        writer = SealingWriter(stream, PASSWORD)
        buffered = io.BufferedWriter(writer)
        with tarfile.open(fileobj=buffered, mode="w|") as packed:
            for entry, data in entries:
                entry.size = len(data)
                packed.addfile(entry, io.BytesIO(data))
        buffered.flush()
        writer.finish()
    return target


def _named(name: str, entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entries.append((tarfile.TarInfo(name), b"x"))


def _link(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    link = tarfile.TarInfo("certificates/root.key")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    entries.append((link, b""))


def _altered(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    at = next(n for n, (entry, _) in enumerate(entries) if entry.name == "rmsserver.toml")
    entries[at] = (entries[at][0], entries[at][1].replace(b"9999", b"8888"))


def _manifest(entries: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    entry, data = entries[0]
    assert entry.name == MANIFEST
    entries[0] = (entry, data.replace(b"BACKED-UP", b"BACKED-IN"))


@pytest.mark.parametrize(
    "change",
    [
        *(
            pytest.param(functools.partial(_named, name), id=name)
            for name in ("../evil", "/tmp/evil", "certificates/../../evil", "certificates/evil.sh", "state.db", "evil")
        ),
        pytest.param(_link, id="symbolic link"),
        pytest.param(_altered, id="altered file"),
        pytest.param(_manifest, id="altered manifest"),
        pytest.param(lambda entries: entries.pop(0), id="no manifest"),
        pytest.param(lambda entries: entries.pop(), id="missing file"),
        pytest.param(lambda entries: entries.reverse(), id="other order"),
        pytest.param(lambda entries: entries.clear(), id="empty"),
    ],
)
def test_N4_archives_that_are_not_ours(
    backup: Path, tmp_path: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]
) -> None:
    """N4: names that lead elsewhere, links, altered, added and missing files: nothing is restored."""
    refused(_repacked(backup, tmp_path / "repacked", change), tmp_path / "home")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repacked"]


def test_K5_killed_while_restoring(backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """K5: until everything is there, there is no home."""

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rmsserver.backup.mark_restored", killed)
    with pytest.raises(KeyboardInterrupt):
        restore(backup, tmp_path / "home")
    assert list(tmp_path.iterdir()) == []
