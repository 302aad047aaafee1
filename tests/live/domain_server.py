"""`rmsserver serve` as a process of its own, in the test domain; and people of the domain at its door."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.live import people
from tests.live.samba import Domain

LIFETIME_S = 2
"""Of what the server remembers about accounts and groups."""
SERVICE = "HTTP/localhost"
LICENSING = "/_wmcs/licensing/license.asmx"


@dataclass
class DomainServer:
    """A cluster whose accounts are those of the domain. `folder` holds its home and everything about it."""

    domain: Domain
    folder: Path
    port: int
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}/_wmcs"

    @property
    def home(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def create(self, *, channel_binding: str = "optional", basic: str = "secure-or-loopback") -> None:
        passphrase = self.home / "passphrase"
        self.run("init", "--base-url", self.url, "--passphrase-file", str(passphrase), "--name", "DOMAIN-RMS")
        password = self.folder / "bind-password"
        password.touch(mode=0o600)
        password.write_text(people.PASSWORD + "\n")
        domain = self.domain
        (self.home / "rmsserver.toml").write_text(
            f'passphrase_source = "file"\npassphrase_file = "{passphrase}"\n'
            f'[directory]\nkind = "ldap"\ncontrollers = ["{domain.controllers[0].uri()}"]\n'
            f'bind_user = "svc-bind@rms.test"\nbind_password_file = "{password}"\n'
            f'ca_file = "{domain.certificate_authority}"\n'
            f"lifetime_seconds = {LIFETIME_S}\nnegative_lifetime_seconds = 1\n"
            f'[sign_on]\nkeytab = "{domain.service_keytab}"\nntlm_auth = "{ntlm_auth_of(domain)}"\n'
            f'channel_binding = "{channel_binding}"\nbasic = "{basic}"\nservice_principals = ["{SERVICE}"]\n'
        )
        if self.tls:
            self.domain.authority.issue(
                "localhost", "127.0.0.1", certificate_file=self.folder / "tls.pem", key_file=self.folder / "tls.key"
            )

    @contextmanager
    def serving(self) -> Iterator[DomainServer]:
        """Ready on entry, ended on exit."""
        words = ["serve", "--home", str(self.home), "--listen", f"127.0.0.1:{self.port}"]
        if self.tls:
            words += ["--tls-cert", str(self.folder / "tls.pem"), "--tls-key", str(self.folder / "tls.key")]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen([*_command("rmsserver"), *words], stdout=log, stderr=log)
            try:
                self._wait(process)
                yield self
            finally:
                process.terminate()
                process.wait(15)

    def client(
        self, who: str, *words: str, password: str | None = people.PASSWORD, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `rmsclient` with a store of that person's own; without a password nobody is asked for one either."""
        root = str(Path(__file__).parents[2])
        given = {
            **os.environ,
            "PYTHONPATH": root,
            "RMSCLIENT_HOME": str(self.folder / f"client-of-{who}"),
            **environment,
        }
        given.setdefault("KRB5CCNAME", f"FILE:{self.folder}/no-tickets")
        if password is not None:
            given["RMSCLIENT_PASSWORD"] = password
        return subprocess.run(
            [*_command("rmsclient"), *words],
            env=given,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def tickets(self, who: str, *words: str) -> Path:
        """A credential cache of its own with a fresh ticket-granting ticket."""
        cache = self.folder / f"tickets-of-{who}{''.join(words)}"
        subprocess.run(
            ["kinit", *words, "-c", f"FILE:{cache}", f"{who}@{people.REALM}"],
            input=people.PASSWORD + "\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return cache

    def run(self, *words: str) -> str:
        """Run `rmsserver` on the cluster's home; what it prints."""
        command = [*_command("rmsserver"), *words, "--home", str(self.home)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            if self.tls:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                        return
            else:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2):
                        return
                except OSError:
                    pass
            time.sleep(0.1)
        raise AssertionError(f"the server did not start: {self.log}")


def ntlm_auth_of(domain: Domain) -> Path:
    """`ntlm_auth`, talking to this domain's winbind.

    The library in it knows one place for winbind's socket. Where another domain on this machine has that place, the program
    runs in a view of the file system of its own, in which our winbind is there.
    """
    first = domain.controllers[0]
    program = domain.home / "ntlm_auth"
    own = first.home / "winbindd"
    start = f'ntlm_auth --configfile={first.configuration} "$@"'
    if (own / "pipe").exists():
        inside = f"mount --bind {own} /run/samba/winbindd && exec {start}"
        program.write_text(f"#!/bin/sh\nexec unshare --mount --propagation private sh -c '{inside}' ntlm_auth \"$@\"\n")
    else:
        program.write_text(f"#!/bin/sh\nexec {start}\n")
    program.chmod(0o755)
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _command(name: str) -> list[str]:
    return [sys.executable, "-c", f"from rmsserver.cli.{name} import main; main()"]
