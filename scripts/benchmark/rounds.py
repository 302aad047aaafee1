"""One round of measurements between two readings of the yardstick."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark import envelopes, yardstick
from benchmark.cluster import Cluster, Server
from benchmark.load import Connection, Outcome, connect, run
from benchmark.people import Person, Writer, set_up
from benchmark.yardstick import Yardstick

BURST = 50
READERS = 4

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much is measured in a round."""

    connections: int = 8
    cold: int = 800
    hot: int = 1600
    bursts: int = 4
    openssl_seconds: int = 2


QUICK = Sizes(cold=240, hot=480, bursts=2, openssl_seconds=1)


@dataclass(frozen=True)
class Rate:
    """An operation's speed as ratios to the yardstick: of requests per second, and per second of processor time."""

    per_second: float
    per_cpu_second: float


@dataclass(frozen=True)
class Round:
    """What one round gave. `latency` is the p99 of bursts of GetClientLicensorCert, as a multiple of the other's."""

    rates: dict[str, Rate]
    latency: float
    share: float
    """How much of the server's core openssl got; less than one where something else ran there."""


@dataclass(frozen=True)
class Scene:
    """The people, and their signed-on connections."""

    cluster: Cluster
    server: Server
    core: int
    sizes: Sizes
    scheme: str
    writer: Writer
    readers: list[Person]
    reading: list[Connection]
    """Connections of the readers, in turn."""
    crowd: list[Connection]
    """One connection for each account of a burst."""

    @classmethod
    def set_up(cls, cluster: Cluster, server: Server, core: int, sizes: Sizes, scheme: str, say: Say) -> Scene:
        readers = [f"reader-{i}" for i in range(READERS)]
        crowd = [f"person-{i}" for i in range(BURST)]
        say(f"adding {1 + len(readers) + len(crowd)} accounts")
        cluster.add_accounts(["author", *readers, *crowd])
        server.wait_for_keys()
        say("setting up an author and the readers")
        author, *people = [set_up(cluster, name) for name in ("author", *readers)]
        writer = Writer.of(author, people[0], [f"{name}@example.com" for name in readers])
        say("signing on")
        small = envelopes.acquire_template_information()
        names = itertools.islice(itertools.cycle(readers), sizes.connections)
        return cls(
            cluster,
            server,
            core,
            sizes,
            scheme,
            writer,
            people,
            connect(cluster.port, names, small, scheme),
            connect(cluster.port, crowd, small, scheme),
        )

    def reader(self, connection: int) -> Person:
        return self.readers[connection % len(self.readers)]


def measure(scene: Scene, number: int, say: Say) -> Round:
    """One round. Everything is prepared before the first reading of the yardstick."""
    say("making publishing licences")
    cold = _cold(scene)
    hot = _hot(scene)
    newcomers = _newcomers(scene, number)
    scene.server.wait_for_keys()
    before = yardstick.measure(scene.core, scene.sizes.openssl_seconds)
    figures: dict[str, Callable[[Yardstick], Rate]] = {}
    say("AcquireLicense")
    figures["AcquireLicense, cold"] = _timed(scene, lambda: run(scene.reading, cold))
    figures["AcquireLicense, hot"] = _timed(scene, lambda: run(scene.reading, hot))
    say("Certify")
    certify = [[envelopes.certify(scene.writer.author.machine.chain)]] * BURST
    figures["Certify, new accounts"] = _timed(scene, lambda: run(newcomers, certify))
    repeated = [queue * scene.sizes.bursts for queue in certify]
    figures["Certify, known accounts"] = _timed(scene, lambda: run(newcomers, repeated))
    say("GetClientLicensorCert")
    licensor, templates, rate = _bursts(scene)
    figures["GetClientLicensorCert"] = rate
    after = yardstick.measure(scene.core, scene.sizes.openssl_seconds)
    mean = Yardstick.mean(before, after)
    for connection in newcomers:
        connection.socket.close()
    rates = {name: rate(mean) for name, rate in figures.items()}
    return Round(rates, p99(licensor) / p99(templates), mean.share)


def _cold(scene: Scene) -> list[list[bytes]]:
    """Each licence once."""
    count = scene.sizes.cold // scene.sizes.connections
    return [
        list(itertools.islice(scene.writer.requests(scene.reader(i)), count)) for i in range(scene.sizes.connections)
    ]


def _hot(scene: Scene) -> list[list[bytes]]:
    """One licence, which the server has opened before."""
    request = next(scene.writer.requests(scene.readers[0]))
    scene.reading[0].ask(scene.reading[0].prepared(request))
    return [[request] * (scene.sizes.hot // scene.sizes.connections)] * scene.sizes.connections


def _newcomers(scene: Scene, number: int) -> list[Connection]:
    names = [f"newcomer-{number}-{i}" for i in range(BURST)]
    scene.cluster.add_accounts(names)
    return connect(scene.cluster.port, names, envelopes.acquire_template_information(), scene.scheme)


def _timed(scene: Scene, load: Callable[[], Outcome]) -> Callable[[Yardstick], Rate]:
    used = scene.server.cpu_seconds()
    outcome = load()
    used = scene.server.cpu_seconds() - used
    requests = len(outcome.latencies)
    return lambda stick: Rate(outcome.rate / stick.per_second, requests / used / stick.per_cpu_second)


def _bursts(scene: Scene) -> tuple[list[float], list[float], Callable[[Yardstick], Rate]]:
    """Latencies of both operations, burst by burst in turn, each with a full key pool; and the speed of the first."""
    chains = [scene.readers[i % len(scene.readers)].account.chain for i in range(BURST)]
    certificates = [[envelopes.get_client_licensor_cert(chain)] for chain in chains]
    information = [[envelopes.acquire_template_information()]] * BURST
    licensor: list[float] = []
    templates: list[float] = []
    seconds = cpu_seconds = 0.0
    for _ in range(scene.sizes.bursts):
        scene.server.wait_for_keys()
        templates += run(scene.crowd, information).latencies
        used = scene.server.cpu_seconds()
        outcome = run(scene.crowd, certificates)
        cpu_seconds += scene.server.cpu_seconds() - used
        seconds += outcome.seconds
        licensor += outcome.latencies
    requests = len(licensor)
    return (
        licensor,
        templates,
        lambda stick: Rate(requests / seconds / stick.per_second, requests / cpu_seconds / stick.per_cpu_second),
    )


def p99(latencies: Sequence[float]) -> float:
    return statistics.quantiles(latencies, n=100, method="inclusive")[98]
