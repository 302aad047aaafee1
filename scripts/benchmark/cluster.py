"""A temporary cluster, and the real `rmsserver serve` on a core of its own."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rmsserver.cli.opening import open_home
from rmsserver.home import Home

PASSWORD = "correct horse battery"  # noqa: S105 - of accounts that live as long as the measurement
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """The measurement cannot go on; the text says why."""


@dataclass(frozen=True)
class Cluster:
    """A home with the product's own settings."""

    folder: Path
    port: int

    @classmethod
    def create(cls, folder: Path) -> Cluster:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            cluster = cls(folder / "cluster", int(probe.getsockname()[1]))
        passphrase = folder / "passphrase"
        cluster.command("init", "--base-url", cluster.url, "--passphrase-file", str(passphrase))
        settings = cluster.folder / "rmsserver.toml"
        settings.write_text('log_level = "warning"\n' + settings.read_text("utf-8"), "utf-8")
        for name in ("Staff", "Board"):
            cluster.command("template", "add", "--name", name, "--grant", f"{name.lower()}@example.com=VIEW,PRINT")
        return cluster

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/_wmcs"

    @property
    def home(self) -> Home:
        return open_home(self.folder)

    def command(self, *words: str) -> None:
        done = subprocess.run(  # noqa: S603 - our own command
            [*_rmsserver(), *words, "--home", str(self.folder)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchmarkError(f"rmsserver {words[0]}: {done.stderr.strip()}")

    def add_accounts(self, names: list[str]) -> None:
        """Accounts that may sign on with NTLM."""
        home = self.home
        administration = home.administration
        for name in names:
            administration.add_user(name, [f"{name}@example.com"], PASSWORD, ntlm=True)
        home.database.close()

    @contextmanager
    def serving(self, core: int) -> Iterator[Server]:
        """The server as a process on `core`, ready on entry and stopped on exit."""
        command = [*_rmsserver(), "serve", "--home", str(self.folder), "--listen", f"127.0.0.1:{self.port}"]
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            server = Server(self, process)
            server.wait_until_ready()
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _rmsserver() -> list[str]:
    return [sys.executable, "-c", "from rmsserver.cli.rmsserver import main; main()"]


@dataclass(frozen=True)
class Server:
    """The running process, seen from outside."""

    cluster: Cluster
    process: subprocess.Popen[bytes]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.cluster.port}/readyz", timeout=2):
                    return
            except OSError:
                time.sleep(0.1)
        raise BenchmarkError("the server did not become ready")

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far, without the key factory's, which is another process."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def memory_bytes(self) -> int:
        """Resident memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def wait_for_keys(self, limit_seconds: float = 600.0) -> None:
        """Until the key pool is full, so that nothing is measured while keys are made."""
        deadline = time.monotonic() + limit_seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._key_rows() >= self._wanted_rows() and not self._makes_keys():
                return
            time.sleep(0.1)
        raise BenchmarkError("the key pool did not fill")

    def _wanted_rows(self) -> int:
        sizes = self.cluster.home.config.key_pool
        return sizes.keys - sizes.staged

    def _key_rows(self) -> int:
        database = f"file:{self.cluster.folder / 'state.db'}?mode=ro"
        with closing(sqlite3.connect(database, uri=True, timeout=10)) as connection:
            return int(connection.execute("SELECT count(*) FROM key_pool").fetchone()[0])

    def _makes_keys(self) -> bool:
        """Whether the key factory runs: the server's only child."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return any(path.read_text().strip() for path in children)
