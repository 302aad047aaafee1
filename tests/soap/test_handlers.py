"""What the handlers hand to operations, and what becomes of results."""

from __future__ import annotations

from typing import Any

from lxml import etree

from rmsserver.errors import NoRightsForRequestedPrincipal
from rmsserver.operations.acquire_content_key import AcquireContentKeyResult
from rmsserver.operations.acquire_issuance_license import AcquireIssuanceLicenseResult
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseResult
from rmsserver.operations.acquire_pre_license import AcquirePreLicenseItem, AcquirePreLicenseResult
from rmsserver.operations.edit_issuance_license import EditIssuanceLicenseItem, EditIssuanceLicenseResult
from rmsserver.operations.find_service_locations import ServiceLocation
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertResult
from rmsserver.operations.get_server_info import ServerInfoItem
from rmsserver.operations.precertify import Identification, PrecertifyItem, PrecertifyResult
from rmsserver.operations.templates import TemplateEntry, TemplateInformation
from tests.conformance import conforms
from tests.soap_messages import (
    CERTIFICATION,
    DECOMMISSION,
    LICENSING,
    PUBLISHING,
    REPUBLISHING,
    SERVER,
    TEMPLATES,
    XRML,
    Served,
    envelope,
)

NIL = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'


class Asked:
    """An operation that remembers its first argument and gives a fixed result."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.request: Any = None

    def __call__(self, request: Any, *_: Any) -> Any:
        self.request = request
        return self.result


def ask(service: str, body: str, **operations: Any) -> etree._Element:
    status, answer = Served(**operations).ask(service, envelope(body))
    assert status == 200, answer
    (body_element,) = etree.fromstring(answer.encode()).findall("{*}Body")
    return body_element[0]


def shape(element: etree._Element) -> Any:
    """An element as nested pairs of local name and text or children."""
    inside = [shape(child) for child in element] or element.text
    return (etree.QName(element).localname, inside)


def test_acquire_license_items() -> None:
    """Chains, missing and null ones, application data of every kind."""
    operation = Asked(AcquireLicenseResult(()))
    cases = {
        "": None,
        "plain &amp; text": "plain & text",
        "<A/> and <B>b</B>": "<A/> and <B>b</B>",
        "text <A/>": "text <A/>",
    }
    items = "".join(
        "<AcquireLicenseParams>"
        f"<LicenseeCerts><Certificate>{XRML}</Certificate></LicenseeCerts><IssuanceLicense {NIL}/>"
        f"<ApplicationData>{content}</ApplicationData></AcquireLicenseParams>"
        for content in cases
    )
    body = f"<RequestParams>{items}<AcquireLicenseParams {NIL}/></RequestParams>"
    ask("License", f'<AcquireLicense xmlns="{LICENSING}">{body}</AcquireLicense>', acquire_license=operation)
    expected = [AcquireLicenseItem((XRML,), None, content) for content in cases.values()]
    assert list(operation.request.items) == [*expected, AcquireLicenseItem(None, None, None)]


def test_acquire_license_answers_in_order() -> None:
    """A chain or an error for each item, in one place; the error is noted in the audit."""
    served = Served(acquire_license=Asked(AcquireLicenseResult(((XRML,), NoRightsForRequestedPrincipal()))))
    _, answer = served.ask(
        "License", envelope(f'<AcquireLicense xmlns="{LICENSING}"><RequestParams/></AcquireLicense>')
    )
    first, second = etree.fromstring(answer.encode()).iter("{*}CertificateChain")
    assert first[0][0].tag == "XrML"
    assert second[0][0].tag == "AcquireLicenseException"
    (record,) = served.audit.records
    assert record.trail.facts == {"item_error": ["1 NoRightsForRequestedPrincipalException"]}


def test_acquire_pre_license_items() -> None:
    """Identities, null ones among them, and the licence."""
    operation = Asked(AcquirePreLicenseResult((), ()))
    items = (
        f"<AcquirePreLicenseParams><LicenseeIdentities><string>a@b</string><string {NIL}/></LicenseeIdentities>"
        f"<IssuanceLicense><Certificate>{XRML}</Certificate></IssuanceLicense><ApplicationData>x</ApplicationData>"
        f"</AcquirePreLicenseParams><AcquirePreLicenseParams/><AcquirePreLicenseParams {NIL}/>"
    )
    body = f'<AcquirePreLicense xmlns="{LICENSING}"><RequestParams>{items}</RequestParams></AcquirePreLicense>'
    ask("License", body, acquire_pre_license=operation)
    assert operation.request.items == (
        AcquirePreLicenseItem(("a@b", None), (XRML,), "x"),
        AcquirePreLicenseItem(None, None, None),
        None,
    )
    ask("License", f'<AcquirePreLicense xmlns="{LICENSING}"/>', acquire_pre_license=operation)
    assert operation.request.items is None


@conforms("MS-RMSI 3.5.4.1.3.4", "ReferenceCertificates is empty.")
def test_acquire_pre_license_answers_in_order() -> None:
    """A leaf or an error in no namespace for each identity; the chain once; ReferenceCertificates empty."""
    result = AcquirePreLicenseResult((XRML, NoRightsForRequestedPrincipal(), XRML), (XRML, XRML))
    answer = ask("License", f'<AcquirePreLicense xmlns="{LICENSING}"/>', acquire_pre_license=Asked(result))
    [[response]] = answer
    licenses, chain, references = response
    assert [etree.QName(child).localname for child in response] == [
        "Licenses", "CertificateChain", "ReferenceCertificates"]  # fmt: skip
    assert [certificate[0].tag for certificate in licenses] == ["XrML", "AcquirePreLicenseException", "XrML"]
    name = NoRightsForRequestedPrincipal.wire_name
    assert shape(licenses[1][0]) == (
        "AcquirePreLicenseException",
        [("ExceptionString", f"{name}-{NoRightsForRequestedPrincipal.text}"), ("batchindex", "1")],
    )
    assert (len(chain), len(references)) == (2, 0)


def test_L10_a_closed_operation_is_not_called() -> None:
    """Whoever the endpoint lets in for another one; the fault says so, the audit too."""
    operation = Asked(AcquirePreLicenseResult((), ()))
    served = Served(acquire_pre_license=operation, acquire_license=Asked(AcquireLicenseResult(())))

    def may_call(name: str) -> bool:
        return name != "AcquirePreLicense"

    status, answer = served.ask("License", envelope(f'<AcquirePreLicense xmlns="{LICENSING}"/>'), may_call=may_call)
    assert (status, "System.UnauthorizedAccessException" in answer, operation.request) == (500, True, None)
    [record] = served.audit.records
    assert record.outcome == "UnauthorizedAccessException"
    status, _ = served.ask("License", envelope(f'<AcquireLicense xmlns="{LICENSING}"/>'), may_call=may_call)
    assert status == 200


def test_acquire_issuance_license() -> None:
    """One unsigned licence an item; missing, empty and null are None."""
    operation = Asked(AcquireIssuanceLicenseResult(((XRML, XRML),)))
    items = (
        f"<P><UnsignedIssuanceLicense>{XRML}</UnsignedIssuanceLicense></P>"
        f"<P/><P {NIL}/><P><UnsignedIssuanceLicense/></P>"
    ).replace("P>", "AcquireIssuanceLicenseParams>")
    items = items.replace("<P", "<AcquireIssuanceLicenseParams")
    answer = ask(
        "Publish",
        f'<AcquireIssuanceLicense xmlns="{PUBLISHING}"><RequestParams>{items}</RequestParams></AcquireIssuanceLicense>',
        acquire_issuance_license=operation,
    )
    assert operation.request.items == (XRML, None, None, None)
    assert len(list(answer.iter("XrML"))) == 2


def test_get_client_licensor_cert() -> None:
    """A chain an item; None where it is missing."""
    operation = Asked(GetClientLicensorCertResult(((XRML,),)))
    name = "GetClientLicensorCertParams"
    items = f"<{name}><PersonaCerts><Certificate>{XRML}</Certificate></PersonaCerts></{name}><{name}/>"
    ask(
        "Publish",
        f'<GetClientLicensorCert xmlns="{PUBLISHING}"><RequestParams>{items}</RequestParams></GetClientLicensorCert>',
        get_client_licensor_cert=operation,
    )
    assert operation.request.items == ((XRML,), None)


def test_get_licensor_certificate() -> None:
    """Without parameters."""
    answer = ask(
        "Server",
        f'<GetLicensorCertificate xmlns="{SERVER}"/>',
        get_licensor_certificate=lambda *_: (XRML, XRML),
    )
    assert len(list(answer.iter("XrML"))) == 2


def test_service_locations_with_missing_and_empty_addresses() -> None:
    """None: no URL element; the empty string: an empty one (rulings 8). Types go through unchecked."""
    locations = (ServiceLocation("A", "http://x/"), ServiceLocation("B", None), ServiceLocation("C", ""))
    for operation in ("FindServiceLocationsForUser", "FindServiceLocations"):
        snake = "find_service_locations" + ("_for_user" if operation.endswith("User") else "")
        asked = Asked(locations)
        names = "<R><Type>A</Type></R><R><Type>nonsense</Type></R><R/>".replace("R>", "ServiceLocationRequest>")
        names = names.replace("<R/", "<ServiceLocationRequest/")
        answer = ask(
            "Server",
            f'<{operation} xmlns="{SERVER}"><ServiceNames>{names}</ServiceNames></{operation}>',
            **{snake: asked},
        )
        assert asked.request.service_types == ("A", "nonsense", "")
        assert shape(answer[0])[1] == [
            ("ServiceLocationResponse", [("URL", "http://x/"), ("Type", "A")]),
            ("ServiceLocationResponse", [("Type", "B")]),
            ("ServiceLocationResponse", [("URL", None), ("Type", "C")]),
        ]


def test_get_server_info() -> None:
    """Types with additional information in, XML of its own out, without VersionData."""
    operation = Asked('<Results xmlns=""><A/></Results>')
    name = "ServerInfoRequest"
    items = f"<{name}><Type>VersionInfo</Type><AdditionalInfo>x</AdditionalInfo></{name}><{name}/>"
    served = Served(get_server_info=operation)
    body = f'<GetServerInfo xmlns="{SERVER}"><requests>{items}</requests></GetServerInfo>'
    _, answer = served.ask("Server", envelope(body))
    assert operation.request.items == (ServerInfoItem("VersionInfo", "x"), ServerInfoItem("", ""))
    assert '<GetServerInfoResult><Results xmlns=""><A/></Results></GetServerInfoResult>' in answer
    assert "VersionData" not in answer


def test_acquire_template_information() -> None:
    """A count that agrees with the list."""
    result = TemplateInformation("a2V5", (TemplateEntry("{a}", "h1"), TemplateEntry("{b}", "h2")))
    answer = ask(
        "TemplateDistributionWebService",
        f'<AcquireTemplateInformation xmlns="{TEMPLATES}"/>',
        acquire_template_information=lambda *_: result,
    )
    assert shape(answer[0])[1] == [
        ("ServerPublicKey", "a2V5"),
        ("GuidHashCount", "2"),
        ("GuidHash", [("Guid", "{a}"), ("Hash", "h1")]),
        ("GuidHash", [("Guid", "{b}"), ("Hash", "h2")]),
    ]


def test_acquire_templates() -> None:
    """A template is escaped text that reads as the document again; an unknown one is a GUID alone (wire facts 9)."""
    operation = Asked((TemplateEntry("{a}", "h", XRML), TemplateEntry("{b}", None, None)))
    answer = ask(
        "TemplateDistributionWebService",
        f'<AcquireTemplates xmlns="{TEMPLATES}"><guids><string>{{a}}</string><string {NIL}/></guids></AcquireTemplates>',
        acquire_templates=operation,
    )
    assert operation.request == ("{a}", None)
    assert shape(answer[0])[1] == [
        ("GuidTemplate", [("Guid", "{a}"), ("Hash", "h"), ("Template", XRML)]),
        ("GuidTemplate", [("Guid", "{b}")]),
    ]


def test_edit_issuance_license() -> None:
    """The two licences as they stand; the answer is one certificate."""
    operation = Asked(EditIssuanceLicenseResult(XRML))
    items = (
        f"<EditIssuanceLicenseParams><SignedIssuanceLicense>{XRML}</SignedIssuanceLicense>"
        f"<UnsignedIssuanceLicense><![CDATA[{XRML}]]></UnsignedIssuanceLicense></EditIssuanceLicenseParams>"
        f"<EditIssuanceLicenseParams><SignedIssuanceLicense/></EditIssuanceLicenseParams>"
        f"<EditIssuanceLicenseParams {NIL}/>"
    )
    body = f'<EditIssuanceLicense xmlns="{REPUBLISHING}"><RequestParams>{items}</RequestParams></EditIssuanceLicense>'
    answer = ask("Republish", body, edit_issuance_license=operation)
    assert operation.request.items == (
        EditIssuanceLicenseItem(XRML, XRML),
        EditIssuanceLicenseItem(None, None),
        None,
    )
    [[[chain]]] = answer
    assert [certificate[0].tag for certificate in chain] == ["XrML"]
    ask("Republish", f'<EditIssuanceLicense xmlns="{REPUBLISHING}"/>', edit_issuance_license=operation)
    assert operation.request.items is None


def test_acquire_content_key() -> None:
    """Key and type of 3.2.4.1.3.4."""
    operation = Asked(AcquireContentKeyResult(bytes(range(16))))
    items = (
        f"<AcquireContentKeyParams><IssuanceLicense><Certificate>{XRML}</Certificate></IssuanceLicense>"
        f"</AcquireContentKeyParams><AcquireContentKeyParams/><AcquireContentKeyParams {NIL}/>"
    )
    body = f'<AcquireContentKey xmlns="{DECOMMISSION}"><paramsSoap>{items}</paramsSoap></AcquireContentKey>'
    answer = ask("DecommissionService", body, acquire_content_key=operation)
    assert operation.request.items == ((XRML,), None, None)
    [[response]] = answer
    assert shape(response) == (
        "AcquireContentKeyResponse",
        [("ContentKey", "AAECAwQFBgcICQoLDA0ODw=="), ("ContentKeyType", "AES")],
    )
    ask("DecommissionService", f'<AcquireContentKey xmlns="{DECOMMISSION}"/>', acquire_content_key=operation)
    assert operation.request.items is None


def test_precertify() -> None:
    """Names and identifications, missing and null ones; the certificate in one answer."""
    operation = Asked(PrecertifyResult(XRML))
    identification = "<Identification><AuthenticationMode>Windows</AuthenticationMode><Id>S-1</Id></Identification>"
    items = (
        f"<PrecertifyParams><UserName>a@b</UserName>{identification}</PrecertifyParams><PrecertifyParams/>"
        f"<PrecertifyParams><UserName {NIL}/><Identification/></PrecertifyParams><PrecertifyParams {NIL}/>"
    )
    body = f'<Precertify xmlns="{CERTIFICATION}"><requestParams>{items}</requestParams></Precertify>'
    answer = ask("PrecertificationWebService", body, precertify=operation)
    assert operation.request.items == (
        PrecertifyItem("a@b", Identification("Windows", "S-1")),
        PrecertifyItem(None, None),
        PrecertifyItem(None, Identification(None, None)),
        None,
    )
    [response] = answer[0]
    [certificate] = response
    assert etree.QName(response).localname == "PrecertifyResponse"
    assert [child.tag for child in certificate] == ["XrML"]
    ask("PrecertificationWebService", f'<Precertify xmlns="{CERTIFICATION}"/>', precertify=operation)
    assert operation.request.items is None
