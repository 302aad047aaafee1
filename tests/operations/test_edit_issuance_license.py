"""EditIssuanceLicense: a publishing licence gets other rights and keeps its content key."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pytest

from rmsserver.errors import (
    ArgumentNull,
    ClusterDecommissioned,
    CryptoUnsupportedSymKey,
    EnablingBitsHashDoesNotMatch,
    InvalidOfficialRightsTemplate,
    InvalidOperation,
    InvalidSignedIssuanceLicense,
    NoRightsForRequestedPrincipal,
    OnlinePublishingDisabled,
    RmsError,
    ServerRepublishIllegal,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations.edit_issuance_license import (
    EditIssuanceLicenseItem,
    EditIssuanceLicenseRequest,
    edit_issuance_license,
)
from rmsserver.ports import PortUnavailable
from rmsserver.state import Licensor, TrustedLicensingServer
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rights import ApplicationData, Right, owner_metadata_xml, write_rights_data
from rmsserver.xrml.use_license import OWNER_RIGHT
from rmsserver.xrml.values import TimeRange
from tests.cluster import ALWAYS, DAY, NOW, Author, Cluster, Published, grantee, guid, server_hierarchy
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, Desk, altered, resigned
from tests.operations.malformed_bits import MALFORMED, Sealer, bits_xml, des_session

EDITABLE = (ApplicationData("Allow_Server_Editing", "True"),)
MACHINE = "boss@example.com"
"""A server that may republish."""


def protected(
    cluster: Cluster,
    author: Author | None,
    *readers: str,
    allowed: Iterable[ApplicationData] = EDITABLE,
    owner: str = AUTHOR,
    content_key: ContentKey | None = None,
    sealed_to: Licensor | None = None,
) -> Published:
    """A licence that gives VIEW to `readers`; signed where there is an author."""
    data = write_rights_data(
        work_id=guid("document"),
        owner_email=owner,
        rights=[Right.of("VIEW", grantee(reader)) for reader in readers],
        issued=NOW - DAY,
        application_data=allowed,
    )
    return cluster.publish(author, rights_data=data, owner=owner, content_key=content_key, sealed_to=sealed_to)


def edit(desk: Desk, signed: Published | str, unsigned: Published | str) -> Published:
    """The new licence, found to be the server's. Raises RmsError."""
    one, other = (text if isinstance(text, str) else text.text for text in (signed, unsigned))
    desk.caller = desk.cluster.caller(MACHINE)
    request = EditIssuanceLicenseRequest((EditIssuanceLicenseItem(one, other),))
    text = edit_issuance_license(request, desk.caller, desk.cluster.state, desk.ports, NOW).license
    license_ = PublishingLicense.read(text)
    desk.cluster.state.licensor.certificate.issued(license_)
    content_key = signed.content_key if isinstance(signed, Published) else ContentKey(b"")
    return Published(text, (text,), content_key)


def refused(desk: Desk, error: type[RmsError], signed: Published | str, unsigned: Published | str) -> None:
    with pytest.raises(RmsError) as caught:
        edit(desk, signed, unsigned)
    assert type(caught.value) is error, caught.value


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


@pytest.fixture
def signed(mode_2: Cluster) -> Published:
    """For the reader."""
    return protected(mode_2, mode_2.author(), READER)


@pytest.fixture
def unsigned(mode_2: Cluster) -> Published:
    """For the outsider, with a content key of its own."""
    return protected(mode_2, None, OUTSIDER)


# --- what is signed ----------------------------------------------------------------------------------------------------


@conforms("MS-RMSI 3.4.4.1", "A request that passes all checks is served.")
@conforms("MS-RMSI 3.4.4.1", "The new licence's enabling bits hold the content key of the signed licence.")
@conforms("MS-RMSI 3.4.4.1", "The new licence has the server's signature.")
def test_other_readers_open_the_same_content(cluster: Cluster) -> None:
    """Who is granted it now opens it with the old content key; who was granted it before has the old licence alone."""
    desk = Desk(cluster)
    old = protected(cluster, cluster.author(), READER)
    new = edit(desk, old, protected(cluster, None, OUTSIDER))
    license_ = desk.ask(new, OUTSIDER)
    assert license_.open_content_key(cluster.account(OUTSIDER).key, bytes(16)) == old.content_key
    with pytest.raises(NoRightsForRequestedPrincipal):
        desk.ask(new, READER)
    assert desk.ask(new, AUTHOR).rights == (OWNER_RIGHT,)
    desk.ask(old, READER)


@conforms(
    "MS-RMSI 3.4.4.1", "The rights data of the unsigned licence is opened with the unsigned licence's own content key."
)
@conforms("MS-RMSI 3.4.4.1", "The same rights data is encrypted anew with the content key of the signed licence.")
def test_the_rights_data_is_that_of_the_unsigned_licence(desk: Desk, signed: Published, unsigned: Published) -> None:
    """To the character, under the other key; all else as in online publishing."""
    new = edit(desk, signed, unsigned).license
    old_data = unsigned.content_key.decrypt_text(PublishingLicense.read(unsigned.text, signed=False).encrypted_rights)
    assert signed.content_key.decrypt_text(new.encrypted_rights) == old_data
    assert new.issued_time == NOW
    assert new.issuer.inner_surface == desk.cluster.state.licensor.certificate.principal.inner_surface
    assert new.body.one("WORK").surface in unsigned.text


def test_an_edited_licence_is_edited_again(desk: Desk, signed: Published, unsigned: Published) -> None:
    """What the server signed, it edits; nothing about it is an alert."""
    once = edit(desk, signed, unsigned)
    twice = edit(desk, once, protected(desk.cluster, None, READER))
    assert desk.ask(twice, READER).open_content_key(desk.cluster.account(READER).key, bytes(16)) == signed.content_key
    assert desk.alerts == []


def test_the_unsigned_licence_may_have_the_same_content_key(desk: Desk, signed: Published) -> None:
    """Clients that keep the key seal it anew, or repeat the signed licence's block: no theft where it is the same key."""
    fresh = protected(desk.cluster, None, OUTSIDER, content_key=signed.content_key)
    assert desk.ask(edit(desk, signed, fresh), OUTSIDER)
    assert desk.ask(edit(desk, signed, altered(fresh, (block(fresh), block(signed)))), OUTSIDER)


def test_licences_of_former_and_imported_keys(
    desk: Desk, mode_1: Cluster, stranger: Cluster, unsigned: Published
) -> None:
    """Opened with the key they are sealed to, mode 1 included; signed and sealed with the own key (rulings 2, 25)."""
    desk.configure(
        former_licensors=(mode_1.state.licensor,),
        trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),),
    )
    for cluster in (mode_1, stranger):
        new = edit(desk, protected(cluster, cluster.author(), READER), unsigned)
        assert new.license.addressed_to(desk.cluster.state.licensor.certificate.principal)
        assert new.license.mode is CryptoMode.MODE_2
        desk.ask(new, OUTSIDER)


# --- who may, and what -------------------------------------------------------------------------------------------------


@conforms(
    "MS-RMSI 3.4.4.1",
    "A signed licence whose rights data does not allow editing is refused with ServerRepublishIllegalException.",
)
@pytest.mark.parametrize(
    "allowed",
    [
        (),
        (ApplicationData("Allow_Server_Editing", "False"),),
        (ApplicationData("Allow_Server_Editing", ""),),
        (ApplicationData("Other", "True"),),
        (ApplicationData("Allow_Server_Editing", "True"), ApplicationData("Allow_Server_Editing", "False")),
    ],
)
def test_a_licence_that_does_not_allow_it(
    desk: Desk, unsigned: Published, allowed: tuple[ApplicationData, ...]
) -> None:
    """APPSPECIFIC Allow_Server_Editing must say True in the rights data of the signed one (3.4.4.1)."""
    refused(
        desk, ServerRepublishIllegal, protected(desk.cluster, desk.cluster.author(), READER, allowed=allowed), unsigned
    )


@conforms(
    "MS-RMSI 3.4.4.1",
    "A signed licence whose rights data does not allow editing is refused with ServerRepublishIllegalException.",
)
def test_the_permission_in_the_clear_is_none(desk: Desk, unsigned: Published) -> None:
    """Anybody could write it there, and the unsigned licence's own does not count either."""
    author = desk.cluster.author()
    signed = protected(desk.cluster, author, READER, allowed=())
    in_clear = '<AUTHENTICATEDDATA name="Allow_Server_Editing" id="APPSPECIFIC">True</AUTHENTICATEDDATA></BODY>'
    refused(desk, ServerRepublishIllegal, resigned(signed, author, ("</BODY>", in_clear)), unsigned)


def test_L7_our_template_decides(desk: Desk, unsigned: Published) -> None:
    """Rights data that cites a template of ours has the template's permission, not its own."""
    template = desk.cluster.template()
    signed = desk.cluster.publish(desk.cluster.author(), rights_data=template.text)
    refused(desk, ServerRepublishIllegal, signed, unsigned)


@conforms(
    "MS-RMSI 3.4.4.1",
    "A template in the rights data whose signature does not hold is refused with InvalidOfficialRightsTemplateException.",
)
def test_a_forged_template_in_either_licence(
    desk: Desk, stranger: Cluster, signed: Published, unsigned: Published
) -> None:
    """Signed by a server that is not known here."""
    forged = stranger.template().text
    refused(
        desk, InvalidOfficialRightsTemplate, desk.cluster.publish(desk.cluster.author(), rights_data=forged), unsigned
    )
    refused(desk, InvalidOfficialRightsTemplate, signed, desk.cluster.publish(None, rights_data=forged))


@conforms("MS-RMSI 3.4.4.1", "Neither licence is used unless it is well-formed.")
@conforms("MS-RMSI 3.4.4.1", "The signed licence's signature must hold.")
@conforms(
    "MS-RMSI 3.4.4.1",
    "A signed licence that does not hold, or of a signer not trusted, is refused with InvalidSignedIssuanceLicenseException.",
)
@conforms(
    "MS-RMSI 3.4.4.1", "A signed licence for another server is refused with InvalidSignedIssuanceLicenseException."
)
def test_the_signed_licence_must_hold(desk: Desk, stranger: Cluster, signed: Published, unsigned: Published) -> None:
    """Signature, signer and principal: one name for all."""
    author = desk.cluster.author()
    sealed_elsewhere = protected(desk.cluster, author, READER, sealed_to=stranger.state.licensor)
    for wrong in (
        altered(signed, ("<ISSUEDTIME>2", "<ISSUEDTIME>3")),
        unsigned,
        sealed_elsewhere,
        signed.chain[1],
        "no document",
    ):
        refused(desk, InvalidSignedIssuanceLicense, wrong, unsigned)
    desk.configure(serve_unknown_licensors=False)
    refused(desk, InvalidSignedIssuanceLicense, signed, unsigned)


@conforms("MS-RMSI 3.4.4.1", "Neither licence is used unless it is well-formed.")
@conforms(
    "MS-RMSI 3.4.4.1",
    "An unsigned licence for another server is refused with UnsignedIssuanceLicenseNoMatchingIssuedPrincipalException.",
)
def test_the_unsigned_licence_must_be_one_for_us(
    desk: Desk, stranger: Cluster, signed: Published, unsigned: Published
) -> None:
    """Not signed already, well-formed, and with our principal."""
    refused(desk, UnspecifiedError, signed, signed)
    refused(desk, UnspecifiedError, signed, "no document")
    for_another = protected(desk.cluster, None, OUTSIDER, sealed_to=stranger.state.licensor)
    refused(desk, UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, signed, for_another)


# --- threats -----------------------------------------------------------------------------------------------------------


def test_L1_the_enabling_bits_of_another_licence_are_refused(desk: Desk, signed: Published) -> None:
    """An unsigned licence with block and rights data of a victim's would show her rights data under a key one has."""
    victim = protected(desk.cluster, desk.cluster.author(), READER, "secret@example.com")
    desk.ask(victim, READER)
    copy = desk.cluster.publish(None, owner=AUTHOR)
    for tag in ("ENABLINGBITS", "AUTHENTICATEDDATA"):
        copy = altered(copy, (part(copy, tag), part(victim, tag)))
    refused(desk, EnablingBitsHashDoesNotMatch, signed, copy)
    assert desk.alerts == ["unsigned licence with the enabling bits of a signed one: refused"]


def part(published: Published, tag: str) -> str:
    text = published.text
    return text[text.index(f"<{tag}") : text.index(f"</{tag}>") + len(f"</{tag}>")]


def block(published: Published) -> str:
    return part(published, "ENABLINGBITS")


def test_L1_another_owner_than_in_the_rights_data(desk: Desk, signed: Published, unsigned: Published) -> None:
    """On either side: a licence with copied parts names its thief in the clear."""
    swap = (owner_metadata_xml(AUTHOR), owner_metadata_xml(OUTSIDER))
    refused(desk, EnablingBitsHashDoesNotMatch, signed, altered(unsigned, swap))
    assert desk.alerts == ["unsigned licence with another owner than its rights data: refused"]
    stolen = resigned(signed, desk.cluster.author(desk.cluster.account(OUTSIDER)), swap)
    refused(desk, InvalidSignedIssuanceLicense, stolen, unsigned)


def test_L2_L13_a_key_that_another_published_first(desk: Desk, signed: Published, unsigned: Published) -> None:
    """An alert each time; a refusal where the administrator wants one."""
    desk.ask(signed, READER)
    outsider = desk.cluster.author(desk.cluster.account(OUTSIDER))
    again = protected(desk.cluster, outsider, OUTSIDER, owner=OUTSIDER, content_key=signed.content_key)
    edit(desk, again, protected(desk.cluster, None, OUTSIDER, owner=OUTSIDER))
    assert desk.alerts == ["content key that another signer published first"]
    desk.configure(refuse_republished_keys=True)
    refused(desk, EnablingBitsHashDoesNotMatch, again, unsigned)


def test_L3_another_owner_is_honoured_and_said(desk: Desk, signed: Published) -> None:
    """The audit has both signers and both owners."""
    new = edit(desk, signed, protected(desk.cluster, None, READER, owner="boss@example.com"))
    assert desk.alerts == ["republished with another owner: boss@example.com"]
    assert desk.facts["owner"] == [AUTHOR, "boss@example.com"]
    assert len(desk.facts["signer"]) == 2
    assert desk.ask(new, "boss@example.com").rights == (OWNER_RIGHT,)


@pytest.mark.parametrize("kind", MALFORMED)
def test_C1_one_outcome_for_whatever_does_not_open(
    desk: Desk, signed: Published, unsigned: Published, kind: str
) -> None:
    """In the signed licence and in the unsigned one, the same fault (rulings 15)."""
    bits = bits_xml(MALFORMED[kind](Sealer(signed, desk.cluster.state.licensor)), desk.cluster.mode)
    refused(
        desk, EnablingBitsHashDoesNotMatch, resigned(signed, desk.cluster.author(), (block(signed), bits)), unsigned
    )
    refused(desk, EnablingBitsHashDoesNotMatch, signed, altered(unsigned, (block(unsigned), bits)))


def test_a_des_key_has_a_name_in_the_unsigned_licence_alone(desk: Desk, signed: Published, unsigned: Published) -> None:
    """Rulings 15: to who made it; the signed one's maker may be another."""
    bits = bits_xml(des_session(Sealer(signed, desk.cluster.state.licensor)), desk.cluster.mode)
    refused(desk, CryptoUnsupportedSymKey, signed, altered(unsigned, (block(unsigned), bits)))
    refused(
        desk, EnablingBitsHashDoesNotMatch, resigned(signed, desk.cluster.author(), (block(signed), bits)), unsigned
    )


# --- before anything else ----------------------------------------------------------------------------------------------


@conforms("MS-RMSI 3.4.4.1", "A request without two licences within the limits is refused.")
@conforms("MS-RMSI 3.4.4.1.2.1", "A request for anything but one licence is refused.")
@conforms("MS-RMSI 3.4.4.1.3.1", "None or several elements are refused.")
def test_the_form_of_a_request(desk: Desk, signed: Published, unsigned: Published) -> None:
    """One element with two licences, within the limits."""
    good = EditIssuanceLicenseItem(signed.text, unsigned.text)
    cases: list[tuple[tuple[EditIssuanceLicenseItem | None, ...] | None, type[RmsError]]] = [
        (None, ArgumentNull),
        ((), ArgumentNull),
        ((None,), ArgumentNull),
        ((good, good), InvalidOperation),
        ((dataclasses.replace(good, signed=None),), ArgumentNull),
        ((dataclasses.replace(good, unsigned=""),), ArgumentNull),
        ((dataclasses.replace(good, signed="x" * (8 * 2**20 + 1)),), UnspecifiedError),
    ]
    for items, error in cases:
        with pytest.raises(RmsError) as caught:
            edit_issuance_license(
                EditIssuanceLicenseRequest(items), desk.cluster.caller(MACHINE), desk.cluster.state, desk.ports, NOW
            )
        assert type(caught.value) is error


@conforms(
    "MS-RMSI 3.4.4.1", "Where online publishing is off every request is refused with OnlinePublishingDisabledException."
)
@conforms("MS-RMSI 3.4.4.1", "A decommissioned server answers ClusterDecommissionedException.")
def test_decommissioned_then_disabled(desk: Desk) -> None:
    """Before the licences are looked at (rulings 17)."""
    desk.configure(decommissioned=True, online_publishing_enabled=False)
    refused(desk, ClusterDecommissioned, "no document", "no document")
    desk.configure(decommissioned=False)
    refused(desk, OnlinePublishingDisabled, "no document", "no document")


def test_K4_nothing_is_signed_outside_the_own_certificate(
    mode_2: Cluster, signed: Published, unsigned: Published
) -> None:
    """Where the own certificate ended yesterday."""
    late = server_hierarchy(mode_2.mode, issuance=TimeRange(ALWAYS.start, NOW - DAY)).licensor
    refused(Desk(mode_2.with_state(licensor=late)), UnspecifiedError, signed, unsigned)


def test_a_database_that_is_away_is_no_fault_of_the_licence(desk: Desk, signed: Published, unsigned: Published) -> None:
    """PortUnavailable stays what it is."""

    class Away:
        def find(self, _key: object) -> None:
            raise PortUnavailable("away")

    desk.ports = dataclasses.replace(desk.ports, licensors=Away())  # type: ignore[arg-type]
    refused(desk, PortUnavailable, signed, unsigned)
