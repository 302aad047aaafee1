"""Who is calling, and whether the endpoint serves them ([MS-RMPR] 3.1.4.3, rulings 28)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rmsserver.auth import Challenge, Identity
from rmsserver.auth.policy import Demand, Rule, Verdict
from rmsserver.ports import PortUnavailable
from rmsserver.state import AuthenticationType, DomainAccount, FederatedAccount
from rmsserver.web.exchange import HttpAnswer, HttpRequest, Refusal, plain

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
        return _refused(403, "the endpoint serves nobody")
    authorization = request.header("authorization")
    if rule.demand is Demand.ANONYMOUS and authorization is None:
        return Caller()
    forwarded = any(request.header(name) is not None for name in _PROXY_HEADERS)
    try:
        result = request.sign_on().step(authorization, client_address=request.client_address, forwarded=forwarded)
    except PortUnavailable:
        return _refused(503, "the directory is away")
    if isinstance(result, Challenge):
        return _challenged(result)
    try:
        verdict = rule.judge(result)
    except PortUnavailable:  # a list with groups in it, and the directory away
        return _refused(503, "the directory is away", result)
    if verdict is not Verdict.SERVE:
        return _refused(403, "not an account of the endpoint's list", result)
    return Caller(result.authentication, result.account, result.confirmation)


def _challenged(challenge: Challenge) -> HttpAnswer:
    """401, or 403 where no way to sign on is open. Only credentials that were refused are for the audit, not the asking."""
    headers = (("WWW-Authenticate", value) for value in challenge.headers)
    answer = plain(401, *headers) if challenge.headers else plain(403)
    if challenge.refused is None:
        return answer
    return replace(answer, refusal=Refusal(challenge.refused, challenge.login))


def _refused(status: int, reason: str, identity: Identity | None = None) -> HttpAnswer:
    who = (identity.authentication, identity.account) if identity else (AuthenticationType.NONE, None)
    return replace(plain(status), refusal=Refusal(reason, "", *who))
