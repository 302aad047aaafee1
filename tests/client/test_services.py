"""Where services are, and the shapes of their answers, against a real local server."""

from __future__ import annotations

import pytest

from rmsserver.client.errors import ServerUnreachableError
from rmsserver.client.services import ClusterServices, ServiceLocations, TemplateHash, base_url_of
from rmsserver.client.transport import HttpConnection
from tests.client.http_server import Received, Reply, serving

XML = {"Content-Type": "text/xml; charset=utf-8"}
SERVER = "http://microsoft.com/DRM/ServerService"
TEMPLATES = "http://microsoft.com/DRM/TemplateDistributionService"
CERTIFICATE = '<XrML xmlns="" version="1.2"><BODY/></XrML>'


def _envelope(operation: str, namespace: str, inner: str) -> Reply:
    body = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header/><s:Body>'
        f'<{operation}Response xmlns="{namespace}"><{operation}Result>{inner}</{operation}Result></{operation}Response>'
        "</s:Body></s:Envelope>"
    )
    return Reply(200, body.encode(), XML)


def _location(type_: str, url: str | None) -> str:
    inner = "" if url is None else f"<URL>{url}</URL>"
    return f"<ServiceLocationResponse>{inner}<Type>{type_}</Type></ServiceLocationResponse>"


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://rms.example.com", "https://rms.example.com/_wmcs"),
        ("rms.example.com", "https://rms.example.com/_wmcs"),
        ("HTTPS://rms.example.com/_WMCS/", "https://rms.example.com/_WMCS"),
        ("https://rms.example.com/_wmcs/certification/certification.asmx", "https://rms.example.com/_wmcs"),
        ("http://127.0.0.1:8080/_wmcs", "http://127.0.0.1:8080/_wmcs"),
        ("https://gate.example.com/rms/", "https://gate.example.com/rms/_wmcs"),
    ],
)
def test_what_people_type_becomes_a_base_address(typed: str, base: str) -> None:
    """With or without scheme, folder or file."""
    assert base_url_of(typed) == base


@pytest.mark.parametrize("typed", ["", "ftp://rms.example.com", "https://", "https://u:p@host/", "https://host:x/"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    """Other schemes, users in the address and nonsense."""
    with pytest.raises(ServerUnreachableError, match="form"):
        base_url_of(typed)


def test_services_are_asked_where_the_cluster_says() -> None:
    """Internal addresses first, then external, then the one the person gave; file names are cut off."""

    def answer(request: Received) -> Reply:
        assert request.path == "/_wmcs/certification/ServiceLocator.asmx"
        assert b"<ns0:Type>CertificationInternalService</ns0:Type>" in request.body
        inner = (
            _location("CertificationInternalService", "http://inside/_wmcs/certification")
            + _location("CertificationService", "https://outside/_wmcs/certification/certification.asmx")
            + _location("LicensingInternalService", None)
            + _location("LicensingService", "")
        )
        return _envelope("FindServiceLocationsForUser", SERVER, inner)

    with serving(answer) as server:
        found = ClusterServices.find(HttpConnection(), f"{server.url}/_wmcs").locations
    # What has no TLS is left out: the person gave an address that nobody can listen to, her own machine's.
    assert found.certification == (
        "https://outside/_wmcs/certification",
        f"{server.url}/_wmcs/certification",
    )
    assert found.licensing == (f"{server.url}/_wmcs/licensing",)


def test_the_next_address_is_tried() -> None:
    """An address that cannot be reached makes way for the next (3.8.3.2.3)."""
    inner = f"<CertificateChain><Certificate>{CERTIFICATE}</Certificate></CertificateChain>"
    with serving(lambda _r: Reply()) as gone:
        pass
    with serving(lambda _r: _envelope("GetLicensorCertificate", SERVER, inner)) as server:
        locations = ServiceLocations((f"{gone.url}/a", f"{server.url}/b"), ())
        assert ClusterServices(HttpConnection(), locations).get_licensor_certificate() == (CERTIFICATE,)
    assert [r.path for r in server.received] == ["/b/server.asmx"]


def test_template_answers_are_read() -> None:
    """GUID and hash of each, none where there are none; texts come unescaped, unknown ones are left out."""
    escaped = CERTIFICATE.replace("<", "&lt;").replace(">", "&gt;")

    def answer(request: Received) -> Reply:
        if b"AcquireTemplateInformation" in request.body:
            hashes = "<GuidHash><Guid>{A}</Guid><Hash>aGFzaA==</Hash></GuidHash>"
            inner = f"<ServerPublicKey>AA==</ServerPublicKey><GuidHashCount>1</GuidHashCount>{hashes}"
            return _envelope("AcquireTemplateInformation", TEMPLATES, inner)
        assert b"<ns0:string>{A}</ns0:string>" in request.body
        known = f"<GuidTemplate><Guid>{{A}}</Guid><Hash>x</Hash><Template>{escaped}</Template></GuidTemplate>"
        unknown = "<GuidTemplate><Guid>{B}</Guid></GuidTemplate>"
        return _envelope("AcquireTemplates", TEMPLATES, known + unknown)

    with serving(answer) as server:
        services = ClusterServices(HttpConnection(), ServiceLocations.below(server.url))
        assert services.acquire_template_information() == (TemplateHash("{A}", "aGFzaA=="),)
        assert services.acquire_templates(["{A}", "{B}"]) == (CERTIFICATE,)


def test_templates_are_fetched_twenty_five_at_a_time() -> None:
    """The server answers at most 25 in one go (wire facts 9)."""
    with serving(lambda _r: _envelope("AcquireTemplates", TEMPLATES, "")) as server:
        services = ClusterServices(HttpConnection(), ServiceLocations.below(server.url))
        assert services.acquire_templates([f"{{{n}}}" for n in range(60)]) == ()
    assert [r.body.count(b"<ns0:string>") for r in server.received] == [25, 25, 10]
