"""A SOAP library of other people's reads our WSDL over HTTP and calls the service by it."""

from __future__ import annotations

import pytest
import requests
from lxml import etree
from zeep import Client, Settings
from zeep.exceptions import Fault
from zeep.transports import Transport

from tests.conformance import conforms
from tests.http_server import RunningServer, basic
from tests.soap_messages import CERTIFICATION, LICENSING

PATHS = {
    "certification/certification.asmx": {"Certify"},
    "certification/precertification.asmx": {"Precertify"},
    "decommission/decommission.asmx": {"AcquireContentKey"},
    "licensing/editissuancelicense.asmx": {"EditIssuanceLicense"},
    "licensing/license.asmx": {"AcquireLicense", "AcquirePreLicense"},
    "licensing/publish.asmx": {"AcquireIssuanceLicense", "GetClientLicensorCert"},
    "licensing/server.asmx": {
        "GetLicensorCertificate",
        "FindServiceLocationsForUser",
        "FindServiceLocations",
        "GetServerInfo",
    },
    "licensing/templatedistribution.asmx": {"AcquireTemplateInformation", "AcquireTemplates"},
}


def client(http: RunningServer, path: str) -> Client:
    session = requests.Session()
    session.headers["Authorization"] = basic("author")
    url = f"{http.url}/_wmcs/{path}"
    return Client(url + "?wsdl", transport=Transport(session=session), settings=Settings(strict=True))


@pytest.mark.parametrize("path", PATHS)
def test_zeep_reads_every_description(http: RunningServer, path: str) -> None:
    """Two ports each, SOAP 1.1 and 1.2, with the operations of the specification."""
    (service,) = client(http, path).wsdl.services.values()
    for port in service.ports.values():
        assert set(port.binding._operations) == PATHS[path]
    assert len(service.ports) == 2


@pytest.mark.parametrize("port", ["CertificationWebServiceSoap", "CertificationWebServiceSoap12"])
@conforms("MS-RMPR 3.3.4.1.3.3", "Verified is true.")
@conforms("MS-RMPR 3.3.4.1.3.3", "CurrentConsumption is less than Maximum.")
def test_zeep_calls_certify(http: RunningServer, port: str) -> None:
    """Header, chain and quota, in either SOAP version."""
    zeep = client(http, "certification/certification.asmx")
    service = zeep.create_service(f"{{{CERTIFICATION}}}{port}", f"{http.url}/_wmcs/certification/certification.asmx")
    certificate = etree.fromstring('<XrML version="1.2"><BODY/></XrML>')
    answer = service.Certify(
        requestParams={
            "MachineCertificateChain": {"Certificate": [{"_value_1": certificate}]},
            "Persistent": True,
        },
        _soapheaders={"VersionData": {"MinimumVersion": "1.0.0.0", "MaximumVersion": "1.1.0.0"}},
    )
    assert answer.header.VersionData.MaximumVersion == "1.2.0.0"
    chain = answer.body.CertifyResult.CertificateChain.Certificate
    assert [item._value_1.tag for item in chain] == ["XrML", "WHO"]
    quota = answer.body.CertifyResult.Quota
    assert (quota.Verified, quota.CurrentConsumption, quota.Maximum) == (True, 5, 10)


def test_zeep_sees_a_fault(http: RunningServer) -> None:
    """With its code and the name in its text."""
    zeep = client(http, "licensing/license.asmx")
    service = zeep.create_service(f"{{{LICENSING}}}LicenseSoap", f"{http.url}/_wmcs/licensing/license.asmx")
    with pytest.raises(Fault, match="UnsupportedDataVersionException") as caught:
        service.AcquireLicense(_soapheaders={"VersionData": {"MinimumVersion": "9.0.0.0", "MaximumVersion": "9.0.0.0"}})
    assert caught.value.code == "soap:Server"
