"""Every fault of the services between servers over HTTP ([MS-RMPRS] 2.2.9.1; Enroll and Activate of [MS-RMPR] with them).

The binary form of group expansion has no SOAP faults: there each of them is a RemotingException (2.3.6.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rmsserver import errors
from rmsserver.auth.policy import Demand, Rule
from rmsserver.errors import RmsError
from rmsserver.remoting.group_expansion import MembershipCall, MembershipException
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import key, make_cluster
from tests.http_server import request
from tests.operations.enrollees import GUID, encoded, key_of
from tests.operations.test_enroll import enrollment_service
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.test_faults import CANARY, DECOMMISSIONED, Ask, check_fault

AUTHOR, ALL_STAFF = "author@example.com", "all@example.com"
REM = "/DrmRemote/DirectoryServices/DirectoryServices.rem"
ENDPOINTS = (
    "/groupexpansion/groupexpansion.asmx",
    "/certification/subenrollservice.asmx",
    "/enrollment/enrollservice.asmx",
    "/certification/activation.asmx",
    REM,
)
CLUSTER = make_cluster(CryptoMode.MODE_2).with_state(
    group_expansion_enabled=True,
    binary_group_expansion_enabled=True,
    sub_enrollment_enabled=True,
    enrollment_enabled=True,
    enrollment_service=enrollment_service(make_cluster(CryptoMode.MODE_2)),
)
KEY = encoded(key_of(CLUSTER))
OPERATIONS = tuple(calls.BETWEEN_SERVERS)
HARDWARE = f"<requestParams><ActivateParams><HidXml>{CANARY}</HidXml></ActivateParams></requestParams>"
OFF = {
    "IsPrincipalMemberOf": {"group_expansion_enabled": False},
    "SubEnroll": {"sub_enrollment_enabled": False},
    "Enroll": {"enrollment_enabled": False},
}


def member(principal: str | None = AUTHOR, *groups: str, count: int = 0, other: str | None = None) -> Ask:
    parameters = calls.is_principal_member_of(principal, groups or (ALL_STAFF,), count)
    if other is not None:
        parameters = parameters.replace(f"CrossForest>{principal}", f"CrossForest>{other}")
    return Ask("IsPrincipalMemberOf", parameters, person="boss")


def sub_enroll(public_key: str = KEY, guid: str = GUID, **how: str) -> Ask:
    return Ask("SubEnroll", calls.sub_enroll(calls.enrollee(public_key, guid, **how)), person="boss")


def enroll(public_key: str = KEY, guid: str = GUID) -> Ask:
    return Ask("Enroll", calls.enroll(calls.enrollee(public_key, guid)), person="boss")


def whole(operation: str) -> str:
    """Parameters that the operation takes."""
    return {
        "IsPrincipalMemberOf": member().parameters,
        "SubEnroll": sub_enroll().parameters,
        "Enroll": enroll().parameters,
        "Activate": HARDWARE,
    }[operation]


CASES: dict[type[RmsError], list[Callable[[], Ask]]] = {
    errors.Argument: [
        lambda: member(other=f"{CANARY}@example.com"),
        lambda: sub_enroll(encoded(CLUSTER.state.licensor.key)),
        lambda: sub_enroll(url=f"file:///{CANARY}"),
        lambda: enroll(encoded(CLUSTER.state.licensor.key)),
    ],
    errors.ArgumentOutOfRange: [
        lambda: member(count=9),
        lambda: member(count=-1),
        lambda: member(AUTHOR, *[f"{CANARY}@example.com"] * 101),
        lambda: sub_enroll(encoded(key("short", 1024))),
        lambda: enroll(encoded(key("short", 1024))),
    ],
    errors.ArgumentNull: [
        lambda: member(None),
        *(lambda name=name: Ask(name, "", person="boss") for name in OPERATIONS),
    ],
    errors.WrongFormat: [
        lambda: member(CANARY),
        lambda: member(AUTHOR, CANARY),
        lambda: sub_enroll(f"{CANARY}!"),
        lambda: sub_enroll(guid=CANARY),
        lambda: enroll(guid=CANARY),
    ],
    errors.DrmsArgument: [lambda: sub_enroll("AAAA"), lambda: enroll("AAAA")],
    errors.UnauthorizedAccess: [
        *(lambda name=name: Ask(name, whole(name), person="boss", configure=OFF[name]) for name in OFF)
    ],
    errors.MalformedDataVersion: [
        *(lambda name=name: Ask(name, "", version=CANARY, person="boss") for name in OPERATIONS)
    ],
    errors.UnsupportedDataVersion: [
        *(lambda name=name: Ask(name, "", version="1.3.0.0", person="boss") for name in OPERATIONS)
    ],
    errors.ClusterDecommissioned: [
        *(lambda name=name: Ask(name, whole(name), person="boss", configure=DECOMMISSIONED) for name in OPERATIONS)
    ],
    errors.UnspecifiedError: [lambda: Ask("Activate", HARDWARE, person="boss")],
}
ALL = [(error, n) for error, cases in CASES.items() for n in range(len(cases))]

BINARY: dict[type[RmsError], Callable[[], bytes]] = {
    errors.Argument: lambda: binary(other=f"mail={CANARY}@example.com"),
    errors.ArgumentOutOfRange: lambda: binary(count=9),
    errors.ArgumentNull: lambda: binary(""),
    errors.WrongFormat: lambda: binary(CANARY),
    errors.UnauthorizedAccess: lambda: binary(),
    errors.ClusterDecommissioned: lambda: binary(),
}
"""What the binary form has a RemotingException for, in a message that goes through its reader."""
BINARY_STATE: dict[type[RmsError], dict[str, bool]] = {
    errors.UnauthorizedAccess: {"binary_group_expansion_enabled": False},
    errors.ClusterDecommissioned: DECOMMISSIONED,
}


def binary(principal: str = f"mail={AUTHOR}", *, other: str | None = None, count: int = 1) -> bytes:
    return MembershipCall(principal, principal if other is None else other, (f"mail={ALL_STAFF}",), count).pack()


@pytest.fixture
def fresh() -> Iterator[RealServer]:
    """A server on which `boss` may call everything."""
    rule = Rule(Demand.LISTED, frozenset({CLUSTER.sid("boss@example.com")}))
    running = RealServer(CLUSTER, rules=dict.fromkeys(ENDPOINTS, rule))
    yield running
    running.http.stop()


@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
@pytest.mark.parametrize(("error", "number"), ALL, ids=[f"{error.__name__}-{n}" for error, n in ALL])
def test_a_fault_on_the_wire(fresh: RealServer, error: type[RmsError], number: int, soap12: bool) -> None:
    """HTTP 500, Server (1.2: Receiver), the full name first, its fixed text, no header, nothing of the input."""
    check_fault(fresh, CASES[error][number](), error, soap12)


@pytest.mark.parametrize("error", BINARY)
def test_a_remoting_exception_on_the_wire(fresh: RealServer, error: type[RmsError]) -> None:
    """2.3.6.9: a RemotingException under HTTP 200, its message the fault's name and text, nothing of the input."""
    fresh.configure(**BINARY_STATE.get(error, {}))
    answer = fresh.http.send(
        request(
            f"/_wmcs{REM}",
            BINARY[error](),
            content_type="application/octet-stream",
            Authorization=calls.signed_on("boss"),
        )
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert b"System.Runtime.Remoting.RemotingException" in answer.body
    assert MembershipException.unpack(answer.body).message == f"{error.wire_name}: {error.text}"
    assert CANARY.encode() not in answer.body
    assert fresh.audit[-1].outcome == error.wire_name.rpartition(".")[2]


def test_the_server_serves_after_every_refusal(fresh: RealServer) -> None:
    """A clean fault leaves nothing behind."""
    for ask in (cases[0]() for cases in CASES.values()):
        fresh.ask(ask.operation, ask.parameters, version=ask.version, person="boss")
    assert b">true<" in fresh.ask("IsPrincipalMemberOf", member().parameters, person="boss").body
