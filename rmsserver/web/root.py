"""The one Twisted resource: finds the endpoint, runs it in a worker thread, writes its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import unquote

import structlog
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from rmsserver.soap.faults import trace_of
from rmsserver.web.channel import RmsRequest
from rmsserver.web.exchange import HttpAnswer, HttpRequest, compressed, plain
from rmsserver.web.health import Metrics
from rmsserver.web.refusals import RefusalAudit

_log = structlog.get_logger()

ALIVE = "/healthz"

_HEADERS = (
    ("Server", "rmsserver"),
    ("Cache-Control", "private, max-age=0, no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)


class Endpoint(Protocol):
    def serve(self, request: HttpRequest) -> HttpAnswer:
        """Answer a request. May block: it runs in a worker thread."""


class Root(Resource):
    """Every path there is. Endpoints are found by the whole path in small letters."""

    isLeaf = True

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        workers: ThreadPool,
        reactor: IReactorFromThreads,
        metrics: Metrics | None,
        refusals: RefusalAudit,
    ) -> None:
        super().__init__()
        self._endpoints = endpoints
        self._workers = workers
        self._reactor = reactor
        self._metrics = metrics
        self._refusals = refusals

    def render(self, request: RmsRequest) -> int:
        wanted = _read(request)
        endpoint = self._endpoints.get(wanted.path)
        if endpoint is None:
            _write(request, plain(404))
            return NOT_DONE_YET
        if wanted.path == ALIVE:
            # Not behind the workers: where all of them wait for a directory, the process still is alive (threat K6).
            _write(request, endpoint.serve(wanted))
            return NOT_DONE_YET
        connected = [True]
        request.notifyFinish().addErrback(lambda _lost: connected.clear())
        done = deferToThreadPool(self._reactor, self._workers, self._serve, endpoint, wanted)
        done.addErrback(_failed)
        done.addCallback(lambda answer: _write(request, answer) if connected else None)
        return NOT_DONE_YET

    def _serve(self, endpoint: Endpoint, request: HttpRequest) -> HttpAnswer:
        begun = time.perf_counter()
        answer = endpoint.serve(request)
        if answer.refusal is not None:
            self._refusals.record(request, answer, answer.refusal)
        if self._metrics is not None:
            self._metrics.observe(answer, time.perf_counter() - begun)
        return compressed(answer, request.header("accept-encoding"))


def _read(request: RmsRequest) -> HttpRequest:
    path, _, query = request.uri.decode("ascii").partition("?")
    headers: dict[str, str] = {
        name.decode("ascii").lower(): values[-1].decode("latin-1")
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    accepted = request.requestHeaders.getRawHeaders(b"Accept-Encoding")
    if accepted:
        headers["accept-encoding"] = b",".join(accepted).decode("latin-1")
    sign_on: Callable[[], object] = request.channel.sign_on
    return HttpRequest(
        method=request.method.decode("ascii"),
        path=unquote(path).lower(),
        query=query,
        headers=headers,
        body=b"" if request.content is None else request.content.read(),
        client_address=getattr(request.getClientAddress(), "host", ""),
        sign_on=sign_on,  # type: ignore[arg-type]
        secure=request.isSecure(),
    )


def _write(request: RmsRequest, answer: HttpAnswer) -> None:
    request.setResponseCode(answer.status)
    for name, value in _HEADERS:
        request.responseHeaders.setRawHeaders(name, [value])
    for name, value in answer.headers:
        request.responseHeaders.addRawHeader(name, value)
    request.responseHeaders.setRawHeaders("Content-Type", [answer.content_type])
    request.responseHeaders.setRawHeaders("Content-Length", [str(len(answer.body))])
    request.write(answer.body)
    request.finish()


def _failed(failure: Failure) -> HttpAnswer:
    _log.error("request failed", trace=trace_of(failure.value or Exception()))
    return plain(500)
