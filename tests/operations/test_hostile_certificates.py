"""Account and machine certificates made to deceive (threats X1 to X6, XW1 to XW11): clean faults, nothing stored."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable

import pytest

from rmsserver.errors import RmsError, UnspecifiedError
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.ports import Ports
from rmsserver.xrml.keys import KeyId, PrivateKey
from tests.cluster import NOW, Cluster

AUTHOR = "author@example.com"
MARK = "victim@example.com"
"""Stands in whatever an attacker adds: no fault may repeat it."""

Change = Callable[[str], str]


def part(text: str, tag: str) -> str:
    found = re.search(f"<{tag}[ >].*</{tag}>", text, re.DOTALL)
    assert found
    return found.group()


def insert_before(end: str, what: str) -> Change:
    return lambda text: text.replace(end, what + end, 1)


def other_body(text: str) -> str:
    return part(text, "BODY").replace("2026-", "2025-")


def outside_base64(text: str) -> str:
    head, _, tail = text.rpartition("</VALUE>")
    return f"{head}\n</VALUE>{tail}"


def other_size(text: str) -> str:
    head, _, tail = text.rpartition('size="')
    return f'{head}size="1{tail}'


def longer_signature(text: str) -> str:
    start, end = text.rindex('">') + 2, text.rindex("</VALUE>")
    value = base64.b64encode(base64.b64decode(text[start:end]) + b"\0").decode()
    return text[:start] + value + text[end:]


CHANGES: dict[str, Change] = {
    "XW1 a second BODY before": lambda text: text.replace("<BODY", other_body(text) + "<BODY", 1),
    "XW1 a second BODY behind": lambda text: text.replace("<SIGNATURE>", other_body(text) + "<SIGNATURE>", 1),
    "XW2 a second SIGNATURE": lambda text: text.replace("</XrML>", part(text, "SIGNATURE") + "</XrML>"),
    "XW3 a BODY inside BODY": lambda text: text.replace("</BODY>", other_body(text) + "</BODY>", 1),
    "XW3 a prefixed BODY": lambda text: text.replace("<BODY", f'<a:BODY xmlns:a="{MARK}"/><BODY', 1),
    "XW4 another body under the digest": lambda text: text.replace(part(text, "BODY"), other_body(text)),
    "XW3 a document in a document": lambda text: f"<XrML>{text}</XrML>",
    "XW7 a comment in a name": insert_before("</NAME>", f"<!-- {MARK} -->"),
    "XW7 a processing instruction in a name": insert_before("</NAME>", f"<?x {MARK}?>"),
    "XW7 a CDATA section in a name": insert_before("</NAME>", f"<![CDATA[{MARK}]]>"),
    "XW10 noise in base64": outside_base64,
    "XW10 a size that does not agree": other_size,
    "C5 trailing bytes in the signature": longer_signature,
    "X2 an entity": lambda text: f'<!DOCTYPE a [<!ENTITY b "{MARK}">]>{text}'.replace("</NAME>", "&b;</NAME>", 1),
    "X3 an outside entity": lambda text: f'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///{MARK}">]>{text}',
    "X1 deep nesting": insert_before("</BODY>", "<a>" * 2_000 + "</a>" * 2_000),
    "X4 many attributes": lambda text: text.replace("<BODY", "<BODY " + " ".join(f'a{n}=""' for n in range(2_000)), 1),
    "X6 a long name": insert_before("</BODY>", f"<{'a' * 15_000}/>"),
    "a NUL": insert_before("</NAME>", "\0"),
    "half a character": insert_before("</NAME>", "\ud800"),
    "an unknown hash": lambda text: re.sub(r"<ALGORITHM>SHA[0-9]+<", "<ALGORITHM>MD5<", text),
}


def nothing_stored(cluster: Cluster, ports: Ports) -> bool:
    bits = cluster.mode.rsa_bits
    return ports.user_keys.get(cluster.sid(AUTHOR), bits) is None and ports.licensors.find(KeyId(bytes(32))) is None


def clean(error: RmsError, ports: Ports, cluster: Cluster) -> bool:
    return MARK not in error.text + error.detail and nothing_stored(cluster, ports)


def refused_rac(cluster: Cluster, chain: tuple[str, ...]) -> str:
    """The fault's short name, after checking that it is clean."""
    ports = dataclasses.replace(cluster.ports(), key_pool=NoKeys())
    request = GetClientLicensorCertRequest((chain,))
    with pytest.raises(RmsError) as caught:
        get_client_licensor_cert(request, cluster.caller(AUTHOR), cluster.state, ports, NOW)
    assert clean(caught.value, ports, cluster)
    return caught.value.short_name


def refused_machine(cluster: Cluster, chain: tuple[str, ...]) -> str:
    ports = dataclasses.replace(cluster.ports(), key_pool=NoKeys())
    with pytest.raises(RmsError) as caught:
        certify(CertifyRequest(chain, True), cluster.caller(AUTHOR), cluster.state, ports, NOW)
    assert clean(caught.value, ports, cluster)
    return caught.value.short_name


class NoKeys:
    """A pool that nobody may ask before everything is checked."""

    def take(self, bits: int) -> PrivateKey:
        raise AssertionError("a key was taken")


@pytest.mark.parametrize("change", CHANGES)
def test_hostile_account_certificate(mode_2: Cluster, change: str) -> None:
    """Each change of a genuine RAC is refused under a name of the account certificate, with nothing of it in the fault."""
    chain = mode_2.account(AUTHOR).chain
    hostile = CHANGES[change](chain[0])
    assert hostile != chain[0]
    names = ("UnexpectedPersonaCertException", "InvalidPersonaCertSignatureException")
    if change == "an unknown hash":
        names = ("UnsupportedCryptographicSetException",) * 2
    assert len(hostile) < 30_720  # else it is refused for its size
    for sent in ((hostile, *chain[1:]), (hostile,)):
        assert refused_rac(mode_2, sent) in names


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("position", [0, 1, 4])
def test_hostile_machine_certificate(mode_2: Cluster, change: str, position: int) -> None:
    """The same on an SPC and on certificates above it."""
    chain = mode_2.machine().chain
    hostile = CHANGES[change](chain[position])
    assert hostile != chain[position]
    name = "UnsupportedCryptographicSet" if change == "an unknown hash" else "VerifyMachineCertificateChainFailed"
    assert len(hostile) < 30_720  # else it is refused for its size
    found = refused_machine(mode_2, (*chain[:position], hostile, *chain[position + 1 :]))
    assert found == name + "Exception"


def test_X7_oversized_certificates_are_not_read(mode_2: Cluster) -> None:
    """X7: what is above the limit is refused for its size alone."""
    bomb = "<a>" * 15_000 + "</a>" * 15_000
    assert refused_rac(mode_2, (bomb,)) == UnspecifiedError().short_name
    assert refused_machine(mode_2, (bomb, bomb)) == UnspecifiedError().short_name


def test_the_next_request_is_served(mode_2: Cluster) -> None:
    """After a refusal the genuine certificate works, on the same ports."""
    chain, ports, caller = mode_2.account(AUTHOR).chain, mode_2.ports(), mode_2.caller(AUTHOR)
    for change in CHANGES.values():
        hostile = (change(chain[0]), *chain[1:])
        with pytest.raises(RmsError):
            get_client_licensor_cert(GetClientLicensorCertRequest((hostile,)), caller, mode_2.state, ports, NOW)
        assert get_client_licensor_cert(GetClientLicensorCertRequest((chain,)), caller, mode_2.state, ports, NOW).chains
