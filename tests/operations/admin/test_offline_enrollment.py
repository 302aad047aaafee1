"""Requests and answers of enrollment in files ([MS-RMPR] 3.6.4.2): what is read, what is written, what is refused."""

from __future__ import annotations

import re

import pytest
from lxml import etree

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.offline_enrollment import (
    CERTIFICATES,
    NAMESPACE,
    answer_request,
    read_answer,
    read_request,
    write_answer,
)
from rmsserver.operations.enroll import EnrollRequest, RevocationInformation
from rmsserver.outbound.enrollment import Applicant, request_file
from rmsserver.state import AuditTrail
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import PublicKey
from rmsserver.xrml.principal import read_public_key
from rmsserver.xrml.values import Guid
from tests.cluster import NOW, Cluster, key
from tests.conformance import conforms
from tests.operations.enrollees import GUID, INFORMATION, URL, encoded, key_of, sent_by
from tests.operations.test_enroll import enrollment_service

AUTHORITY = key("revocation authority", 2048)
ROOT, CHAIN = f'EnrollResponse xmlns="{NAMESPACE}"', "LicensorCertificateChain"


def request_of(cluster: Cluster, authorities: tuple[PublicKey, ...] = ()) -> bytes:
    """The file that a new cluster writes, with what `INFORMATION` says."""
    public = key_of(cluster).public
    return request_file(Applicant(public, Guid(GUID), "RMS 2.0", "6.3.0.0", "BRANCH", URL, authorities))


def ask(cluster: Cluster, data: bytes) -> tuple[tuple[str, ...], AuditTrail]:
    """The certificates of the answer, and what is recorded. Raises OperatorError."""
    trail = AuditTrail()
    service = enrollment_service(cluster)
    answer = answer_request(data, service, trail, cluster.state, cluster.ports().random.guid, NOW)
    return read_answer(answer), trail


def refused(cluster: Cluster, data: bytes, words: str) -> None:
    with pytest.raises(OperatorError, match=words) as caught:
        ask(cluster, data)
    assert "CANARY" not in str(caught.value)


# --- requests -----------------------------------------------------------------------------------------------------------


def test_the_request_of_a_new_cluster_is_read(cluster: Cluster) -> None:
    """All that Enroll has on the wire but the ignored authorization; a name of any letters."""
    assert read_request(request_of(cluster)) == EnrollRequest(
        sent_by(cluster), INFORMATION, RevocationInformation("StandardRevocation")
    )
    data = request_of(cluster).replace(b"BRANCH", b"Z&#252;rich &#1041; &amp;")
    found = read_request(data).information
    assert found is not None
    assert found.name == "Z\u00fcrich \u0411 &"


@conforms("MS-RMPR 3.6.4.2.1.1", "The GUID in a request file has braces.")
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (f' xmlns="{NAMESPACE}"', ""),
        (f'<EnrollParameters xmlns="{NAMESPACE}">', f'<EnrollParameters><_ xmlns="{NAMESPACE}"/>'),
        ('<?xml version="1.0"?>\n', ""),
        ('<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-16"?>'),
        (
            "<RevocationInformation>",
            "<AuthorizationInformation><X/>y</AuthorizationInformation><RevocationInformation>",
        ),
        ("><", ">\r\n  <"),
        (GUID, f"{{{GUID.upper()}}}"),
        ("<aPublicKeyBytes>", "<aPublicKeyBytes>\r\n\t"),
    ],
)
def test_other_spellings_of_a_request(mode_2: Cluster, was: str, becomes: str) -> None:
    """With the namespace at the children, as .NET writes, or without; any declaration; indented; a GUID in braces."""
    text = request_of(mode_2).decode("ascii")
    assert was in text
    text = text.replace(was, becomes)
    if "<_ " in text:
        text = text.replace(f'<_ xmlns="{NAMESPACE}"/>', "")
        for part in ("RevocationInformation", "CertificatePublicKey", "EnrolleeInformation"):
            text = text.replace(f"<{part}>", f'<{part} xmlns="{NAMESPACE}">')
    chain, _trail = ask(mode_2, text.encode())
    assert IssuingCertificate.read(chain[0]).principal.object.guid == Guid(GUID)


@conforms(
    "MS-RMPR 3.6.4.2.1.1", "A request file is ASCII and holds one XML element; one with anything around it is refused."
)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"header\n%s",
        b"%s\nfooter",
        b"\xef\xbb\xbf%s",
        b"%s<EnrollParameters/>",
        b"MIME-Version: 1.0\r\n\r\n%s",
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
        b"<!DOCTYPE x [<!ENTITY y 'CANARY'>]>%s",
        b"%s" + b" " * (256 * 1024),
    ],
)
def test_X2_a_file_that_is_more_or_less_than_a_request(mode_2: Cluster, data: bytes) -> None:
    """X2, X3: nothing before, after or instead, no entities, bounded."""
    whole = request_of(mode_2)
    refused(mode_2, data.replace(b"%s", whole.partition(b"\n")[2]), "check that it is the right file|ASCII")
    refused(mode_2, whole.decode("ascii").encode("utf-16"), "not an ASCII file")


@conforms(
    "MS-RMPR 3.6.4.2.1.1",
    "A request file has the three parts of EnrollParameters in their namespace, and one with other content is refused.",
)
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("EnrollParameters", "EnrollmentParameters"),
        (NAMESPACE, "http://microsoft.com/DRM/SubEnrollmentService"),
        ("<EnrolleeInformation>", "<CANARY/><EnrolleeInformation>"),
        ("<EnrolleeInformation>", "CANARY<EnrolleeInformation>"),
        ("<EnrolleeInformation>", "<!-- CANARY --><EnrolleeInformation>"),
        ("<EnrolleeInformation>", "<EnrolleeInformation/><EnrolleeInformation>"),
        ("<SKU>", "<SKU><CANARY/>"),
        ("<SKU>", "<SKU>CANARY</SKU><SKU>"),
        ("<Guid>", "<CANARY/><Guid>"),
        ("<RevocationType>", "<aRevocationAuthorities><CANARY/></aRevocationAuthorities><RevocationType>"),
    ],
)
def test_content_that_no_request_has(mode_2: Cluster, was: str, becomes: str) -> None:
    """Nobody has to guess what counts."""
    refused(mode_2, request_of(mode_2).replace(was.encode(), becomes.encode()), "check that it is the right file")


def without(data: bytes, tag: str) -> bytes:
    return re.sub(rb"<%b>.*</%b>" % (tag.encode(), tag.encode()), b"", data)


@conforms("MS-RMPR 3.6.4.2.1.1", "Without RevocationInformation a request file is refused.")
@conforms("MS-RMPR 3.6.4.2.1.1", "Without CertificatePublicKey a request file is refused.")
@conforms("MS-RMPR 3.6.4.2.1.1", "Without EnrolleeInformation, or without a version in it, a request file is refused.")
@pytest.mark.parametrize(
    "tag",
    [
        "RevocationInformation",
        "RevocationType",
        "CertificatePublicKey",
        "aPublicKeyBytes",
        "Guid",
        "EnrolleeInformation",
        "Version",
    ],
)
def test_what_a_request_must_have(mode_2: Cluster, tag: str) -> None:
    """Missing and empty alike."""
    data = request_of(mode_2)
    assert without(data, tag) != data
    refused(mode_2, without(data, tag), "the request is refused")
    refused(mode_2, re.sub(rb"<%b>.*</%b>" % (tag.encode(), tag.encode()), b"<%b/>" % tag.encode(), data), "refused")


@conforms("MS-RMPR 3.6.4.2.1.1", "A request file with another revocation type than the two is refused.")
@conforms("MS-RMPR 3.6.4.2.1.1", "Authorities in a request file count with CustomRevocation alone.")
@conforms(
    "MS-RMPR 3.6.4.2.1.1", "A request file for StandardRevocation has no authorities, and one with some is refused."
)
@conforms("MS-RMPR 3.6.4.2.1.1", "A request file for CustomRevocation without an authority is refused.")
@conforms("MS-RMPR 3.6.4.2.3.1", "A request file with CustomRevocation names at least one authority.")
@conforms("MS-RMPR 3.6.4.2.3.1", "An authority in a request file has its public key inside.")
@conforms("MS-RMPR 3.6.4.2.3.1", "An authority's key in a request file is PKCS#1 in base64.")
@conforms("MS-RMPR 3.6.4.2.4.2", "RevocationType of a request file is one of two words.")
@conforms("MS-RMPR 3.6.4.2.4.2", "Revocation authorities go with CustomRevocation.")
@conforms("MS-RMPR 3.6.4.2.4.2", "Revocation authorities go with no other type.")
@conforms("MS-RMPR 3.6.4.2.4.2", "CustomRevocation goes with one authority or more.")
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("CustomRevocation", "StandardRevocation"),
        ("CustomRevocation", "NonRevocable"),
        ("CustomRevocation", "CANARY"),
        ("<aRevocationAuthorities>.*</aRevocationAuthorities>", ""),
        ("<aRevocationAuthorities>.*</aRevocationAuthorities>", "<aRevocationAuthorities/>"),
        ("<aRevocationAuthorityPublicKey>.*</aRevocationAuthorityPublicKey>", ""),
        ("<aRevocationAuthorityPublicKey>", "<aRevocationAuthorityPublicKey>CANARY!"),
        (
            "<aRevocationAuthorityPublicKey>.*</aRevocationAuthorityPublicKey>",
            "<aRevocationAuthorityPublicKey>AAAA</aRevocationAuthorityPublicKey>",
        ),
    ],
)
def test_revocation_that_does_not_go_together(mode_2: Cluster, was: str, becomes: str) -> None:
    """Type and authorities, and the authorities' keys."""
    good = request_of(mode_2, (AUTHORITY.public,))
    ask(mode_2, good)
    refused(mode_2, re.sub(was.encode(), becomes.encode(), good), "the request is refused")


@conforms("MS-RMPR 3.6.4.2.1.1", "The key in a request file is PKCS#1 in base64, and another is refused.")
@pytest.mark.parametrize("put", ["CANARY!", "AAAA", encoded(key("short", 1024))])
def test_a_key_that_is_none(mode_2: Cluster, put: str) -> None:
    """Not base64, not PKCS#1, too short for the cluster's mode."""
    sent = encoded(key_of(mode_2)).encode()
    refused(mode_2, request_of(mode_2).replace(sent, put.encode()), "the request is refused")


@conforms("MS-RMPR 3.6.4.2.3.1", "A certificate from a request file names the authority's key for lists against it.")
def test_an_authority_of_a_request(cluster: Cluster) -> None:
    """After the issuer's own key."""
    chain, _trail = ask(cluster, request_of(cluster, (AUTHORITY.public,)))
    points = IssuingCertificate.read(chain[0]).body.one("CONDITIONLIST").one("REFRESH").all("DISTRIBUTIONPOINT")
    keys = [read_public_key(point.one("PUBLICKEY")) for point in points]
    assert keys == [enrollment_service(cluster).key.public, AUTHORITY.public]


# --- answers ------------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.6.4.2.1.2", "SLC of an answer file is the new cluster's certificate, to the letter.")
@conforms("MS-RMPR 3.6.4.2.1.2", "EnrollmentServiceCert of an answer file is the Enrollment Service's certificate.")
@conforms("MS-RMPR 3.6.4.2.1.2", "EnrollmentCACert of an answer file is the Enrollment CA's certificate.")
@conforms("MS-RMPR 3.6.4.2.1.2", "CACert of an answer file is the CA's certificate.")
@conforms("MS-RMPR 3.6.4.2.4.1", "The certificate of an answer file is for the key in the request file.")
@conforms("MS-RMPR 3.6.4.2.4.1", "The GUID of a request file is the new cluster's own, and stands in its certificate.")
def test_the_certificates_of_an_answer(cluster: Cluster) -> None:
    """Those of the synchronous answer, for the key and GUID of the request; who enrolled is an alert."""
    trail, service = AuditTrail(), enrollment_service(cluster)
    data = answer_request(request_of(cluster), service, trail, cluster.state, cluster.ports().random.guid, NOW)
    chain = {etree.QName(found).localname: found.text or "" for found in etree.fromstring(data)[0]}
    slc = IssuingCertificate.read(chain["SLC"])
    service.certificate.issued(slc)
    assert (slc.principal.public_key, slc.principal.object.guid) == (key_of(cluster).public, Guid(GUID))
    assert tuple(chain) == CERTIFICATES
    assert tuple(chain.values())[1:] == cluster.state.licensor.chain[1:]
    assert trail.alerts == ["a cluster was enrolled: http://branch.example.com/_wmcs"]


@conforms("MS-RMPR 3.6.4.2.1.2", "An answer file is ASCII and holds one XML element.")
@conforms("MS-RMPR 3.6.4.2.1.2", "An answer file follows the schema.")
def test_the_form_of_an_answer() -> None:
    """Signed text comes out of it character for character: line ends, letters of all kinds, spellings."""
    chain = tuple(f'<XrML  a = "&gt;">{n}\n\r\t \u00e9 \U0001f511 &amp; ]]></XrML >' for n in range(4))
    data = write_answer(chain)
    assert data.isascii()
    assert data.startswith(
        f'<?xml version="1.0"?>\n<EnrollResponse xmlns="{NAMESPACE}"><LicensorCertificateChain>'.encode()
    )
    assert data.endswith(b"</LicensorCertificateChain></EnrollResponse>")
    assert read_answer(data) == chain


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (f' xmlns="{NAMESPACE}"', ""),
        ('<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-16"?>'),
        ("|".join(CERTIFICATES), "string"),
        (f"{ROOT}><{CHAIN}", f'EnrollResponse><{CHAIN} xmlns="{NAMESPACE}"'),
    ],
)
def test_other_spellings_of_an_answer(was: str, becomes: str) -> None:
    """As .NET writes them: the root in no namespace, a declaration of UTF-16, `string` elements."""
    data = write_answer(("a", "b", "c", "d")).decode()
    other = re.sub(re.escape(was) if "|" not in was else rf"(?<=[</])({was})(?=>)", becomes, data)
    assert other != data
    assert read_answer(other.encode()) == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"<SLC>a</SLC>", b""),
        (b"<SLC>a</SLC>", b"<string>a</string>"),
        (b"<CACert>d</CACert>", b"<CACert>d</CACert><CACert>e</CACert>"),
        (b"<SLC>a</SLC><EnrollmentServiceCert>b</EnrollmentServiceCert>", b"<EnrollmentServiceCert/><SLC/>"),
        (b"<SLC>a", b"<SLC><XrML/>"),
        (b"EnrollResponse", b"EnrollParameters"),
        (b"<LicensorCertificateChain>", b"<LicensorCertificateChain/><LicensorCertificateChain>"),
    ],
)
def test_what_is_no_answer(was: bytes, becomes: bytes) -> None:
    """Other certificates, another order, documents that are no text."""
    data = write_answer(("a", "b", "c", "d"))
    assert was in data
    with pytest.raises(OperatorError, match="check that it is the right file"):
        read_answer(data.replace(was, becomes))


def test_a_chain_that_does_not_fit() -> None:
    """The file has four places."""
    with pytest.raises(OperatorError, match="5 certificates"):
        write_answer(("a",) * 5)


def test_a_decommissioned_cluster_answers_nothing(mode_2: Cluster) -> None:
    """As over the network."""
    refused(mode_2.with_state(decommissioned=True), request_of(mode_2), "decommissioned")


def test_L10_the_own_key_is_not_enrolled(mode_2: Cluster) -> None:
    """Nobody gets a second certificate for a key of this cluster."""
    sent, own = encoded(key_of(mode_2)).encode(), encoded(mode_2.state.licensor.key).encode()
    refused(mode_2, request_of(mode_2).replace(sent, own), "the request is refused")
