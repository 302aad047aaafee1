"""The form of a rights policy template ([MS-RMPR] 2.2.9.10), as an administrator's decisions make it."""

from __future__ import annotations

import datetime as dt

import pytest
from lxml import etree

from rmsserver.errors import OperatorError
from rmsserver.operations.admin.templates import TemplateDefinition, create_template
from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.rights import ANYONE, ApplicationData, Right, TimeConditions
from rmsserver.xrml.template import LocalizedName
from rmsserver.xrml.values import TimeRange
from tests.cluster import BASE_URL, DAY, NOW, Cluster, grantee
from tests.conformance import conforms
from tests.written_forms import REFERRAL_POINT, check_signature, guid_id, order, point, public_key, text_at, time_range

READER = "reader@example.com"
PUBLISHING_POINT = "{9A23D98E-4449-4ba5-812A-F30808F3CB16}"
NAMES = (LocalizedName(1033, "Confidential", "For readers"), LocalizedName(1031, "Vertraulich", "Nur für Leser"))
RIGHTS = (
    Right.of("VIEW", grantee(READER), TimeConditions(days=3)),
    Right.of("EXTRACT", ANYONE),
    Right.of("Stamp Twice", grantee(READER)),
)
OWNER = (
    '<RIGHT name="OWNER"><CONDITIONLIST><ACCESS><PRINCIPAL><OBJECT><ID type="Internal">Owner</ID></OBJECT></PRINCIPAL>'
    "</ACCESS></CONDITIONLIST></RIGHT>"
)


def create(cluster: Cluster, preconditions: TimeConditions | None = None, **more: object) -> str:
    definition = TemplateDefinition(
        NAMES,
        RIGHTS,
        "mailto:rights@example.com",
        preconditions or TimeConditions(),
        (ApplicationData("NOLICCACHE", "1"), ApplicationData("VIEWER", "0")),
        **more,  # type: ignore[arg-type]
    )
    return create_template(definition, cluster.state, system_randomness(), NOW)


def body(text: str) -> etree._Element:
    return etree.fromstring(text)[0]


def part(text: str, tag: str) -> str:
    return text[text.index(f"<{tag}>") : text.index(f"</{tag}>") + len(f"</{tag}>")]


@conforms("MS-RMPR 2.2.9.10", "Its parts stand in the order of the template.")
@conforms("MS-RMPR 2.2.9.10", "A DESCRIPTOR names it.")
@conforms("MS-RMPR 2.2.9.10", "An ISSUER says who issued it.")
@conforms("MS-RMPR 2.2.9.10", "WORK holds the policy.")
@conforms("MS-RMPR 2.2.9.8", "A template of this server has the type Microsoft Official Rights Template.")
@conforms("MS-RMPR 2.2.9.8", "A template of this server has an ISSUER.")
def test_parts(cluster: Cluster) -> None:
    text = create(cluster)
    assert text.startswith('<XrML xmlns="" version="1.2"><BODY type="Microsoft Official Rights Template"><ISSUEDTIME>')
    assert order(body(text)) == (
        "ISSUEDTIME DESCRIPTOR ISSUER DISTRIBUTIONPOINT DISTRIBUTIONPOINT WORK AUTHENTICATEDDATA AUTHENTICATEDDATA"
    )


@conforms("MS-RMPR 2.2.9.10", "ISSUEDTIME is the time of issue in UTC.")
def test_issued_time(mode_2: Cluster) -> None:
    assert text_at(body(create(mode_2)), "ISSUEDTIME") == "2026-06-01T12:00"


@conforms("MS-RMPR 2.2.9.10.1", "The descriptor has a GUID and a name.")
@conforms("MS-RMPR 2.2.9.10.1", "Each template has its own GUID, in braces.")
@conforms("MS-RMPR 2.2.9.10.1", "NAME holds the names.")
@conforms("MS-RMPR 2.2.9.10.1", "Each language has its name and description, with a semicolon between two.")
@conforms("MS-RMPR 2.2.9.10.1", "A locale identifier stands before each name.")
@conforms("MS-RMPR 2.2.9.10.1", "The name stands in its language.")
@conforms("MS-RMPR 2.2.9.10.1", "The description stands in its language.")
def test_descriptor(mode_2: Cluster) -> None:
    one, other = (create(mode_2) for _ in range(2))
    guid = text_at(body(one), "DESCRIPTOR/OBJECT/ID")
    names = "LCID 1033:NAME Confidential:DESCRIPTION For readers;LCID 1031:NAME Vertraulich:DESCRIPTION Nur für Leser;"
    assert part(one, "DESCRIPTOR") == f"<DESCRIPTOR><OBJECT>{guid_id(guid)}<NAME>{names}</NAME></OBJECT></DESCRIPTOR>"
    assert guid not in other


@conforms("MS-RMPR 2.2.9.10.2", "ISSUER comes from the SLC's principal.")
@conforms("MS-RMPR 2.2.9.10.2", "ISSUER has an object and a public key, and no levels.")
@conforms("MS-RMPR 2.2.9.10.2", "The issuer's GUID stands in braces.")
@conforms("MS-RMPR 2.2.9.10.2", "The issuer's GUID is the one in the SLC's principal.")
@conforms("MS-RMPR 2.2.9.10.2", "NAME has the server's name.")
@conforms("MS-RMPR 2.2.9.10.2", "ADDRESS has the cluster's URL.")
@conforms("MS-RMPR 2.2.9.10.2", "ISSUER has the SLC's public key.")
@conforms("MS-RMPR 2.2.9.10.2", "The exponent of the issuer's key is 65537.")
@conforms("MS-RMPR 2.2.9.10.2", "The size of the issuer's key stands in bits.")
@conforms("MS-RMPR 2.2.9.10.2", "The modulus is that of the issuer's key.")
@conforms("MS-RMPR 2.2.9.8.2", "Object and key of a template's issuer are those of the SLC's principal.")
@conforms("MS-RMPR 2.2.9.8.2", "ISSUER of a template has an object and a public key.")
@conforms("MS-RMPR 2.2.9.8.2", "The object is the one in the SLC's principal, to the letter.")
@conforms("MS-RMPR 2.2.9.8.2", "ISSUER of a template has the SLC's public key.")
@conforms("MS-RMPR 2.2.9.8.2", "The exponent of the issuer's key is 65537.")
@conforms("MS-RMPR 2.2.9.8.2", "The size of the issuer's key stands in bits.")
@conforms("MS-RMPR 2.2.9.8.2", "The modulus is that of the issuer's key.")
def test_issuer(cluster: Cluster) -> None:
    slc = cluster.state.licensor
    identity = text_at(etree.fromstring(slc.certificate.text), "BODY/ISSUEDPRINCIPALS/PRINCIPAL/OBJECT/ID")
    issuer = (
        f'<OBJECT type="MS-DRM-Server">{guid_id(identity)}<NAME>EXAMPLE</NAME>'
        f'<ADDRESS type="URL">HTTP{BASE_URL.removeprefix("http")}</ADDRESS></OBJECT>{public_key(slc.key.public)}'
    )
    assert part(create(cluster), "ISSUER") == f"<ISSUER>{issuer}</ISSUER>"
    assert f'<PRINCIPAL internal-id="1">{issuer}<SECURITYLEVEL' in slc.certificate.text


@conforms("MS-RMPR 2.2.9.10", "A publishing point has the internal licensing URL.")
@conforms(
    "MS-RMPR 2.2.9.10", "A referral point says where to ask for rights, where the administrator gives an address."
)
@conforms("MS-RMPR 2.2.9.10.3", "The points have GUID, name and address.")
@conforms("MS-RMPR 2.2.9.10.3", "They are of the types Publishing-URL and Referral-Info.")
@conforms("MS-RMPR 2.2.9.10.3", "Each type of point has its GUID, in braces.")
@conforms("MS-RMPR 2.2.9.10.3", "The publishing point has the name Publishing Point.")
@conforms("MS-RMPR 2.2.9.10.3", "The referral point has no name.")
@conforms("MS-RMPR 2.2.9.10.3", "The addresses are of type URL.")
@conforms("MS-RMPR 2.2.9.10.3", "The publishing point has the licensing URL.")
@conforms("MS-RMPR 2.2.9.10.3", "The referral point has the address at which rights are asked for.")
@conforms("MS-RMPR 2.2.9.8", "A template of this server has a publishing point.")
@conforms("MS-RMPR 2.2.9.8", "The publishing point of a template has the licensing URL.")
@conforms("MS-RMPR 2.2.9.8.3", "The points of a template have GUID, name and address.")
@conforms("MS-RMPR 2.2.9.8.3", "The points of a template are of the types Publishing-URL and Referral-Info.")
@conforms("MS-RMPR 2.2.9.8.3", "Each type of point in a template has its GUID, in braces.")
@conforms("MS-RMPR 2.2.9.8.3", "The publishing point of a template has the name Publishing Point.")
@conforms("MS-RMPR 2.2.9.8.3", "The addresses in a template are of type URL.")
def test_distribution_points(mode_2: Cluster) -> None:
    inside = "https://inside.example.com/_wmcs/licensing"
    text = create(mode_2.with_state(licensing_url=inside))
    points = point("Publishing-URL", PUBLISHING_POINT, "Publishing Point", inside)
    points += point("Referral-Info", REFERRAL_POINT, None, "mailto:rights@example.com")
    assert f"</ISSUER>{points}<WORK>" in text


@conforms("MS-RMPR 2.2.9.10.4", "WORK has an untyped ID, the owner's right first, and then the granted ones.")
@conforms("MS-RMPR 2.2.9.10.4.2", "A right stands in one of the two forms.")
@conforms("MS-RMPR 2.2.9.10.4.2", "Any name may stand in the attribute of a RIGHT.")
@conforms("MS-RMPR 2.2.9.10.4.2", "VIEW, PRINT, EDIT, EXPORT and EXTRACT are elements.")
@conforms("MS-RMPR 2.2.9.10.4.2", "No other right is an element.")
@conforms("MS-RMPR 2.2.9.10.4.2", "The time condition of a right is an interval, before its principal.")
@conforms("MS-RMPR 2.2.9.10.4.2", "The interval is in days.")
@conforms("MS-RMPR 2.2.9.10.4.2", "NAME has the address of the one who has the right.")
def test_work(mode_2: Cluster) -> None:
    def grant(object_: str, time: str = "") -> str:
        principal = f"<PRINCIPAL><OBJECT>{object_}</OBJECT></PRINCIPAL>"
        return f"<CONDITIONLIST>{time}<ACCESS>{principal}</ACCESS></CONDITIONLIST>"

    reader = f'<ID type="Unspecified" /><NAME>{READER}</NAME>'
    anyone, days = '<ID type="Internal">ANYONE</ID>', '<TIME><INTERVALTIME days="3" /></TIME>'
    rights = (
        f"{OWNER}<VIEW>{grant(reader, days)}</VIEW><EXTRACT>{grant(anyone)}</EXTRACT>"
        f'<RIGHT name="STAMP TWICE">{grant(reader)}</RIGHT>'
    )
    group = f'<RIGHTSGROUP name="Main-Rights"><RIGHTSLIST>{rights}</RIGHTSLIST></RIGHTSGROUP>'
    assert part(create(mode_2), "WORK") == f'<WORK><OBJECT><ID type="" /></OBJECT>{group}</WORK>'
    assert OWNER not in create(mode_2, owner_has_full_control=False)
    names = ("VIEW", "PRINT", "EDIT", "EXPORT", "EXTRACT", "FORWARD", "OBJMODEL")
    definition = TemplateDefinition(NAMES, tuple(Right.of(name, ANYONE) for name in names))
    text = create_template(definition, mode_2.state, system_randomness(), NOW)
    assert order(body(text), "WORK/RIGHTSGROUP/RIGHTSLIST") == "RIGHT VIEW PRINT EDIT EXPORT EXTRACT RIGHT RIGHT"


@conforms("MS-RMPR 2.2.9.10.4.2", "RIGHTSLIST has at least one right.")
def test_a_template_without_rights_is_not_made(mode_2: Cluster) -> None:
    with pytest.raises(OperatorError):
        create_template(TemplateDefinition(NAMES, ()), mode_2.state, system_randomness(), NOW)


@conforms("MS-RMPR 2.2.9.10.4.1", "The time condition of a template is either a range or a number of days.")
def test_preconditions(mode_2: Cluster) -> None:
    span = TimeRange(NOW, NOW + 30 * DAY)
    head = '<WORK><OBJECT><ID type="" /></OBJECT><PRECONDITIONLIST><TIME>'
    range_ = time_range("RANGETIME", "2026-06-01T12:00", "2026-07-01T12:00")
    assert f"{head}{range_}</TIME></PRECONDITIONLIST><RIGHTSGROUP " in create(mode_2, TimeConditions(span))
    days = f'{head}<INTERVALTIME days="9" /></TIME></PRECONDITIONLIST><RIGHTSGROUP '
    assert days in create(mode_2, TimeConditions(days=9))
    with pytest.raises(OperatorError):
        create(mode_2, TimeConditions(span, 9))


def test_revocation_point(mode_2: Cluster) -> None:
    """Beyond 2.2.9.10.4, as in the WORK of licences: after OBJECT."""
    revocation = own_revocation_point(mode_2.state, dt.timedelta(hours=25))
    assert f'<ID type="" /></OBJECT>{revocation.xml()}<RIGHTSGROUP ' in create(mode_2, revocation=revocation)


@conforms("MS-RMPR 2.2.9.10", "AUTHENTICATEDDATA hold application data, where there is any.")
@conforms("MS-RMPR 2.2.9.10.5", "Application data has a name and the id APPSPECIFIC.")
def test_application_data(mode_2: Cluster) -> None:
    assert (
        '</WORK><AUTHENTICATEDDATA name="NOLICCACHE" id="APPSPECIFIC">1</AUTHENTICATEDDATA>'
        '<AUTHENTICATEDDATA name="VIEWER" id="APPSPECIFIC">0</AUTHENTICATEDDATA></BODY>'
    ) in create(mode_2)


@conforms("MS-RMPR 2.2.9.10", "SIGNATURE is the issuer's.")
@conforms("MS-RMPR 2.2.9.10", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.10", "The signature is made with the issuer's private key.")
@conforms("MS-RMPR 2.2.9.10", "The signature is as long as the issuer's key.")
def test_signature(cluster: Cluster) -> None:
    check_signature(create(cluster), cluster.state.licensor.key.public, cluster.mode)
