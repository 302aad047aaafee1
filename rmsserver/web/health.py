"""/healthz: the process answers. /readyz: it can serve. /metrics: what it served, where configured."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from rmsserver.web.exchange import HttpAnswer, HttpRequest, plain

_ALLOW = ("Allow", "GET, HEAD")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Probe:
    """Answers 200 where `check` says yes, else 503. `check` must not block for long."""

    def __init__(self, check: Callable[[], bool]) -> None:
        self._check = check

    def serve(self, request: HttpRequest) -> HttpAnswer:
        if request.method not in ("GET", "HEAD"):
            return plain(405, _ALLOW)
        return HttpAnswer(200, body=b"ok\n") if self._check() else plain(503)


class Metrics:
    """Counts requests by operation and outcome. Thread-safe; labels come from small sets, never from a request."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._count = Counter(
            "rmsserver_requests", "Requests served", ["operation", "outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "rmsserver_request_seconds",
            "Time from the last byte read to the answer",
            ["operation"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def observe(self, answer: HttpAnswer, seconds: float) -> None:
        operation = answer.operation or "other"
        self._count.labels(operation, answer.outcome or str(answer.status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def serve(self, request: HttpRequest) -> HttpAnswer:
        if request.method not in ("GET", "HEAD"):
            return plain(405, _ALLOW)
        return HttpAnswer(200, CONTENT_TYPE_LATEST, generate_latest(self._registry))
