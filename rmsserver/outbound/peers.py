"""The port `Peers` over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from rmsserver.outbound import soap
from rmsserver.outbound.http import HttpPeer
from rmsserver.ports import PortUnavailable, SoapMessage

GROUP_EXPANSION = "http://microsoft.com/DRM/GroupExpansionWebService"
_GROUP_SECONDS = 5.0
_ACTIVATION_SECONDS = 30.0
_ACTIVATION_LIMIT_BYTES = 16 * 1024 * 1024
_MEDIA_TYPES = frozenset({"text/xml", "application/soap+xml", "application/dime"})


@dataclass(frozen=True)
class HttpPeers:
    """`simultaneous` calls at once; one more is refused rather than queued, so that a slow server, or two servers that
    ask each other in a circle, cannot take all workers."""

    peer: HttpPeer
    simultaneous: int = 4
    _places: threading.BoundedSemaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", threading.BoundedSemaphore(self.simultaneous))

    def is_principal_member_of(self, url: str, principal: str, groups: Sequence[str], calls: int) -> bool:
        name = escape(principal)
        parameters = (
            f"<principalName>{name}</principalName><principalCrossForest>{name}</principalCrossForest>"
            f"<targetGroups>{soap.strings(groups)}</targetGroups><crossForestCallsSoFar>{calls}</crossForestCallsSoFar>"
        )
        with self._place():
            answer = soap.call(
                self.peer, url, GROUP_EXPANSION, "IsPrincipalMemberOf", parameters, seconds=_GROUP_SECONDS
            )
        return _boolean(soap.texts(answer, "IsPrincipalMemberOfResult"))

    def activate(self, url: str, message: SoapMessage) -> SoapMessage:
        headers = {"Content-Type": message.content_type}
        if message.soap_action is not None:
            headers["SOAPAction"] = message.soap_action
        with self._place():
            # The activation service knows none of our accounts ([MS-RMPR] 3.1.3.2): nobody signs on there.
            answer = self.peer.post(
                url,
                message.body,
                headers,
                seconds=_ACTIVATION_SECONDS,
                limit_bytes=_ACTIVATION_LIMIT_BYTES,
                sign_on=False,
            )
        media_type = answer.content_type.partition(";")[0].strip().lower()
        if answer.status not in (200, 500) or media_type not in _MEDIA_TYPES or not answer.content_type.isprintable():
            raise PortUnavailable(f"the activation service answered {answer.status} and no SOAP")
        return SoapMessage(answer.content_type, answer.body, status=answer.status)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise PortUnavailable("all connections to other servers are in use")
        try:
            yield
        finally:
            self._places.release()


def _boolean(texts: list[str]) -> bool:
    if len(texts) != 1 or texts[0].strip() not in ("true", "1", "false", "0"):
        raise PortUnavailable("the other server's answer is neither true nor false")
    return texts[0].strip() in ("true", "1")
