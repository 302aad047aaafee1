"""Who is calling, and whether the endpoint serves them ([MS-RMPR] 3.1.4.3, rulings 28)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rmsserver.auth import Challenge, Identity
from rmsserver.auth.policy import Demand, Rule, Verdict
from rmsserver.ports import PortUnavailable
from rmsserver.state import AuthenticationType, DomainAccount, FederatedAccount
from rmsserver.web.exchange import HttpAnswer, HttpRequest, plain

_PROXY_HEADERS = ("via", "forwarded", "x-forwarded-for")


@dataclass(frozen=True)
class Caller:
    """A caller that the endpoint serves; `account` None where the endpoint is open and nobody signed on."""

    authentication: AuthenticationType = AuthenticationType.NONE
    account: DomainAccount | FederatedAccount | None = None
    confirmation: str | None = field(default=None, compare=False)
    """The header of `Identity.confirmation`."""

    def confirmed(self, answer: HttpAnswer) -> HttpAnswer:
        """The answer with the closing token of Negotiate, by which the client knows the server ([RFC4559] 5)."""
        if self.confirmation is None:
            return answer
        return replace(answer, headers=(*answer.headers, ("WWW-Authenticate", self.confirmation)))

    @property
    def identity(self) -> Identity | None:
        """As rules judge it: accounts of the directory alone are ever in their lists."""
        return Identity(self.authentication, self.account) if isinstance(self.account, DomainAccount) else None


def admit(request: HttpRequest, rule: Rule) -> Caller | HttpAnswer:
    """The caller, or the answer that refuses them. Blocks: passwords are hashed and the directory is read.

    Where the endpoint is open, only a client that sends Authorization signs on; so nobody is asked needlessly.
    """
    if rule.judge(None) is Verdict.FORBID:
        return plain(403)
    authorization = request.header("authorization")
    if rule.demand is Demand.ANONYMOUS and authorization is None:
        return Caller()
    forwarded = any(request.header(name) is not None for name in _PROXY_HEADERS)
    try:
        result = request.sign_on().step(authorization, client_address=request.client_address, forwarded=forwarded)
    except PortUnavailable:
        return plain(503)
    if isinstance(result, Challenge):
        if not result.headers:
            return plain(403)
        return plain(401, *(("WWW-Authenticate", value) for value in result.headers))
    try:
        verdict = rule.judge(result)
    except PortUnavailable:  # a list with groups in it, and the directory away
        return plain(503)
    if verdict is not Verdict.SERVE:
        return plain(403)
    return Caller(result.authentication, result.account, result.confirmation)
