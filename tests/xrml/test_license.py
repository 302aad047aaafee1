"""Publishing licences, of clients and of the server."""

from __future__ import annotations

import pytest

from rmsserver.xrml.enabling_bits import ContentKey, open_enabling_bits
from rmsserver.xrml.errors import SealError, WrongKindError, XrmlSyntaxError
from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.license import PublishingLicense, sign_publishing_license
from rmsserver.xrml.values import TimeRange
from tests.conformance import conforms
from tests.xrml.hierarchy import AUTHOR, NOW, STAND_IN, YEAR, Hierarchy, body_of, guid


@pytest.mark.parametrize("kind", ["pl", "server_pl"])
def test_what_is_written_reads_back(hierarchy: Hierarchy, kind: str) -> None:
    """Addressee, owner, sealed key, encrypted rights."""
    licence = PublishingLicense.read(hierarchy.text(kind))
    server = IssuingCertificate.read(hierarchy.slc).principal
    assert licence.addressed_to(server)
    assert licence.owner is not None
    assert licence.owner.email == AUTHOR
    assert licence.acquisition_urls()["License-Acquisition-URL"] == "http://rms.example.com/_wmcs/licensing"
    opened = open_enabling_bits(licence.enabling_bits, hierarchy.keys.slc, licence.hashed_texts, STAND_IN)
    assert opened.payload == hierarchy.content_key.payload
    assert ContentKey.of_payload(opened.payload).decrypt_text(licence.encrypted_rights) == hierarchy.rights_data


def test_a_server_is_meant_by_id_and_modulus(mode1: Hierarchy) -> None:
    """Same OBJECT ID without case, same key; names and addresses do not count (rulings 3)."""
    server = IssuingCertificate.read(mode1.slc).principal
    id_ = guid("server").braced
    for text, expected in (
        (mode1.respelled("pl", id_, id_.upper(), count=-1), True),
        (mode1.respelled("pl", "HTTP://rms.example.com", "http://other", count=-1), True),
        (mode1.respelled("pl", id_, guid("other").braced, count=-1), False),
        (mode1.respelled("pl", server.public_key.modulus_base64, mode1.keys.account.public.modulus_base64), False),
    ):
        assert PublishingLicense.read(text).addressed_to(server) is expected


def unsigned(hierarchy: Hierarchy, old: str = "", new: str = "") -> str:
    assert old in hierarchy.pl
    return f'<XrML version="1.2" xmlns="">{body_of(hierarchy.pl).replace(old, new)}</XrML>'


def signed_by_server(hierarchy: Hierarchy, text: str) -> PublishingLicense:
    return PublishingLicense.read(
        sign_publishing_license(
            PublishingLicense.read(text, signed=False),
            payload=hierarchy.content_key.payload,
            session_key=bytes(16),
            slc_principal=IssuingCertificate.read(hierarchy.slc).principal,
            internal_url="http://own/_wmcs/licensing",
            external_url="http://extranet/_wmcs/licensing",
            issued=NOW,
            signing_key=hierarchy.keys.slc,
            mode=hierarchy.mode,
        )
    )


def test_a_signed_licence_is_not_signed_again(mode1: Hierarchy) -> None:
    """Nor is an unsigned one taken for a signed one (rulings 17)."""
    with pytest.raises(XrmlSyntaxError):
        PublishingLicense.read(mode1.pl, signed=False)
    with pytest.raises(XrmlSyntaxError):
        PublishingLicense.read(unsigned(mode1))


def test_L2_signing_seals_anew(hierarchy: Hierarchy) -> None:
    """No block of the client's enabling bits is in the server's answer, though the payload is the same (rulings 16)."""
    client = PublishingLicense.read(hierarchy.pl).enabling_bits.data
    server = signed_by_server(hierarchy, unsigned(hierarchy)).enabling_bits.data
    blocks = {client[at : at + 16] for at in range(0, len(client), 16)}
    assert not blocks & {server[at : at + 16] for at in range(0, len(server), 16)}


def test_what_survives_signing(hierarchy: Hierarchy) -> None:
    """Issuer, time and points are the server's; the rest stands as the client wrote it (rulings 17)."""
    validity = "<VALIDITYTIME><FROM>2026-01-01T00:00</FROM><UNTIL>2027-01-01T00:00</UNTIL></VALIDITYTIME>"
    descriptor = f'<DESCRIPTOR><OBJECT><ID type="MS-GUID">{guid("template")}</ID></OBJECT></DESCRIPTOR>'
    text = unsigned(hierarchy, "<ISSUER>", validity + descriptor + "<ISSUER>")
    before, after = PublishingLicense.read(text, signed=False), signed_by_server(hierarchy, text)
    server = IssuingCertificate.read(hierarchy.slc).principal
    assert after.issuer.inner_surface == server.inner_surface
    assert list(after.acquisition_urls())[:2] == ["License-Acquisition-URL", "Extranet-License-Acquisition-URL"]
    assert after.acquisition_urls()["License-Acquisition-URL"] == "http://own/_wmcs/licensing"
    assert after.validity == before.validity
    assert isinstance(after.validity, TimeRange)
    assert descriptor in after.text
    for name in ("referral", "work_object", "metadata", "owner", "encrypted_rights"):
        assert getattr(after, name) == getattr(before, name)
    after.verify(hierarchy.keys.slc.public)
    tags = [child.tag for child in after.principal.element.children]
    assert tags == ["OBJECT", "PUBLICKEY", "ENABLINGBITS", "SECURITYLEVEL", "SECURITYLEVEL"]


def test_an_unsigned_licence_needs_no_issuer(mode1: Hierarchy) -> None:
    """The server sets it."""
    issuer = mode1.pl[mode1.pl.index("<ISSUER>") : mode1.pl.index("</ISSUER>") + len("</ISSUER>")]
    signed_by_server(mode1, unsigned(mode1, issuer)).verify(mode1.keys.slc.public)


def test_L1_foreign_bits_open_under_no_other_principal(mode1: Hierarchy) -> None:
    """The hash covers ISSUEDPRINCIPALS: copied bits beside a respelled principal do not open."""
    text = unsigned(mode1, 'value="RMS 2.0"', 'value="RMS 2.1"')
    licence = PublishingLicense.read(text, signed=False)
    with pytest.raises(SealError):
        open_enabling_bits(licence.enabling_bits, mode1.keys.slc, licence.hashed_texts, STAND_IN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ENABLINGBITS ", '<ENABLINGBITS type="sealed-key" /><ENABLINGBITS '),
        ("Encrypted-Rights-Data", "Other"),
        ('<AUTHENTICATEDDATA id="Encrypted-Rights-Data">', '<AUTHENTICATEDDATA id="Encrypted-Rights-Data">!'),
        ("<WORK><OBJECT>", "<WORK><OBJECT></OBJECT><OBJECT>"),
        ('<OBJECT type="Referral-Info">', '<OBJECT></OBJECT><OBJECT type="Referral-Info">'),
        ("<OWNER><OBJECT>", "<OWNER><OBJECT></OBJECT><OBJECT>"),
    ],
)
def test_another_structure_is_refused(mode1: Hierarchy, old: str, new: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        PublishingLicense.read(mode1.respelled("pl", old, new))


@conforms("MS-RMPR 2.2.9.1.11", "A publishing licence has enabling bits in its principal, and one without is refused.")
def test_a_licence_without_enabling_bits_is_refused(mode1: Hierarchy) -> None:
    """Though the rest is genuinely signed."""
    bits = mode1.pl[mode1.pl.index("<ENABLINGBITS") : mode1.pl.index("</ENABLINGBITS>") + len("</ENABLINGBITS>")]
    with pytest.raises(XrmlSyntaxError):
        PublishingLicense.read(mode1.respelled("pl", bits, ""))


def test_a_principal_that_is_no_server_is_refused(mode1: Hierarchy) -> None:
    with pytest.raises(WrongKindError):
        PublishingLicense.read(mode1.respelled("pl", "MS-DRM-Server", "Group-Identity"))


def test_the_time_of_validity_is_read(mode1: Hierarchy) -> None:
    """Right after ISSUEDTIME (wire facts 6)."""
    validity = "<VALIDITYTIME><FROM>2026-11-21T17:00</FROM><UNTIL>2027-11-22T17:00</UNTIL></VALIDITYTIME>"
    text = mode1.respelled("pl", "</ISSUEDTIME>", "</ISSUEDTIME>" + validity)
    assert PublishingLicense.read(text).validity == YEAR
