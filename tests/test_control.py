"""rmsserver.control"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rmsserver.control import SOCKET_NAME, ControlSocket, NobodyServes, Verb, ask
from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable


def _refuse(_fields: Mapping[str, Any]) -> object:
    raise PortUnavailable("the directory is away")


def _break(_fields: Mapping[str, Any]) -> object:
    raise ZeroDivisionError("secret")


VERBS: dict[str, Verb] = {"echo": dict, "refuse": _refuse, "break": _break}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a name longer than a socket's address may be."""
    folder = tmp_path / ("long-" * 30)
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def served(home: Path) -> Iterator[ControlSocket]:
    control = ControlSocket(home, VERBS)
    control.start()
    yield control
    control.stop()


def test_a_question_is_answered(served: ControlSocket, home: Path) -> None:
    """Fields go to the verb, its answer comes back, again and again."""
    assert ask(home, "echo", who="alice") == {"who": "alice"}
    assert ask(home, "echo", who=None) == {"who": None}


def test_the_socket_is_its_owners_alone(served: ControlSocket, home: Path) -> None:
    """Nobody else may ask."""
    assert (home / SOCKET_NAME).stat().st_mode & 0o777 == 0o600


def test_a_refusal_is_one_line(served: ControlSocket, home: Path) -> None:
    """What a verb refuses is told; what breaks it is not, and the next question is answered."""
    with pytest.raises(OperatorError, match="the directory is away"):
        ask(home, "refuse")
    with pytest.raises(OperatorError, match="see its log") as caught:
        ask(home, "break")
    assert "secret" not in str(caught.value)
    assert ask(home, "echo") == {}


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"verb": "unknown"}\n', b"7\n", b"[" * 30_000 + b"\n"])
def test_malformed_questions(served: ControlSocket, home: Path, line: bytes) -> None:
    """What is no question is refused, and harms nothing."""
    with _connection(home) as peer:
        peer.sendall(line)
        assert b'"error"' in peer.recv(4096)
    assert ask(home, "echo") == {}


def test_an_endless_line_is_cut_off(served: ControlSocket, home: Path) -> None:
    """Memory is bounded: a line that does not end is not waited for."""
    with _connection(home) as peer, pytest.raises(OSError):  # noqa: PT012 - which call notices is a matter of timing
        for _ in range(64):
            peer.sendall(b"x" * 4096)
        raise ConnectionResetError if peer.recv(1) == b"" else AssertionError
    assert ask(home, "echo") == {}


def test_nobody_serves(home: Path) -> None:
    """Without a serving process it says so; also where one left its socket behind."""
    with pytest.raises(NobodyServes, match="no process serves"):
        ask(home, "echo")
    with socket.socket(socket.AF_UNIX) as left_behind:
        _at(home, left_behind.bind)
    with pytest.raises(NobodyServes):
        ask(home, "echo")


def test_a_socket_left_behind_is_replaced(home: Path) -> None:
    """After a crash the next process takes the place over."""
    with socket.socket(socket.AF_UNIX) as left_behind:
        _at(home, left_behind.bind)
    control = ControlSocket(home, VERBS)
    control.start()
    assert ask(home, "echo") == {}
    control.stop()
    assert not (home / SOCKET_NAME).exists()


def test_a_second_process_does_not_take_it_away(served: ControlSocket, home: Path) -> None:
    """Two servers on one home: the first keeps the socket, the second serves without."""
    second = ControlSocket(home, {})
    second.start()
    second.stop()
    assert ask(home, "echo") == {}


def _connection(home: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(5)
    _at(home, peer.connect)
    return peer


def _at(home: Path, act: Any) -> None:
    folder = os.open(home, os.O_RDONLY)
    act(f"/proc/self/fd/{folder}/{SOCKET_NAME}")
    os.close(folder)
