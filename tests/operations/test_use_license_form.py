"""The form of a use licence ([MS-RMPR] 2.2.9.9), as AcquireLicense issues it."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

import pytest
from lxml import etree

from rmsserver.operations.admin.templates import TemplateDefinition, create_template
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.state import ApplicationExclusion, AuthenticationType, FederatedAccount, RequestContext
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.enabling_bits import EnablingBits, open_enabling_bits
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import ANYONE, ApplicationData, Right, TimeConditions, write_rights_data
from rmsserver.xrml.surface import parse
from rmsserver.xrml.template import LocalizedName
from rmsserver.xrml.values import TimeRange, VersionSpan
from tests.cluster import BASE_URL, DAY, NOW, Account, Published, grantee, guid, make_cluster
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, READER, Desk, resigned
from tests.written_forms import (
    REFERRAL_POINT,
    Written,
    check_signature,
    guid_id,
    order,
    point,
    public_key,
    text_at,
    time_range,
)

GUEST = FederatedAccount("guest@example.net", ("guest@example.org", "visitor@example.net"))
OBJECT = f"<OBJECT>{guid_id(guid('document').braced)}<NAME>Minutes</NAME></OBJECT>"
METADATA = f'<METADATA><OWNER><OBJECT><ID type="Windows" /><NAME>{AUTHOR}</NAME></OBJECT></OWNER></METADATA>'
REFERRAL = point("Referral-Info", REFERRAL_POINT, "An Author", "mailto:author@example.com")
REVOCATION = (
    '<CONDITIONLIST><REFRESH><DISTRIBUTIONPOINT><OBJECT type="Revocation"><ID type="ascii-tag">authority</ID>'
    '<ADDRESS type="URL">http://lists.example.com/x</ADDRESS></OBJECT></DISTRIBUTIONPOINT><INTERVALTIME days="3" />'
    "</REFRESH></CONDITIONLIST>"
)
RIGHTS = (
    Right.of("VIEW", grantee(READER), TimeConditions(TimeRange(NOW - DAY, NOW + 9 * DAY), 5)),
    Right.of("EXPORT", grantee(READER)),
    Right.of("Stamp Twice", grantee(READER), TimeConditions(days=2)),
    Right("FORWARD", grantee(READER), as_element=True),
)


def policy(file: str, lowest: str, highest: str) -> str:
    versions = f'<VERSIONSPAN min="{lowest}" max="{highest}" />'
    return f'<POLICY><OBJECT><ID type="filename">{file}</ID>{versions}</OBJECT></POLICY>'


@dataclass(frozen=True)
class Issued(Written):
    desk: Desk
    published: Published
    reader: Account
    text: str

    @property
    def enabling_bits(self) -> str:
        end = self.text.index("</ENABLINGBITS>") + len("</ENABLINGBITS>")
        return self.text[self.text.index("<ENABLINGBITS ") : end]

    def right(self, opening: str, closing: str, times: str = "") -> str:
        """A right as it is to be written."""
        access = f'<ACCESS><PRINCIPAL internal-id="1">{self.enabling_bits}</PRINCIPAL></ACCESS>'
        return f"<{opening}><CONDITIONLIST>{access}{times}</CONDITIONLIST></{closing}>"

    @property
    def rights(self) -> str:
        return self.text[self.text.index("<RIGHTSLIST>") + len("<RIGHTSLIST>") : self.text.index("</RIGHTSLIST>")]

    def asked_by(self, reader: Account | str) -> Issued:
        return Issued(self.desk, self.published, self.reader, self.desk.ask(self.published, reader).text)


@functools.cache
def issue(mode: CryptoMode) -> Issued:
    desk = Desk(make_cluster(mode))
    desk.configure(
        application_exclusions=(ApplicationExclusion("c.exe", VersionSpan("0.0.0.0", "3.1.0.0")),),
        os_exclusion=VersionSpan("5.0.0.0", "6.1.0.0"),
        federation_enabled=True,
    )
    data = write_rights_data(
        work_id=guid("document"),
        owner_email=AUTHOR,
        rights=(*RIGHTS, Right.of("PRINT", ANYONE)),
        issued=NOW - 5 * DAY,
        application_data=(ApplicationData("NOLICCACHE", "1"), ApplicationData("Stamp & seal", "<1>")),
    )
    data = data.replace("</BODY>", '<AUTHENTICATEDDATA name="VIEWER" id="OTHER">1</AUTHENTICATEDDATA></BODY>')
    author = desk.cluster.author()
    plain = desk.cluster.publish(author, rights_data=data)
    body = plain.license.body.surface
    work = body[body.index("<WORK>") : body.index("</WORK>")]
    lists = (
        f'<POLICYLIST type="inclusion">{policy("a.exe", "1.0.0.0", "9.0.0.0")}{policy("b.exe", "2.0.0.0", "3.0.0.0")}'
    )
    lists += '</POLICYLIST><POLICYLIST type="exclusion" />'
    published = resigned(
        plain, author, (work, f"{REFERRAL}<WORK>{OBJECT}{METADATA}{REVOCATION}"), ("</BODY>", f"{lists}</BODY>")
    )
    return Issued(desk, published, desk.cluster.account(READER), desk.ask(published).text)


@pytest.fixture(params=list(CryptoMode), ids=["mode1", "mode2"])
def license_(request: pytest.FixtureRequest) -> Issued:
    return issue(request.param)


@conforms("MS-RMPR 2.2.9.9", "Its parts stand in the order of the template, and application data after them.")
@conforms("MS-RMPR 2.2.9.9", "A DESCRIPTOR says what it is.")
@conforms("MS-RMPR 2.2.9.9", "An ISSUER says who issued it.")
@conforms("MS-RMPR 2.2.9.9", "ISSUEDPRINCIPALS say for whom, and with which key.")
def test_parts(license_: Issued) -> None:
    assert license_.text.startswith(
        '<XrML xmlns="" version="1.2" purpose="Content-License"><BODY type="LICENSE" version="3.0"><ISSUEDTIME>'
    )
    assert order(license_.body) == (
        "ISSUEDTIME DESCRIPTOR ISSUER ISSUEDPRINCIPALS DISTRIBUTIONPOINT WORK CONDITIONLIST POLICYLIST POLICYLIST "
        "AUTHENTICATEDDATA AUTHENTICATEDDATA"
    )
    assert order(license_.body, "WORK") == "OBJECT METADATA CONDITIONLIST RIGHTSGROUP"
    assert order(license_.body, "WORK/RIGHTSGROUP[@name='Main-Rights']") == "RIGHTSLIST"


@conforms("MS-RMPR 2.2.9.9", "ISSUEDTIME is the time of issue in UTC.")
def test_issued_time(license_: Issued) -> None:
    assert text_at(license_.body, "ISSUEDTIME") == "2026-06-01T12:00"


@conforms("MS-RMPR 2.2.9.9.1", "The descriptor has a GUID, and says Content-License.")
@conforms("MS-RMPR 2.2.9.9.1", "Each use licence has its own GUID, in braces.")
def test_descriptor(license_: Issued) -> None:
    identity = text_at(license_.body, "DESCRIPTOR/OBJECT/ID")
    object_ = f'<OBJECT type="Content-License">{guid_id(identity)}</OBJECT>'
    assert license_.part("DESCRIPTOR") == f"<DESCRIPTOR>{object_}</DESCRIPTOR>"
    assert identity not in license_.asked_by(READER).text


@conforms("MS-RMPR 2.2.9.9.2", "ISSUER is the server, whoever signed the publishing licence.")
@conforms("MS-RMPR 2.2.9.9.2", "ISSUER has object and public key, and the server's levels.")
@conforms("MS-RMPR 2.2.9.9.2", "The object is the one in the SLC's principal, to the letter.")
@conforms("MS-RMPR 2.2.9.9.2", "ISSUER has the SLC's public key.")
@conforms("MS-RMPR 2.2.9.9.2", "The exponent of the issuer's key is 65537.")
@conforms("MS-RMPR 2.2.9.9.2", "The size of the issuer's key stands in bits.")
@conforms("MS-RMPR 2.2.9.9.2", "The modulus is that of the issuer's key.")
def test_issuer(license_: Issued) -> None:
    slc = license_.desk.cluster.state.licensor
    identity = text_at(etree.fromstring(slc.certificate.text), "BODY/ISSUEDPRINCIPALS/PRINCIPAL/OBJECT/ID")
    issuer = (
        f'<OBJECT type="MS-DRM-Server">{guid_id(identity)}<NAME>EXAMPLE</NAME>'
        f'<ADDRESS type="URL">HTTP{BASE_URL.removeprefix("http")}</ADDRESS></OBJECT>{public_key(slc.key.public)}'
        '<SECURITYLEVEL name="Server-Version" value="6.3.0.0" /><SECURITYLEVEL name="Server-SKU" value="RMS 2.0" />'
    )
    assert license_.part("ISSUER") == f"<ISSUER>{issuer}</ISSUER>"
    assert f'<PRINCIPAL internal-id="1">{issuer}</PRINCIPAL>' in slc.certificate.text


@conforms("MS-RMPR 2.2.9.9.3", "The principal is the RAC's, to the letter, without its levels.")
@conforms("MS-RMPR 2.2.9.9.3", "ISSUEDPRINCIPALS have one principal with an object and a public key.")
@conforms("MS-RMPR 2.2.9.9.3", "The type of ID is the RAC's.")
@conforms("MS-RMPR 2.2.9.9.3", "For an account of the directory it is Windows.")
@conforms("MS-RMPR 2.2.9.9.3", "The ID is the account's.")
@conforms("MS-RMPR 2.2.9.9.3", "The ID of an account of the directory is its SID.")
@conforms("MS-RMPR 2.2.9.9.3", "NAME has the account's primary address.")
@conforms("MS-RMPR 2.2.9.9.3", "For a Windows account there is no alias.")
@conforms("MS-RMPR 2.2.9.9.3", "It has the RAC's public key.")
@conforms("MS-RMPR 2.2.9.9.3", "The size of the account's key stands in bits.")
@conforms("MS-RMPR 2.2.9.9.3", "The modulus is that of the account's key.")
def test_issued_principals(license_: Issued) -> None:
    identity = f'<ID type="Windows">{license_.desk.cluster.sid(READER)}</ID>'
    object_ = f'<OBJECT type="Group-Identity">{identity}<NAME>{READER}</NAME></OBJECT>'
    principal = f'<PRINCIPAL internal-id="1">{object_}{public_key(license_.reader.key.public)}'
    assert license_.part("ISSUEDPRINCIPALS") == f"<ISSUEDPRINCIPALS>{principal}</PRINCIPAL></ISSUEDPRINCIPALS>"
    assert f"{principal}<SECURITYLEVEL " in license_.reader.chain[0]


@conforms("MS-RMPR 2.2.9.9.3", "For a federated account it is Federation.")
@conforms("MS-RMPR 2.2.9.9.3", "The ID of a federated account is its GUID.")
@conforms("MS-RMPR 2.2.9.9.3", "The aliases of a federated account stand there.")
@conforms("MS-RMPR 2.2.9.9.3", "Each alias is an ADDRESS of type email_alias.")
def test_federated_account(license_: Issued) -> None:
    desk = license_.desk
    guest = RequestContext(AuthenticationType.FEDERATION, GUEST)
    request = CertifyRequest(desk.cluster.machine().chain, persistent=True)
    rac = certify(request, guest, desk.cluster.state, desk.cluster.ports(), NOW).chain
    found = license_.asked_by(Account(license_.reader.key, rac, license_.reader.account))
    identity = text_at(etree.fromstring(rac[0]), "BODY/ISSUEDPRINCIPALS/PRINCIPAL/OBJECT/ID")
    object_ = (
        f'<OBJECT type="Group-Identity"><ID type="Federation">{identity}</ID><NAME>{GUEST.email}</NAME>'
        '<ADDRESS type="email_alias">guest@example.org</ADDRESS><ADDRESS type="email_alias">visitor@example.net</ADDRESS>'
        "</OBJECT>"
    )
    assert len(identity) == len(guid("any").braced)
    assert object_ in rac[0]
    assert found.part("ISSUEDPRINCIPALS").startswith(
        f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{object_}<PUBLICKEY>'
    )


@conforms("MS-RMPR 2.2.9.9", "The referral point of the publishing licence stands in the use licence.")
@conforms("MS-RMPR 2.2.9.9.4", "The referral point has GUID, name and address.")
@conforms("MS-RMPR 2.2.9.9.4", "Its GUID is that of the publishing licence's point, in braces.")
@conforms("MS-RMPR 2.2.9.9.4", "It has a name.")
@conforms("MS-RMPR 2.2.9.9.4", "Its address is of type URL.")
def test_referral_point(license_: Issued) -> None:
    assert f"</ISSUEDPRINCIPALS>{REFERRAL}<WORK>" in license_.text


@conforms("MS-RMPR 2.2.9.9", "WORK has the object of the publishing licence.")
@conforms("MS-RMPR 2.2.9.9", "The revocation point of the publishing licence stands in WORK.")
@conforms("MS-RMPR 2.2.9.9.5", "OWNER has an ID and a name.")
@conforms("MS-RMPR 2.2.9.9.5", "The type of the owner's ID is that of the publishing licence.")
@conforms("MS-RMPR 2.2.9.9.5", "NAME has the owner's address.")
def test_work(license_: Issued) -> None:
    assert f'<WORK>{OBJECT}{METADATA}{REVOCATION}<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST>' in license_.text


@conforms("MS-RMPR 2.2.9.9", "Each right is one for the account.")
@conforms("MS-RMPR 2.2.9.9.6", "A right stands in one of the two forms.")
@conforms("MS-RMPR 2.2.9.9.6", "Any name may stand in the attribute of a RIGHT.")
@conforms("MS-RMPR 2.2.9.9.6", "In the other form the element has the right's name.")
@conforms("MS-RMPR 2.2.9.9.6", "Elements have the names that they have in the rights data.")
@conforms("MS-RMPR 2.2.9.9.6", "A right that is limited to a period says which.")
@conforms("MS-RMPR 2.2.9.9.6", "The period is a RANGETIME with beginning and end.")
@conforms("MS-RMPR 2.2.9.9.6", "Its times are in UTC.")
@conforms("MS-RMPR 2.2.9.9.6", "A right that is limited to a number of days says so.")
@conforms("MS-RMPR 2.2.9.9.6", "The number of days is an INTERVALTIME.")
@conforms("MS-RMPR 2.2.9.9.6", "The number is that of the rights data.")
@conforms("MS-RMPR 2.2.9.8.5.3", "Of an element the name is the right.")
@conforms("MS-RMPR 2.2.9.8.5.3", "Elements of any other name are rights as well.")
def test_rights(license_: Issued) -> None:
    range_ = f"<TIME>{time_range('RANGETIME', '2026-05-31T12:00', '2026-06-10T12:00')}</TIME>"

    def days(number: int) -> str:
        return f'<TIME><INTERVALTIME days="{number}" /></TIME>'

    assert license_.rights == (
        license_.right("VIEW", "VIEW", range_ + days(5))
        + license_.right("EXPORT", "EXPORT")
        + license_.right('RIGHT name="STAMP TWICE"', "RIGHT", days(2))
        + license_.right("FORWARD", "FORWARD")
        + license_.right("PRINT", "PRINT")
    )


@conforms("MS-RMPR 2.2.9.9.6", "The author gets a right OWNER.")
@conforms("MS-RMPR 2.2.9.9.6", "OWNER stands in the attribute of a RIGHT.")
@conforms("MS-RMPR 2.2.9.9.6", "No other right stands beside OWNER.")
def test_right_of_the_owner(license_: Issued) -> None:
    owners = license_.asked_by(AUTHOR)
    assert owners.rights == owners.right('RIGHT name="OWNER"', "RIGHT")


@conforms("MS-RMPR 2.2.9.9.6", "ENABLINGBITS hold the content key, sealed to the account's key.")
def test_enabling_bits(license_: Issued) -> None:
    bits = EnablingBits.read(parse(license_.enabling_bits))
    opened = open_enabling_bits(bits, license_.reader.key, [license_.part("ISSUER")], bytes(16))
    assert opened.payload == license_.published.content_key.payload


@conforms("MS-RMPR 2.2.9.9.9", "The excluded versions of the system are a CONDITION of type versionspan.")
@conforms("MS-RMPR 2.2.9.9.9", "The lowest excluded version stands first.")
@conforms("MS-RMPR 2.2.9.9.9", "The highest excluded version stands last.")
def test_excluded_system(license_: Issued) -> None:
    condition = '<CONDITION NAME="OS-Exclusion" TYPE="versionspan">5.0.0.0-6.1.0.0</CONDITION>'
    assert f"</WORK><CONDITIONLIST>{condition}</CONDITIONLIST><POLICYLIST " in license_.text


@conforms("MS-RMPR 2.2.9.9.7", "A list without policies is left out.")
@conforms("MS-RMPR 2.2.9.9.7", "A list with policies holds them.")
@conforms("MS-RMPR 2.2.9.9.7", "The type of a list is inclusion or exclusion.")
@conforms("MS-RMPR 2.2.9.9.7", "It holds policies alone.")
@conforms("MS-RMPR 2.2.9.9.8", "A policy names a file and a span of versions.")
@conforms("MS-RMPR 2.2.9.9.8", "The file is the one of the policy.")
@conforms("MS-RMPR 2.2.9.9.8", "The lowest version is that of the policy.")
@conforms("MS-RMPR 2.2.9.9.8", "The highest version is that of the policy.")
def test_policies(license_: Issued) -> None:
    """The cluster's excluded application, and those that the author admits."""
    admitted = policy("a.exe", "1.0.0.0", "9.0.0.0") + policy("b.exe", "2.0.0.0", "3.0.0.0")
    excluded = policy("c.exe", "0.0.0.0", "3.1.0.0")
    lists = f'<POLICYLIST type="exclusion">{excluded}</POLICYLIST><POLICYLIST type="inclusion">{admitted}</POLICYLIST>'
    assert f"</CONDITIONLIST>{lists}<AUTHENTICATEDDATA " in license_.text
    plain = Desk(make_cluster(license_.desk.cluster.mode))
    assert '<POLICYLIST type="exclusion"' not in plain.ask(license_.published).text


@conforms("MS-RMPR 2.2.9.8.6", "Application data reaches the use licence under its name.")
@conforms("MS-RMPR 2.2.9.8.6", "Data of another id than APPSPECIFIC does not.")
def test_application_data(license_: Issued) -> None:
    assert license_.text.partition("</BODY>")[0].endswith(
        '</POLICYLIST><AUTHENTICATEDDATA name="NOLICCACHE" id="APPSPECIFIC">1</AUTHENTICATEDDATA>'
        '<AUTHENTICATEDDATA name="Stamp &amp; seal" id="APPSPECIFIC">&lt;1&gt;</AUTHENTICATEDDATA>'
    )


@conforms("MS-RMPR 2.2.9.9.10", "A revocation point has object, public key and interval.")
@conforms("MS-RMPR 2.2.9.9.10", "The type of the authority's ID is that of the list's issuer.")
@conforms("MS-RMPR 2.2.9.9.10", "The authority's ID is that of the list's issuer.")
@conforms("MS-RMPR 2.2.9.9.10", "The address is the URL of the list.")
@conforms("MS-RMPR 2.2.9.9.10", "The key is the one that signs the list.")
@conforms("MS-RMPR 2.2.9.9.10", "An interval without days names none.")
@conforms("MS-RMPR 2.2.9.9.10", "An interval without hours names none.")
@conforms("MS-RMPR 2.2.9.9.10", "An interval without minutes names none.")
@conforms("MS-RMPR 2.2.9.9.10", "An interval without seconds names none.")
@pytest.mark.parametrize(
    ("interval", "attributes"),
    [
        (dt.timedelta(days=1, hours=2), 'days="1" hours="2"'),
        (dt.timedelta(minutes=3, seconds=4), 'minutes="3" seconds="4"'),
    ],
)
def test_revocation_point_of_a_template(license_: Issued, interval: dt.timedelta, attributes: str) -> None:
    """The cluster's own list, which a template names."""
    cluster = license_.desk.cluster
    definition = TemplateDefinition(
        (LocalizedName(1033, "Listed", ""),),
        (Right.of("VIEW", ANYONE),),
        revocation=own_revocation_point(cluster.state, interval),
    )
    template = create_template(definition, cluster.state, system_randomness(), NOW)
    text = license_.desk.ask(cluster.publish(cluster.author(), rights_data=template)).text
    slc = cluster.state.licensor
    identity = text_at(etree.fromstring(slc.certificate.text), "BODY/ISSUEDPRINCIPALS/PRINCIPAL/OBJECT/ID")
    url = f"{BASE_URL}/revocation/revocationlist.xml?key={slc.key.public.id.hex()}"
    listed = (
        f'<OBJECT type="Revocation">{guid_id(identity)}<NAME>EXAMPLE</NAME><ADDRESS type="URL">{url}</ADDRESS></OBJECT>'
        f"{public_key(slc.key.public)}"
    )
    refresh = f"<REFRESH><DISTRIBUTIONPOINT>{listed}</DISTRIBUTIONPOINT><INTERVALTIME {attributes} /></REFRESH>"
    assert f"</METADATA><CONDITIONLIST>{refresh}</CONDITIONLIST><RIGHTSGROUP " in text


@conforms("MS-RMPR 2.2.9.9", "SIGNATURE is the issuer's.")
@conforms("MS-RMPR 2.2.9.9", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.9", "The signature is made with the issuer's private key.")
@conforms("MS-RMPR 2.2.9.9", "The signature is as long as the issuer's key.")
def test_signature(license_: Issued) -> None:
    check_signature(license_.text, license_.desk.cluster.state.licensor.key.public, license_.desk.cluster.mode)
