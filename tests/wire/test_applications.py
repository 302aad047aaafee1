"""The four services of [MS-RMSI] over HTTP: what they answer, and who may ask (threat L10)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from lxml import etree

from rmsserver.auth.policy import Demand, Rule
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.use_license import UseLicense
from tests.conformance import conforms
from tests.http_server import Response
from tests.operations.licensing import OUTSIDER, READER
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.test_faults import mode_2
from tests.wire.test_faults_rmsi import ENDPOINTS, signed, unsigned

MAIL_SERVER = "boss"


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """`boss` may call all four."""
    rule = Rule(Demand.LISTED, frozenset({mode_2().sid("boss@example.com")}))
    running = RealServer(mode_2(), rules=dict.fromkeys(ENDPOINTS, rule))
    yield running
    running.http.stop()


@pytest.fixture(scope="module")
def closed() -> Iterator[RealServer]:
    """The product's defaults."""
    running = RealServer(mode_2())
    yield running
    running.http.stop()


def parameters_of(operation: str) -> str:
    return {
        "AcquirePreLicense": calls.acquire_pre_license((READER,), (signed().text,)),
        "Precertify": calls.precertify(READER),
        "EditIssuanceLicense": calls.edit_issuance_license(signed().text, unsigned().text),
        "AcquireContentKey": calls.acquire_content_key((signed().text,)),
    }[operation]


def result(answer: Response) -> etree._Element:
    """The one element of the answer's array; the version header is there."""
    assert answer.status == 200, answer.body
    envelope = etree.fromstring(answer.body)
    assert [etree.QName(child).localname for child in envelope] == ["Header", "Body"]
    [[[[response]]]] = envelope[1:]
    found: etree._Element = response
    return found


def surfaces(answer: Response, kind: str) -> list[str]:
    """The documents inside the element, character for character."""
    text = answer.body.decode()
    inner = text[text.index(f"<{kind}>") : text.index(f"</{kind}>")]
    return [part.split("</Certificate>")[0] for part in inner.split("<Certificate>")[1:]]


@conforms("MS-RMSI 2.1", "All four interfaces answer SOAP 1.1 and SOAP 1.2 over HTTP.")
@conforms("MS-RMSI 3.5.4.1", "Every identity with rights gets a use licence.")
@conforms("MS-RMSI 3.5.4.1.3.2", "The leaf of a publishing licence is enough.")
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
def test_pre_licensing(server: RealServer, soap12: bool) -> None:
    """Leaves in the order of the identities, the SLC chain, no references; a client with the key opens the licence."""
    published, cluster = signed(), server.cluster
    identities = (READER, OUTSIDER, cluster.sid(READER))
    answer = server.ask(
        "AcquirePreLicense",
        calls.acquire_pre_license(identities, (published.text,)),
        soap12=soap12,
        version="1.1.0.0",
        person=MAIL_SERVER,
    )
    names = [etree.QName(child).localname for child in result(answer)]
    assert names == ["Licenses", "CertificateChain", "ReferenceCertificates"]
    assert tuple(surfaces(answer, "CertificateChain")) == cluster.state.licensor.chain
    first, second, third = surfaces(answer, "Licenses")
    assert second.startswith('<AcquirePreLicenseException xmlns="">')
    key = server.ports.user_keys.get(cluster.sid(READER), 2048)
    assert key is not None
    for text in (first, third):
        license_ = UseLicense.read(text)
        cluster.state.licensor.certificate.issued(license_)
        assert license_.open_content_key(key, bytes(16)) == published.content_key


@conforms("MS-RMSI 2.1", "All four interfaces answer SOAP 1.1 and SOAP 1.2 over HTTP.")
@conforms("MS-RMSI 3.3.4.1", "The answer has the certificate of the user's public key.")
@conforms("MS-RMSI 3.3.4.1.2.2", "The response has one certificate.")
@conforms("MS-RMSI 3.3.4.1.3.4", "The answer's array has one element.")
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
def test_pre_certification_then_licensing(server: RealServer, soap12: bool) -> None:
    """The story of 4.2: the mail server gets the certificate, and with it a use licence for the reader."""
    cluster, published = server.cluster, signed()
    parameters = calls.precertify(READER, sid=cluster.sid(READER))
    answer = server.ask("Precertify", parameters, soap12=soap12, person=MAIL_SERVER)
    [certificate] = surfaces(answer, "PrecertifyResponse")
    rac = RightsAccountCertificate.read(certificate)
    assert (rac.email, rac.machine) == (READER, None)
    asked = calls.acquire_license(((certificate,), published.chain))
    body = server.ask("AcquireLicense", asked, soap12=soap12, person=MAIL_SERVER)
    license_ = UseLicense.read(surfaces(body, "CertificateChain")[0])
    assert license_.principal.object_and_key_surface == rac.principal.object_and_key_surface


@conforms("MS-RMSI 2.1", "All four interfaces answer SOAP 1.1 and SOAP 1.2 over HTTP.")
@conforms("MS-RMSI 3.4.4.1", "The answer is the new licence.")
@conforms("MS-RMSI 3.4.4.1", "The answer is the leaf alone.")
@conforms("MS-RMSI 3.4.4.1.2.2", "The response has one element.")
@conforms("MS-RMSI 3.4.4.1.3.3", "The answer's array has one element.")
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
def test_republishing(server: RealServer, soap12: bool) -> None:
    """One certificate: the new licence, which the new reader's use licence comes from."""
    old = signed()
    asked = calls.edit_issuance_license(old.text, unsigned().text)
    answer = server.ask("EditIssuanceLicense", asked, soap12=soap12, person=MAIL_SERVER)
    result(answer)
    [text] = surfaces(answer, "CertificateChain")
    PublishingLicense.read(text).verify()
    outsider = server.cluster.account(OUTSIDER)
    body = server.ask("AcquireLicense", calls.acquire_license((outsider.chain, (text,))), person="outsider")
    license_ = UseLicense.read(surfaces(body, "CertificateChain")[0])
    assert license_.open_content_key(outsider.key, bytes(16)) == old.content_key


@conforms("MS-RMSI 2.1", "All four interfaces answer SOAP 1.1 and SOAP 1.2 over HTTP.")
@conforms("MS-RMSI 3.2.4.1", "Only a decommissioned server hands out content keys.")
@conforms("MS-RMSI 3.2.4.1", "A licence sealed to one of those is answered with its content key.")
@conforms("MS-RMSI 3.2.4.1", "The key's type is AES or DES.")
@pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])
def test_decommissioned_and_back(server: RealServer, soap12: bool) -> None:
    """Only the content key is to be had, whatever was granted; after the way back everything else again."""
    published = signed()
    asked = calls.acquire_content_key(published.chain)
    server.configure(decommissioned=True)
    try:
        answer = server.ask("AcquireContentKey", asked, soap12=soap12, person=MAIL_SERVER)
        key, kind = result(answer)
        assert base64.b64decode(key.text or "") == published.content_key.key
        assert kind.text == "AES"
        for operation in ("Precertify", "EditIssuanceLicense", "AcquirePreLicense"):
            refused = server.ask(operation, parameters_of(operation), soap12=soap12, person=MAIL_SERVER)
            assert b"ClusterDecommissionedException" in refused.body
    finally:
        server.configure(decommissioned=False)
    assert b"ClusterNotDecommissionedException" in server.ask("AcquireContentKey", asked, person=MAIL_SERVER).body
    assert server.ask("Precertify", calls.precertify(READER), person=MAIL_SERVER).status == 200


@pytest.mark.parametrize("operation", calls.FOR_APPLICATIONS)
@pytest.mark.parametrize("person", ["author", None])
def test_L10_an_ordinary_caller_is_refused(
    server: RealServer, closed: RealServer, operation: str, person: str | None
) -> None:
    """Nobody is listed: 403. Others are: 401 or 403. For one operation of an open endpoint: a fault. Nothing is made."""
    for asked, unlisted in ((closed, 403), (server, 401 if person is None else 403)):
        asked.configure(decommissioned=operation == "AcquireContentKey")
        try:
            answer = asked.ask(operation, parameters_of(operation), person=person)
        finally:
            asked.configure(decommissioned=False)
        if operation != "AcquirePreLicense":
            assert answer.status == unlisted
        elif person is None:
            assert answer.status == 401
        else:
            assert (answer.status, b"System.UnauthorizedAccessException" in answer.body) == (500, True)
        assert b"XrML" not in answer.body
    assert closed.ports.user_keys.get(closed.cluster.sid(READER), 2048) is None


def test_L10_listing_for_one_service_opens_no_other() -> None:
    """Who may pre-certify may not republish, and the other way round."""
    rule = Rule(Demand.LISTED, frozenset({mode_2().sid("author@example.com")}))
    for endpoint, allowed in zip(ENDPOINTS, ("AcquirePreLicense", "Precertify", "EditIssuanceLicense"), strict=False):
        running = RealServer(mode_2(), rules={endpoint: rule})
        try:
            for operation in ("AcquirePreLicense", "Precertify", "EditIssuanceLicense"):
                status = running.ask(operation, parameters_of(operation), person="author").status
                assert (status == 200) == (operation == allowed), (operation, status)
        finally:
            running.http.stop()
