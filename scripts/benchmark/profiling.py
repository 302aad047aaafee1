"""Where the time of a request goes: the dispatcher in this process, under cProfile. Ratios within it are what counts."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable, Iterator

from benchmark import envelopes
from benchmark.cluster import BenchmarkError
from benchmark.rounds import Scene
from rmsserver.server import build_ports
from rmsserver.soap.dispatcher import SoapDispatcher, SoapRequest
from rmsserver.soap.runtime import Runtime
from rmsserver.soap.wsdl import load_all
from rmsserver.state import AuthenticationType, DomainAccount

_SERVICES = {
    "cold": "License",
    "hot": "License",
    "certify": "CertificationWebService",
    "licensor": "Publish",
    "templates": "TemplateDistributionWebService",
}
WORKLOADS = tuple(_SERVICES)


def profile(scene: Scene, workload: str, count: int = 300, lines: int = 45) -> None:
    """Dispatch `count` requests and print the functions that took most, by their own time and with what they called."""
    requests = [body for _, body in zip(range(count), _bodies(scene, workload), strict=False)]
    running = build_ports(scene.cluster.home)
    running.start()
    try:
        dispatcher = SoapDispatcher(load_all(), Runtime(running.holder.current, running.ports))
        reader = running.home.administration.user(scene.readers[0].name)
        account = DomainAccount(f"{running.ports.directory.own_name}\\{reader.login}", reader.sid)
        ask = _asker(dispatcher, _SERVICES[workload], account)
        ask(requests[0])
        profiler = cProfile.Profile()
        for body in requests[1:]:
            profiler.runcall(ask, body)
    finally:
        running.stop()
    statistics = pstats.Stats(profiler)
    for order in ("tottime", "cumulative"):
        statistics.sort_stats(order).print_stats(lines)


def _asker(dispatcher: SoapDispatcher, service: str, account: DomainAccount) -> Callable[[bytes], None]:
    def ask(body: bytes) -> None:
        request = SoapRequest("text/xml; charset=utf-8", None, body, "127.0.0.1", "", AuthenticationType.NTLM, account)
        answer = dispatcher.dispatch(service, request)
        if answer.status != 200:
            raise BenchmarkError(f"an answer of status {answer.status}: {answer.outcome}")

    return ask


def _bodies(scene: Scene, workload: str) -> Iterator[bytes]:
    reader = scene.readers[0]
    fresh = scene.writer.requests(reader)
    once = {
        "hot": next(fresh),
        "certify": envelopes.certify(reader.machine.chain),
        "licensor": envelopes.get_client_licensor_cert(reader.account.chain),
        "templates": envelopes.acquire_template_information(),
    }
    while True:
        request = next(fresh) if workload == "cold" else once[workload]
        yield request.partition(b"\r\n\r\n")[2]
