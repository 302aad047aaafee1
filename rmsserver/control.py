"""What administrators ask of a serving process on this machine: a socket in the cluster's home.

Who may open the home may ask: the home is its owner's alone, and so is the socket. A question is one line of JSON,
`{"verb": "...", ...}`, an answer one line too: `{"answer": ...}` or `{"error": "..."}`. One question at a time, each bounded
in size and time.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import structlog

from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable

SOCKET_NAME = "control.sock"
_LINE_LIMIT_BYTES = 65_536
_PEER_SECONDS = 2.0
_ANSWER_SECONDS = 10.0

Verb = Callable[[Mapping[str, Any]], Any]
"""Takes the question's other fields, returns what JSON can hold. May raise OperatorError and PortUnavailable."""

_log = structlog.get_logger()


class NobodyServes(OperatorError):
    """No process serves this home on this machine."""


class ControlSocket:
    """Answers questions from `start` to `stop`, in a thread of its own."""

    def __init__(self, home: Path, verbs: Mapping[str, Verb]) -> None:
        self._home = home
        self._verbs = verbs
        self._listening: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Where the socket cannot be had the server serves all the same, and the log says what is missing."""
        try:
            self._listening = self._listen()
        except OSError as error:
            _log.warning("control.unavailable", reason=str(error))
            return
        self._thread = threading.Thread(target=self._serve, args=(self._listening,), name="control", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        listening, self._listening = self._listening, None
        if listening is None or self._thread is None:
            return
        (self._home / SOCKET_NAME).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        listening.close()
        self._thread.join(_PEER_SECONDS)

    def _listen(self) -> socket.socket:
        path = self._home / SOCKET_NAME
        with contextlib.suppress(NobodyServes):
            with _connected(self._home):
                pass
            raise OSError("another process serves this home")
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        try:
            with _short_path(self._home) as short:
                listening.bind(short)
            path.chmod(0o600)
            listening.listen(8)
        except BaseException:
            listening.close()
            raise
        return listening

    def _serve(self, listening: socket.socket) -> None:
        while self._listening is listening:
            try:
                peer, _ = listening.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(_PEER_SECONDS)
                peer.sendall(_line(self._answer(_read_line(peer))))

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            verb = self._verbs[question.pop("verb")]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {"error": "the serving process does not know this question: is it of another version?"}
        try:
            return {"answer": verb(question)}
        except (OperatorError, PortUnavailable) as error:
            return {"error": getattr(error, "detail", "") or str(error)}
        except Exception as error:  # noqa: BLE001 - the socket must outlive any verb
            _log.error("control.failed", error=type(error).__name__)
            return {"error": "the serving process failed to answer: see its log"}


def ask(home: Path, verb: str, **fields: Any) -> Any:
    """The serving process's answer. Raises NobodyServes, or OperatorError where it refuses or does not answer in time."""
    with _connected(home) as peer:
        peer.settimeout(_ANSWER_SECONDS)
        try:
            peer.sendall(_line({"verb": verb, **fields}))
            answer = json.loads(_read_line(peer))
        except (OSError, ValueError):
            raise OperatorError("the serving process does not answer: see its log, or restart it") from None
    if "error" in answer:
        raise OperatorError(str(answer["error"]))
    return answer["answer"]


@contextlib.contextmanager
def _connected(home: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(_PEER_SECONDS)
        try:
            with _short_path(home) as short:
                peer.connect(short)
        except (FileNotFoundError, ConnectionRefusedError):
            raise NobodyServes(f"no process serves {home} on this machine") from None
        except PermissionError:
            raise OperatorError(f"{home / SOCKET_NAME}: not yours; run this as the account that serves") from None
        yield peer


@contextlib.contextmanager
def _short_path(home: Path) -> Iterator[str]:
    """The socket's path through an open folder: the address of a socket has room for 108 characters."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


def _read_line(peer: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = peer.recv(4096)
        data += piece
        if not piece or len(data) > _LINE_LIMIT_BYTES:
            raise OSError("no line")
    return data


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
