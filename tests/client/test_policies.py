"""Policies as people feel them: exclusion, blocking, template versions and revocation, on a real serving process."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rmsserver.xrml.revocation import RevocationList, RevokedBy
from tests.client.served_cluster import Outcome, ServedCluster, free_port
from tests.conformance import conforms

SECRET = b"The plan: meet at noon.\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedCluster]:
    made = ServedCluster(tmp_path_factory.mktemp("policies") / "cluster", free_port())
    made.create()
    made.rmsserver("config", "set", "configurationRefreshInterval", "1s")
    with made.serving():
        for person in ("author", "reader"):
            assert made.bootstrap(person).code == 0
        yield made


def protected(cluster: ServedCluster, folder: Path, *words: str) -> Path:
    folder.mkdir(exist_ok=True)
    plan = folder / "plan.txt"
    plan.write_bytes(SECRET)
    target = folder / "plan.ptxt"
    outcome = cluster.rmsclient("author", "protect", str(plan), "-o", str(target), *words)
    assert outcome.code == 0, outcome.error
    return target


def opened(cluster: ServedCluster, path: Path) -> Outcome:
    """A licence is asked for each time."""
    return cluster.rmsclient("reader", "open", str(path))


def assert_opens(outcome: Outcome) -> None:
    assert (outcome.output, outcome.error if outcome.code else "") == (SECRET, "")


def eventually(outcome: Callable[[], Outcome], wanted: Callable[[Outcome], bool]) -> Outcome:
    """Once running servers have taken a change over."""
    deadline = time.monotonic() + 20
    while not wanted(last := outcome()) and time.monotonic() < deadline:
        time.sleep(0.25)
    assert wanted(last), last
    return last


def test_an_excluded_user_is_served_again_with_a_new_certificate(cluster: ServedCluster, tmp_path: Path) -> None:
    """As in the product: the old key is refused, the next certification brings another."""
    document = protected(cluster, tmp_path, "--grant", "reader@example.com=VIEW")
    assert_opens(opened(cluster, document))
    cluster.rmsserver("exclusion", "user", "add", "reader@example.com")
    refused = eventually(lambda: opened(cluster, document), lambda outcome: outcome.code == 2)
    assert "excluded" in refused.error.lower()
    assert cluster.bootstrap("reader").code == 0
    assert_opens(opened(cluster, document))


@conforms(
    "MS-RMPR 3.1.5", "A serving process looks again and again whether the version of the configuration has moved."
)
def test_a_blocked_user_is_refused_whatever_certificate(cluster: ServedCluster, tmp_path: Path) -> None:
    """Also a new one, until the block is lifted."""
    document = protected(cluster, tmp_path, "--grant", "reader@example.com=VIEW")
    cluster.rmsserver("exclusion", "user", "block", "reader@example.com")
    eventually(lambda: opened(cluster, document), lambda outcome: outcome.code == 2)
    assert cluster.bootstrap("reader").code == 2
    cluster.rmsserver("exclusion", "user", "unblock", "reader@example.com")
    eventually(lambda: cluster.bootstrap("reader"), lambda outcome: outcome.code == 0)
    assert_opens(opened(cluster, document))


def test_licences_say_which_version_of_a_template_applied(cluster: ServedCluster, tmp_path: Path) -> None:
    """Deleting it is refused from then on."""
    grant = ("--name", "Versioned", "--grant", "reader@example.com=VIEW")
    guid = json.loads(cluster.rmsserver("template", "add", *grant, "--json"))["guid"]
    eventually(lambda: cluster.rmsclient("author", "templates"), lambda outcome: "Versioned" in outcome.text)
    assert_opens(opened(cluster, protected(cluster, tmp_path, "--template", guid)))
    eventually_recorded(cluster, f"template={guid}:1")
    assert "--force" in cluster.rmsserver_fails("template", "delete", guid)


def test_what_is_revoked_does_not_open_any_more(cluster: ServedCluster, tmp_path: Path) -> None:
    """Documents of a template that names the cluster's list open until their content stands there, and afterwards again;
    documents that name no list do not depend on it. A list from elsewhere is given as a file.
    """
    cluster.rmsserver(
        "template", "add", "--name", "Listed", "--grant", "reader@example.com=VIEW", "--revocation", "own"
    )
    eventually(lambda: cluster.rmsclient("author", "templates"), lambda outcome: "Listed" in outcome.text)
    document, export = protected(cluster, tmp_path, "--template", "Listed", "--json"), tmp_path / "list.xml"
    (work,) = re.findall(r"<WORK><OBJECT[^>]*><ID type=\"MS-GUID\">({[^<]*})", document.read_bytes().decode("latin-1"))[
        :1
    ]
    unlisted = protected(cluster, tmp_path / "unlisted", "--grant", "reader@example.com=VIEW")
    assert_opens(opened(cluster, document))
    cluster.rmsserver("revocation", "add", "content-id", work)
    refused = eventually(lambda: opened(cluster, document), lambda outcome: outcome.code == 2)
    assert "has been revoked" in refused.error
    assert_opens(opened(cluster, unlisted))
    url = f"{cluster.url}/revocation/revocationlist.xml"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = RevocationList.read(answer.read().decode())
    found.verify()
    assert [(revocation.by, revocation.value) for revocation in found.revocations] == [(RevokedBy.CONTENT_ID, work)]
    cluster.rmsserver("revocation", "export", "-o", str(export))
    cluster.rmsserver("revocation", "remove", "content-id", work)
    eventually(lambda: opened(cluster, document), lambda outcome: outcome.code == 0)
    by_file = cluster.rmsclient("reader", "open", str(document), "--revocation-list", str(export))
    assert "has been revoked" in by_file.error


def eventually_recorded(cluster: ServedCluster, what: str) -> None:
    deadline = time.monotonic() + 20
    while what not in (audit := cluster.rmsserver("audit")) and time.monotonic() < deadline:
        time.sleep(0.25)
    assert what in audit
