"""Certification endpoints for other servers and for mobile devices ([MS-RMPR] 3.1.4.2; threat L10)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import RightsAccountCertificate
from tests.cluster import make_cluster
from tests.conformance import conforms
from tests.http_server import Response
from tests.wire.calls import call, certify
from tests.wire.real_server import RealServer

SPECIAL = ("/certification/ServerCertification.asmx", "/certification/MobileCertification.asmx")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[RealServer, RealServer]]:
    """One with the product's defaults, one that lets `boss` in."""
    cluster = make_cluster(CryptoMode.MODE_2)
    rule = Rule(Demand.LISTED, frozenset({cluster.sid("boss@example.com")}))
    closed, opened = RealServer(cluster), RealServer(cluster, rules=dict.fromkeys(SPECIAL, rule))
    yield closed, opened
    closed.http.stop()
    opened.http.stop()


def ask(server: RealServer, path: str, person: str | None) -> Response:
    data = call("Certify", certify(server.cluster.machine().chain), person=person)
    return server.http.send(data.replace(b"/certification/certification.asmx", path.encode(), 1))


@pytest.mark.parametrize("path", [*SPECIAL, SPECIAL[0].lower()])
def test_L10_nobody_until_accounts_are_added(servers: tuple[RealServer, RealServer], path: str) -> None:
    """L10: whoever asks; then those listed, and nobody else."""
    closed, opened = servers
    assert [ask(closed, path, person).status for person in ("boss", "author", None)] == [403, 403, 403]
    assert [ask(opened, path, person).status for person in ("author", None)] == [403, 401]


@pytest.mark.parametrize("path", SPECIAL)
@conforms("MS-RMPR 3.1.4.2", "Other servers are certified at ServerCertification.asmx.")
@conforms("MS-RMPR 3.1.4.2", "Mobile devices are certified at MobileCertification.asmx.")
def test_a_listed_account_is_certified(servers: tuple[RealServer, RealServer], path: str) -> None:
    """Certify, as on the endpoint for people."""
    answer = ask(servers[1], path, "boss").body.decode()
    begin = answer.index("<Certificate>") + len("<Certificate>")
    rac = RightsAccountCertificate.read(answer[begin : answer.index("</Certificate>")])
    assert rac.email == "boss@example.com"
