"""SOAP requests as bytes, and a dispatcher whose operations a test supplies."""

from __future__ import annotations

import functools
from typing import Any

from rmsserver.ports import Ports
from rmsserver.soap.dispatcher import SoapDispatcher, SoapRequest
from rmsserver.soap.operations import Operations
from rmsserver.soap.runtime import Runtime
from rmsserver.soap.wsdl import load_all
from rmsserver.stores.memory import MemoryAudit
from rmsserver.xrml.keys import CryptoMode
from tests.cluster import NOW, Cluster, make_cluster

ENVELOPE_11 = "http://schemas.xmlsoap.org/soap/envelope/"
ENVELOPE_12 = "http://www.w3.org/2003/05/soap-envelope"
TYPE_11 = "text/xml; charset=utf-8"
TYPE_12 = "application/soap+xml; charset=utf-8"
CERTIFICATION = "http://microsoft.com/DRM/CertificationService"
DECOMMISSION = "http://microsoft.com/DRM/DecommissionService"
LICENSING = "http://microsoft.com/DRM/LicensingService"
PUBLISHING = "http://microsoft.com/DRM/PublishingService"
REPUBLISHING = "http://microsoft.com/DRM/EditIssuanceLicenseService"
SERVER = "http://microsoft.com/DRM/ServerService"
TEMPLATES = "http://microsoft.com/DRM/TemplateDistributionService"

XRML = '<XrML xmlns="" version="1.2"><BODY type="LICENSE" ><A  b = "&gt;"></A>\u00e9 \u20ac</BODY ></XrML>'
"""A document with spellings that no parser would write back as they stand."""


def envelope(body: str, *, header: str = "", soap: str = ENVELOPE_11) -> str:
    head = f"<soap:Header>{header}</soap:Header>" if header else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="{soap}">{head}<soap:Body>{body}</soap:Body></soap:Envelope>'
    )


def version_data(namespace: str, minimum: str | None = "1.0.0.0", maximum: str | None = "1.0.0.0") -> str:
    low = "" if minimum is None else f"<MinimumVersion>{minimum}</MinimumVersion>"
    high = "" if maximum is None else f"<MaximumVersion>{maximum}</MaximumVersion>"
    return f'<VersionData xmlns="{namespace}">{low}{high}</VersionData>'


def certify_body(*certificates: str, persistent: str = "<Persistent>true</Persistent>") -> str:
    chain = "".join(f"<Certificate>{certificate}</Certificate>" for certificate in certificates)
    return (
        f'<Certify xmlns="{CERTIFICATION}"><requestParams><MachineCertificateChain>{chain}'
        f"</MachineCertificateChain>{persistent}</requestParams></Certify>"
    )


@functools.cache
def cluster() -> Cluster:
    return make_cluster(CryptoMode.MODE_2)


class Served:
    """A dispatcher with what it is made of in reach."""

    def __init__(self, **operations: Any) -> None:
        self.ports: Ports = cluster().ports()
        self.runtime = Runtime(lambda: cluster().state, self.ports, lambda: NOW)
        self.dispatcher = SoapDispatcher(load_all(), self.runtime, Operations(**operations))

    @property
    def audit(self) -> MemoryAudit:
        audit = self.ports.audit
        assert isinstance(audit, MemoryAudit)
        return audit

    def ask(
        self,
        service: str,
        message: str | bytes,
        *,
        content_type: str = TYPE_11,
        action: str | None = None,
        **context: Any,
    ) -> tuple[int, str]:
        """Status and body of the answer."""
        body = message.encode() if isinstance(message, str) else message
        answer = self.dispatcher.dispatch(service, SoapRequest(content_type, action, body, **context))
        return answer.status, answer.body.decode()
