"""zeep and signed text: what goes out and comes in, byte for byte, against a real local server."""

from __future__ import annotations

import re

import pytest

from rmsserver.client import soap
from rmsserver.client.errors import ServerAnswerError, ServiceFaultError
from rmsserver.client.services import ClusterServices, ServiceLocations
from rmsserver.client.transport import HttpConnection
from tests.client.http_server import Received, Reply, serving

# Spellings of genuine documents that lxml would rewrite (wire facts 1).
ODD = (
    '<XrML xmlns="" version="1.2"><BODY type="x" version="3.0"><SECURITYLEVEL name="a" value="b" />'
    '<SECURITYLEVEL name="c" value="d"></SECURITYLEVEL><RIGHT name = "OWNER"/><NAME>a\nb &gt; \u00e4\u6587</NAME>'
    "</BODY></XrML>"
)
PLAIN = '<XrML xmlns="" version="1.2"><BODY/></XrML>'
XML = {"Content-Type": "text/xml; charset=utf-8"}


def _envelope(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<s:Header></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def _license_answer(inner: str) -> bytes:
    return _envelope(
        '<AcquireLicenseResponse xmlns="http://microsoft.com/DRM/LicensingService"><AcquireLicenseResult>'
        f"<AcquireLicenseResponse>{inner}<ReferenceCertificates /></AcquireLicenseResponse>"
        "</AcquireLicenseResult></AcquireLicenseResponse>"
    )


def _chain(*texts: str) -> str:
    return "<CertificateChain>" + "".join(f"<Certificate>{t}</Certificate>" for t in texts) + "</CertificateChain>"


def _services(url: str) -> ClusterServices:
    return ClusterServices(HttpConnection(), ServiceLocations.below(f"{url}/_wmcs"))


def _fault(text: str, status: int = 500) -> Reply:
    body = f"<s:Fault><faultcode>s:Server</faultcode><faultstring>{text}</faultstring><detail /></s:Fault>"
    return Reply(status, _envelope(body), XML)


def test_signed_text_goes_out_and_comes_in_unchanged() -> None:
    """Documents stand in the request's bytes as they are, and come out of the answer as they are."""
    with serving(lambda _r: Reply(200, _license_answer(_chain(ODD, PLAIN)), XML)) as server:
        answer = _services(server.url).acquire_license([PLAIN, ODD], [ODD])
    assert answer == (ODD, PLAIN)
    sent = server.received[0].body.decode()
    assert re.findall(r"<ns0:Certificate>(.*?)</ns0:Certificate>", sent, re.DOTALL) == [PLAIN, ODD, ODD]


def test_the_request_has_what_the_protocol_asks_for() -> None:
    """Path, SOAPAction, VersionData 1.0.0.0 to 1.0.0.0, and an empty ApplicationData."""
    with serving(lambda _r: Reply(200, _license_answer(_chain(PLAIN)), XML)) as server:
        _services(server.url).acquire_license([PLAIN], [PLAIN])
    (request,) = server.received
    assert request.path == "/_wmcs/licensing/license.asmx"
    assert request.headers["SOAPAction"] == '"http://microsoft.com/DRM/LicensingService/AcquireLicense"'
    text = request.body.decode()
    assert text.count("Version>1.0.0.0<") == 2
    assert "<ns0:ApplicationData></ns0:ApplicationData>" in text


def test_text_cannot_reach_into_the_envelope() -> None:
    """A document that looks like a placeholder is not taken for one."""
    trick = '<XrML xmlns="" version="1.2"><surface-0/><surface-1/></XrML>'
    with serving(lambda _r: Reply(200, _license_answer(_chain(PLAIN)), XML)) as server:
        _services(server.url).acquire_license([trick], [ODD])
    assert server.received[0].body.count(trick.encode()) == 1
    assert server.received[0].body.count(ODD.encode()) == 1


@pytest.mark.parametrize("inner", ['&lt;XrML xmlns="" version="1.2">&lt;BODY/>&lt;/XrML>', f"<![CDATA[{PLAIN}]]>"])
def test_escaped_answers_count_too(inner: str) -> None:
    """A certificate as escaped text or CDATA is the same certificate (wire facts 1)."""
    with serving(lambda _r: Reply(200, _license_answer(_chain(inner)), XML)) as server:
        assert _services(server.url).acquire_license([PLAIN], [PLAIN]) == (PLAIN,)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "Microsoft.DigitalRightsManagement.Licensing.NoRightsForRequestedPrincipalException: no",
            "NoRightsForRequestedPrincipalException",
        ),
        (
            "System.Web.Services.Protocols.SoapException: x ---&gt; A.B.DrmacIsExcludedException: y",
            "DrmacIsExcludedException",
        ),
        ("System.ArgumentNullException", "ArgumentNullException"),
        ("something else", "UnspecifiedErrorException"),
    ],
)
def test_a_fault_is_told_by_its_name(text: str, name: str) -> None:
    """The short name is found anywhere in faultstring (wire facts 9); what else stands there is not
    repeated."""
    with serving(lambda _r: _fault(text)) as server, pytest.raises(ServiceFaultError) as caught:
        _services(server.url).acquire_license([PLAIN], [PLAIN])
    assert caught.value.name == name
    assert name in str(caught.value)
    assert "something else" not in str(caught.value)


def test_an_error_in_place_of_a_licence_is_that_fault() -> None:
    """AcquireLicenseException inside the chain (3.4.4.1.3.5) is raised by its name."""
    inner = (
        '<AcquireLicenseException xmlns=""><ExceptionString>Microsoft.DigitalRightsManagement.Licensing.'
        "NoRightsForRequestedPrincipalException-text</ExceptionString><batchindex>0</batchindex></AcquireLicenseException>"
    )
    with (
        serving(lambda _r: Reply(200, _license_answer(_chain(inner)), XML)) as server,
        pytest.raises(ServiceFaultError) as caught,
    ):
        _services(server.url).acquire_license([PLAIN], [PLAIN])
    assert caught.value.name == "NoRightsForRequestedPrincipalException"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<html><body>sign in</body></html>",
        b'<!DOCTYPE x [<!ENTITY e "e">]><x>&e;</x>',
        _license_answer(""),
        _license_answer("<CertificateChain />"),
        _envelope("<other/>"),
        _envelope("<!-- -->" * 3 + "<x>" * 300 + "</x>" * 300),
    ],
)
def test_other_answers_are_one_line(body: bytes) -> None:
    """Whatever else comes back, the person hears one line and no parser's text."""
    with (
        serving(lambda _r: Reply(200, body, XML)) as server,
        pytest.raises((ServerAnswerError, ServiceFaultError)) as caught,
    ):
        _services(server.url).acquire_license([PLAIN], [PLAIN])
    assert "\n" not in str(caught.value)
    assert "sign in" not in str(caught.value)


def test_the_servers_own_description_serves_where_none_is_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the project's WSDL files `?wsdl` is fetched, and its own imports are not."""
    shipped = soap._shipped("license")
    assert shipped is not None
    monkeypatch.setattr(soap, "_shipped", lambda _name: None)

    def answer(request: Received) -> Reply:
        if request.method == "GET":
            return Reply(200, shipped.read_bytes(), XML)
        return Reply(200, _license_answer(_chain(ODD)), XML)

    with serving(answer) as server:
        assert _services(server.url).acquire_license([PLAIN], [PLAIN]) == (ODD,)
    assert server.received[0].path == "/_wmcs/licensing/license.asmx?wsdl"


def test_N1_a_description_cannot_name_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import in a fetched description is not followed."""
    monkeypatch.setattr(soap, "_shipped", lambda _name: None)
    wsdl = (
        b'<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="x">'
        b'<import namespace="y" location="/etc/hostname"/></definitions>'
    )
    with (
        serving(lambda _r: Reply(200, wsdl, XML)) as server,
        pytest.raises(ServerAnswerError, match="description"),
    ):
        _services(server.url).acquire_license([PLAIN], [PLAIN])
    assert len(server.received) == 1
