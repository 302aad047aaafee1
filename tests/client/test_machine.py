"""Machine certificates: signed by the cluster, or under a bundle's issuer."""

from __future__ import annotations

import base64
import dataclasses
import json
import re

import pytest

from rmsserver.client.bundle import ClientBundle
from rmsserver.client.errors import ServerAnswerError, SetupError, TrustError
from rmsserver.client.machine import (
    CLIENT_VERSION,
    Machine,
    check_machine,
    platform_version,
    request_machine,
    sign_machine,
)
from rmsserver.client.transport import HttpConnection
from rmsserver.xrml.chain import close_machine_chain, read_machine_chain
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey
from tests import cluster as clusters
from tests.client.http_server import Received, Reply, serving
from tests.client.peer import CLUSTER, machine
from tests.cluster import NOW, key, make_cluster

BUNDLE = ClientBundle(CLUSTER.servers.root.public, CLUSTER.machines.licensor.chain, CLUSTER.machines.licensor.key)


def _signing(request: Received) -> Reply:
    """The cluster's endpoint: signs the public key it is sent."""
    value = json.loads(request.body)
    modulus = base64.b64decode(value["modulus"])
    public = PublicKey(int.from_bytes(modulus), len(modulus) * 8)
    fake = dataclasses.replace(key("unused", 2048), public=public)
    made = CLUSTER.machine("new", machine_key=fake)
    return Reply(200, json.dumps({"chain": list(made.chain)}).encode(), {"Content-Type": "application/json"})


def test_the_cluster_signs_what_the_machine_sends() -> None:
    """Public half, digest and platform go out; the chain comes back for exactly that key."""
    with serving(_signing) as server:
        made = request_machine(HttpConnection(), f"{server.url}/_wmcs", CryptoMode.MODE_2)
    (request,) = server.received
    sent = json.loads(request.body)
    assert request.path == "/_rmsserver/machine-certificate"
    assert set(sent) == {"modulus", "hardware_digest", "platform"}
    assert len(base64.b64decode(sent["hardware_digest"])) == 32
    assert base64.b64decode(sent["modulus"]) == made.key.public.modulus.to_bytes(256)
    assert made.spc.principal.public_key == made.key.public


@pytest.mark.parametrize("body", [b"", b"[]", b'{"chain": "x"}', b'{"chain": [1]}', b"<html>"])
def test_another_answer_says_what_to_do(body: bytes) -> None:
    """A server that does not sign machine certificates."""
    with serving(lambda _r: Reply(200, body)) as server, pytest.raises(ServerAnswerError, match="--bundle"):
        request_machine(HttpConnection(), f"{server.url}/_wmcs", CryptoMode.MODE_2)


@pytest.mark.parametrize(
    ("status", "advice"),
    [(403, "may not"), (404, "--bundle"), (422, "refused"), (503, "later"), (418, "418")],
)
def test_a_refusal_says_what_to_do(status: int, advice: str) -> None:
    """Each status of the endpoint has its line; nothing of the body is repeated."""
    with (
        serving(lambda _r: Reply(status, b'{"error": "inside"}')) as server,
        pytest.raises(ServerAnswerError, match=advice) as caught,
    ):
        request_machine(HttpConnection(), f"{server.url}/_wmcs", CryptoMode.MODE_2)
    assert "inside" not in str(caught.value)


def test_a_certificate_for_another_key_is_refused() -> None:
    """The server answers with somebody else's certificate."""
    chain = json.dumps({"chain": list(machine("somebody").chain)}).encode()
    with serving(lambda _r: Reply(200, chain)) as server, pytest.raises(TrustError, match="another key"):
        request_machine(HttpConnection(), f"{server.url}/_wmcs", CryptoMode.MODE_2)


@pytest.mark.parametrize("mode", CryptoMode)
def test_a_bundle_signs_what_a_server_accepts(mode: CryptoMode) -> None:
    """A self-signed machine chain closes for a server that trusts the bundle's issuer, in either mode."""
    cluster = make_cluster(mode)
    issuer = cluster.machines.licensor
    bundle = ClientBundle(cluster.servers.root.public, issuer.chain, issuer.key)
    made = sign_machine(bundle, mode, NOW)
    close_machine_chain(read_machine_chain(made.chain), cluster.state.trusted_machine_issuers, {})
    assert str(made.spc.security_processor_version) == CLIENT_VERSION
    assert sign_machine(bundle, mode, NOW).key.public != made.key.public


def test_a_bundle_survives_its_file() -> None:
    """pack and unpack; the private key is not in the representation."""
    assert ClientBundle.unpack(BUNDLE.pack()) == BUNDLE
    assert "issuer_key" not in repr(BUNDLE)


def _other_key(value: dict[str, object]) -> None:
    value["spc_issuer_key"] = base64.b64encode(key("other", 2048).to_der()).decode()


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.update(format="other"),
        lambda v: v.pop("root"),
        lambda v: v.update(spc_issuer_chain=[]),
        lambda v: v.update(spc_issuer_chain=["<a/>"]),
        lambda v: v.update(spc_issuer_key="AAAA"),
        lambda v: v["root"].update(modulus="AAAA"),
        _other_key,
    ],
)
def test_other_files_are_no_bundles(change: object) -> None:
    """A bundle with anything missing, damaged, or a key that is not the issuer's."""
    value = json.loads(BUNDLE.pack())
    assert callable(change)
    change(value)
    with pytest.raises(SetupError, match="bundle"):
        ClientBundle.unpack(json.dumps(value).encode())
    with pytest.raises(SetupError, match="bundle"):
        ClientBundle.unpack(b"{")


def test_a_chain_is_checked_link_by_link() -> None:
    """Foreign issuers, missing links and the other mode are refused."""
    own, other = machine(), make_cluster(CryptoMode.MODE_2, "other").machines.licensor.chain
    check_machine(own, CryptoMode.MODE_2)
    for chain in ((own.chain[0],), (own.chain[0], *other), (*own.chain[:2], *other[1:])):
        with pytest.raises(TrustError):
            check_machine(Machine(own.key, chain), CryptoMode.MODE_2)
    with pytest.raises(TrustError):
        check_machine(own, CryptoMode.MODE_1)


def test_platform_is_dotted_numbers() -> None:
    """Four numbers on every system."""
    assert re.fullmatch(r"\d+(\.\d+){3}", platform_version())


def test_keys_do_not_print() -> None:
    """A machine's representation shows no key."""
    own = clusters.key("machine laptop", 2048)
    assert isinstance(own, PrivateKey)
    assert "key" not in repr(Machine(own, ()))
