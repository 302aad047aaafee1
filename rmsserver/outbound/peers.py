"""The port `Peers` over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape

from rmsserver.outbound import soap
from rmsserver.outbound.http import HttpPeer, Question
from rmsserver.ports import PortUnavailable, SoapMessage

GROUP_EXPANSION = "http://microsoft.com/DRM/GroupExpansionWebService"
CERTIFICATION = "http://microsoft.com/DRM/CertificationService"
_GROUP_SECONDS = 5.0
_ACCOUNT_SECONDS = 5.0
_ACTIVATION_SECONDS = 30.0
_ACTIVATION_LIMIT_BYTES = 16 * 1024 * 1024
_MEDIA_TYPES = frozenset({"text/xml", "application/soap+xml", "application/dime"})


@dataclass(frozen=True)
class HttpPeers:
    """Activation has places of its own: whoever may activate, often everybody, takes none from groups and accounts."""

    peer: HttpPeer
    _activation: HttpPeer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # A copy has a semaphore of its own.
        object.__setattr__(self, "_activation", replace(self.peer))

    def is_principal_member_of(
        self, url: str, principal: str, groups: Sequence[str], calls: int, seconds: float = _GROUP_SECONDS
    ) -> bool:
        name = escape(principal)
        parameters = (
            f"<principalName>{name}</principalName><principalCrossForest>{name}</principalCrossForest>"
            f"<targetGroups>{soap.strings(groups)}</targetGroups><crossForestCallsSoFar>{calls}</crossForestCallsSoFar>"
        )
        seconds = min(seconds, _GROUP_SECONDS)
        answer = soap.call(self.peer, url, GROUP_EXPANSION, "IsPrincipalMemberOf", parameters, seconds=seconds)
        return _boolean(soap.texts(answer, "IsPrincipalMemberOfResult"))

    def precertify(self, url: str, identity: str) -> str | None:
        name = escape(identity)
        by_sid = f"<Identification><AuthenticationMode>Windows</AuthenticationMode><Id>{name}</Id></Identification>"
        user = f"<UserName>{name}</UserName>" if "@" in identity else by_sid
        parameters = f"<requestParams><PrecertifyParams>{user}</PrecertifyParams></requestParams>"
        return soap.document(
            self.peer, url, CERTIFICATION, "Precertify", parameters, "Certificate", seconds=_ACCOUNT_SECONDS
        )

    def activate(self, url: str, message: SoapMessage) -> SoapMessage:
        headers = {"Content-Type": message.content_type}
        if message.soap_action is not None:
            headers["SOAPAction"] = message.soap_action
        # The activation service knows none of our accounts ([MS-RMPR] 3.1.3.2): nobody signs on there.
        answer = self._activation.post(
            Question(url, message.body, headers, _ACTIVATION_SECONDS, _ACTIVATION_LIMIT_BYTES, sign_on=False)
        )
        media_type = answer.content_type.partition(";")[0].strip().lower()
        if answer.status not in (200, 500) or media_type not in _MEDIA_TYPES or not answer.content_type.isprintable():
            raise PortUnavailable(f"the activation service answered {answer.status} and no SOAP")
        return SoapMessage(answer.content_type, answer.body, status=answer.status)


def _boolean(texts: list[str]) -> bool:
    if len(texts) != 1 or texts[0].strip() not in ("true", "1", "false", "0"):
        raise PortUnavailable("the other server's answer is neither true nor false")
    return texts[0].strip() in ("true", "1")
