"""`rmsserver serve` as a process of its own, its log in reach, and people who ask it everything in bytes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rmsserver.xrml.clc import acquisition_points_xml
from rmsserver.xrml.enabling_bits import RESERVED_CBC_4K, ContentKey
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.license import write_publishing_license
from rmsserver.xrml.principal import object_xml
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import Right, owner_metadata_xml, write_rights_data
from rmsserver.xrml.values import Guid
from tests.client.served_cluster import PASSWORD, free_port
from tests.cluster import grantee, key
from tests.http_server import Response, Wire, request
from tests.wire import calls

_CERTIFICATE = re.compile(r"<Certificate>(<XrML.*?</XrML>)</Certificate>", re.DOTALL)


def certificates(answer: Response) -> tuple[str, ...]:
    """The documents of an answer, in order."""
    assert answer.status == 200, answer.body[:600]
    return tuple(_CERTIFICATE.findall(answer.body.decode()))


@dataclass
class ServingProcess:
    """A cluster's home and, inside `serving`, the process."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def command(self, *words: str) -> str:
        done = subprocess.run(
            [*_rmsserver(), *words, "--home", str(self.home)],
            env={**os.environ, "RMS_USER_PASSWORD": PASSWORD},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create(self, *people: str, settings: str = "") -> None:
        url = f"http://127.0.0.1:{self.port}/_wmcs"
        passphrase = str(self.folder / "passphrase")
        self.command("init", "--base-url", url, "--passphrase-file", passphrase)
        for person in people:
            self.command("user", "add", person, "--email", f"{person}@example.com", "--ntlm")
        file = self.home / "rmsserver.toml"
        file.write_text(settings + file.read_text("utf-8"), "utf-8")

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        listen = f"127.0.0.1:{self.port}"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_rmsserver(), "serve", "--home", str(self.home), "--listen", listen],
                stdout=log,
                stderr=log,
                # A test run that a shell put into the background ignores SIGINT, and so would the server.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        try:
            self._wait()
            yield
        finally:
            self.end()

    def end(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """The exit status after a signal. Idempotent."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        return self.process.wait(30)

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, self.log
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2).close()
                return
            time.sleep(0.05)
        raise AssertionError("the server did not become ready")

    # --- people -----------------------------------------------------------------------------------------------------

    def connect(self) -> Wire:
        return Wire(socket.create_connection(("127.0.0.1", self.port), timeout=60))

    def send(self, data: bytes) -> Response:
        with self.connect() as wire:
            return wire.ask(data)

    def ask(self, operation: str, parameters: str, person: str = "author", **how: str) -> Response:
        return self.send(calls.call(operation, parameters, person=person, **how))  # type: ignore[arg-type]

    def machine(self, person: str, name: str) -> tuple[PrivateKey, tuple[str, ...]]:
        """A machine's key and the certificate chain that the server signs for it."""
        own = key(f"machine {name}", 2048)
        modulus = own.public.modulus.to_bytes(256)
        body = json.dumps(
            {
                "modulus": base64.b64encode(modulus).decode(),
                "hardware_digest": base64.b64encode(bytes(32)).decode(),
                "platform": "10.0",
            }
        ).encode()
        answer = self.send(
            request(
                "/_rmsserver/machine-certificate",
                body,
                content_type="application/json",
                Authorization=calls.signed_on(person),
            )
        )
        assert answer.status == 200, answer.body
        return own, tuple(json.loads(answer.body)["chain"])

    def certify(self, person: str, machine: tuple[PrivateKey, tuple[str, ...]]) -> tuple[tuple[str, ...], PrivateKey]:
        """The account certificate's chain, and the private key in it."""
        chain = certificates(self.ask("Certify", calls.certify(machine[1]), person))
        return chain, RightsAccountCertificate.read(chain[0]).open_private_key(machine[0], secrets.token_bytes(16))

    def unsigned_license(self, reader: str) -> tuple[str, ContentKey]:
        """An unsigned publishing licence that lets `reader` view, sealed to the server."""
        [slc, *_] = certificates(self.ask("GetLicensorCertificate", ""))
        server = IssuingCertificate.read(slc)
        content_key = ContentKey.build(secrets.token_bytes(32), RESERVED_CBC_4K)
        work = Guid.parse("0b0b0b0b-0000-4000-8000-0123456789ab")
        now = server.issued_time
        data = write_rights_data(
            work_id=work,
            owner_email="author@example.com",
            rights=(Right.of("VIEW", grantee(f"{reader}@example.com")),),
            issued=now,
        )
        text = write_publishing_license(
            descriptor="",
            issuer_inner="",
            server=server.principal,
            payload=content_key.payload,
            session_key=secrets.token_bytes(16),
            acquisition_points=acquisition_points_xml(f"http://127.0.0.1:{self.port}/_wmcs/licensing", None),
            referral=None,
            work=object_xml("", "MS-GUID", work.braced) + owner_metadata_xml("author@example.com"),
            encrypted_rights=content_key.encrypt_text(data),
            issued=now,
            mode=server.mode,
            signing_key=None,
        )
        return text, content_key


def _rmsserver() -> list[str]:
    return [sys.executable, "-c", "from rmsserver.cli.rmsserver import main; main()"]
