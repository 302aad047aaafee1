"""Who is turned away is in the audit too, over HTTP with real Basic sign-on."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from rmsserver.auth.policy import Demand, Rule
from rmsserver.web.refusals import OPERATION
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import make_cluster
from tests.wire.real_server import PASSWORD, RealServer


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    nobody_known = Rule(Demand.LISTED, frozenset({"S-1-5-21-9-9-9-9"}))
    running = RealServer(make_cluster(CryptoMode.MODE_2), rules={"/licensing/publish.asmx": nobody_known})
    yield running
    running.http.stop()


def _post(server: RealServer, path: str, credentials: str | None) -> int:
    token = base64.b64encode((credentials or "").encode()).decode()
    header = f"Authorization: Basic {token}\r\n" if credentials else ""
    request = f"POST /_wmcs{path} HTTP/1.1\r\nHost: x\r\n{header}Content-Type: text/xml\r\nContent-Length: 0\r\n\r\n"
    return server.http.send(request.encode()).status


def test_a_wrong_password_is_recorded(server: RealServer) -> None:
    """A7: the login that was tried and the address, never the password."""
    before = len(server.audit)
    assert _post(server, "/licensing/license.asmx", "author:wrong horse") == 401
    (record,) = server.audit[before:]
    assert (record.operation, record.outcome, record.client_address) == (OPERATION, "401", "127.0.0.1")
    assert record.trail.facts["login"] == ["author"]
    assert "wrong horse" not in repr(record)


def test_asking_how_to_sign_on_is_no_refusal(server: RealServer) -> None:
    """The first request of every client is answered 401 and leaves no record."""
    before = len(server.audit)
    assert _post(server, "/licensing/license.asmx", None) == 401
    assert len(server.audit) == before


def test_an_account_that_is_not_listed_is_recorded(server: RealServer) -> None:
    """L10: 403, and the audit names the account."""
    before = len(server.audit)
    assert _post(server, "/licensing/publish.asmx", f"author:{PASSWORD}") == 403
    (record,) = server.audit[before:]
    assert (record.operation, record.outcome) == (OPERATION, "403")
    assert record.account.endswith("\\author")
