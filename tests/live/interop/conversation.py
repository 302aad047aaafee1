"""A client program of another language, and the lines it exchanges with the test.

Question and answer are lines `name base64-of-UTF-8`, ended by an empty line: whatever a language thinks of encodings,
quotes and line ends, the documents come through. A question begins with `operation` and `version` (of VersionData);
an answer holds what the proxy returned, or `code` and `fault` of the exception that it threw.
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VERSION = "1.0.0.0"


class ForeignFault(Exception):
    """What the stack raised: `code` and `text` as its own exception has them."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Answer:
    """Names and values in order."""

    lines: tuple[tuple[str, str], ...]

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for found, value in self.lines if found == name)

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def pairs(self, first: str, second: str) -> tuple[tuple[str, str], ...]:
        """Entries that are two lines each."""
        return tuple(zip(self.all(first), self.all(second), strict=True))

    def items(self, name: str) -> list[tuple[str, ...]]:
        """The values of a name in groups: a line `item` begins each."""
        groups: list[list[str]] = []
        for found, value in self.lines:
            if found == "item":
                groups.append([])
            elif found == name:
                groups[-1].append(value)
        return [tuple(group) for group in groups]


class Conversation:
    """One person's client program while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextlib.contextmanager
    def begin(cls, command: Sequence[str], login: str, password: str) -> Iterator[Conversation]:
        environment = {**os.environ, "RMS_LOGIN": login, "RMS_PASSWORD": password}
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, encoding="ascii"
        ) as process:
            yield cls(process)
            assert process.stdin is not None
            process.stdin.close()

    def ask(self, operation: str, *lines: tuple[str, str], version: str = VERSION) -> Answer:
        """Have the proxy called. Raises ForeignFault; fails where the program ended."""
        question = (("operation", operation), ("version", version), *lines)
        assert self._process.stdin is not None
        self._process.stdin.write("".join(f"{name} {_encoded(value)}\n" for name, value in question) + "\n")
        self._process.stdin.flush()
        answer = Answer(tuple(self._read()))
        if answer.all("fault"):
            raise ForeignFault(answer.one("code"), answer.one("fault"))
        return answer

    def _read(self) -> Iterator[tuple[str, str]]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line == "\n":
                return
            name, _, value = line.rstrip("\n").partition(" ")
            yield name, base64.b64decode(value, validate=True).decode()
        raise AssertionError("the client program ended: what it says is on standard error")


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
