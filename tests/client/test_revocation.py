"""Revocation lists: which ones count, what they name, and where they are fetched."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import secrets
from collections.abc import Callable

import pytest

from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.consume import Licenses, OpenedLicense, Use
from rmsserver.client.errors import ClientError, RefusedError
from rmsserver.client.publish import Grant, new_content_key, policy_of_grants, publish_offline
from rmsserver.client.revocation import LIST_LIMIT_BYTES, check_not_revoked, fetch_from_cluster
from rmsserver.client.transport import HttpConnection
from rmsserver.operations.revocation_list import own_revocation_point, revocation_list
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.revocation import Revocation, RevokedBy
from rmsserver.xrml.rights import TimeConditions
from rmsserver.xrml.use_license import UseLicense, UseRight, write_use_license
from rmsserver.xrml.values import Guid
from tests.client.http_server import Reply, serving
from tests.client.peer import CLUSTER, account, licensor
from tests.cluster import DAY, NOW, make_cluster

AUTHOR, READER = account("author@example.com"), account("reader@example.com")
CONTENT = new_content_key(ContentCipher.CBC4K)
LICENSES = Licenses.read(
    "".join(
        publish_offline(
            policy_of_grants(AUTHOR.email, [Grant.parse("reader@example.com=VIEW")], NOW, None),
            CONTENT,
            AUTHOR,
            licensor(AUTHOR),
            NOW,
        )
    )
)
USE_LICENSE_ID = "11111111-2222-4333-8444-555555555555"
POINT = own_revocation_point(CLUSTER.state, DAY)


def use_license(revocation: str = POINT.xml()) -> OpenedLicense:
    server = CLUSTER.servers.licensor
    text = write_use_license(
        license_id=Guid(USE_LICENSE_ID),
        issuer_inner=server.certificate.issuer_inner_surface,
        licensee=READER.rac.principal,
        referral=None,
        work_object=LICENSES.publishing.work_object,
        metadata="",
        revocation=revocation,
        rights=[UseRight("VIEW", True, TimeConditions())],
        payload=CONTENT.payload,
        session_key=secrets.token_bytes(16),
        issued=NOW,
        signing_key=server.key,
        mode=server.mode,
    )
    return OpenedLicense(UseLicense.read(text), CONTENT, False)


def the_list(*revocations: Revocation, issued: dt.datetime = NOW) -> bytes:
    return revocation_list(CLUSTER.with_state(revocations=revocations).state, issued).encode()


def checked(data: bytes, opened: OpenedLicense | None = None) -> OpenedLicense:
    return check_not_revoked(opened or use_license(), LICENSES, READER, lambda _url: data, NOW)


def nowhere(_url: str) -> bytes:
    pytest.fail("nothing must be fetched")


# --- what is asked ------------------------------------------------------------------------------------------------------


def test_a_licence_is_good_once_its_list_was_looked_at() -> None:
    """Not before; the URL is the one in the licence."""
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return the_list(Revocation(RevokedBy.CONTENT_ID, "{22222222-2222-4333-8444-555555555555}"))

    opened = use_license()
    with pytest.raises(RefusedError, match="not looked at"):
        opened.require(Use.SEE, NOW)
    check_not_revoked(opened, LICENSES, READER, fetch, NOW).require(Use.SEE, NOW)
    assert asked == [POINT.url]


def test_a_licence_without_a_point_asks_nobody() -> None:
    opened = use_license("")
    assert check_not_revoked(opened, LICENSES, READER, nowhere, NOW) == opened


@pytest.mark.parametrize(
    "conditions",
    [
        '<CONDITIONLIST><REFRESH><INTERVALTIME days="7" /></REFRESH></CONDITIONLIST>',
        POINT.xml().replace("<REFRESH>", "<REFRESH>" + POINT.xml()[24:].partition("<INTERVALTIME")[0]),
        POINT.xml().replace('type="Revocation"', 'type="Other"'),
    ],
    ids=["no point", "two points", "another point"],
)
def test_conditions_of_another_kind_are_refused(conditions: str) -> None:
    """Not skipped, and nothing is fetched because of them."""
    with pytest.raises(RefusedError, match="does not know"):
        check_not_revoked(use_license(conditions), LICENSES, READER, nowhere, NOW)


# --- what a list names --------------------------------------------------------------------------------------------------


def everything_revocable() -> dict[str, Revocation]:
    server, slc = CLUSTER.servers.licensor, CLUSTER.servers.licensor.certificate
    work = LICENSES.publishing.body.one("WORK").one("OBJECT").one("ID").leaf_text().strip()
    signature, machine = LICENSES.publishing.signature, READER.rac.machine
    assert signature is not None
    assert machine is not None
    assert READER.rac.descriptor is not None

    def key(der: bytes) -> str:
        return base64.b64encode(der).decode()

    return {
        "use licence": Revocation(RevokedBy.LICENSE_ID, "{" + USE_LICENSE_ID + "}"),
        "account certificate": Revocation(RevokedBy.LICENSE_ID, READER.rac.descriptor.id),
        "publishing licence": Revocation(RevokedBy.LICENSE_HASH, signature.digest_text, ""),
        "content": Revocation(RevokedBy.CONTENT_ID, work.upper()),
        "content without braces": Revocation(RevokedBy.CONTENT_ID, work.strip("{}")),
        "server": Revocation(RevokedBy.ISSUER_ID, slc.principal.object.id),
        "server key": Revocation(RevokedBy.ISSUER_KEY, key(server.key.public.pkcs1_der), ""),
        "author": Revocation(RevokedBy.ISSUER_ID, AUTHOR.rac.principal.object.id, "Windows"),
        "reader": Revocation(RevokedBy.PRINCIPAL_ID, READER.rac.principal.object.id, "Windows"),
        "reader key": Revocation(RevokedBy.PRINCIPAL_KEY, key(READER.rac.principal.public_key.pkcs1_der), ""),
        "machine": Revocation(RevokedBy.PRINCIPAL_ID, machine.object.id),
    }


@pytest.mark.parametrize("what", everything_revocable())
def test_whatever_is_named_is_refused(what: str) -> None:
    """Also behind other entries."""
    other = Revocation(RevokedBy.PRINCIPAL_ID, "S-1-5-21-9-9-9-9", "Windows")
    checked(the_list(other))
    with pytest.raises(RefusedError, match="revoked"):
        checked(the_list(other, everything_revocable()[what]))


# --- which list counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("age", [-dt.timedelta(minutes=59), dt.timedelta(), DAY, DAY + dt.timedelta(minutes=59)])
def test_a_list_of_the_time_that_the_licence_allows(age: dt.timedelta) -> None:
    """REFRESH, and an hour for clocks."""
    assert checked(the_list(issued=NOW - age)).not_revoked


@pytest.mark.parametrize("age", [-dt.timedelta(hours=2), DAY + dt.timedelta(hours=2), 100 * DAY])
def test_a_list_that_is_too_old_or_of_the_future(age: dt.timedelta) -> None:
    """An old one, replayed, hides what was revoked since."""
    with pytest.raises(RefusedError, match="younger"):
        checked(the_list(issued=NOW - age))


def _of_a_stranger() -> bytes:
    return revocation_list(make_cluster(CryptoMode.MODE_2, "stranger").state, NOW).encode()


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"\xff\xff",
        lambda: b"<html>Sign on here</html>",
        lambda: the_list() + the_list(),
        lambda: the_list().replace(b"<REVOCATIONLIST>", b"<REVOCATIONLIST ><!-- -->"),
        lambda: the_list().partition(b"<SIGNATURE>")[0] + b"</XrML>",
        lambda: b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + the_list(),
        lambda: LICENSES.publishing.text.encode(),
        _of_a_stranger,
    ],
    ids=["empty", "noise", "page", "two", "altered", "unsigned", "entities", "another kind", "another signer"],
)
def test_what_is_no_list_of_that_signer(make: Callable[[], bytes]) -> None:
    """Refused; without its list a licence is good for nothing."""
    with pytest.raises(RefusedError, match="signed by whom"):
        checked(make())


def test_a_list_of_another_authority_with_the_same_key() -> None:
    """ID and key of the point are both the list's."""
    point = dataclasses.replace(POINT, id="{99999999-2222-4333-8444-555555555555}")
    with pytest.raises(RefusedError, match="somebody else"):
        checked(the_list(), use_license(point.xml()))


# --- where it is fetched ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/list.xml",
        "https://127.0.0.1:{port}/list.xml",
        "http://127.0.0.1/list.xml",
        "http://localhost:{port}/list.xml",
        "http://127.0.0.1:{port}@evil.example/list.xml",
        "http://user@127.0.0.1:{port}/list.xml",
        "http://evil.example:{port}/list.xml",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/x",
        "//127.0.0.1:{port}/x",
        "http://[",
        "http://127.0.0.1:99999/",
        "",
    ],
)
def test_N1_no_connection_because_of_a_document(url: str) -> None:
    """An author can write any URL: what is not one of the cluster's own addresses is never called."""
    with serving(lambda _request: Reply(body=the_list())) as server:
        port = server.url.rpartition(":")[2]
        fetch = fetch_from_cluster(HttpConnection(), [f"{server.url}/_wmcs", "nonsense"])
        with pytest.raises(RefusedError, match="--revocation-list"):
            fetch(url.replace("{port}", port))
        assert server.received == []


def test_the_clusters_own_list_is_fetched_without_sign_on() -> None:
    """Whatever else stands in the URL; nobody's password is at stake, and a challenge is not answered."""
    with serving(lambda _request: Reply(body=the_list())) as server:
        fetch = fetch_from_cluster(HttpConnection(), [f"{server.url.upper()}/_wmcs"])
        assert fetch(f"{server.url}/_wmcs/revocation/revocationlist.xml?key=00") == the_list()
        (request,) = server.received
        assert request.path == "/_wmcs/revocation/revocationlist.xml?key=00"
        assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    "reply",
    [
        Reply(302, headers={"Location": "http://evil.example/"}),
        Reply(401, headers={"WWW-Authenticate": "NTLM"}),
        Reply(503),
        Reply(body=b"x" * (LIST_LIMIT_BYTES + 1)),
    ],
    ids=["redirect", "challenge", "refusal", "too large"],
)
def test_answers_that_are_no_list(reply: Reply) -> None:
    """One request, and an error; redirects are not followed."""
    with serving(lambda _request: reply) as server:
        fetch = fetch_from_cluster(HttpConnection(), [server.url])
        with pytest.raises(ClientError):
            fetch(f"{server.url}/list.xml")
        assert len(server.received) == 1
