"""rmsserver.directory.ldap.liveness"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from rmsserver.directory.ldap.answers import ControllerDown
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.liveness import check_alive


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of somebody who accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def test_accepting_is_enough_without_tls(silent: int) -> None:
    """With ldap:// there is nothing to say before the first request."""
    check_alive(f"ldap://127.0.0.1:{silent}", Deadline.after(5))


def test_K6_silence_before_the_handshake(silent: int) -> None:
    """K6: a handshake that is not answered ends at the deadline."""
    start = time.monotonic()
    with pytest.raises(ControllerDown, match="timed out"):
        check_alive(f"ldaps://127.0.0.1:{silent}", Deadline.after(0.2))
    assert time.monotonic() - start < 2


def test_nobody_there(silent: int) -> None:
    """A refused connection is known at once."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(ControllerDown, match="refused"):
        check_alive(f"ldap://127.0.0.1:{port}", Deadline.after(5))
