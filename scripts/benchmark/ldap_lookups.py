"""Lookups in a real Active Directory (Samba), not cached against cached."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cluster import BenchmarkError
from benchmark.rounds import Say

if TYPE_CHECKING:
    from rmsserver.directory.ldap.directory import LdapDirectory

_LOGIN = "alice"
_CANDIDATES = ["all-staff@rms.test", "inner@rms.test", "readers@rms.test", "bob@rms.test"]
"""One group far above the person, two others, and another person."""


@dataclass(frozen=True)
class Round:
    """The p50 of looking up an account and its groups when nothing is cached, over the p50 when all is."""

    cold_over_cached: float


def measure(rounds: int, quick: bool, say: Say) -> list[Round] | str:
    """Or, in one line, why there can be none here."""
    try:
        from rmsserver.directory.ldap.directory import LdapDirectory
        from tests.live.ldap_settings import settings
        from tests.live.samba import Domain, Unavailable
    except ImportError as error:
        return f"{error}; install the extra [ad]"
    say("making a domain")
    # Sockets are in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="rms-dc-", ignore_cleanup_errors=True) as folder:
        try:
            domain = Domain.create(Path(folder), controllers=1)
        except Unavailable as error:
            return str(error)
        with closing(domain), closing(LdapDirectory(settings(domain))) as directory:
            say("asking it")
            return list(_rounds(directory, rounds, 20 if quick else 100))


def _rounds(directory: LdapDirectory, rounds: int, count: int) -> Iterator[Round]:
    found = directory.by_login(_LOGIN)
    if found is None:
        raise BenchmarkError(f"{_LOGIN} is not in the domain")
    sid = found.account.sid

    def look_up() -> None:
        known = directory.by_sid(sid)
        if known is None or "all-staff@rms.test" not in directory.groups_of(sid, _CANDIDATES):
            raise BenchmarkError(f"{_LOGIN} or {_CANDIDATES[0]} was not found")

    def forget() -> None:
        directory.flush()

    look_up()
    for _ in range(rounds):
        cold = _p50(count, look_up, forget)
        look_up()
        yield Round(cold / _p50(count, look_up, lambda: None))


def _p50(count: int, question: Callable[[], None], prepare: Callable[[], None]) -> float:
    """Seconds."""
    latencies = []
    for _ in range(count):
        prepare()
        begun = time.perf_counter()
        question()
        latencies.append(time.perf_counter() - begun)
    return statistics.median(latencies)
