"""Who is admitted to an endpoint."""

from __future__ import annotations

import pytest

from rmsserver.auth import Challenge, Identity
from rmsserver.auth.policy import Demand, Rule
from rmsserver.ports import PortUnavailable
from rmsserver.state import AuthenticationType, DomainAccount
from rmsserver.web.exchange import HttpAnswer, HttpRequest
from rmsserver.web.sign_on import Caller, admit

ACCOUNT = DomainAccount("EXAMPLE\\reader", "S-1-5-21-7")
IDENTITY = Identity(AuthenticationType.NTLM, ACCOUNT)
CALLER = Caller(AuthenticationType.NTLM, ACCOUNT)
CHALLENGE = Challenge(("Negotiate", "NTLM"))


class Scripted:
    """A sign-on that gives one result and remembers what it was asked."""

    def __init__(self, result: Identity | Challenge | Exception) -> None:
        self.result = result
        self.steps: list[tuple[str | None, str, bool]] = []

    def step(self, authorization: str | None, *, client_address: str, forwarded: bool = False) -> Identity | Challenge:
        self.steps.append((authorization, client_address, forwarded))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def close(self) -> None: ...


def ask(
    rule: Rule, result: Identity | Challenge | Exception, **headers: str
) -> tuple[Caller | HttpAnswer, list[tuple[str | None, str, bool]]]:
    sign_on = Scripted(result)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = HttpRequest("POST", "/", "", named, b"", "192.0.2.1", lambda: sign_on)
    return admit(request, rule), sign_on.steps


def status(answer: Caller | HttpAnswer) -> int:
    assert isinstance(answer, HttpAnswer)
    return answer.status


def test_a_verified_caller_is_admitted() -> None:
    """With header and peer address handed on as they are."""
    admitted, steps = ask(Rule(Demand.REQUIRED), IDENTITY, authorization="NTLM x")
    assert (admitted, steps) == (CALLER, [("NTLM x", "192.0.2.1", False)])


def test_an_identity_of_the_connection_counts_without_a_header() -> None:
    """The second request of an NTLM connection has none."""
    assert ask(Rule(Demand.REQUIRED), IDENTITY)[0] == CALLER


def test_a_challenge_becomes_401_with_every_header_in_order() -> None:
    """Rulings 28."""
    answer, _ = ask(Rule(Demand.REQUIRED), CHALLENGE)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.headers) == (
        401,
        (("WWW-Authenticate", "Negotiate"), ("WWW-Authenticate", "NTLM")),
    )


def test_no_way_to_sign_on_is_403() -> None:
    """A 401 must name one."""
    assert status(ask(Rule(Demand.REQUIRED), Challenge(()))[0]) == 403


def test_an_open_endpoint_asks_only_those_who_offer() -> None:
    """Without a header nobody is bothered; with one it has to hold."""
    rule = Rule(Demand.ANONYMOUS)
    assert ask(rule, CHALLENGE) == (Caller(), [])
    assert ask(rule, IDENTITY, authorization="x")[0] == CALLER
    assert status(ask(rule, CHALLENGE, authorization="x")[0]) == 401


def test_L10_a_shut_endpoint_asks_nobody() -> None:
    """L10: 403, whoever it is."""
    answer, steps = ask(Rule(Demand.NOBODY), IDENTITY, authorization="x")
    assert (status(answer), steps) == (403, [])


def test_L10_a_listed_endpoint_admits_its_list() -> None:
    """L10: by SID."""
    assert ask(Rule(Demand.LISTED, frozenset({"S-1-5-21-7"})), IDENTITY)[0] == CALLER
    assert status(ask(Rule(Demand.LISTED, frozenset({"S-1-5-21-8"})), IDENTITY)[0]) == 403


@pytest.mark.parametrize("header", ["via", "forwarded", "x_forwarded_for"])
def test_A2_a_proxy_is_said_to_the_sign_on(header: str) -> None:
    """A2: it decides whether a connection through one can carry an identity."""
    assert ask(Rule(Demand.REQUIRED), IDENTITY, **{header: "x"})[1] == [(None, "192.0.2.1", True)]


def test_K6_a_directory_that_is_away_is_503() -> None:
    """K6: nobody is told that their password is wrong."""
    assert status(ask(Rule(Demand.REQUIRED), PortUnavailable(), authorization="x")[0]) == 503


def test_K6_a_group_that_cannot_be_asked() -> None:
    """A list with a group in it while the directory is away: not now, rather than never."""

    def away(_sid: str, _candidates: object) -> frozenset[str]:
        raise PortUnavailable

    rule = Rule(Demand.LISTED, groups=frozenset({"servers@example.com"}), groups_of=away)
    answer, _ = ask(rule, IDENTITY)
    assert status(answer) == 503
