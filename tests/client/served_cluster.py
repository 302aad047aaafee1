"""A whole cluster served by the real `rmsserver serve`, and `rmsclient` commands of several people against
it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from rmsserver.cli.program import one_line
from rmsserver.cli.rmsclient import program
from rmsserver.client.errors import ClientError

PASSWORD = "correct horse"
PEOPLE = ("author", "reader", "outsider")


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `error` is the line on standard error of one that failed."""

    code: int
    output: bytes
    error: str

    @property
    def text(self) -> str:
        return self.output.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.output)


@dataclass
class ServedCluster:
    home: Path
    port: int
    tls: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/_wmcs"

    def rmsserver(self, *words: str) -> str:
        """Run a command of the operator's."""
        done = self._run(words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rmsserver_fails(self, *words: str) -> str:
        """Run a command that must end with 2 and one line, which is returned."""
        done = self._run(words)
        assert done.returncode == 2, done.stdout
        assert done.stderr.count("\n") == 1
        return done.stderr

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_command("rmsserver"), *words, "--home", str(self.home)],
            env={**os.environ, "RMS_USER_PASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def create(self, *options: str) -> None:
        """Cluster, three people who can sign on by NTLM, a fourth who cannot, a group and a template."""
        passphrase = self.home / "passphrase"
        self.home.mkdir(mode=0o700, parents=True)
        self.rmsserver("init", "--base-url", self.url, "--passphrase-file", str(passphrase), *options)
        for person in PEOPLE:
            self.rmsserver("user", "add", person, "--email", f"{person}@example.com", "--ntlm")
        self.rmsserver("user", "add", "plain", "--email", "plain@example.com")
        self.rmsserver("group", "add", "staff@example.com")
        self.rmsserver("group", "add-member", "staff@example.com", "reader@example.com")

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        words = ["serve", "--home", str(self.home), "--listen", f"127.0.0.1:{self.port}"]
        if self.tls:
            words += ["--tls-cert", str(self.tls), "--tls-key", str(self.tls)]
        process = subprocess.Popen(
            [*_command("rmsserver"), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        try:
            self._wait(process)
            yield
        finally:
            process.terminate()
            process.wait(20)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert process.poll() is None, "the server ended"
            with contextlib.suppress(OSError):
                if self.tls:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                else:
                    urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2).close()
                return
            time.sleep(0.05)
        raise AssertionError("the server did not become ready")

    def store(self, who: str) -> Path:
        return self.home / f"client-of-{who}"

    def rmsclient(self, who: str, *words: str, password: str | None = PASSWORD) -> Outcome:
        """Run a client command in this process, with a store of that person's own."""
        return rmsclient(self.store(who), *words, password=password)

    def bootstrap(self, who: str, *words: str, password: str = PASSWORD) -> Outcome:
        return self.rmsclient(who, "bootstrap", "--url", self.url, "--user", who, *words, password=password)


def rmsclient(store: Path, *words: str, password: str | None = PASSWORD) -> Outcome:
    """A client command, ending as `Program.run` ends it: 0, or 2 and one line."""
    environment = {"RMSCLIENT_HOME": str(store), "RMSCLIENT_PASSWORD": password}
    result = CliRunner().invoke(program, list(words), env=environment, prog_name="rmsclient")
    if isinstance(result.exception, (ClientError, OSError)):
        return Outcome(2, result.stdout_bytes, one_line(result.exception))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout_bytes, result.stderr)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(name: str) -> list[str]:
    return [sys.executable, "-c", f"from rmsserver.cli.{name} import main; main()"]
