"""What a batch costs: N items in one AcquireLicense, N readers in one AcquirePreLicense, for N from 1 to 100."""

from __future__ import annotations

import contextlib
import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark import envelopes, yardstick
from benchmark.cluster import Cluster, Server
from benchmark.load import Connection, connect, run
from benchmark.people import Person, Writer, set_up
from benchmark.rounds import Say
from benchmark.yardstick import Yardstick

LENGTHS = (1, 2, 5, 10, 25, 50, 100)
"""Items in one request; 100 is the product's limit."""
_STAFF = "staff@example.com"
_PEOPLE = 100
_MAIL_SERVER = "mail"
_MAY_ASK = f"""
[endpoints."licensing/license.asmx#AcquirePreLicense"]
access = "listed"
accounts = ["{_MAIL_SERVER}"]
"""


@dataclass(frozen=True)
class Curve:
    """One operation in one round. per_cpu_second: items for each second of processor time over openssl's signatures."""

    per_cpu_second: dict[int, float]
    """By items in a request."""
    slope: float
    """What one more item costs, by least squares over all N, as a multiple of a request with one item."""

    @classmethod
    def of(cls, seconds_of_item: dict[int, float], stick: Yardstick) -> Curve:
        lengths = list(seconds_of_item)
        requests = [length * seconds for length, seconds in seconds_of_item.items()]
        slope = statistics.linear_regression(lengths, requests).slope
        rates = {length: 1 / seconds / stick.per_cpu_second for length, seconds in seconds_of_item.items()}
        return cls(rates, slope / seconds_of_item[1])


Round = dict[str, Curve]


@dataclass(frozen=True)
class _Office:
    server: Server
    reader: Person
    writer: Writer
    reading: Connection
    mail: Connection
    items: int
    """Measured for each N."""

    def cold(self, length: int) -> Iterator[bytes]:
        """Every item another licence."""
        licenses = self.writer.licenses()
        while True:
            yield envelopes.acquire_licenses(self.reader.account.chain, itertools.islice(licenses, length))

    def hot(self, length: int) -> Iterator[bytes]:
        """One licence for all: it stands in the first item alone, as [MS-RMPR] 3.4.4.1 allows."""
        batch = [next(self.writer.licenses()), *[()] * (length - 1)]
        request = envelopes.acquire_licenses(self.reader.account.chain, batch)
        self.reading.ask(self.reading.prepared(request))
        return itertools.repeat(request)

    def mailed(self, length: int) -> Iterator[bytes]:
        """Every request another licence, for so many people."""
        people = [f"person-{i}@example.com" for i in range(length)]
        return (envelopes.acquire_pre_license(people, licenses) for licenses in self.writer.licenses())

    def seconds_of_item(self, connection: Connection, requests: Callable[[int], Iterator[bytes]]) -> dict[int, float]:
        """Processor time of the server for one item, by items in a request."""
        found = {}
        for length in LENGTHS:
            count = max(1, self.items // length)
            queue = list(itertools.islice(requests(length), count))
            used = self.server.cpu_seconds()
            run([connection], [queue])
            found[length] = (self.server.cpu_seconds() - used) / (count * length)
        return found


def measure(folder: Path, core: int, rounds: int, quick: bool, say: Say) -> list[Round]:
    """Raises BenchmarkError."""
    with _office(folder, core, 100 if quick else 600, say) as office:
        done = []
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            before = yardstick.measure(core, 1)
            costs = {
                "AcquireLicense, cold": office.seconds_of_item(office.reading, office.cold),
                "AcquireLicense, hot": office.seconds_of_item(office.reading, office.hot),
                "AcquirePreLicense": office.seconds_of_item(office.mail, office.mailed),
            }
            stick = Yardstick.mean(before, yardstick.measure(core, 1))
            done.append({name: Curve.of(cost, stick) for name, cost in costs.items()})
        return done


@contextlib.contextmanager
def _office(folder: Path, core: int, items: int, say: Say) -> Iterator[_Office]:
    say("making a cluster")
    cluster = Cluster.create(folder)
    with (cluster.folder / "rmsserver.toml").open("a", encoding="utf-8") as settings:
        settings.write(_MAY_ASK)
    people = [f"person-{i}" for i in range(_PEOPLE)]
    cluster.add_accounts(["author", _MAIL_SERVER, *people])
    _join(cluster, people)
    with cluster.serving(core) as server:
        say("making keys")
        server.wait_for_keys()
        author, reader = (set_up(cluster, name) for name in ("author", people[0]))
        names = [people[0], _MAIL_SERVER]
        reading, mail = connect(cluster.port, names, envelopes.acquire_template_information(), "ntlm")
        office = _Office(server, reader, Writer.brief(author, _STAFF), reading, mail, items)
        say("making the key pairs of 100 readers")
        mail.ask(mail.prepared(next(office.mailed(_PEOPLE))))
        server.wait_for_keys()
        with reading.socket, mail.socket:
            yield office


def _join(cluster: Cluster, people: Sequence[str]) -> None:
    """One group of all: rights for an address each would measure the size of the licence."""
    home = cluster.home
    with contextlib.closing(home.database):
        home.administration.add_group(_STAFF)
        for name in people:
            home.administration.add_member(_STAFF, name)
