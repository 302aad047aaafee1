"""Requests as genuine clients send them (headers, sizes and chains), made once as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SERVICES = {
    "AcquireLicense": ("LicensingService", "licensing/license.asmx"),
    "AcquirePreLicense": ("LicensingService", "licensing/license.asmx"),
    "Certify": ("CertificationService", "certification/certification.asmx"),
    "GetClientLicensorCert": ("PublishingService", "licensing/publish.asmx"),
    "AcquireTemplateInformation": ("TemplateDistributionService", "licensing/TemplateDistribution.asmx"),
}
_AGENT = "MSIPC;version=1.0.4349.3;AppName=WINWORD.EXE;AppVersion=16.0;AppArch=x86;OSName=Windows;OSVersion=10.0"


def acquire_license(racs: Sequence[str], licenses: Sequence[str]) -> bytes:
    return _request("AcquireLicense", f"<RequestParams>{_license_item(racs, licenses)}</RequestParams>")


def acquire_licenses(racs: Sequence[str], batch: Iterable[Sequence[str]]) -> bytes:
    """A batch; an empty licence stands for the one before it."""
    items = "".join(_license_item(racs, licenses) for licenses in batch)
    return _request("AcquireLicense", f"<RequestParams>{items}</RequestParams>", version="1.1.0.0")


def acquire_pre_license(identities: Iterable[str], licenses: Sequence[str]) -> bytes:
    strings = "".join(f"<string>{identity}</string>" for identity in identities)
    chains = f"<LicenseeIdentities>{strings}</LicenseeIdentities><IssuanceLicense>{_chain(licenses)}</IssuanceLicense>"
    item = f"<AcquirePreLicenseParams>{chains}</AcquirePreLicenseParams>"
    return _request("AcquirePreLicense", f"<RequestParams>{item}</RequestParams>")


def certify(machine_chain: Sequence[str]) -> bytes:
    chain = f"<MachineCertificateChain>{_chain(machine_chain)}</MachineCertificateChain>"
    return _request("Certify", f"<requestParams>{chain}<Persistent>true</Persistent></requestParams>")


def get_client_licensor_cert(racs: Sequence[str]) -> bytes:
    item = f"<GetClientLicensorCertParams><PersonaCerts>{_chain(racs)}</PersonaCerts></GetClientLicensorCertParams>"
    return _request("GetClientLicensorCert", f"<RequestParams>{item}</RequestParams>")


def acquire_template_information() -> bytes:
    return _request("AcquireTemplateInformation", "")


def body_bytes(request: bytes) -> int:
    """The size of a request's body."""
    return len(request) - request.index(b"\r\n\r\n") - 4


def with_authorization(request: bytes, value: str) -> bytes:
    line, _, rest = request.partition(b"\r\n")
    return line + b"\r\nAuthorization: " + value.encode() + b"\r\n" + rest


def _license_item(racs: Sequence[str], licenses: Sequence[str]) -> str:
    issued = f"<IssuanceLicense>{_chain(licenses)}</IssuanceLicense>" if licenses else ""
    certificates = f"<LicenseeCerts>{_chain(racs)}</LicenseeCerts>"
    return f"<AcquireLicenseParams>{certificates}{issued}<ApplicationData/></AcquireLicenseParams>"


def _chain(texts: Iterable[str]) -> str:
    return "".join(f"<Certificate>{text}</Certificate>" for text in texts)


def _request(operation: str, parameters: str, version: str = "1.0.0.0") -> bytes:
    service, path = _SERVICES[operation]
    namespace = f"http://microsoft.com/DRM/{service}"
    versions = f"<MinimumVersion>1.0.0.0</MinimumVersion><MaximumVersion>{version}</MaximumVersion>"
    body = (
        '<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">'
        f'<soap:Header><VersionData xmlns="{namespace}">{versions}</VersionData></soap:Header>'
        f'<soap:Body><{operation} xmlns="{namespace}">{parameters}</{operation}></soap:Body></soap:Envelope>'
    ).encode()
    head = (
        f"POST /_wmcs/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {_AGENT}\r\n"
        f'Content-Type: text/xml; charset=utf-8\r\nSOAPAction: "{namespace}/{operation}"\r\n'
        f"Accept-Encoding: gzip, deflate\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
