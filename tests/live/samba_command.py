"""`scripts/samba-dc start|stop|status [DIR]`: a domain to try things against by hand; see `samba` for what it is."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from tests.live import people
from tests.live.samba import Domain, Unavailable, end_group

_STATE = "state.json"


def main(words: list[str]) -> int:
    """Returns the exit code: 0 done or running, 1 not running, 2 an error, told in one line."""
    verb, home = words[0], Path(words[1]).absolute()
    try:
        return {"start": _start, "stop": _stop, "status": _status}[verb](home)
    except Unavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _start(home: Path) -> int:
    if any(_alive(pid) for pid in _processes(home)):
        raise Unavailable(f"a domain runs in {home} already; stop it with scripts/samba-dc stop {home}")
    if home.exists() and not (home / _STATE).exists() and any(home.iterdir()):
        raise Unavailable(f"{home} holds something else; name an empty folder")
    shutil.rmtree(home, ignore_errors=True)
    domain = Domain.create(home, detached=True)
    running = {c.address: c.process.pid for c in domain.controllers if c.process is not None}
    (home / _STATE).write_text(json.dumps(running))
    print(f"controllers: {' '.join(c.uri() for c in domain.controllers)}")
    print(f"people:      alice, bob, carol and others of {people.REALM}; the password of all is {people.PASSWORD}")
    print(f"CA:          {domain.certificate_authority}")
    print(f"keytabs:     {domain.service_keytab} {domain.bind_keytab}")
    print("Kerberos:    " + " ".join(f"export {name}={value};" for name, value in domain.environment.items()))
    return 0


def _stop(home: Path) -> int:
    for pid in _processes(home):
        if _alive(pid):
            end_group(pid)
    (home / _STATE).unlink(missing_ok=True)
    print("stopped")
    return 0


def _status(home: Path) -> int:
    running = [address for address, pid in _state(home).items() if _alive(pid)]
    print(f"running on {' '.join(running)}" if running else f"nothing runs in {home}")
    return 0 if running else 1


def _state(home: Path) -> dict[str, int]:
    try:
        state = json.loads((home / _STATE).read_text())
    except FileNotFoundError:
        return {}
    return {str(address): int(pid) for address, pid in state.items()}


def _processes(home: Path) -> list[int]:
    return list(_state(home).values())


def _alive(pid: int) -> bool:
    """Whether this is still a Samba: numbers are given to other programs after a restart of the machine."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name.startswith("samba")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
