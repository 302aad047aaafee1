"""Activation requests pass through ([MS-RMPR] 3.2.4.1)."""

from __future__ import annotations

import pytest

from rmsserver.errors import ArgumentNull, ClusterDecommissioned, UnspecifiedError
from rmsserver.operations.activate import ActivateRequest, activate
from rmsserver.ports import SoapMessage
from rmsserver.stores.memory import MemoryPeers
from tests.cluster import NOW, Cluster

URL = "https://activation.example.net/activation.asmx"
MESSAGE = SoapMessage("text/xml; charset=utf-8", b"<request/>", '"a"')
ANSWER = SoapMessage("application/dime", b"\x0c...")


def ask(
    cluster: Cluster, found: tuple[bool, ...] | None = (True,), message: SoapMessage = MESSAGE
) -> tuple[SoapMessage, MemoryPeers]:
    ports = cluster.ports()
    assert isinstance(ports.peers, MemoryPeers)
    ports.peers.activations[URL] = ANSWER
    answer = activate(ActivateRequest(found, message), cluster.caller(None), cluster.state, ports, NOW)
    return answer, ports.peers


def test_the_request_goes_to_the_configured_service(mode_2: Cluster) -> None:
    """As it stands, and so does its answer."""
    answer, peers = ask(mode_2.with_state(activation_url=URL))
    assert answer is ANSWER
    assert peers.asked == [(URL, MESSAGE)]


def test_without_a_service(mode_2: Cluster) -> None:
    """What servers answer since the public service ended (notes 33, 34)."""
    with pytest.raises(UnspecifiedError):
        ask(mode_2)


@pytest.mark.parametrize("found", [None, (), (True, False)])
def test_no_hardware_id(mode_2: Cluster, found: tuple[bool, ...] | None) -> None:
    """3.2.4.1: a proper request has one; nobody is asked."""
    with pytest.raises(ArgumentNull):
        ask(mode_2.with_state(activation_url=URL), found)


def test_too_large(mode_2: Cluster) -> None:
    """At the limit passed on, one octet above refused."""
    cluster = mode_2.with_state(activation_url=URL)
    ask(cluster, message=SoapMessage("text/xml", bytes(256 * 1024)))
    with pytest.raises(UnspecifiedError):
        ask(cluster, message=SoapMessage("text/xml", bytes(256 * 1024 + 1)))
    with pytest.raises(UnspecifiedError):
        ask(cluster, (True,) * 101)


def test_decommissioned(mode_2: Cluster) -> None:
    """First of all checks."""
    with pytest.raises(ClusterDecommissioned):
        ask(mode_2.with_state(decommissioned=True), None)
