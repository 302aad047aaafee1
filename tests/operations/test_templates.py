"""AcquireTemplateInformation and AcquireTemplates."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from rmsserver.errors import ArgumentNull, ClusterDecommissioned, InvalidOperation
from rmsserver.operations.templates import (
    MAX_TEMPLATES,
    TemplateEntry,
    acquire_template_information,
    acquire_templates,
)
from rmsserver.xrml.template import RightsTemplate
from tests.cluster import NOW, Cluster, guid
from tests.conformance import conforms


def with_templates(cluster: Cluster, *names: str, archived: tuple[str, ...] = ()) -> Cluster:
    published = [cluster.template(name) for name in names]
    old = [cluster.template(name) for name in archived]
    return cluster.with_state(
        published_templates={t.guid: t for t in published}, archived_templates={t.guid: t for t in old}
    )


def ask(cluster: Cluster, *guids: str | None) -> tuple[TemplateEntry, ...]:
    return acquire_templates(guids, cluster.caller("author@example.com"), cluster.state, cluster.ports(), NOW)


def digest_value(template: RightsTemplate) -> str:
    """The text of DIGEST/VALUE, found in the template's own text."""
    tail = template.text[template.text.index("<SIGNATURE>") :]
    value = tail[tail.index("size=") :]
    return value[value.index(">") + 1 : value.index("<")]


def test_information_lists_published_templates_alone(cluster: Cluster) -> None:
    """GUID in braces and the text of the DIGEST VALUE; archived templates are not distributed."""
    cluster = with_templates(cluster, "Confidential", "Internal", archived=("Old",))
    found = acquire_template_information(cluster.caller(None), cluster.state, cluster.ports(), NOW)
    assert found.entries == tuple(
        TemplateEntry(guid(f"template {name}").braced, digest_value(cluster.template(name)))
        for name in ("Confidential", "Internal")
    )


def test_server_public_key_is_pkcs1(cluster: Cluster) -> None:
    """ServerPublicKey is base64 of the PKCS#1 DER of the SLC's key (RFC 8017 A.1.1)."""
    found = acquire_template_information(cluster.caller(None), cluster.state, cluster.ports(), NOW)
    der = base64.b64decode(found.server_public_key, validate=True)
    key = load_der_public_key(der)
    assert isinstance(key, RSAPublicKey)
    assert key.public_numbers().n == cluster.state.licensor.key.public.modulus
    assert der == key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert der[0] == 0x30
    assert b"\x2a\x86\x48\x86\xf7" not in der[:32]  # no algorithm identifier: PKCS#1, not SubjectPublicKeyInfo


def test_no_templates(mode_2: Cluster) -> None:
    """An empty list, not a fault."""
    found = acquire_template_information(mode_2.caller(None), mode_2.state, mode_2.ports(), NOW)
    assert found.entries == ()
    assert ask(mode_2) == ()


def test_templates_are_answered_unchanged(mode_2: Cluster) -> None:
    """The signed text as it stands, with its hash, in the order of the request."""
    cluster = with_templates(mode_2, "Confidential", "Internal")
    asked = [guid(f"template {name}").braced for name in ("Internal", "Confidential")]
    templates = [cluster.template(name) for name in ("Internal", "Confidential")]
    assert ask(cluster, *asked) == tuple(
        TemplateEntry(text, digest_value(t), t.text) for text, t in zip(asked, templates, strict=True)
    )


def test_guids_compare_without_case_and_braces(mode_2: Cluster) -> None:
    """They are answered as they were asked for."""
    cluster, plain = with_templates(mode_2, "Confidential"), str(guid("template Confidential"))
    for spelling in (plain, plain.upper(), "{" + plain.upper() + "}"):
        entry = ask(cluster, spelling)[0]
        assert entry.guid == spelling
        assert entry.template == cluster.template("Confidential").text


def test_unknown_and_archived_templates_are_entries_without_text(mode_2: Cluster) -> None:
    """An unknown GUID is no fault (wire facts 9)."""
    cluster = with_templates(mode_2, "Confidential", archived=("Old",))
    asked = [guid("nobody knows").braced, guid("template Old").braced, guid("template Confidential").braced]
    entries = ask(cluster, *asked)
    assert entries[:2] == (TemplateEntry(asked[0], None), TemplateEntry(asked[1], None))
    assert entries[2].template is not None


def test_at_most_25_are_answered(mode_2: Cluster) -> None:
    """3.4.4.3.3.1: 0 to 25; more asked for gives the first ones."""
    asked = [guid(f"number {n}").braced for n in range(26)]
    assert [entry.guid for entry in ask(mode_2, *asked)] == asked[:MAX_TEMPLATES]
    assert MAX_TEMPLATES == 25


@pytest.mark.parametrize("text", ["", "Confidential", "{" + "0" * 36 + "}", "<secret/>"])
def test_what_is_no_guid_fails_the_request(mode_2: Cluster, text: str) -> None:
    """With no input in the fault."""
    with pytest.raises(InvalidOperation) as caught:
        ask(mode_2, guid("nobody knows").braced, text)
    assert "secret" not in caught.value.text + caught.value.detail


@conforms("MS-RMPR 3.4.4.3", "A request without a list of GUIDs is refused.")
@conforms("MS-RMPR 3.4.4.3.2.1", "A request without guids is refused.")
def test_missing_guids(mode_2: Cluster) -> None:
    """No list, or a null in it."""
    with pytest.raises(ArgumentNull):
        acquire_templates(None, mode_2.caller(None), mode_2.state, mode_2.ports(), NOW)
    with pytest.raises(ArgumentNull):
        ask(mode_2, None)


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """First of all checks (rulings 34)."""
    cluster = mode_2.with_state(decommissioned=True)
    with pytest.raises(ClusterDecommissioned):
        acquire_template_information(cluster.caller(None), cluster.state, cluster.ports(), NOW)
    with pytest.raises(ClusterDecommissioned):
        ask(cluster, None)
