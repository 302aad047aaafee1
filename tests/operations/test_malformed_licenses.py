"""Publishing licences and rights data of another form than [MS-RMPR] 2.2.9.7 and 2.2.9.8: no licence, no signature.

Each table says what is changed in a good document, and each row is refused by AcquireLicense, in a licence that its author
signed so, as well as by AcquireIssuanceLicense.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from rmsserver.errors import (
    InvalidOfficialRightsTemplate,
    NoRightsForRequestedPrincipal,
    RightsLabelNoMatchingIssuedPrincipal,
    RmsError,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.rights import ApplicationData, Policy, Right, TimeConditions, referral_xml, write_rights_data
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.use_license import OWNER_RIGHT
from rmsserver.xrml.values import TimeRange
from tests.cluster import DAY, NOW, Cluster, Published, grantee, guid, key
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, READER, Desk, altered, resigned

DESCRIPTOR = f'<DESCRIPTOR><OBJECT><ID type="MS-GUID">{guid("unknown").braced}</ID></OBJECT></DESCRIPTOR>'
TIME = "<TIME><RANGETIME><FROM>2026-05-31T12:00</FROM><UNTIL>2026-06-10T12:00</UNTIL></RANGETIME></TIME>"
DAYS = '<TIME><INTERVALTIME days="5" /></TIME>'
PRECONDITIONS = '<PRECONDITIONLIST><TIME><INTERVALTIME days="9" /></TIME></PRECONDITIONLIST>'
POLICY = '<POLICY><OBJECT><ID type="filename">a.exe</ID><VERSIONSPAN min="1.0.0.0" max="2.0.0.0" /></OBJECT></POLICY>'
POLICIES = f'<POLICYLIST type="exclusion">{POLICY}</POLICYLIST>'


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


def change(pattern: str, replacement: str, text: str) -> str:
    r"""The text with the first match replaced (`\1`: what its group matched); there must be one."""
    changed, count = re.subn(pattern, replacement, text, count=1, flags=re.DOTALL)
    assert count, pattern
    return changed


def row(section: str, sentence: str, pattern: str, replacement: str = "") -> object:
    return pytest.param(
        pattern, replacement, marks=conforms(f"MS-RMPR {section}", sentence), id=f"{section} {sentence}"
    )


def refused(desk: Desk, *published: Published) -> None:
    """The ones that are signed by AcquireLicense, the unsigned ones by AcquireIssuanceLicense."""
    for document in published:
        operation = desk.ask if "<SIGNATURE>" in document.text else desk.sign
        with pytest.raises(RmsError):
            operation(document)
    assert desk.opened == 0


# --- the licence in the clear ------------------------------------------------------------------------------------------

UNTYPED = "A list of another type than inclusion and exclusion is refused."


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        row("2.2.9.7", "A licence without an object in WORK is refused.", "(?<=<WORK>)<OBJECT>.*?</OBJECT>"),
        row(
            "2.2.9.7",
            "A licence without encrypted rights data is refused.",
            '<AUTHENTICATEDDATA id="Encrypted-Rights-Data">.*?</AUTHENTICATEDDATA>',
        ),
        row(
            "2.2.9.7.1",
            "A descriptor without an object and its ID is refused.",
            "(?<=<DESCRIPTOR>)<OBJECT>.*?</OBJECT>(?=</DESCRIPTOR>)",
        ),
        row(
            "2.2.9.7.1",
            "A descriptor without an object and its ID is refused.",
            '(?<=<DESCRIPTOR><OBJECT>)<ID type="MS-GUID">.*?</ID>',
        ),
        row(
            "2.2.9.7.6",
            "The encrypted policy stands in base64.",
            '(?<=<AUTHENTICATEDDATA id="Encrypted-Rights-Data">)',
            "!",
        ),
        row("2.2.9.7.6", "The id of the element is Encrypted-Rights-Data.", '"Encrypted-Rights-Data"', '"Rights-Data"'),
        row("2.2.9.7.7", UNTYPED, '(?<=<POLICYLIST type=")exclusion', "permission"),
        row("2.2.9.7.7", UNTYPED, '<POLICYLIST type="exclusion"', "<POLICYLIST"),
        row("2.2.9.7.7", "A list that holds something else than policies is refused.", "(?=<POLICY>)", "<RULE />"),
        row("2.2.9.7.8", "A policy names a file and a span of versions.", "<VERSIONSPAN [^<]*>"),
        row("2.2.9.7.8", "The name of the file stays.", '<ID type="filename">.*?</ID>'),
        row("2.2.9.7.8", "The lowest version stays.", ' min="1.0.0.0"'),
        row("2.2.9.7.8", "The highest version stays.", ' max="2.0.0.0"'),
    ],
)
def test_licence_of_another_form_is_refused(desk: Desk, pattern: str, replacement: str) -> None:
    author = desk.cluster.author()
    changes = (("</ISSUEDTIME>", f"</ISSUEDTIME>{DESCRIPTOR}"), ("</BODY>", f"{POLICIES}</BODY>"))
    unsigned = altered(desk.cluster.publish(None), *changes)
    signed = resigned(desk.cluster.publish(author), author, *changes)
    desk.sign(unsigned)
    desk.ask(signed)
    desk.ports = desk.cluster.ports(desk.directory)
    body = signed.license.body.surface
    refused(
        desk,
        altered(unsigned, (unsigned.text, change(pattern, replacement, unsigned.text))),
        resigned(signed, author, (body, change(pattern, replacement, body))),
    )


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        row(
            "2.2.9.7.4",
            "A licence whose principal has another GUID than one of the server's is refused.",
            f"(<ISSUEDPRINCIPALS>.*?){guid('example server')}",
            rf"\g<1>{guid('another')}",
        ),
        row(
            "2.2.9.7.4",
            "A licence whose principal has another key than that server's is refused.",
            '(<ISSUEDPRINCIPALS>.*? size="2048">)[^<]*',
            rf"\g<1>{key('another server', 2048).public.modulus_base64}",
        ),
    ],
)
def test_licence_for_another_server_is_refused(desk: Desk, pattern: str, replacement: str) -> None:
    """By its name, before anything is decrypted."""
    author = desk.cluster.author()
    unsigned, signed = desk.cluster.publish(None), desk.cluster.publish(author)
    body = signed.license.body.surface
    with pytest.raises(UnsignedIssuanceLicenseNoMatchingIssuedPrincipal):
        desk.sign(altered(unsigned, (unsigned.text, change(pattern, replacement, unsigned.text))))
    with pytest.raises(RightsLabelNoMatchingIssuedPrincipal):
        desk.ask(resigned(signed, author, (body, change(pattern, replacement, body))))


# --- rights data -------------------------------------------------------------------------------------------------------

REPEATED = "A TIME that holds something else than one range or one interval is refused."


def rights_data() -> str:
    """With each part that rights data may have."""
    text = write_rights_data(
        work_id=guid("document"),
        owner_email=AUTHOR,
        rights=(Right.of("VIEW", grantee(READER), TimeConditions(TimeRange(NOW - DAY, NOW + 9 * DAY), 5)),),
        issued=NOW - 5 * DAY,
        referral=referral_xml("An Author", "mailto:author@example.com"),
        preconditions=TimeConditions(days=9),
        application_data=(ApplicationData("VIEWER", "1"),),
        policies=(Policy("exclusion", "b.exe", "1.0.0.0", "2.0.0.0"),),
    )
    for part in (TIME, DAYS, PRECONDITIONS):
        assert part in text
    return text.replace("</ISSUEDTIME>", f"</ISSUEDTIME>{DESCRIPTOR}", 1)


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        row("2.2.9.8", "A licence whose rights data is no XrML document is refused.", "<XrML [^>]*>", "<XrML>"),
        row("2.2.9.8", "A licence whose rights data is no XrML document is refused.", "<BODY ", "BODY "),
        row("2.2.9.8", "Rights data without one of its parts is refused.", "<WORK>.*</WORK>"),
        row(
            "2.2.9.8", "Rights data of another type is refused.", "Microsoft Rights Template", "Microsoft Rights Label"
        ),
        row("2.2.9.8", "Rights data without a time of issue is refused.", "<ISSUEDTIME>.*?</ISSUEDTIME>"),
        row("2.2.9.8", "A descriptor without an object is refused.", "(?<=<DESCRIPTOR>).*?(?=</DESCRIPTOR>)"),
        row(
            "2.2.9.8",
            "A point without an object is refused.",
            '(?<=<DISTRIBUTIONPOINT>)<OBJECT type="Referral-Info">.*?</OBJECT>',
        ),
        row("2.2.9.8.1", "A descriptor without an ID is refused.", "(?<=<DESCRIPTOR><OBJECT>)<ID .*?</ID>"),
        row("2.2.9.8.1", "A descriptor whose ID is no GUID is refused.", guid("unknown"), "Confidential"),
        row("2.2.9.8.1", "A descriptor whose ID is no GUID is refused.", "MS-GUID", "ascii-tag"),
        row("2.2.9.8.4", REPEATED, f"(?<={PRECONDITIONS[:22]}).*?</TIME>", "<TIME></TIME>"),
        row("2.2.9.8.4", REPEATED, f"(?<={PRECONDITIONS[:22]}).*?</TIME>", "<TIME>2027-01-01T00:00</TIME>"),
        row("2.2.9.8.4", REPEATED, re.escape(TIME), "<TIME><UNTIL>2027-01-01T00:00</UNTIL></TIME>"),
        row("2.2.9.8.4", REPEATED, re.escape(DAYS), DAYS * 2),
        row("2.2.9.8.5", "Rights data without the group Main-Rights is refused.", 'name="Main-Rights"', 'name="Other"'),
        row("2.2.9.8.5", "Rights data without the group Main-Rights is refused.", "<RIGHTSGROUP.*</RIGHTSGROUP>"),
        row("2.2.9.8.5.1", "An owner without an object is refused.", "(?<=<OWNER>)<OBJECT>.*?</OBJECT>"),
        row("2.2.9.8.5.2", "Conditions of another kind than times are refused.", "(?<=<PRECONDITIONLIST>)", "<FEE />"),
        row("2.2.9.8.5.3", "A right without condition list, access or principal is refused.", "<ACCESS>.*?</ACCESS>"),
        row(
            "2.2.9.8.5.3",
            "A right without condition list, access or principal is refused.",
            "<PRINCIPAL>.*?</PRINCIPAL>",
        ),
        row(
            "2.2.9.8.5.3",
            "A right without condition list, access or principal is refused.",
            "<CONDITIONLIST>.*?</CONDITIONLIST>",
        ),
        row("2.2.9.8.5.3", "A RIGHT without a name is refused.", "<VIEW>(.*)</VIEW>", r"<RIGHT>\1</RIGHT>"),
        row("2.2.9.8.5.3", "A RIGHT without a name is refused.", "<VIEW>(.*)</VIEW>", r'<RIGHT name=" ">\1</RIGHT>'),
    ],
)
def test_rights_data_of_another_form_is_refused(desk: Desk, pattern: str, replacement: str) -> None:
    """Unsigned, and signed by its author: none of it is ever served in part (threat L12)."""
    good, author = rights_data(), desk.cluster.author()
    desk.sign(desk.cluster.publish(None, rights_data=good))
    desk.ask(desk.cluster.publish(author, rights_data=good))
    desk.ports = desk.cluster.ports(desk.directory)
    bad = change(pattern, replacement, good)
    refused(desk, *(desk.cluster.publish(who, rights_data=bad) for who in (None, author)))


@conforms("MS-RMPR 2.2.9.8", "Rights data that no template made has the type Microsoft Rights Template.")
@conforms("MS-RMPR 2.2.9.8.2", "Rights data that no template made needs no ISSUER.")
@conforms("MS-RMPR 2.2.9.8.5", "The owner is read from METADATA.")
@conforms("MS-RMPR 2.2.9.8.5", "Time conditions of the policy are read from PRECONDITIONLIST.")
@conforms("MS-RMPR 2.2.9.8.5.1", "The owner is who has the address in NAME.")
@conforms("MS-RMPR 2.2.9.8.5.2", "Time conditions of the policy stand in the use licence.")
@conforms("MS-RMPR 2.2.9.8.5.3", "A time condition of a right stands in the use licence.")
def test_rights_data_of_the_right_form_is_served(desk: Desk) -> None:
    """The owner within alone; the policy's days end the right's range, and the right's days renew the licence."""
    good, author = rights_data(), desk.cluster.author()
    assert 'type="Microsoft Rights Template"' in good
    assert "<ISSUER>" not in good
    document = desk.cluster.publish(author, rights_data=good)
    metadata = document.license.metadata
    for days, left in ((9, 4), (7, 2)):  # published five days ago
        data = good.replace('days="9"', f'days="{days}"')
        ours = resigned(desk.cluster.publish(author, rights_data=data), author, (metadata, ""))
        assert desk.ask(ours, AUTHOR).rights == (OWNER_RIGHT,)
        [right] = desk.ask(ours).rights
        assert right.conditions == TimeConditions(TimeRange(NOW - DAY, NOW + left * DAY), 5)


@conforms("MS-RMPR 2.2.9.8.5.1", "The owner has her right whatever the type of her ID.")
@pytest.mark.parametrize("id_type", ["Windows", "Federation", "Passport", "Unspecified", ""])
def test_owner_is_an_address(desk: Desk, id_type: str) -> None:
    data = change('(?<=<OWNER><OBJECT>)<ID type="[^"]*" />', f'<ID type="{id_type}" />', rights_data())
    published = desk.cluster.publish(desk.cluster.author(), rights_data=data)
    assert desk.ask(published, AUTHOR).rights == (OWNER_RIGHT,)
    assert desk.ask(desk.sign(desk.cluster.publish(None, rights_data=data)), AUTHOR).rights == (OWNER_RIGHT,)


@conforms("MS-RMPR 2.2.9.8.5", "Rights data that grants nothing gives nobody but the owner a licence.")
@conforms("MS-RMPR 2.2.9.8.5.3", "Rights data that grants nothing gives nobody but the owner a licence.")
def test_rights_data_that_grants_nothing(desk: Desk) -> None:
    data = change("(?<=<RIGHTSLIST>).*(?=</RIGHTSLIST>)", "", rights_data())
    published = desk.cluster.publish(desk.cluster.author(), rights_data=data)
    with pytest.raises(NoRightsForRequestedPrincipal):
        desk.ask(published)
    assert desk.ask(published, AUTHOR).rights == (OWNER_RIGHT,)


# --- templates in place of rights data ---------------------------------------------------------------------------------


def altered_body(template: RightsTemplate, _slc: PrivateKey, _impostor: PrivateKey) -> str:
    return template.text.replace(READER, "outsider@example.com")


def without_issuer(template: RightsTemplate, slc: PrivateKey, _impostor: PrivateKey) -> str:
    return signed_document(change("<ISSUER>.*?</ISSUER>", "", template.body.surface), slc, template.mode)


def without_issuers_object(template: RightsTemplate, slc: PrivateKey, _impostor: PrivateKey) -> str:
    return signed_document(change("(?<=<ISSUER>)<OBJECT.*?</OBJECT>", "", template.body.surface), slc, template.mode)


def by_another_key(template: RightsTemplate, _slc: PrivateKey, impostor: PrivateKey) -> str:
    return signed_document(template.body.surface, impostor, template.mode)


def by_a_stranger(template: RightsTemplate, slc: PrivateKey, impostor: PrivateKey) -> str:
    """Well signed with the key in its ISSUER, which is nobody's."""
    body = template.body.surface.replace(slc.public.modulus_base64, impostor.public.modulus_base64)
    return signed_document(body, impostor, template.mode)


def by_a_shorter_key(template: RightsTemplate, _slc: PrivateKey, _impostor: PrivateKey) -> str:
    return signed_document(template.body.surface, key("short", 1024), template.mode)


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(altered_body, marks=conforms("MS-RMPR 2.2.9.8", "The digest is that of the body.")),
        pytest.param(without_issuer, marks=conforms("MS-RMPR 2.2.9.8", "A template without an ISSUER is refused.")),
        without_issuers_object,
        pytest.param(
            by_another_key,
            marks=[
                conforms("MS-RMPR 2.2.9.8", "The signature is made with the issuer's private key."),
                conforms("MS-RMPR 2.2.9.8.2", "A template whose ISSUER is another than its signer is refused."),
            ],
        ),
        by_a_stranger,
        pytest.param(
            by_a_shorter_key, marks=conforms("MS-RMPR 2.2.9.8", "The signature is as long as the issuer's key.")
        ),
    ],
)
def test_template_that_no_known_server_signed_is_refused(
    desk: Desk, forge: Callable[[RightsTemplate, PrivateKey, PrivateKey], str]
) -> None:
    """InvalidOfficialRightsTemplate where it is to be signed, no licence where its author signed it."""
    author, template = desk.cluster.author(), desk.cluster.template("Secret")
    desk.sign(desk.cluster.publish(None, rights_data=template.text))
    desk.ask(desk.cluster.publish(author, rights_data=template.text))
    text = forge(template, desk.cluster.state.licensor.key, key("impostor", 2048))
    assert text != template.text
    with pytest.raises(InvalidOfficialRightsTemplate):
        desk.sign(desk.cluster.publish(None, rights_data=text))
    with pytest.raises(UnspecifiedError):
        desk.ask(desk.cluster.publish(author, rights_data=text))


@conforms("MS-RMPR 2.2.9.8", "A template without a signature is refused.")
def test_template_without_a_signature_is_refused(desk: Desk) -> None:
    text = change("<SIGNATURE>.*</SIGNATURE>", "", desk.cluster.template("Secret").text)
    refused(desk, *(desk.cluster.publish(who, rights_data=text) for who in (None, desk.cluster.author())))
