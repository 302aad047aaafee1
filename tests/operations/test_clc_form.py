"""The form of a client licensor certificate ([MS-RMPR] 2.2.9.6), as GetClientLicensorCert issues it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import pytest
from lxml import etree

from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.state import AuthenticationType, FederatedAccount, RequestContext
from rmsserver.xrml.clc import ClientLicensorCertificate
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rac import RightsAccountCertificate
from tests.cluster import BASE_URL, Account, Cluster, key, make_cluster
from tests.cluster import NOW as ISSUED
from tests.conformance import conforms
from tests.written_forms import (
    Written,
    check_signature,
    guid_id,
    licensing_points,
    order,
    public_key,
    text_at,
    time_range,
)

AUTHOR = "author@example.com"
OUTSIDE = "https://rms.example.net/_wmcs/licensing"
GUEST = FederatedAccount("guest@example.net", ("guest@example.org", "visitor@example.net"))


@dataclass(frozen=True)
class Issued(Written):
    """A CLC of `cluster` for `account`."""

    cluster: Cluster
    account: Account
    text: str

    @property
    def guid(self) -> str:
        return text_at(self.body, "DESCRIPTOR/OBJECT/ID")


@functools.cache
def issue(mode: CryptoMode) -> Issued:
    plain = make_cluster(mode)
    cluster = plain.with_state(external_licensing_url=OUTSIDE)
    account = cluster.account(AUTHOR)
    return Issued(cluster, account, licensor_certificate(cluster, account.chain))


def licensor_certificate(cluster: Cluster, rac: tuple[str, ...]) -> str:
    request = GetClientLicensorCertRequest((rac,))
    return get_client_licensor_cert(request, cluster.caller(AUTHOR), cluster.state, cluster.ports(), ISSUED).chains[0][
        0
    ]


@pytest.fixture(params=list(CryptoMode), ids=["mode1", "mode2"])
def clc(request: pytest.FixtureRequest) -> Issued:
    return issue(request.param)


@conforms("MS-RMPR 2.2.9.6", "Its parts stand in the order of the template.")
@conforms("MS-RMPR 2.2.9.6", "A DESCRIPTOR says what it is.")
@conforms("MS-RMPR 2.2.9.6", "An ISSUER says who issued it.")
@conforms("MS-RMPR 2.2.9.6", "ISSUEDPRINCIPALS name the account and hold the new public key.")
def test_parts(clc: Issued) -> None:
    assert clc.text.startswith('<XrML xmlns="" version="1.2"><BODY type="LICENSE" version="3.0"><ISSUEDTIME>')
    assert order(clc.body) == ("ISSUEDTIME DESCRIPTOR ISSUER DISTRIBUTIONPOINT DISTRIBUTIONPOINT ISSUEDPRINCIPALS WORK")
    assert order(clc.body, "WORK") == "OBJECT RIGHTSGROUP"
    assert order(clc.body, "WORK/RIGHTSGROUP[@name='Main-Rights']/RIGHTSLIST") == "RIGHT"
    right = "WORK/RIGHTSGROUP/RIGHTSLIST/RIGHT[@name='ISSUE']/CONDITIONLIST"
    assert order(clc.body, right) == "TIME ACCESS"
    assert order(clc.body, f"{right}/ACCESS/PRINCIPAL[@internal-id='1']") == "ENABLINGBITS"


@conforms("MS-RMPR 2.2.9.6", "ISSUEDTIME is the time of issue in UTC.")
def test_issued_time(clc: Issued) -> None:
    assert text_at(clc.body, "ISSUEDTIME") == "2026-06-01T12:00"


@conforms("MS-RMPR 2.2.9.6.1", "The descriptor has the type Client-Licensor-Certificate and a new GUID in braces.")
@conforms("MS-RMPR 2.2.9.6", "WORK repeats the object of the descriptor with its GUID.")
def test_descriptor(clc: Issued) -> None:
    object_ = f'<OBJECT type="Client-Licensor-Certificate">{guid_id(clc.guid)}</OBJECT>'
    assert clc.part("DESCRIPTOR") == f"<DESCRIPTOR>{object_}</DESCRIPTOR>"
    assert f"<WORK>{object_}<RIGHTSGROUP" in clc.text
    another = licensor_certificate(clc.cluster, clc.account.chain)
    assert clc.guid not in another


@conforms("MS-RMPR 2.2.9.6.2", "ISSUER holds what the SLC's principal holds, to the letter.")
@conforms("MS-RMPR 2.2.9.6.2", "ISSUER has object, public key and two levels, in the order of the template.")
@conforms("MS-RMPR 2.2.9.6.2", "The issuer's GUID stands in braces.")
@conforms("MS-RMPR 2.2.9.6.2", "The issuer's GUID is the one in the SLC's principal.")
@conforms("MS-RMPR 2.2.9.6.2", "NAME has the server's name.")
@conforms("MS-RMPR 2.2.9.6.2", "ADDRESS has the cluster's URL.")
@conforms("MS-RMPR 2.2.9.6.2", "ISSUER has the SLC's public key.")
@conforms("MS-RMPR 2.2.9.6.2", "The exponent of the issuer's key is 65537.")
@conforms("MS-RMPR 2.2.9.6.2", "The size of the issuer's key stands in bits.")
@conforms("MS-RMPR 2.2.9.6.2", "The modulus is that of the issuer's key.")
@conforms("MS-RMPR 2.2.9.6.2", "A level Server-Version stands in ISSUER.")
@conforms("MS-RMPR 2.2.9.6.2", "A level Server-SKU stands in ISSUER.")
def test_issuer(clc: Issued) -> None:
    slc = clc.cluster.state.licensor
    server = slc.certificate.text
    principal = server[server.index("<PRINCIPAL ") : server.index("</PRINCIPAL>")].partition(">")[2]
    assert clc.part("ISSUER") == f"<ISSUER>{principal}</ISSUER>"
    identity = text_at(etree.fromstring(server), "BODY/ISSUEDPRINCIPALS/PRINCIPAL/OBJECT/ID")
    assert principal == (
        f'<OBJECT type="MS-DRM-Server">{guid_id(identity)}<NAME>EXAMPLE</NAME>'
        f'<ADDRESS type="URL">HTTP{BASE_URL.removeprefix("http")}</ADDRESS></OBJECT>{public_key(slc.key.public)}'
        '<SECURITYLEVEL name="Server-Version" value="6.3.0.0" /><SECURITYLEVEL name="Server-SKU" value="RMS 2.0" />'
    )


@conforms("MS-RMPR 2.2.9.6", "The first DISTRIBUTIONPOINT has the internal licensing URL.")
@conforms("MS-RMPR 2.2.9.6", "Where an external licensing URL is configured, a second DISTRIBUTIONPOINT has it.")
@conforms("MS-RMPR 2.2.9.6.3", "The points have GUID, the name DRM Server Cluster, and an address.")
@conforms("MS-RMPR 2.2.9.6.3", "They are of the types License-Acquisition-URL and Extranet-License-Acquisition-URL.")
@conforms("MS-RMPR 2.2.9.6.3", "Each type of point has its GUID, in braces.")
@conforms("MS-RMPR 2.2.9.6.3", "The address is the licensing URL inside or outside.")
def test_distribution_points(clc: Issued) -> None:
    inside = f"{BASE_URL}/licensing"
    assert f"</ISSUER>{licensing_points(inside, OUTSIDE)}<ISSUEDPRINCIPALS>" in clc.text
    plain = clc.cluster.with_state(external_licensing_url=None)
    text = licensor_certificate(plain, clc.account.chain)
    assert f"</ISSUER>{licensing_points(inside, None)}<ISSUEDPRINCIPALS>" in text


@conforms("MS-RMPR 2.2.9.6.4", "ISSUEDPRINCIPALS have one principal with an object and a public key.")
@conforms("MS-RMPR 2.2.9.6.4", "The type of ID is that of the account's sign-on.")
@conforms("MS-RMPR 2.2.9.6.4", "The type of ID is the RAC's.")
@conforms("MS-RMPR 2.2.9.6.4", "The ID is the account's.")
@conforms("MS-RMPR 2.2.9.6.4", "The ID is the RAC's.")
@conforms("MS-RMPR 2.2.9.6.4", "NAME has the account's primary address.")
@conforms("MS-RMPR 2.2.9.6.4", "For a Windows account there is no alias.")
@conforms("MS-RMPR 2.2.9.6.4", "It has the public key of the new key pair.")
@conforms("MS-RMPR 2.2.9.6.4", "The exponent of the new key is 65537.")
@conforms("MS-RMPR 2.2.9.6.4", "The size of the new key stands in bits.")
@conforms("MS-RMPR 2.2.9.6.4", "The modulus is that of the new key.")
def test_issued_principals(clc: Issued) -> None:
    """The pool's first key is the new one."""
    new = key("pool 0", clc.cluster.mode.rsa_bits).public
    object_ = (
        f'<OBJECT type="Group-Identity"><ID type="Windows">{clc.cluster.sid(AUTHOR)}</ID><NAME>{AUTHOR}</NAME></OBJECT>'
    )
    assert object_ in clc.account.chain[0]
    assert clc.part("ISSUEDPRINCIPALS") == (
        f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{object_}{public_key(new)}</PRINCIPAL></ISSUEDPRINCIPALS>'
    )


@conforms("MS-RMPR 2.2.9.6.4", "The type of ID is that of the account's sign-on.")
@conforms("MS-RMPR 2.2.9.6.4", "The aliases of a federated account stand there.")
@conforms("MS-RMPR 2.2.9.6.4", "Each alias is an ADDRESS of type email_alias.")
@conforms("MS-RMPR 2.2.9.6.4", "The aliases are the RAC's.")
def test_federated_account(clc: Issued) -> None:
    cluster, ports = clc.cluster.with_state(federation_enabled=True), clc.cluster.ports()
    guest = RequestContext(AuthenticationType.FEDERATION, GUEST)
    rac = certify(CertifyRequest(cluster.machine().chain, persistent=True), guest, cluster.state, ports, ISSUED).chain
    identity = RightsAccountCertificate.read(rac[0]).account[1]
    object_ = (
        f'<OBJECT type="Group-Identity"><ID type="Federation">{identity}</ID><NAME>{GUEST.email}</NAME>'
        '<ADDRESS type="email_alias">guest@example.org</ADDRESS><ADDRESS type="email_alias">visitor@example.net</ADDRESS>'
        "</OBJECT>"
    )
    assert object_ in rac[0]
    assert f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{object_}<PUBLICKEY>' in licensor_certificate(cluster, rac)


@conforms("MS-RMPR 2.2.9.6", "RANGETIME is the period in which it may sign licences.")
def test_range(clc: Issued) -> None:
    """The RAC's validity: from the day before its issue for 365 days."""
    range_ = time_range("RANGETIME", "2026-05-21T12:00", "2027-05-22T12:00")
    assert time_range("VALIDITYTIME", "2026-05-21T12:00", "2027-05-22T12:00") in clc.account.chain[0]
    assert f"<CONDITIONLIST><TIME>{range_}</TIME><ACCESS>" in clc.text


@conforms("MS-RMPR 2.2.9.6", "ENABLINGBITS hold its private key, sealed to the account's key.")
def test_enabling_bits(clc: Issued) -> None:
    found = ClientLicensorCertificate.read(clc.text).open_private_key(clc.account.key, bytes(16))
    assert found == key("pool 0", clc.cluster.mode.rsa_bits)


@conforms("MS-RMPR 2.2.9.6", "SIGNATURE is the issuer's.")
@conforms("MS-RMPR 2.2.9.6", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.6", "The signature is made with the issuer's private key.")
@conforms("MS-RMPR 2.2.9.6", "The signature is as long as the issuer's key.")
def test_signature(clc: Issued) -> None:
    check_signature(clc.text, clc.cluster.state.licensor.key.public, clc.cluster.mode)
