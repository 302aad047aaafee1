"""One server for all wire tests: the real stack, with operations that answer what they were sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from twisted.python.threadpool import ThreadPool

from rmsserver.auth.policy import AccessPolicy
from rmsserver.errors import NoRightsForRequestedPrincipal, UnauthorizedAccess
from rmsserver.operations.acquire_license import AcquireLicenseRequest, AcquireLicenseResult
from rmsserver.operations.certify import CertifyRequest, CertifyResult
from rmsserver.operations.machine_certificate import MachineCertificateRequest, MachineCertificateResult
from rmsserver.state import RequestContext
from rmsserver.web.health import Metrics
from rmsserver.web.machine_certificate import MachineCertificateEndpoint
from rmsserver.web.site import WebParts
from rmsserver.web.tls import Tls
from tests.auth.federation.partner import certificate, pem, rsa_key
from tests.http_server import NamedSignOn, RunningServer
from tests.soap_messages import Served


def certify(request: CertifyRequest, caller: RequestContext, *_: Any) -> CertifyResult:
    """The chain that was sent, and who sent it."""
    account = caller.domain_account
    name = account.name if account else "nobody"
    return CertifyResult((*(request.machine_chain or ()), f'<WHO xmlns="">{name}</WHO>'))


def acquire_license(request: AcquireLicenseRequest, *_: Any) -> AcquireLicenseResult:
    """For each item its issuance licence, or a refusal where there is none."""
    return AcquireLicenseResult(
        tuple(item.issuance_license or NoRightsForRequestedPrincipal() for item in request.items or ())
    )


def issue(request: MachineCertificateRequest, caller: RequestContext, *_: Any) -> MachineCertificateResult:
    if request.platform == "6.6.6":
        raise UnauthorizedAccess("detail that stays here")
    return MachineCertificateResult((request.modulus.hex(), request.hardware_digest.hex()))


class WireServer:
    def __init__(self) -> None:
        self.served = Served(certify=certify, acquire_license=acquire_license)
        self.sign_on = NamedSignOn()
        self.is_ready = True
        self.http = RunningServer(self._parts)

    def _parts(self, workers: ThreadPool) -> WebParts:
        return WebParts(
            dispatcher=self.served.dispatcher,
            authenticator=self.sign_on,
            workers=workers,
            policy=lambda: AccessPolicy().with_anonymous_licensing(),
            machine_certificates=MachineCertificateEndpoint(self.served.runtime, issue),
            ready=lambda: self.is_ready,
            metrics=Metrics(),
        )


@pytest.fixture(scope="session")
def wire_server() -> Iterator[WireServer]:
    server = WireServer()
    yield server
    server.http.stop()


@pytest.fixture
def http(wire_server: WireServer) -> RunningServer:
    return wire_server.http


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A server's key and certificate, signed by nobody else."""
    folder, key = tmp_path_factory.mktemp("tls"), rsa_key(3)
    (folder / "server.pem").write_bytes(pem(certificate(key)))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Tls.load(folder / "server.pem", folder / "key.pem")
