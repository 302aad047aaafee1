"""The form of a publishing licence that the server signs ([MS-RMPR] 2.2.9.7): what is its own, what stays the client's."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass

import pytest
from lxml import etree

from rmsserver.xrml.enabling_bits import EnablingBits, open_enabling_bits
from rmsserver.xrml.keys import CryptoMode, PublicKey
from rmsserver.xrml.rights import Right
from rmsserver.xrml.surface import parse
from tests.cluster import BASE_URL, Published, grantee, guid, key, make_cluster
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, READER, Desk, altered
from tests.written_forms import (
    REFERRAL_POINT,
    Written,
    check_signature,
    guid_id,
    licensing_points,
    order,
    point,
    public_key,
    text_at,
    time_range,
)

INSIDE, OUTSIDE = f"{BASE_URL}/licensing", "https://rms.example.net/_wmcs/licensing"
VALIDITY = time_range("VALIDITYTIME", "2026-05-01T00:00", "2027-05-01T00:00")
DESCRIPTOR = (
    f"<DESCRIPTOR><OBJECT>{guid_id('{11111111-2222-4333-8444-555555555555}')}<NAME>LCID 1033:NAME Secret:DESCRIPTION For few;"
    "LCID 1031:NAME Geheim:DESCRIPTION Für wenige;</NAME></OBJECT></DESCRIPTOR>"
)
REFERRAL = point("Referral-Info", REFERRAL_POINT, "An Author", "mailto:author@example.com")
POLICIES = (
    '<POLICYLIST type="exclusion"><POLICY><OBJECT><ID type="filename">a.exe</ID>'
    '<VERSIONSPAN min="1.0.0.0" max="2.0.0.0" /></OBJECT></POLICY></POLICYLIST><POLICYLIST type="inclusion" />'
)
APPLICATION_DATA = '<AUTHENTICATEDDATA name="x" id="APPSPECIFIC">y</AUTHENTICATEDDATA>'


def revocation(authority: PublicKey) -> str:
    """A client's revocation point."""
    return (
        '<CONDITIONLIST><REFRESH><DISTRIBUTIONPOINT><OBJECT type="Revocation"><ID type="ascii-tag">authority</ID>'
        f'<NAME>Authority</NAME><ADDRESS type="URL">http://lists.example.com/x</ADDRESS></OBJECT>{public_key(authority)}'
        '</DISTRIBUTIONPOINT><INTERVALTIME days="3" minutes="5" /></REFRESH></CONDITIONLIST>'
    )


def work() -> str:
    """WORK with all that a client may say in it."""
    owner = f'<METADATA><OWNER><OBJECT><ID type="Windows" /><NAME>{AUTHOR}</NAME></OBJECT></OWNER></METADATA>'
    object_ = f"<OBJECT>{guid_id(guid('document').braced)}<NAME>Minutes</NAME></OBJECT>"
    return f"<WORK>{object_}{owner}{revocation(key('authority', 2048).public)}</WORK>"


@dataclass(frozen=True)
class Signed(Written):
    desk: Desk
    unsigned: Published
    text: str

    @property
    def server(self) -> str:
        """Object and key of the SLC's principal, as they are to be written."""
        slc = self.desk.cluster.state.licensor
        identity = text_at(etree.fromstring(slc.certificate.text), "BODY/ISSUEDPRINCIPALS/PRINCIPAL/OBJECT/ID")
        found = (
            f'<OBJECT type="MS-DRM-Server">{guid_id(identity)}<NAME>EXAMPLE</NAME>'
            f'<ADDRESS type="URL">HTTP{BASE_URL.removeprefix("http")}</ADDRESS></OBJECT>{public_key(slc.key.public)}'
        )
        assert f"{found}{self.levels}" in slc.certificate.text
        return found

    @property
    def levels(self) -> str:
        return (
            '<SECURITYLEVEL name="Server-Version" value="6.3.0.0" /><SECURITYLEVEL name="Server-SKU" value="RMS 2.0" />'
        )


@functools.cache
def sign(mode: CryptoMode) -> Signed:
    desk = Desk(make_cluster(mode))
    desk.configure(external_licensing_url=OUTSIDE)
    plain = desk.cluster.publish(None, [Right.of("VIEW", grantee(READER))])
    old = plain.text[plain.text.index("<WORK>") : plain.text.index("</WORK>") + len("</WORK>")]
    unsigned = altered(
        plain,
        ("</ISSUEDTIME>", f"</ISSUEDTIME>{VALIDITY}{DESCRIPTOR}"),
        (old, REFERRAL + work()),
        ("</BODY>", f"{APPLICATION_DATA}{POLICIES}</BODY>"),
    )
    return Signed(desk, unsigned, desk.sign(unsigned).text)


@pytest.fixture(params=list(CryptoMode), ids=["mode1", "mode2"])
def signed(request: pytest.FixtureRequest) -> Signed:
    return sign(request.param)


@conforms("MS-RMPR 2.2.9.7", "The parts of a licence stand in the order of the template.")
def test_parts(signed: Signed) -> None:
    assert signed.text.startswith(
        '<XrML xmlns="" version="1.2"><BODY type="Microsoft Rights Label" version="3.0"><ISSUEDTIME>'
    )
    assert order(signed.body) == (
        "ISSUEDTIME VALIDITYTIME DESCRIPTOR ISSUER DISTRIBUTIONPOINT DISTRIBUTIONPOINT DISTRIBUTIONPOINT ISSUEDPRINCIPALS "
        "WORK AUTHENTICATEDDATA AUTHENTICATEDDATA POLICYLIST POLICYLIST"
    )
    assert order(signed.body, "WORK") == "OBJECT METADATA CONDITIONLIST"


@conforms("MS-RMPR 2.2.9.7", "ISSUEDTIME is the time of signing in UTC.")
def test_issued_time(signed: Signed) -> None:
    assert text_at(signed.body, "ISSUEDTIME") == "2026-06-01T12:00"
    assert "<ISSUEDTIME>2026-05-27T12:00</ISSUEDTIME>" in signed.unsigned.text


@conforms("MS-RMPR 2.2.9.7", "A descriptor that the client gives stands in the signed licence.")
@conforms("MS-RMPR 2.2.9.7.1", "The client's GUID, names and descriptions stand in the signed licence as they came.")
def test_descriptor(signed: Signed) -> None:
    assert f"{VALIDITY}{DESCRIPTOR}<ISSUER>" in signed.text


@conforms("MS-RMPR 2.2.9.7", "ISSUER is the server that signs.")
@conforms("MS-RMPR 2.2.9.7.2", "Object and key of the issuer are those of the SLC's principal.")
@conforms("MS-RMPR 2.2.9.7.2", "ISSUER has object, public key and levels, in the order of the template.")
@conforms("MS-RMPR 2.2.9.7.2", "The object is the one in the SLC's principal, to the letter.")
@conforms("MS-RMPR 2.2.9.7.2", "ISSUER has the SLC's public key.")
@conforms("MS-RMPR 2.2.9.7.2", "The exponent of the issuer's key is 65537.")
@conforms("MS-RMPR 2.2.9.7.2", "The size of the issuer's key stands in bits.")
@conforms("MS-RMPR 2.2.9.7.2", "The modulus is that of the issuer's key.")
@conforms("MS-RMPR 2.2.9.7.2", "The levels are those of the SLC's principal.")
def test_issuer(signed: Signed) -> None:
    assert signed.part("ISSUER") == f"<ISSUER>{signed.server}{signed.levels}</ISSUER>"


@conforms("MS-RMPR 2.2.9.7", "The first point has the internal licensing URL.")
@conforms("MS-RMPR 2.2.9.7", "Where an external licensing URL is configured, a second point has it.")
@conforms("MS-RMPR 2.2.9.7.3", "The points have GUID, name and address.")
@conforms("MS-RMPR 2.2.9.7.3", "Each point is of its type.")
@conforms("MS-RMPR 2.2.9.7.3", "The type of the internal point is License-Acquisition-URL.")
@conforms("MS-RMPR 2.2.9.7.3", "The type of the external point is Extranet-License-Acquisition-URL.")
@conforms("MS-RMPR 2.2.9.7.3", "Each type of point has its GUID, in braces.")
@conforms("MS-RMPR 2.2.9.7.3", "Each point has a name.")
@conforms("MS-RMPR 2.2.9.7.3", "The server's points have the name DRM Server Cluster.")
@conforms("MS-RMPR 2.2.9.7.3", "The address is the licensing URL, or the author's.")
def test_acquisition_points(signed: Signed) -> None:
    assert f"</ISSUER>{licensing_points(INSIDE, OUTSIDE)}<DISTRIBUTIONPOINT>" in signed.text
    desk = Desk(signed.desk.cluster.with_state(external_licensing_url=None))
    text = desk.sign(desk.cluster.publish(None)).text
    assert f"</ISSUER>{licensing_points(INSIDE, None)}<ISSUEDPRINCIPALS>" in text


@conforms("MS-RMPR 2.2.9.7", "A referral point that the client gives stands in the signed licence.")
@conforms("MS-RMPR 2.2.9.7.3", "The client's point of type Referral-Info stays one.")
@conforms("MS-RMPR 2.2.9.7.3", "The client's referral point keeps its display name.")
@conforms("MS-RMPR 2.2.9.7.3", "The address is the licensing URL, or the author's.")
def test_referral_point(signed: Signed) -> None:
    assert REFERRAL in signed.text


@conforms("MS-RMPR 2.2.9.7", "ISSUEDPRINCIPALS name the server and hold its public key.")
@conforms("MS-RMPR 2.2.9.7.4", "ISSUEDPRINCIPALS have one principal: object, public key, levels and enabling bits.")
@conforms("MS-RMPR 2.2.9.7.4", "The server's GUID stands in braces.")
@conforms("MS-RMPR 2.2.9.7.4", "The GUID in a signed licence is the one in the SLC's principal.")
@conforms("MS-RMPR 2.2.9.7.4", "NAME has the server's name.")
@conforms("MS-RMPR 2.2.9.7.4", "The name in a signed licence is the one in the SLC's principal.")
@conforms("MS-RMPR 2.2.9.7.4", "ADDRESS has the cluster's URL.")
@conforms("MS-RMPR 2.2.9.7.4", "The address in a signed licence is the one in the SLC's principal.")
@conforms("MS-RMPR 2.2.9.7.4", "It has the server's public key.")
@conforms("MS-RMPR 2.2.9.7.4", "The exponent of the server's key is 65537.")
@conforms("MS-RMPR 2.2.9.7.4", "The size of the server's key stands in bits.")
@conforms("MS-RMPR 2.2.9.7.4", "The modulus is that of the server's key.")
@conforms("MS-RMPR 2.2.9.7.4", "The key in a signed licence is the one in the SLC's principal.")
@conforms("MS-RMPR 2.2.9.7.4", "ENABLINGBITS hold the content key, sealed to the server's key.")
def test_issued_principals(signed: Signed) -> None:
    found = signed.part("ISSUEDPRINCIPALS")
    sealed = found[found.index("<ENABLINGBITS") : found.index("</ENABLINGBITS>") + len("</ENABLINGBITS>")]
    head = f'<ISSUEDPRINCIPALS><PRINCIPAL internal-id="1">{signed.server}'
    tail = f"{signed.levels}</PRINCIPAL></ISSUEDPRINCIPALS>"
    assert found == head + sealed + tail
    slc = signed.desk.cluster.state.licensor
    opened = open_enabling_bits(EnablingBits.read(parse(sealed)), slc.key, [head + tail], bytes(16))
    assert opened.payload == signed.unsigned.content_key.payload


@conforms("MS-RMPR 2.2.9.7", "The owner that the client names stands in the signed licence.")
@conforms("MS-RMPR 2.2.9.7", "A revocation point that the client gives stands in the signed licence.")
@conforms("MS-RMPR 2.2.9.7.5", "OWNER has an ID and a name.")
@conforms("MS-RMPR 2.2.9.7.5", "The type of the owner's ID stays as the client wrote it.")
@conforms("MS-RMPR 2.2.9.7.5", "NAME has the owner's address.")
@conforms("MS-RMPR 2.2.9.7.9", "A revocation point keeps the structure of the template.")
@conforms("MS-RMPR 2.2.9.7.9", "The type of the authority's ID stays.")
@conforms("MS-RMPR 2.2.9.7.9", "The authority's ID stays.")
@conforms("MS-RMPR 2.2.9.7.9", "The URL of the revocation list stays.")
@conforms("MS-RMPR 2.2.9.7.9", "The authority's public key stays.")
@conforms("MS-RMPR 2.2.9.7.9", "No days are added to an interval without days.")
@conforms("MS-RMPR 2.2.9.7.9", "No hours are added to an interval without hours.")
@conforms("MS-RMPR 2.2.9.7.9", "No minutes are added to an interval without minutes.")
@conforms("MS-RMPR 2.2.9.7.9", "No seconds are added to an interval without seconds.")
def test_work_stays_the_clients(signed: Signed) -> None:
    """To the letter, whatever is in it."""
    assert f"</ISSUEDPRINCIPALS>{work()}<AUTHENTICATEDDATA " in signed.text
    desk = Desk(signed.desk.cluster)
    for interval in ('<INTERVALTIME hours="2" />', '<INTERVALTIME seconds="7" />'):
        changed = altered(
            desk.cluster.publish(None),
            ("</METADATA>", f"</METADATA>{revocation(desk.cluster.state.licensor.key.public)}"),
        )
        changed = altered(changed, ('<INTERVALTIME days="3" minutes="5" />', interval))
        assert f"</DISTRIBUTIONPOINT>{interval}</REFRESH>" in desk.sign(changed).text


@conforms("MS-RMPR 2.2.9.7.6", "AUTHENTICATEDDATA hold the author's policy.")
@conforms("MS-RMPR 2.2.9.7.6", "The policy is encrypted.")
@conforms("MS-RMPR 2.2.9.7.6", "The encrypted policy stands in base64.")
@conforms("MS-RMPR 2.2.9.7.6", "The id of the element is Encrypted-Rights-Data.")
@conforms("MS-RMPR 2.2.9.7.6", "What stands there is the encrypted policy alone.")
@conforms("MS-RMPR 2.2.9.7.7", "A list without policies is an empty element.")
@conforms("MS-RMPR 2.2.9.7.7", "A list with policies holds them.")
@conforms("MS-RMPR 2.2.9.7.8", "A policy names a file and a span of versions.")
@conforms("MS-RMPR 2.2.9.7.8", "The name of the file stays.")
@conforms("MS-RMPR 2.2.9.7.8", "The lowest version stays.")
@conforms("MS-RMPR 2.2.9.7.8", "The highest version stays.")
def test_rights_data_and_policies_stay_the_clients(signed: Signed) -> None:
    start = signed.unsigned.text.index('<AUTHENTICATEDDATA id="Encrypted-Rights-Data">')
    assert (
        signed.text[signed.text.index("</WORK>") + 7 : signed.text.index("</BODY>")]
        == (signed.unsigned.text[start : signed.unsigned.text.index("</BODY>")])
    )
    assert f"{APPLICATION_DATA}{POLICIES}</BODY>" in signed.text
    encrypted = text_at(signed.body, "AUTHENTICATEDDATA[@id='Encrypted-Rights-Data']")
    data = signed.unsigned.content_key.decrypt_text(base64.b64decode(encrypted, validate=True))
    assert data.startswith("<XrML ")
    assert READER in data
    assert READER not in signed.text


@conforms("MS-RMPR 2.2.9.7", "SIGNATURE is the issuer's.")
@conforms("MS-RMPR 2.2.9.7", "The digest is that of the body.")
@conforms("MS-RMPR 2.2.9.7", "The signature is made with the issuer's private key.")
@conforms("MS-RMPR 2.2.9.7", "The signature is as long as the issuer's key.")
def test_signature(signed: Signed) -> None:
    check_signature(signed.text, signed.desk.cluster.state.licensor.key.public, signed.desk.cluster.mode)
