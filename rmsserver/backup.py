"""A whole cluster in one file under a password, made while it serves, and brought back.

In the file: a tar archive with the signed manifest first, then `state.db`, `rmsserver.toml` and the files of the certificate
store, whose master key is sealed under the backup's password: nothing but the file and its password is needed to restore.

The database is copied before the certificates are read: what the database mentions is then surely among them.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import os
import re
import secrets
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

from rmsserver.config import FILE_NAME
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.operations.admin.backup_manifest import BackupFile, BackupManifest, read_manifest, write_manifest
from rmsserver.operations.admin.signed_exports import check_fingerprint
from rmsserver.stores import file_set
from rmsserver.stores.certificates import DIRECTORY, CertificateStore
from rmsserver.stores.sealed_stream import OpeningReader, SealingWriter, WrongPassword
from rmsserver.stores.sql.database import open_database
from rmsserver.stores.sql.restored import mark_restored
from rmsserver.stores.sql.sqlite import copy_database
from rmsserver.trust_administration import check_password, management_identity

DATABASE = "state.db"
MANIFEST = "manifest.xml"
_MAX_SMALL_BYTES = 16 * 2**20
_OWN_PLACE = re.compile(r"^[ \t]*(passphrase_source|passphrase_file|database_url)[ \t]*=.*\n?", re.MULTILINE)
_DAMAGED = "the backup is damaged or incomplete: use another copy of it"


def make_backup(home: Home, target: Path, password: str, now: dt.datetime) -> BackupManifest:
    """Write `target`, which must not exist; it appears there whole or not at all. Raises OperatorError."""
    check_password(password)
    if target.exists():
        raise OperatorError(f"{target} exists already: name another file")
    identity = management_identity(home, now)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=home.config.home) as folder:
            database = Path(folder) / DATABASE
            _copy_database(home, database)
            small = _small_files(home, password)
            listed = {name: _describe(data) for name, data in small.items()} | {DATABASE: _describe_file(database)}
            manifest = write_manifest(home.state, listed, identity, now)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                _write_archive(stream, password, {MANIFEST: manifest, **small}, database)
                stream.flush()
                os.fsync(stream.fileno())
        # Unlike `rename`, `link` refuses a file that came into being meanwhile.
        os.link(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return read_manifest(manifest)


def restore_backup(
    source: Path,
    home: Path,
    password: str,
    settings: str,
    passphrase: str,
    *,
    fingerprint: str | None = None,
    pause: Callable[[float], None],
) -> BackupManifest:
    """Make `home` from a backup; it must not exist, or be empty, and appears there whole or not at all.

    `settings` are the lines of `rmsserver.toml` that say where the passphrase of the new home comes from; `fingerprint` is
    that of the management certificate, where the operator knows it. Raises OperatorError.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise OperatorError(f"{home} is not empty: name a directory that does not exist")
    home.parent.mkdir(parents=True, exist_ok=True)
    building = home.with_name(f".{home.name}.{secrets.token_hex(8)}")
    building.mkdir(mode=0o700)
    try:
        with source.open("rb") as stream:
            try:
                manifest, small = _read_archive(OpeningReader(stream, password), building)
            except WrongPassword:
                pause(2.0)
                raise
        if fingerprint is not None:
            check_fingerprint(manifest.fingerprint, fingerprint)
        certificates = {name.partition("/")[2]: data for name, data in small.items() if "/" in name}
        CertificateStore.restore(building, certificates, password, passphrase)
        kept = _OWN_PLACE.sub("", small.get(FILE_NAME, b"").decode())
        _write_private(building / FILE_NAME, (settings + kept).encode())
        _renew_database(building)
        if home.exists():
            home.rmdir()
        building.rename(home)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return manifest


# --- writing -----------------------------------------------------------------------------------------------------------


def _copy_database(home: Home, target: Path) -> None:
    url = make_url(home.config.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise OperatorError(
            "the database is not SQLite: back it up with its own tools (pg_dump), and `certificates/` too"
        )
    _ = home.database  # brings an older schema up to date first
    try:
        copy_database(Path(url.database), target)
    except (sqlite3.Error, OSError) as error:
        raise OperatorError(f"the database cannot be copied ({error}): check the room on the disk") from None


def _small_files(home: Home, password: str) -> dict[str, bytes]:
    files = {f"{DIRECTORY}/{name}": data for name, data in home.certificates.copy_files(password).items()}
    settings = home.config.home / FILE_NAME
    return files | ({FILE_NAME: settings.read_bytes()} if settings.exists() else {})


def _write_archive(stream: IO[bytes], password: str, small: dict[str, bytes], database: Path) -> None:
    writer = SealingWriter(stream, password)
    buffered = io.BufferedWriter(writer)
    with tarfile.open(fileobj=buffered, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for name, data in small.items():
            archive.addfile(_entry(name, len(data)), io.BytesIO(data))
        with database.open("rb") as copy:
            archive.addfile(_entry(DATABASE, database.stat().st_size), copy)
    buffered.flush()
    writer.finish()


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    return entry


def _describe(data: bytes) -> BackupFile:
    return BackupFile(len(data), hashlib.sha256(data).hexdigest())


def _describe_file(path: Path) -> BackupFile:
    with path.open("rb") as stream:
        return BackupFile(path.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest())


# --- reading -----------------------------------------------------------------------------------------------------------


def _read_archive(reader: OpeningReader, building: Path) -> tuple[BackupManifest, dict[str, bytes]]:
    """The manifest and the small files, all of them compared with it; the database is written into `building`."""
    small: dict[str, bytes] = {}
    manifest: BackupManifest | None = None
    seen: set[str] = set()
    for name, size, content in _entries(reader):
        if name == MANIFEST and manifest is None:
            manifest = read_manifest(_read_small(content, size))
            continue
        # The manifest comes first, so nothing is written that it does not name.
        if manifest is None or name not in manifest.files or name in seen or manifest.files[name].size != size:
            raise OperatorError(_DAMAGED)
        seen.add(name)
        if name == DATABASE:
            _write_private(building / DATABASE, content)
            found = _describe_file(building / DATABASE)
        else:
            small[name] = _read_small(content, size)
            found = _describe(small[name])
        if found != manifest.files[name]:
            raise OperatorError(_DAMAGED)
    if manifest is None or seen != manifest.files.keys() or DATABASE not in seen:
        raise OperatorError(_DAMAGED)
    return manifest, small


def _entries(reader: OpeningReader) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Regular files under names that a backup can have; anything else is refused (threat N4)."""
    buffered = io.BufferedReader(reader)
    try:
        with tarfile.open(fileobj=buffered, mode="r|") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isreg() else None
                if content is None or not _is_name(entry.name):
                    raise OperatorError("the backup holds something that does not belong there: nothing was restored")
                yield entry.name, entry.size, content
        while buffered.read(2**20):
            pass
    except (tarfile.TarError, EOFError):
        raise OperatorError(_DAMAGED) from None


def _is_name(name: str) -> bool:
    folder, slash, rest = name.partition("/")
    return (slash != "" and folder == DIRECTORY and file_set.is_name(rest)) or name in (MANIFEST, DATABASE, FILE_NAME)


def _read_small(content: IO[bytes], size: int) -> bytes:
    if size > _MAX_SMALL_BYTES:
        raise OperatorError(_DAMAGED)
    return content.read()


def _write_private(path: Path, content: bytes | IO[bytes]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        if isinstance(content, bytes):
            stream.write(content)
        else:
            shutil.copyfileobj(content, stream, 2**20)
        stream.flush()
        os.fsync(stream.fileno())


def _renew_database(home: Path) -> None:
    database = open_database(f"sqlite:///{(home / DATABASE).absolute()}")
    try:
        mark_restored(database)
    finally:
        database.close()
