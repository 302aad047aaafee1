"""A real HTTP server that does nothing but sign people on: run as a program, for the clients in test_sign_on.py.

    python -m tests.live.sign_on_server plain|tls optional|required

Prints its port, and answers every request with the account, the connection's number and the digest of the body.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as _reactor
from twisted.internet import ssl as _ssl
from twisted.internet import threads
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.server import Site as _Site

from rmsserver.auth import Challenge, ConnectionAuth, Identity
from rmsserver.auth.basic import BasicScheme, BasicUse
from rmsserver.auth.connection import HttpAuthenticator, SignOnSettings
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import ChannelBinding
from rmsserver.auth.ntlm import HashVerifier, NtlmMechanism, NtlmSettings, ServerNames
from tests.auth.accounts import Accounts

# Twisted is typed in parts only.
reactor: Any = _reactor
ssl: Any = _ssl
Site: Any = _Site


class SignOn(Resource):
    isLeaf = True  # noqa: N815  # Twisted's name

    def __init__(self, authenticator: HttpAuthenticator, bindings: bytes | None) -> None:
        init: Any = super().__init__
        init()
        self._authenticator = authenticator
        self._bindings = bindings
        self._numbers = itertools.count(1)
        self._connections: WeakKeyDictionary[Any, tuple[int, ConnectionAuth]] = WeakKeyDictionary()

    def render(self, request: Any) -> int:
        if request.channel not in self._connections:
            auth = self._authenticator.connection(secure=self._bindings is not None, channel_bindings=self._bindings)
            self._connections[request.channel] = (next(self._numbers), auth)
        number, auth = self._connections[request.channel]
        address = request.getClientAddress()
        step = threads.deferToThread(
            auth.step,
            request.getHeader("authorization"),
            client_address=getattr(address, "host", ""),
            forwarded=any(request.getHeader(name) for name in ("via", "forwarded", "x-forwarded-for")),
        )
        step.addCallback(self._answer, request, number)
        return NOT_DONE_YET

    def _answer(self, result: Identity | Challenge, request: Any, number: int) -> None:
        if isinstance(result, Challenge):
            request.setResponseCode(401)
            request.responseHeaders.setRawHeaders("WWW-Authenticate", list(result.headers))
            request.write(b"signed off")
        else:
            if result.confirmation:
                request.setHeader("WWW-Authenticate", result.confirmation)
            body = request.content.read() if request.content else b""
            account, how = result.account.name, result.authentication.value
            request.write(f"{account} {how} {number} {hashlib.sha256(body).hexdigest()}".encode())
        request.finish()


def certificate(folder: Path) -> tuple[Path, bytes]:
    """A self-signed certificate for 127.0.0.1: the file with certificate and key, and its DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path, made.public_bytes(serialization.Encoding.DER)


def main(transport: str, binding: str) -> None:
    credentials, guessing = Accounts(), PasswordGuessing()
    ntlm = NtlmMechanism(
        HashVerifier(credentials, ServerNames("EXAMPLE", "RMS", "example.com", "rms.example.com")),
        guessing,
        NtlmSettings(channel_binding=ChannelBinding(binding)),
    )
    authenticator = HttpAuthenticator(
        [ntlm], BasicScheme(credentials, guessing), SignOnSettings(basic=BasicUse.SECURE_OR_LOOPBACK)
    )
    if transport == "tls":
        with tempfile.TemporaryDirectory() as folder:
            path, der = certificate(Path(folder))
            context = ssl.DefaultOpenSSLContextFactory(str(path), str(path))
        bindings = b"tls-server-end-point:" + hashlib.sha256(der).digest()
        port = reactor.listenSSL(0, Site(SignOn(authenticator, bindings)), context, interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, Site(SignOn(authenticator, None)), interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
