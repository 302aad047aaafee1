"""Licences from a small and from a large embedded directory, in turn, by two servers on one core."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert

from benchmark import envelopes
from benchmark.cluster import PASSWORD, BenchmarkError, Cluster, Server
from benchmark.load import Connection as Client
from benchmark.load import connect
from benchmark.people import Writer, set_up
from benchmark.rounds import Say
from rmsserver.directory.administration import DirectoryAdministration
from rmsserver.home import Home
from rmsserver.stores.sql.tables import account_emails, group_members, groups

SMALL = 100
EVERYONE = "everyone@example.com"
_READER = "reader"
_FEW_KEYS = "key_pool = { keys = 8, staged = 4 }\n"
"""No key is made for a licence."""
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Speed:
    """Of one directory: the median latency in seconds, and answers per second of the server's processor time."""

    p50: float
    per_cpu_second: float


@dataclass(frozen=True)
class Comparison:
    """Of one round: large / small. A latency above 1 is slower, a rate below 1 is."""

    p50: float
    per_cpu_second: float

    @classmethod
    def of(cls, small: Speed, large: Speed) -> Comparison:
        return cls(large.p50 / small.p50, large.per_cpu_second / small.per_cpu_second)


@dataclass(frozen=True)
class Round:
    remembered: Comparison
    """The directory has not changed: the server knows the reader's groups."""
    changed: Comparison
    """It changed before every request: the server looks them up again."""


@dataclass(frozen=True)
class Office:
    """A served cluster, one signed-on reader, and a request whose rights name only a group above the reader's own."""

    server: Server
    home: Home
    client: Client
    request: bytes

    def remembered(self, count: int) -> Speed:
        return self._measured(count, lambda: None)

    def changed(self, count: int) -> Speed:
        return self._measured(count, self._change)

    def _change(self) -> None:
        """Any change moves the directory's generation; this one alters nothing else."""
        self.home.administration.set_enabled(_READER, True)

    def _measured(self, count: int, prepare: Callable[[], None]) -> Speed:
        latencies = []
        used = self.server.cpu_seconds()
        for _ in range(count):
            prepare()
            begun = time.perf_counter()
            answer = self.client.ask(self.request)
            latencies.append(time.perf_counter() - begun)
            if answer.status != 200:
                raise BenchmarkError(f"an answer of status {answer.status}: {answer.text()[:300]}")
        used = self.server.cpu_seconds() - used
        return Speed(statistics.median(latencies), count / used)


def large(quick: bool) -> int:
    """How many users, and as many groups, the large directory has."""
    return 1_000 if quick else 100_000


def measure(folder: Path, core: int, rounds: int, quick: bool, say: Say) -> list[Round]:
    """Raises BenchmarkError."""
    count = 40 if quick else 200
    with contextlib.ExitStack() as stack:
        few, many = (stack.enter_context(_office(folder, core, size, say)) for size in (SMALL, large(quick)))
        done = []
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            done.append(_round(few, many, count, few_first=number % 2 == 1))
    return done


def _round(few: Office, many: Office, count: int, *, few_first: bool) -> Round:
    def compare(measured: Callable[[Office], Speed]) -> Comparison:
        # What else the machine does may change from one to the other, so they take turns at being first.
        if few_first:
            return Comparison.of(measured(few), measured(many))
        large_one = measured(many)
        return Comparison.of(measured(few), large_one)

    return Round(
        compare(lambda office: office.remembered(count)),
        compare(lambda office: office.changed(count)),
    )


@contextlib.contextmanager
def _office(folder: Path, core: int, size: int, say: Say) -> Iterator[Office]:
    say(f"making a cluster with {size:,} users and groups")
    place = folder / str(size)
    place.mkdir()
    cluster = Cluster.create(place)
    settings = cluster.folder / "rmsserver.toml"
    settings.write_text(_FEW_KEYS + settings.read_text("utf-8"), "utf-8")
    home = cluster.home
    with contextlib.closing(home.database):
        _fill(home, size)
        with cluster.serving(core) as server:
            server.wait_for_keys()
            author, reader = (set_up(cluster, name) for name in ("author", _READER))
            # The licence names the reader neither by address nor by the group the reader is in, but by one above.
            request = next(Writer.of(author, reader, [EVERYONE]).requests(reader))
            (client,) = connect(cluster.port, [_READER], envelopes.acquire_template_information(), "ntlm")
            with client.socket:
                office = Office(server, home, client, request)
                office.remembered(20)
                office.changed(20)
                yield office


def _fill(home: Home, size: int) -> None:
    """The author, the reader in a department below everyone, and `size` users, each in two of `size` groups."""
    administration = home.administration
    for name in ("author", _READER):
        administration.add_user(name, [f"{name}@example.com"], PASSWORD, ntlm=True)
    _nest(administration)
    everyone = administration.group(EVERYONE).sid
    with home.database.write() as connection:
        for first in range(0, size, _AT_ONCE):
            _add(connection, everyone, range(first, min(first + _AT_ONCE, size)))


def _nest(administration: DirectoryAdministration) -> None:
    for group in (EVERYONE, "department@example.com"):
        administration.add_group(group)
    administration.add_member("department@example.com", _READER)
    administration.add_member(EVERYONE, "department@example.com")


def _add(connection: Connection, everyone: str, numbers: range) -> None:
    """Users and groups of these numbers, as one insertion for each table: `rmsserver user add` would take hours."""
    connection.exec_driver_sql(
        "INSERT INTO accounts (sid, login, login_folded, enabled, ntlm, created)"
        " VALUES (?, ?, ?, 1, 0, '2026-01-01 00:00:00.000000')",
        [(_user_sid(n), f"user-{n}", f"user-{n}") for n in numbers],
    )
    emails = [(_user_sid(n), f"user-{n}@example.com") for n in numbers]
    teams = [(_group_sid(n), f"group-{n}@example.com") for n in numbers]
    connection.execute(
        insert(account_emails), [{"sid": s, "email": e, "email_folded": e, "position": 0} for s, e in emails]
    )
    connection.execute(insert(groups), [{"sid": s, "email": e, "email_folded": e} for s, e in teams])
    connection.execute(
        insert(group_members),
        [{"group_sid": g, "member_sid": _user_sid(n)} for n in numbers for g in (_group_sid(n), everyone)],
    )


def _user_sid(number: int) -> str:
    return f"S-1-5-21-1-2-3-{number}"


def _group_sid(number: int) -> str:
    return f"S-1-5-21-9-9-9-{number}"
