"""A mail server, and the end of a cluster: the services of [MS-RMSI] of a real `rmsserver serve`, beside `rmsclient`."""

from __future__ import annotations

import base64
import datetime as dt
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from rmsserver.client.account import load_profile
from rmsserver.client.pfile import read_pfile
from rmsserver.client.store import Store
from rmsserver.xrml.files import split_documents
from rmsserver.xrml.use_license import UseLicense
from tests.client.served_cluster import ServedCluster, free_port
from tests.http_server import Response, Wire
from tests.wire import calls

LISTED = """
[endpoints."licensing/license.asmx#AcquirePreLicense"]
access = "listed"
accounts = ["plain@example.com"]

[endpoints."certification/precertification.asmx"]
access = "listed"
accounts = ["plain@example.com"]

[endpoints."decommission/decommission.asmx"]
access = "listed"
accounts = ["plain@example.com"]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCluster]:
    """`plain` is the mail server's account; `author` is set up, `reader` never was."""
    made = ServedCluster(tmp_path_factory.mktemp("applications") / "cluster", free_port())
    made.create()
    made.rmsserver("config", "set", "configurationRefreshInterval", "1s")
    settings = made.home / "rmsserver.toml"
    settings.write_text(settings.read_text() + LISTED)
    with made.serving():
        assert made.bootstrap("author").code == 0
        yield made


def ask(cluster: ServedCluster, operation: str, parameters: str, person: str = "plain") -> Response:
    with Wire(socket.create_connection(("127.0.0.1", cluster.port), timeout=30)) as wire:
        return wire.ask(calls.call(operation, parameters, person=person))


def documents(answer: Response, kind: str) -> list[str]:
    text = answer.body.decode()
    inner = text[text.index(f"<{kind}>") : text.index(f"</{kind}>")]
    return [part.split("</Certificate>")[0] for part in inner.split("<Certificate>")[1:]]


def protected(cluster: ServedCluster, folder: Path) -> tuple[Path, str]:
    """A file for the reader, and its publishing licence alone."""
    plan, target = folder / "plan.txt", folder / "plan.ptxt"
    plan.write_bytes(b"The plan")
    outcome = cluster.rmsclient("author", "protect", str(plan), "-o", str(target), "--grant", "reader@example.com=VIEW")
    assert outcome.code == 0, outcome.error
    with target.open("rb") as stream:
        return target, split_documents(read_pfile(stream).license_text)[0]


def test_mail_arrives_with_its_licence(cluster: ServedCluster, tmp_path: Path) -> None:
    """Pre-licensed for somebody who was never certified; after the first bootstrap that licence opens the document."""
    _, license_ = protected(cluster, tmp_path)
    answer = ask(cluster, "AcquirePreLicense", calls.acquire_pre_license(("reader@example.com",), (license_,)))
    assert answer.status == 200, answer.body
    [text] = documents(answer, "Licenses")
    [public] = documents(ask(cluster, "Precertify", calls.precertify("reader@example.com")), "PrecertifyResponse")
    assert cluster.bootstrap("reader").code == 0
    account = load_profile(Store(cluster.store("reader")), dt.datetime.now(dt.UTC)).account
    use_license = UseLicense.read(text)
    assert use_license.principal.object_and_key_surface == account.rac.principal.object_and_key_surface
    assert account.rac.principal.public_key.modulus_base64 in public
    assert use_license.open_content_key(account.key, bytes(16))
    refused = ask(cluster, "AcquirePreLicense", calls.acquire_pre_license(("a@b",), (license_,)), person="author")
    assert (refused.status, b"UnauthorizedAccessException" in refused.body) == (500, True)


def test_the_end_of_a_cluster_and_the_way_back(cluster: ServedCluster, tmp_path: Path) -> None:
    """Two commands, and the running server hands out keys and nothing else; a third, and readers open documents again."""
    target, license_ = protected(cluster, tmp_path)
    cluster.bootstrap("reader")
    asked = calls.acquire_content_key((license_,))
    assert b"ClusterNotDecommissionedException" in ask(cluster, "AcquireContentKey", asked).body
    prepared = cluster.rmsserver("decommission", "prepare")
    assert "any document to plain@example.com" in prepared
    [code] = re.findall(r"confirm (\S+) --home", prepared)
    assert b"ClusterNotDecommissionedException" in ask(cluster, "AcquireContentKey", asked).body
    cluster.rmsserver("decommission", "confirm", code)
    try:
        answer = until(cluster, asked, 200)
        [[[[response]]]] = etree.fromstring(answer.body)[1:]
        assert len(base64.b64decode(response[0].text or "")) in (16, 32)
        opened = cluster.rmsclient("reader", "open", str(target), "-o", str(tmp_path / "out.txt"))
        assert opened.code != 0
        assert "decommissioned" in opened.error
        assert ask(cluster, "AcquireContentKey", asked, person="author").status == 403
    finally:
        cluster.rmsserver("decommission", "undo")
    until(cluster, asked, 500)
    assert cluster.rmsclient("reader", "open", str(target)).code == 0


def until(cluster: ServedCluster, asked: str, status: int) -> Response:
    """The first answer with that status: a running server follows within a second."""
    deadline = time.monotonic() + 20
    while (answer := ask(cluster, "AcquireContentKey", asked)).status != status:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return answer
