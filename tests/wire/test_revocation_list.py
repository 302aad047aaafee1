"""The cluster's revocation list over HTTP."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.revocation import Revocation, RevocationList, RevokedBy
from tests.cluster import NOW, make_cluster, server_hierarchy
from tests.conformance import conforms
from tests.http_server import request
from tests.wire.real_server import RealServer

HOUR = dt.timedelta(hours=1)
REVOKED = (Revocation(RevokedBy.PRINCIPAL_ID, "S-1-5-21-1-2-3-1104", "Windows"),)


@pytest.fixture
def server() -> Iterator[RealServer]:
    server = RealServer(make_cluster(CryptoMode.MODE_2))
    server.configure(revocations=REVOKED, configuration_version=1)
    yield server
    server.http.stop()


def target(server: RealServer) -> str:
    """What a licence that names the list says of it, as a client asks for it."""
    parts = urlsplit(own_revocation_point(server.cluster.state, HOUR).url)
    return f"{parts.path}?{parts.query}"


def fetched(server: RealServer, path: str) -> RevocationList:
    answer = server.http.send(request(path, method="GET"))
    assert (answer.status, answer.every("content-type")) == (200, ["text/xml; charset=utf-8"])
    return RevocationList.read(answer.body.decode())


@conforms("MS-RMPR 2.2.9.7.9", "The cluster's revocation list is a signed document with a REVOCATIONLIST.")
@conforms("MS-RMPR 2.2.9.9.10", "The list at the URL that licences name is signed and holds a REVOCATIONLIST.")
def test_everybody_gets_the_list_signed_as_licences_say(server: RealServer) -> None:
    """Key, ID and URL of its ISSUER are those of the revocation point; no sign-on."""
    found = fetched(server, target(server))
    point = own_revocation_point(server.cluster.state, HOUR)
    found.verify(point.key)
    assert found.revocations == REVOKED
    assert (found.issuer.object.id_type, found.issuer.object.id) == (point.id_type, point.id)
    assert found.issuer.object.address("URL") == point.url


def test_the_list_never_gets_old(server: RealServer) -> None:
    """One signature serves for an hour, and until the configuration changes."""
    first = fetched(server, target(server))
    server.now = NOW + 59 * HOUR / 60
    assert fetched(server, target(server)).text == first.text
    server.now = NOW + HOUR
    assert fetched(server, target(server)).issued_time == NOW + HOUR
    server.configure(revocations=(), configuration_version=2)
    assert fetched(server, target(server)).revocations == ()


def test_after_a_rollover_documents_of_before_find_their_list(server: RealServer) -> None:
    """Signed by the key that they name; without a key in the URL by the present one."""
    before, old = target(server), server.cluster.state.licensor
    new = server_hierarchy(CryptoMode.MODE_2, "rolled over").licensor
    server.cluster = dataclasses.replace(
        server.cluster,
        state=dataclasses.replace(server.cluster.state, licensor=new, former_licensors=(old,), configuration_version=2),
    )
    fetched(server, before).verify(old.key.public)
    fetched(server, target(server)).verify(new.key.public)
    fetched(server, before.partition("?")[0]).verify(new.key.public)


@pytest.mark.parametrize(
    ("query", "method", "status"),
    [("?key=" + "00" * 32, "GET", 404), ("?key=../x", "GET", 404), ("?other=1", "GET", 404), ("", "POST", 405)],
)
def test_other_requests(server: RealServer, query: str, method: str, status: int) -> None:
    """Keys that there are not, and other methods."""
    path = target(server).partition("?")[0]
    assert server.http.send(request(path + query, method=method)).status == status


def test_nothing_is_signed_outside_the_certificates_time(server: RealServer) -> None:
    """Threat K4: not available, and nothing of the reason in the answer."""
    server.now = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    answer = server.http.send(request(target(server), method="GET"))
    assert (answer.status, b"2001" in answer.body) == (503, False)
