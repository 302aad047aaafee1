"""The home: who may read it, the database, the certificate store, and whether the cluster may issue now."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from rmsserver.counting import counted
from rmsserver.doctor.finding import Finding, failure, ok, warning
from rmsserver.home import Home
from rmsserver.state import ServerState

_SOON = dt.timedelta(days=30)


def check_permissions(home: Path) -> Iterator[Finding]:
    """The home and everything in it are its owner's alone (threat K1); `rmsserver.toml` holds no secret."""
    if not home.is_dir():
        yield failure("home", f"{home} is not there", "name --home, or run rmsserver init")
        return
    open_to_others = [path for path in _private_paths(home) if path.lstat().st_mode & 0o077 and not path.is_symlink()]
    if open_to_others:
        names = ", ".join(str(path) for path in open_to_others[:3])
        yield failure("home", f"other users can get at {names}", f"chmod -R go= {home}")
    else:
        yield ok("home", f"{home} is its owner's alone")


def _private_paths(home: Path) -> Iterator[Path]:
    yield home
    for path in sorted(home.iterdir()):
        if path.name != "rmsserver.toml":
            yield path
        if path.is_dir() and path.name == "certificates":
            yield from sorted(path.iterdir())


def check_database(home: Home) -> Iterator[Finding]:
    """It opens, its schema is ours, and it can be written."""
    if home.database.is_ready():
        yield ok("database", "opens, and can be written")
    else:
        yield failure("database", "opens, but cannot be written", "see to room on the disk and to its permissions")


def check_store(home: Home) -> Iterator[Finding]:
    """The passphrase opens the store, and everything in it fits together."""
    found = home.certificates.load()
    mode = found.licensor.mode.value
    chain = counted(len(found.licensor.chain), "certificate")
    yield ok("certificates", f"the passphrase opens the store; mode {mode}, {chain}")
    if found.machine_issuer is None:
        yield warning(
            "certificates", "there is no issuer of machine certificates", "use clients with machine certificates"
        )


def check_issuing_time(state: ServerState, now: dt.datetime) -> Iterator[Finding]:
    """The server licensor certificate covers the present (threat K4), and the cluster is in service."""
    certificate = state.licensor.certificate
    start, end = max(certificate.issuance.start, certificate.issued_time), certificate.issuance.end
    span = f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if state.decommissioned:
        yield failure("licensor", "the cluster is decommissioned: it issues nothing", "serve elsewhere, or undo it")
    elif not start <= now < end:
        yield failure(
            "licensor",
            f"its certificate issues from {span}, and the clock says {now:%Y-%m-%d %H:%M} UTC",
            "set the clock right; else the cluster needs a new certificate",
        )
    elif end - now < _SOON:
        yield warning("licensor", f"its certificate ends {end:%Y-%m-%d}", "get the cluster a new certificate soon")
    else:
        yield ok("licensor", f"may issue from {span}")
