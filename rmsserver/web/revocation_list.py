"""The cluster's revocation list, to everybody: clients fetch it without signing on, also from outside.

It tells nobody more than the administrator put on it. Signing costs a private-key operation, so one text is served for an
hour, or until the configuration changes.
"""

from __future__ import annotations

import datetime as dt
import threading

import structlog

from rmsserver.errors import RmsError
from rmsserver.operations import revocation_list
from rmsserver.soap.faults import trace_of
from rmsserver.soap.runtime import Runtime
from rmsserver.state import Licensor, ServerState
from rmsserver.web.exchange import HttpAnswer, HttpRequest, plain
from rmsserver.web.routes import BASE
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.keys import KeyId

_log = structlog.get_logger()

PATH = (BASE + revocation_list.PATH).lower()
_ALLOW = ("Allow", "GET, HEAD")
_KEPT = dt.timedelta(hours=1)
_OPERATION = "RevocationList"


class RevocationListEndpoint:
    """An empty list is a list too: clients need it to open what names it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._kept: dict[KeyId, tuple[int, dt.datetime, bytes]] = {}

    def serve(self, request: HttpRequest) -> HttpAnswer:
        """Blocks while the list is signed."""
        if request.method not in ("GET", "HEAD"):
            return plain(405, _ALLOW)
        state = self._runtime.state()
        name, _, key_id = request.query.partition("=")
        signer = revocation_list.list_signer(state, key_id.lower()) if name in ("", "key") else None
        if signer is None:
            return plain(404)
        try:
            body = self._list(signer, state)
        except (RmsError, XrmlError) as error:
            _log.error("revocation list refused", reason=str(error))
            return plain(503)
        except Exception as error:  # noqa: BLE001 - nothing of an error may reach the caller
            _log.error("request failed", operation=_OPERATION, trace=trace_of(error))
            return plain(500)
        return HttpAnswer(200, "text/xml; charset=utf-8", body, operation=_OPERATION, outcome="ok")

    def _list(self, signer: Licensor, state: ServerState) -> bytes:
        """As many lists are kept as the cluster had keys."""
        now, key_id = self._runtime.clock(), signer.key.public.id
        with self._lock:
            version, since, body = self._kept.get(key_id, (-1, now, b""))
            if version != state.configuration_version or not since <= now < since + _KEPT:
                body = revocation_list.revocation_list(state, now, signer).encode()
                self._kept[key_id] = (state.configuration_version, now, body)
        return body
