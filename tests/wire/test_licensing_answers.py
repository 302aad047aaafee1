"""Answers of the licensing services over HTTP, element by element: licences, templates, licensor certificates."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from lxml import etree

from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rights import Right
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.use_license import OWNER_RIGHT, UseLicense
from tests.cluster import Cluster, grantee, guid
from tests.conformance import conforms
from tests.http_server import Response
from tests.operations.licensing import AUTHOR, OUTSIDER, READER
from tests.soap_messages import LICENSING, PUBLISHING, TEMPLATES
from tests.wire import calls
from tests.wire.real_server import RealServer
from tests.wire.serving_process import certificates
from tests.wire.test_faults import mode_2

VIEW = (Right.of("VIEW", grantee(READER)),)
STAND_IN = bytes(16)


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    """With two published templates and an archived one."""
    cluster = mode_2()
    published = [cluster.template(name, VIEW) for name in ("Confidential", "Internal <& only>")]
    old = cluster.template("Old", VIEW)
    running = RealServer(
        cluster.with_state(published_templates={t.guid: t for t in published}, archived_templates={old.guid: old})
    )
    yield running
    running.http.stop()


def result(answer: Response) -> etree._Element:
    """What stands in the answer's result element; the version header is there."""
    assert answer.status == 200, answer.body
    header, body = etree.fromstring(answer.body)
    assert [etree.QName(child).localname for child in header] == ["VersionData"]
    [[found]] = body
    element: etree._Element = found
    return element


def names(parent: etree._Element, namespace: str) -> list[str]:
    """The children's local names, all of the service's namespace."""
    assert {etree.QName(child).namespace for child in parent} <= {namespace}
    return [etree.QName(child).localname for child in parent]


def ask(server: RealServer, operation: str, parameters: str, *, soap12: bool, version: str = "1.0.0.0") -> Response:
    return server.ask(operation, parameters, soap12=soap12, version=version)


soap_versions = pytest.mark.parametrize("soap12", [False, True], ids=["soap11", "soap12"])


# --- licences ----------------------------------------------------------------------------------------------------------


def check_use_licence(cluster: Cluster, documents: tuple[str, ...]) -> UseLicense:
    """Leaf and SLC chain; the leaf is signed with the key of the SLC, which its ISSUER names."""
    slc = cluster.state.licensor
    assert documents[1:] == slc.chain
    licence = UseLicense.read(documents[0])
    assert licence.issuer.public_key == slc.certificate.principal.public_key
    licence.verify(slc.key.public)
    return licence


@conforms("MS-RMPR 3.4.4.1", "A request that succeeds is answered with a use licence chain.")
@conforms("MS-RMPR 3.4.4.1", "The server's SLC chain follows the use licence.")
@conforms("MS-RMPR 3.4.4.1", "The use licence is signed with the server's key, in its SIGNATURE.")
@conforms("MS-RMPR 3.4.4.1", "ISSUER of the use licence has the server's public key.")
@conforms("MS-RMPR 3.4.4.1", "The content key in the use licence is encrypted with the RAC's public key.")
@conforms("MS-RMPR 3.4.4.1", "A valid request is served.")
@conforms("MS-RMPR 3.4.4.1.3.4", "Each response has a CertificateChain.")
@conforms("MS-RMPR 3.4.4.1.3.4", "ReferenceCertificates is there and empty.")
@soap_versions
def test_a_use_licence(server: RealServer, soap12: bool) -> None:
    """One response with chain and empty references; the account's key opens what the author's key sealed."""
    cluster = server.cluster
    reader, published = cluster.account(READER), cluster.publish(cluster.author(), VIEW)
    answer = ask(server, "AcquireLicense", calls.acquire_license((reader.chain, published.chain)), soap12=soap12)
    [response] = result(answer)
    assert names(result(answer), LICENSING) == ["AcquireLicenseResponse"]
    assert names(response, LICENSING) == ["CertificateChain", "ReferenceCertificates"]
    assert (len(response[1]), response[1].text) == (0, None)
    licence = check_use_licence(cluster, certificates(answer))
    assert licence.open_content_key(reader.key, STAND_IN) == published.content_key
    assert [right.name for right in licence.rights] == ["VIEW"]


@conforms("MS-RMPR 3.4.4.1", "Each item of a batch gets a use licence.")
@conforms("MS-RMPR 3.4.4.1", "The answer to a batch has one response for each item.")
@conforms("MS-RMPR 3.4.4.1", "An item without a publishing licence takes the latest one before it.")
@conforms(
    "MS-RMPR 3.4.4.1",
    "An item that fails has an AcquireLicenseException with the error in the place of its licence.",
)
@conforms("MS-RMPR 3.4.4.1.3.4", "Each response has a CertificateChain.")
@soap_versions
def test_a_batch(server: RealServer, soap12: bool) -> None:
    """In order: a licence, an error, the owner's licence of the same document, a licence of the next document."""
    cluster = server.cluster
    one, other = (cluster.publish(cluster.author(), VIEW, name=name) for name in ("one", "other"))
    people = [(READER, one.chain), (OUTSIDER, ()), (AUTHOR, ()), (READER, other.chain)]
    parameters = calls.acquire_license(*((cluster.account(who).chain, documents) for who, documents in people))
    answer = ask(server, "AcquireLicense", parameters, soap12=soap12, version="1.1.0.0")
    responses = result(answer)
    assert names(responses, LICENSING) == ["AcquireLicenseResponse"] * 4
    for response in responses:
        assert names(response, LICENSING) == ["CertificateChain", "ReferenceCertificates"]
    [[error]] = responses[1][0]
    assert [error.tag, *(child.tag for child in error)] == ["AcquireLicenseException", "ExceptionString", "batchindex"]
    assert "NoRightsForRequestedPrincipalException" in (error[0].text or "")
    assert error[1].text == "1"
    documents, length = certificates(answer), 1 + len(cluster.state.licensor.chain)
    licences = [check_use_licence(cluster, documents[at : at + length]) for at in range(0, len(documents), length)]
    assert [licence.rights == (OWNER_RIGHT,) for licence in licences] == [False, True, False]
    works = [licence.body.one("WORK").one("OBJECT").one("ID").text for licence in licences]
    assert works == [guid("one").braced, guid("one").braced, guid("other").braced]


@conforms("MS-RMPR 3.5.4.1", "A request that succeeds is answered with a signed publishing licence and the SLC chain.")
@conforms("MS-RMPR 3.5.4.1", "The licence is signed with the server's key, in its SIGNATURE.")
@conforms("MS-RMPR 3.5.4.1", "A valid request is served.")
@conforms("MS-RMPR 3.5.4.1.3.4", "The documents of the answer are a publishing licence and an SLC chain in their form.")
@soap_versions
def test_a_signed_publishing_licence(server: RealServer, soap12: bool) -> None:
    """Each unsigned licence comes back signed, with the SLC chain; a reader gets her licence from it."""
    cluster = server.cluster
    unsigned = [cluster.publish(None, VIEW, name=name) for name in ("one", "other")]
    parameters = calls.acquire_issuance_license(*(licence.text for licence in unsigned))
    answer = ask(server, "AcquireIssuanceLicense", parameters, soap12=soap12)
    responses = result(answer)
    assert names(responses, PUBLISHING) == ["AcquireIssuanceLicenseResponse"] * 2
    assert [names(response, PUBLISHING) for response in responses] == [["CertificateChain"]] * 2
    documents, chain = certificates(answer), cluster.state.licensor.chain
    for sent, leaf, rest in zip(
        unsigned, documents[:: len(chain) + 1], (documents[1 : len(chain) + 1], documents[-len(chain) :]), strict=True
    ):
        assert rest == chain
        signed = PublishingLicense.read(leaf)
        signed.verify(cluster.state.licensor.key.public)
        assert signed.body.one("WORK").surface in sent.text
        reader = cluster.account(READER)
        opened = ask(server, "AcquireLicense", calls.acquire_license((reader.chain, (leaf,))), soap12=soap12)
        licence = check_use_licence(cluster, certificates(opened))
        assert licence.open_content_key(reader.key, STAND_IN) == sent.content_key


@conforms("MS-RMPR 3.5.4.2", "A request that succeeds is answered with a CLC chain.")
@conforms("MS-RMPR 3.5.4.2", "The server's SLC chain follows the CLC.")
@conforms("MS-RMPR 3.5.4.2", "The CLC is signed with the server's key, in its SIGNATURE.")
@conforms("MS-RMPR 3.5.4.2", "ISSUER of the CLC has the server's public key.")
@conforms("MS-RMPR 3.5.4.2", "The CLC holds the public key and the encrypted private key of one pair.")
@conforms("MS-RMPR 3.5.4.2", "The private key is encrypted with the RAC's public key.")
@conforms("MS-RMPR 3.5.4.2", "A valid request is answered with a new CLC.")
@conforms("MS-RMPR 3.5.4.2.3.4", "The CLC of the answer has the form of section 2.2.9.6.")
@soap_versions
def test_a_client_licensor_certificate(server: RealServer, soap12: bool) -> None:
    """One response with the chain; the account's key opens the signing key, which is that of the certificate."""
    cluster, account = server.cluster, server.cluster.account(AUTHOR)
    answer = ask(server, "GetClientLicensorCert", calls.get_client_licensor_cert(account.chain), soap12=soap12)
    [response] = result(answer)
    assert names(result(answer), PUBLISHING) == ["GetClientLicensorCertResponse"]
    assert names(response, PUBLISHING) == ["CertificateChain"]
    leaf, *rest = certificates(answer)
    assert tuple(rest) == cluster.state.licensor.chain
    clc = ClientLicensorCertificate.read(leaf)
    assert clc.issuer.public_key == cluster.state.licensor.certificate.principal.public_key
    clc.verify(cluster.state.licensor.key.public)
    assert clc.open_private_key(account.key, STAND_IN).public == clc.principal.public_key


# --- templates ---------------------------------------------------------------------------------------------------------


def digest(template: RightsTemplate) -> str | None:
    """VALUE of the DIGEST in its SIGNATURE."""
    return etree.fromstring(template.text).findtext("SIGNATURE/DIGEST/VALUE")


@conforms("MS-RMPR 3.4.4.2", "All published templates are listed, and no others.")
@conforms("MS-RMPR 3.4.4.2", "Each template is listed with its GUID and its hash.")
@conforms("MS-RMPR 3.4.4.2.3.1", "The answer has one ServerPublicKey.")
@conforms("MS-RMPR 3.4.4.2.3.1", "ServerPublicKey is the public key of the SLC, PKCS#1 in base64.")
@conforms("MS-RMPR 3.4.4.2.3.1", "GuidHashCount is the number of GuidHash elements.")
@conforms("MS-RMPR 3.4.4.2.3.2", "Guid is the GUID of the template.")
@conforms("MS-RMPR 3.4.4.2.3.2", "Hash is the VALUE of the DIGEST in the template's SIGNATURE.")
@soap_versions
def test_template_information(server: RealServer, soap12: bool) -> None:
    """Key, count, and a pair for each published template; nothing of the archived one."""
    found = result(ask(server, "AcquireTemplateInformation", "", soap12=soap12))
    assert names(found, TEMPLATES) == ["ServerPublicKey", "GuidHashCount", "GuidHash", "GuidHash"]
    key_text, count, *pairs = found
    key = load_der_public_key(base64.b64decode(key_text.text or "", validate=True))
    assert isinstance(key, RSAPublicKey)
    assert key.public_numbers().n == server.cluster.state.licensor.certificate.principal.public_key.modulus
    assert base64.b64decode(key_text.text or "") == key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert count.text == "2"
    templates = server.cluster.state.published_templates.values()
    assert [names(pair, TEMPLATES) for pair in pairs] == [["Guid", "Hash"]] * 2
    assert [(pair[0].text, pair[1].text) for pair in pairs] == [(t.guid.braced, digest(t)) for t in templates]


def test_template_information_without_templates(server: RealServer) -> None:
    """No fault: the count is nought."""
    before = server.cluster
    server.configure(published_templates={})
    found = result(server.ask("AcquireTemplateInformation"))
    server.cluster = before
    assert names(found, TEMPLATES) == ["ServerPublicKey", "GuidHashCount"]
    assert found[1].text == "0"


@conforms("MS-RMPR 3.4.4.3", "Templates are looked for among the published ones alone.")
@conforms("MS-RMPR 3.4.4.3", "There is an entry for each GUID asked for, in order.")
@conforms("MS-RMPR 3.4.4.3", "An entry has GUID and hash beside the template.")
@conforms("MS-RMPR 3.4.4.3", "The entry of a GUID that is not found has no template.")
@conforms("MS-RMPR 3.4.4.3.3.2", "Guid is the one asked for.")
@conforms("MS-RMPR 3.4.4.3.3.2", "Hash is the VALUE of the DIGEST in the template's SIGNATURE.")
@conforms("MS-RMPR 3.4.4.3.3.2", "Template is the signed document as text, unchanged by the escaping.")
@soap_versions
def test_templates(server: RealServer, soap12: bool) -> None:
    """Published ones with hash and text; of unknown and archived ones the GUID alone."""
    state = server.cluster.state
    published, archived = [*state.published_templates.values()], [*state.archived_templates.values()]
    asked = [published[1].guid.braced, guid("nobody knows").braced, archived[0].guid.braced, published[0].guid.braced]
    found = result(ask(server, "AcquireTemplates", calls.acquire_templates(*asked), soap12=soap12))
    assert names(found, TEMPLATES) == ["GuidTemplate"] * 4
    entries = [dict(zip(names(entry, TEMPLATES), (child.text for child in entry), strict=True)) for entry in found]
    assert [entry["Guid"] for entry in entries] == asked
    assert [set(entry) for entry in entries[1:3]] == [{"Guid"}] * 2
    for entry, template in ((entries[0], published[1]), (entries[3], published[0])):
        assert entry == {"Guid": template.guid.braced, "Hash": digest(template), "Template": template.text}
        RightsTemplate.read(str(entry["Template"])).verify(state.licensor.key.public)


@conforms("MS-RMPR 3.4.4.3.3.1", "The answer is a list of GuidTemplate elements, 25 at most.")
def test_templates_25_at_most(server: RealServer) -> None:
    """Nought for nought; of 26 the first 25."""
    asked = [guid(f"number {n}").braced for n in range(26)]
    for count in (0, 25, 26):
        found = result(server.ask("AcquireTemplates", calls.acquire_templates(*asked[:count])))
        assert names(found, TEMPLATES) == ["GuidTemplate"] * min(count, 25)
        assert [entry[0].text for entry in found] == asked[: min(count, 25)]
