"""Reading requests from a connection, strictly: what is doubtful is answered with an error and the connection closed.

Over what Twisted refuses already (Content-Length twice or beside Transfer-Encoding, bad chunk sizes): any transfer coding
but `chunked`, folded header lines, no Host or two, headers twice that count once, an absolute request target, a body above
the limit (before it is read, or while), a request that takes too long (threats W1 to W3, X7, X15). Answers to pipelined
requests leave in order, one request being served at a time (W4).
"""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from rmsserver.auth import ConnectionAuth

if TYPE_CHECKING:
    from rmsserver.web.site import RmsSite

_LINGER_SECONDS = 0.5
_LINGER_BYTES = 1024 * 1024
_ONCE = (b"Authorization", b"Content-Type", b"Content-Encoding", b"SOAPAction")
_REASONS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    413: b"Content Too Large",
    417: b"Expectation Failed",
}


class RmsRequest(Request):
    """A request whose body is bounded while it is read."""

    channel: RmsChannel
    content: Any
    body_limit = 0
    _body_bytes = 0

    def gotLength(self, length: int | None) -> None:  # noqa: ARG002 - the bound is checked by the channel
        memory_bytes = self.channel.site.limits.memory_bytes
        self.content = SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - Twisted closes it

    def handleContentChunk(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > self.body_limit:
            self.channel.refuse(413)
        elif not self.channel.refused:
            self.content.write(data)


class RmsChannel(HTTPChannel):
    """One connection: its limits, its deadline, its sign-on."""

    site: RmsSite
    transport: Any
    callLater: Any
    maxHeaders = 100
    totalHeadersSize = 64 * 1024
    MAX_LENGTH = 64 * 1024  # Kerberos tokens with large PACs travel in one header
    refused = False

    def __init__(self) -> None:
        super().__init__()
        self._deadline: IDelayedCall | None = None
        self._linger: IDelayedCall | None = None
        self._discarded = 0
        self._sign_on: ConnectionAuth | None = None

    @property
    def is_serving(self) -> bool:
        return bool(self._handlingRequest)

    def sign_on(self) -> ConnectionAuth:
        """The sign-on of this connection; lives exactly as long as it does. Called by one request at a time."""
        if self._sign_on is None:
            self._sign_on = self.site.authenticator.connection(
                secure=self.isSecure(), channel_bindings=self.site.channel_bindings
            )
        return self._sign_on

    @property
    def _target(self) -> bytes:
        """The request target of the request being read."""
        target: Any = self._path
        return bytes(target)

    # --- the connection ------------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        super().connectionMade()
        self.site.opened(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.closed(self)
        _cancel(self._deadline)
        _cancel(self._linger)
        if self._sign_on is not None:
            # `close` may have to wait for a `step` in a worker thread: not here, in the reactor's.
            self.site.in_worker(self._sign_on.close)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self.refused:
            self._discard(len(data))
            return
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.callLater(self.site.limits.request_seconds, self.refuse, 408)
        super().dataReceived(data)

    def abort(self) -> None:
        self.transport.abortConnection()

    def refuse(self, status: int) -> None:
        """Answer `status` and end the connection. What the client is still sending is dropped for a moment.

        Closing at once would reset the connection, and the client would never read why.
        """
        if self.refused:
            return
        self.refused = True
        _cancel(self._deadline)
        self._deadline = None
        self.transport.write(
            b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (status, _REASONS[status])
        )
        if not self.isSecure():
            self.transport.loseWriteConnection()  # the client sees the end at once
        self._linger = self.callLater(_LINGER_SECONDS, self.loseConnection)

    def _discard(self, count: int) -> None:
        self._discarded += count
        if self._discarded > _LINGER_BYTES:
            self.loseConnection()

    # --- Twisted's steps in reading a request ----------------------------------------------------------------------------

    def _respondToBadRequestAndDisconnect(self) -> None:
        # Twisted calls this, its own, for whatever it refuses.
        self.length = None
        self.refuse(400)

    def lineReceived(self, line: bytes) -> None:
        if self.refused:
            return
        if line[:1] in (b" ", b"\t"):
            self._respondToBadRequestAndDisconnect()
            return
        super().lineReceived(line)

    def headerReceived(self, line: bytes) -> bool:
        name, _, value = line.partition(b":")
        name, value = name.lower(), value.strip(b" \t").lower()
        if (name == b"transfer-encoding" and value != b"chunked") or (name == b"content-length" and len(value) > 18):
            self._respondToBadRequestAndDisconnect()
        return not self.refused and bool(super().headerReceived(line))

    def allHeadersReceived(self) -> None:
        request: RmsRequest = self.requests[-1]
        request.body_limit = self.site.body_limit(self._target.partition(b"?")[0])
        status = self._judge(request)
        if status:
            self.length = None
            self.refuse(status)
        else:
            super().allHeadersReceived()

    def _judge(self, request: RmsRequest) -> int:
        """The status to refuse a request with by its headers, 0 for none."""
        headers = request.requestHeaders
        hosts = headers.getRawHeaders(b"Host", [])
        if len(hosts) > 1 or (not hosts and self._version == b"HTTP/1.1") or not self._target.startswith(b"/"):
            return 400
        if any(len(headers.getRawHeaders(name, [])) > 1 for name in _ONCE):
            return 400
        if headers.hasHeader(b"Transfer-Encoding") and self._version != b"HTTP/1.1":
            return 400
        if any(value.lower() != b"100-continue" for value in headers.getRawHeaders(b"Expect", [])):
            return 417
        return 413 if (self.length or 0) > request.body_limit else 0

    def rawDataReceived(self, data: bytes) -> None:
        if not self.refused:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        if self.refused:
            return
        _cancel(self._deadline)
        self._deadline = None
        self.site.used(self)
        super().allContentReceived()


def _cancel(call: Any) -> None:
    if call is not None and call.active():
        call.cancel()
