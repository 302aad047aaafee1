"""Which endpoint demands what (wire facts 9; threat L10)."""

from __future__ import annotations

import pytest

from rmsserver.auth import Identity
from rmsserver.auth.policy import DEFAULT_RULES, AccessPolicy, Demand, Rule, Verdict
from rmsserver.state import AuthenticationType
from tests.auth.accounts import ALICE, BOB

SOMEBODY = Identity(AuthenticationType.NTLM, ALICE)
CERTIFY = "/certification/certification.asmx"


@pytest.mark.parametrize(
    ("rule", "anonymous", "somebody"),
    [
        (Rule(Demand.REQUIRED), Verdict.CHALLENGE, Verdict.SERVE),
        (Rule(Demand.ANONYMOUS), Verdict.SERVE, Verdict.SERVE),
        (Rule(Demand.NOBODY), Verdict.FORBID, Verdict.FORBID),
        (Rule(Demand.LISTED), Verdict.FORBID, Verdict.FORBID),
        (Rule(Demand.LISTED, frozenset({ALICE.sid.lower()})), Verdict.CHALLENGE, Verdict.SERVE),
        (Rule(Demand.LISTED, frozenset({BOB.sid})), Verdict.CHALLENGE, Verdict.FORBID),
    ],
)
def test_judgement(rule: Rule, anonymous: Verdict, somebody: Verdict) -> None:
    """What becomes of a caller who is nobody, and of alice."""
    assert rule.judge(None) is anonymous
    assert rule.judge(SOMEBODY) is somebody


@pytest.mark.parametrize(
    "path",
    ["/certification/certification.asmx", "/certification/ServiceLocator.asmx", "/licensing/LICENSE.asmx",
     "/licensing/publish.asmx", "/licensing/templateDistribution.asmx", "/licensing/server.asmx"],
)  # fmt: skip
def test_certification_and_licensing_demand_sign_on(path: str) -> None:
    """Integrated authentication on both, letter case of the path ignored."""
    assert AccessPolicy().rule(path) == Rule(Demand.REQUIRED)


@pytest.mark.parametrize(
    "path",
    ["/licensing/editissuancelicense.asmx", "/certification/precertification.asmx", "/certification/ServerCertification.asmx",
     "/certification/mobilecertification.asmx", "/decommission/decommission.asmx", "/groupexpansion/groupexpansion.asmx",
     "/certification/subenrollservice.asmx", "/certification/nosuch.asmx", ""],
)  # fmt: skip
def test_L10_special_endpoints_serve_nobody(path: str) -> None:
    """Nobody until accounts are added; and nobody where no rule was written."""
    assert AccessPolicy().rule(path).judge(SOMEBODY) is Verdict.FORBID


def test_L10_pre_licensing_is_closed_to_those_who_may_license() -> None:
    """A rule of its own inside an endpoint that is open to everybody who signs on."""
    path, operation = "/licensing/License.asmx", "AcquirePreLicense"
    policy = AccessPolicy().with_anonymous_licensing()
    for caller in (None, SOMEBODY):
        assert not policy.allows(path, operation, caller)
        assert policy.allows(path, "AcquireLicense", caller)
        assert not policy.allows("/licensingexternal/license.asmx", operation, caller)
    opened = policy.changed(f"{path}#{operation}", Rule(Demand.LISTED, frozenset({ALICE.sid})))
    assert opened.allows(path, operation, SOMEBODY)
    assert not opened.allows(path, operation, Identity(AuthenticationType.NTLM, BOB))
    assert not opened.allows(path, operation, None)


def test_changed_rule_leaves_the_others() -> None:
    """Adding accounts to one endpoint changes that one alone, and not the defaults."""
    path = "/certification/precertification.asmx"
    policy = AccessPolicy().changed(path.upper(), Rule(Demand.LISTED, frozenset({ALICE.sid})))
    assert policy.rule(path).judge(SOMEBODY) is Verdict.SERVE
    assert policy.rule(CERTIFY) == Rule(Demand.REQUIRED)
    assert DEFAULT_RULES[path].demand is Demand.NOBODY


def test_unknown_path_cannot_be_opened() -> None:
    """A misspelt path is an error, not a rule that never matches."""
    with pytest.raises(ValueError, match="no such endpoint"):
        AccessPolicy().changed("/licensing/licence.asmx", Rule(Demand.ANONYMOUS))


def test_anonymous_licensing_opens_use_licences_alone() -> None:
    """License and server information; publishing, templates and certification keep their demand."""
    policy = AccessPolicy().with_anonymous_licensing()
    assert policy.rule("/licensing/license.asmx").judge(None) is Verdict.SERVE
    assert policy.rule("/licensing/server.asmx").judge(None) is Verdict.SERVE
    for path in ("/licensing/publish.asmx", "/licensing/templatedistribution.asmx", CERTIFY):
        assert policy.rule(path).judge(None) is Verdict.CHALLENGE
