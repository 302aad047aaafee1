"""AcquireLicense: what is answered, the order of faults, batches, caches."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from rmsserver.errors import (
    ArgumentNull,
    ClusterDecommissioned,
    CredentialCreationTime,
    DrmacIsExcluded,
    InvalidOperation,
    InvalidPersonaCertSignature,
    InvalidPersonaCertTime,
    InvalidRightsLabelSignature,
    IssuanceLicenseIsNotWithinValidTimeRange,
    NoRightsForRequestedPrincipal,
    RightsLabelNoMatchingIssuedPrincipal,
    RmsError,
    UnauthorizedAccess,
    UnspecifiedError,
    UnsupportedCryptographicSet,
    UntrustedPersonaCert,
)
from rmsserver.operations.acquire_license import AcquireLicenseItem
from rmsserver.state import ApplicationExclusion, TrustedLicensingServer
from rmsserver.stores.license_cache import BoundedLicenseCache
from rmsserver.xrml.document import signed_document
from rmsserver.xrml.enabling_bits import RESERVED_CBC_4K, RESERVED_ECB, ContentKey
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.rights import (
    ApplicationData,
    Grantee,
    Policy,
    Right,
    TimeConditions,
    referral_xml,
    write_rights_data,
)
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.use_license import OWNER_RIGHT, UseRight
from rmsserver.xrml.values import TimeRange, VersionSpan
from tests.cluster import DAY, NOW, Account, Cluster, Published, grantee, guid
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, V1_1, Desk, altered, resigned
from tests.operations.malformed_bits import Sealer, bits_xml

VIEW = [Right.of("VIEW", grantee(READER))]


@pytest.fixture
def desk(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


def validity(start_days: float, end_days: float) -> tuple[str, str]:
    """A change that gives a publishing licence a VALIDITYTIME."""
    start, end = (f"{NOW + days * DAY:%Y-%m-%dT%H:%M}" for days in (start_days, end_days))
    return "<ISSUER>", f"<VALIDITYTIME><FROM>{start}</FROM><UNTIL>{end}</UNTIL></VALIDITYTIME><ISSUER>"


def refused(desk: Desk, documents: Published | tuple[str, ...], error: type[RmsError], **changes: object) -> None:
    with pytest.raises(RmsError) as caught:
        desk.ask(documents, **changes)  # type: ignore[arg-type]
    assert type(caught.value) is error, caught.value


# --- the answer --------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.4.4.1", "A valid request is served.")
@conforms("MS-RMPR 3.4.4.1", "A licence sealed to the own SLC is opened with the own key.")
@conforms("MS-RMPR 3.4.4.1", "Content key and rights data are decrypted with the private key.")
@conforms("MS-RMPR 3.4.4.1", "The content key in the use licence is encrypted with the RAC's public key.")
@pytest.mark.parametrize("size", [16, 32])
def test_content_key_reaches_the_reader_octet_for_octet(cluster: Cluster, size: int) -> None:
    """Wire facts 3: KeyHeader and key, 128 and 256 bits, both modes; only session key, hash and padding are new."""
    desk, author = Desk(cluster), cluster.author()
    content = ContentKey.build(bytes(range(size)), RESERVED_ECB)
    published = cluster.publish(author, VIEW, content_key=content)
    license_ = desk.ask(published)
    assert license_.open_content_key(cluster.account(READER).key, bytes(16)) == content
    assert published.license.enabling_bits.surface not in license_.text


@conforms("MS-RMPR 3.4.4.1", "The principal of the use licence is that of the RAC.")
@conforms("MS-RMPR 3.4.4.1", "ISSUER of the use licence has the server's public key.")
def test_answer_is_what_a_genuine_server_writes(desk: Desk) -> None:
    """Wire facts 7 and rulings 1, 22: issuer, principal without levels, descriptor, time; a .NET fixed point."""
    license_ = desk.ask(desk.cluster.publish(desk.cluster.author(), VIEW))
    slc, rac = desk.cluster.state.licensor.certificate, desk.cluster.account(READER).rac
    assert license_.body.one("ISSUER").inner_surface == slc.issuer_inner_surface
    assert license_.principal.inner_surface == rac.principal.object_and_key_surface
    assert license_.descriptor is not None
    assert license_.descriptor.type == "Content-License"
    assert license_.issued_time == NOW
    assert render(parse(license_.text)) == license_.text
    assert "<CONDITIONLIST></" not in license_.text
    assert "POLICYLIST" not in license_.text


def test_every_use_licence_has_its_own_guid_and_session_key(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    one, other = desk.ask(published), desk.ask(published)
    assert one.descriptor is not None
    assert other.descriptor is not None
    assert one.descriptor.guid != other.descriptor.guid
    bits = [u.body.one("WORK").one("RIGHTSGROUP").surface for u in (one, other)]
    assert bits[0] != bits[1]


@conforms("MS-RMPR 3.4.4.1", "OWNER of the use licence is that of the publishing licence, unchanged.")
@conforms("MS-RMPR 3.4.4.1", "Referral-Info of the publishing licence is in the use licence, unchanged.")
def test_what_the_publishing_licence_says_is_copied(desk: Desk) -> None:
    """WORK OBJECT, METADATA, revocation point and Referral-Info come as they stand."""
    author = desk.cluster.author()
    revocation = (
        '<CONDITIONLIST><REFRESH><DISTRIBUTIONPOINT><OBJECT type="Revocation"><ID type="MS-GUID">'
        '{11111111-2222-4333-8444-555555555555}</ID></OBJECT></DISTRIBUTIONPOINT><INTERVALTIME days="3" /></REFRESH>'
        "</CONDITIONLIST>"
    )
    referral = referral_xml("An & Author", "mailto:author@example.com")
    published = resigned(
        desk.cluster.publish(author, VIEW),
        author,
        ("</METADATA>", "</METADATA>" + revocation),
        ("<WORK>", referral + "<WORK>"),
    )
    license_ = desk.ask(published)
    work = license_.body.one("WORK")
    assert render(work.one("OBJECT")) == published.license.work_object
    assert render(work.one("METADATA")) == published.license.metadata
    assert work.one("CONDITIONLIST").surface == revocation
    assert license_.body.one("DISTRIBUTIONPOINT").surface == referral


@conforms("MS-RMPR 3.4.4.1", "The use licence has exactly the rights that were granted, each with its conditions.")
def test_rights_keep_form_conditions_and_order(desk: Desk) -> None:
    until = TimeConditions(TimeRange(NOW - DAY, NOW + 30 * DAY), 5)
    rights = [Right("OBJMODEL", grantee(READER)), Right.of("VIEW", grantee(READER), until), Right("X", grantee(READER))]
    license_ = desk.ask(desk.cluster.publish(desk.cluster.author(), rights))
    assert license_.rights == (
        UseRight("OBJMODEL", False, TimeConditions()),
        UseRight("VIEW", True, until),
        UseRight("X", False, TimeConditions()),
    )


@conforms("MS-RMPR 3.4.4.1", "The policies of the rights data are in the use licence.")
@conforms("MS-RMPR 3.4.4.1", "Excluded applications are in the use licence as policies of type exclusion.")
def test_policies_are_the_union(desk: Desk) -> None:
    """Rulings 18: of the clear licence, the rights data and the server's application exclusion."""
    author = desk.cluster.author()
    within, clear, span = Policy("exclusion", "b.exe", "1.0.0.0", "2.0.0.0"), "a.exe", VersionSpan("0.0.0.0", "3.1.0.0")
    policy = f'<POLICYLIST type="inclusion"><POLICY><OBJECT><ID type="filename">{clear}</ID>'
    policy += '<VERSIONSPAN min="1.0.0.0" max="9.0.0.0" /></OBJECT></POLICY></POLICYLIST></BODY>'
    published = resigned(desk.cluster.publish(author, VIEW, policies=[within]), author, ("</BODY>", policy))
    desk.configure(application_exclusions=(ApplicationExclusion("c.exe", span),))
    assert set(desk.ask(published).policies) == {
        Policy("inclusion", clear, "1.0.0.0", "9.0.0.0"),
        within,
        Policy("exclusion", "c.exe", "0.0.0.0", "3.1.0.0"),
    }


@conforms("MS-RMPR 2.2.9.9.8", "The author's policies come as they stand.")
def test_a_policy_comes_as_it_stands(desk: Desk) -> None:
    """2.2.9.9.8: with whatever else is in it; the same one in the clear and in the rights data once."""
    author = desk.cluster.author()
    policy = (
        '<POLICY><OBJECT type="x"><ID type="package">a.exe</ID><VERSIONSPAN min="1" max="2" y="z" /></OBJECT></POLICY>'
    )
    policies = f'<POLICYLIST type="inclusion">{policy}{policy.replace("a.exe", "b.exe")}</POLICYLIST>'
    plain = desk.cluster.publish(author, VIEW)
    data = plain.content_key.decrypt_text(plain.license.encrypted_rights).replace("</BODY>", policies + "</BODY>")
    published = resigned(desk.cluster.publish(author, rights_data=data), author, ("</BODY>", policies + "</BODY>"))
    assert desk.ask(published).body.one("POLICYLIST").surface == policies


@conforms("MS-RMPR 3.4.4.1", "Excluded operating systems are in the use licence as a condition.")
def test_os_exclusion_and_application_data(desk: Desk) -> None:
    """NOLICCACHE and VIEWER reach the client only this way (wire facts 7)."""
    data = write_rights_data(
        work_id=guid("document"),
        owner_email=AUTHOR,
        rights=VIEW,
        issued=NOW,
        application_data=[ApplicationData("NOLICCACHE", "1"), ApplicationData("VIEWER", "0")],
    )
    desk.configure(os_exclusion=VersionSpan("5.0.0.0", "6.1.0.0"))
    license_ = desk.ask(desk.cluster.publish(desk.cluster.author(), rights_data=data))
    assert license_.application_data == (ApplicationData("NOLICCACHE", "1"), ApplicationData("VIEWER", "0"))
    condition = license_.body.one("CONDITIONLIST").one("CONDITION")
    assert condition.attributes == {"NAME": "OS-Exclusion", "TYPE": "versionspan"}
    assert condition.text == "5.0.0.0-6.1.0.0"


@conforms("MS-RMPR 3.4.4.1", "The owner gets OWNER, whatever the licence says.")
@conforms("MS-RMPR 3.4.4.1", "An account that has some right gets a use licence.")
@conforms("MS-RMPR 3.4.4.1", "An account has a document only where the policy says so.")
def test_owner_has_owner_and_the_reader_what_was_granted(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    assert desk.ask(published, AUTHOR).rights == (OWNER_RIGHT,)
    assert [right.name for right in desk.ask(published).rights] == ["VIEW"]
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)


# --- keys and modes ----------------------------------------------------------------------------------------------------


def test_licence_of_a_former_key_is_served_in_the_new_mode(mode_1: Cluster, mode_2: Cluster) -> None:
    """L11, rulings 25: a mode 1 licence on a mode 2 cluster that holds the old key, answered in mode 2."""
    published = mode_1.publish(mode_1.author(), VIEW)
    desk = Desk(mode_2)
    desk.configure(former_licensors=(mode_1.state.licensor,))
    license_ = desk.ask(published)
    assert license_.mode is CryptoMode.MODE_2
    assert license_.open_content_key(mode_2.account(READER).key, bytes(16)) == published.content_key


@conforms(
    "MS-RMPR 3.4.4.1",
    "On a mode 1 cluster a licence with other keys or hashes gets RightsLabelNoMatchingIssuedPrincipal.",
)
def test_L11_mode_2_licence_on_a_mode_1_cluster_is_refused(mode_1: Cluster, mode_2: Cluster) -> None:
    """Even where the mode 1 cluster was given the mode 2 key."""
    published = mode_2.publish(mode_2.author(), VIEW)
    desk = Desk(mode_1)
    desk.configure(former_licensors=(mode_2.state.licensor,))
    refused(desk, published, RightsLabelNoMatchingIssuedPrincipal)


@conforms("MS-RMPR 3.4.4.1", "The server looks in ISSUEDPRINCIPALS for itself and for the servers whose keys it has.")
@conforms(
    "MS-RMPR 3.4.4.1",
    "A licence sealed to an imported domain is opened with that domain's key and judged by its templates.",
)
@conforms("MS-RMPR 3.4.4.1", "Whichever key opened the licence, the own SLC and key issue the use licence.")
def test_licence_of_an_imported_domain_is_opened_with_its_key_and_signed_with_ours(
    desk: Desk, stranger: Cluster
) -> None:
    """Rulings 1 and 2: the imported key opens, its templates count, the own key signs."""
    published = stranger.publish(stranger.author(stranger.account(AUTHOR)), VIEW)
    refused(desk, published, InvalidRightsLabelSignature)
    desk.configure(trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),))
    license_ = desk.ask(published)
    assert license_.open_content_key(desk.cluster.account(READER).key, bytes(16)) == published.content_key


@conforms(
    "MS-RMPR 3.4.4.1",
    "A licence sealed to an imported domain is opened with that domain's key and judged by its templates.",
)
def test_template_of_the_imported_domain_goes_first(desk: Desk, stranger: Cluster) -> None:
    """Rulings 2: with the imported domain's templates; our own of that GUID does not replace it."""
    theirs = stranger.template("Shared", [Right.of("PRINT", grantee(READER))])
    ours = desk.cluster.template("Shared", [Right.of("EDIT", grantee(READER))])
    published = stranger.publish(stranger.author(stranger.account(AUTHOR)), rights_data=theirs.text)
    imported = TrustedLicensingServer(stranger.state.licensor, {theirs.guid: theirs})
    desk.configure(trusted_licensing_servers=(imported,), published_templates={ours.guid: ours})
    assert [right.name for right in desk.ask(published).rights] == ["PRINT"]


@conforms(
    "MS-RMPR 3.4.4.1",
    "Use licences are issued where the server has the private key that the publishing licence is for.",
)
def test_principal_of_another_server_is_refused(desk: Desk, stranger: Cluster) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW, sealed_to=stranger.state.licensor)
    refused(desk, published, RightsLabelNoMatchingIssuedPrincipal)


@conforms("MS-RMPR 3.4.4.1", "The server looks in ISSUEDPRINCIPALS for itself and for the servers whose keys it has.")
def test_principal_compares_without_case_and_by_id_and_key(desk: Desk) -> None:
    """Rulings 3: OBJECT id without case; the right key under another id is another principal."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    id_ = guid("example server").braced
    upper = resigned(published, author, (id_, id_.upper()))
    sealed = bits_xml(Sealer(upper, desk.cluster.state.licensor).whole(), desk.cluster.mode)
    desk.ask(resigned(upper, author, (upper.license.enabling_bits.surface, sealed)))
    refused(desk, resigned(published, author, (id_, guid("other server").braced)), RightsLabelNoMatchingIssuedPrincipal)


# --- templates ---------------------------------------------------------------------------------------------------------


@conforms(
    "MS-RMPR 3.4.4.1",
    "The server's template of the GUID that rights data cites, published or archived, takes the place of its policy.",
)
def test_L7_the_servers_template_wins(desk: Desk) -> None:
    """A licence cites a template's GUID with wider rights: the server's current version counts, also unsigned."""
    current = desk.cluster.template("Secret", VIEW)
    wide = desk.cluster.template("Secret", [Right.of("EDIT", grantee(OUTSIDER)), *VIEW])
    forged = wide.text.replace("<EDIT>", "<EXPORT>").replace("</EDIT>", "</EXPORT>")
    desk.configure(published_templates={current.guid: current})
    for data in (wide.text, forged):
        published = desk.cluster.publish(desk.cluster.author(), rights_data=data)
        assert [right.name for right in desk.ask(published).rights] == ["VIEW"]
        refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    assert desk.facts["template"] == [current.guid]


@conforms(
    "MS-RMPR 3.4.4.1",
    "The server's template of the GUID that rights data cites, published or archived, takes the place of its policy.",
)
def test_L7_archived_template_and_unofficial_rights_data_that_cites_it(desk: Desk) -> None:
    """3.4.4.1: the GUID decides, published or archived, whatever the type of the rights data."""
    current = desk.cluster.template("Secret", VIEW)
    desk.configure(archived_templates={current.guid: current})
    wide = desk.cluster.publish(desk.cluster.author(), [Right.of("EDIT", Grantee("Internal", "Anyone", ""))])
    data = wide.content_key.decrypt_text(wide.license.encrypted_rights)
    citing = data.replace("<WORK>", f"<DESCRIPTOR>{_descriptor(current.guid.braced)}</DESCRIPTOR><WORK>", 1)
    published = desk.cluster.publish(desk.cluster.author(), rights_data=citing)
    assert [right.name for right in desk.ask(published).rights] == ["VIEW"]


def _descriptor(id_: str) -> str:
    return f'<OBJECT><ID type="MS-GUID">{id_}</ID></OBJECT>'


def test_new_version_of_a_template_counts_at_once(desk: Desk) -> None:
    """L6: a licence that is in the cache follows the template; "no rights" of before is forgotten."""
    first = desk.cluster.template("Secret", VIEW)
    published = desk.cluster.publish(desk.cluster.author(), rights_data=first.text)
    desk.configure(published_templates={first.guid: first})
    desk.ask(published)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    second = desk.cluster.template("Secret", [Right.of("VIEW", grantee(OUTSIDER))])
    desk.configure(published_templates={second.guid: second}, configuration_version=1)
    desk.ask(published, OUTSIDER)
    refused(desk, published, NoRightsForRequestedPrincipal)


def test_unknown_template_needs_a_good_signature(desk: Desk, stranger: Cluster) -> None:
    """Rulings 19: as it is where an own key signed it; refused where it was changed or a stranger signed it."""
    author, template = desk.cluster.author(), desk.cluster.template("Lost", VIEW)
    assert [r.name for r in desk.ask(desk.cluster.publish(author, rights_data=template.text)).rights] == ["VIEW"]
    forged = template.text.replace("<VIEW>", "<EDIT>").replace("</VIEW>", "</EDIT>")
    for data in (forged, stranger.template("Lost", VIEW).text):
        refused(desk, desk.cluster.publish(author, rights_data=data), UnspecifiedError)


# --- order of faults ---------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.4.4.1.3.3", "Size and number of the certificates of an item are limited.")
@conforms("MS-RMPR 3.4.4.1.3.3", "A RAC whose issuer is not trusted is refused.")
def test_order_of_faults(desk: Desk, mode_2: Cluster, mode_1: Cluster, stranger: Cluster) -> None:
    """Each fault with everything after it wrong as well: it alone is answered."""
    author, reader = mode_2.author(), mode_2.account(READER)
    late = resigned(mode_2.publish(author, [Right.of("VIEW", grantee(OUTSIDER))]), author, validity(-9, -8))
    forged = altered(late, ("</METADATA>", "</METADATA><!---->"))
    excluded = {"excluded_racs": frozenset({reader.key.public.id})}
    past = TimeRange(NOW - 9 * DAY, NOW - 8 * DAY)
    foreign_past = mode_2.account(READER, licensor=stranger.state.licensor, validity=past)
    tampered = dataclasses.replace(
        foreign_past, chain=(foreign_past.chain[0].replace(READER, "boss@example.com"), *foreign_past.chain[1:])
    )
    large = Account(reader.key, ("x" * 30_721,), reader.account)
    desk.configure(**excluded, creation_time_tolerance=dt.timedelta())
    refused(desk, forged, UnspecifiedError, reader=large)
    refused(desk, forged, InvalidPersonaCertSignature, reader=tampered)
    refused(desk, forged, UntrustedPersonaCert, reader=foreign_past)
    refused(desk, forged, InvalidPersonaCertTime, reader=mode_2.account(READER, validity=past))
    desk.configure(
        trusted_rac_issuers={
            key.id: key for key in (mode_1.state.licensor.key.public, mode_2.state.licensor.key.public)
        }
    )
    refused(desk, forged, UnsupportedCryptographicSet, reader=mode_1.account(READER))
    refused(desk, forged, DrmacIsExcluded)
    desk.configure(excluded_racs=frozenset())
    refused(desk, forged, InvalidRightsLabelSignature)
    other = resigned(late, author, (guid("example server").braced, guid("other").braced))
    refused(desk, other, RightsLabelNoMatchingIssuedPrincipal)
    new = created(mode_2, NOW)
    refused(desk, late, IssuanceLicenseIsNotWithinValidTimeRange, reader=new)
    valid = mode_2.publish(author, [Right.of("VIEW", grantee(OUTSIDER))])
    refused(desk, valid, CredentialCreationTime, reader=new)
    unopenable = resigned(valid, author, ("<NAME>EXAMPLE", "<NAME>example"))
    refused(desk, unopenable, UnspecifiedError)
    refused(desk, valid, NoRightsForRequestedPrincipal)
    desk.configure(decommissioned=True)
    refused(desk, forged, ClusterDecommissioned, reader=large)


def created(cluster: Cluster, when: dt.datetime) -> Account:
    """A RAC with a Credential-Creation-Time level."""
    account = cluster.account(READER)
    body = account.rac.body.surface
    level = f'<SECURITYLEVEL name="Credential-Creation-Time" value="{when:%Y-%m-%dT%H:%M}" />'
    first = '<SECURITYLEVEL name="Group-Identity-Credential-Type"'
    assert first in body
    body = body.replace(first, level + first)
    text = signed_document(body, cluster.state.licensor.key, cluster.mode)
    return dataclasses.replace(account, chain=(text, *account.chain[1:]))


@conforms(
    "MS-RMPR 3.4.4.1", "An account made later than the licence, beyond the tolerance, gets CredentialCreationTime."
)
def test_account_made_long_after_the_licence_is_refused(desk: Desk) -> None:
    """3.4.4.1: a reused account must not open its predecessor's documents; 15 days of tolerance, exactly."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW, issued=NOW - 40 * DAY)
    published = resigned(published, desk.cluster.author(), (f"{NOW - 40 * DAY:%Y-%m-%dT%H:%M}", "2026-05-20T12:00"))
    made = published.license.issued_time + dt.timedelta(days=15)
    desk.ask(published, created(desk.cluster, made))
    refused(desk, published, CredentialCreationTime, reader=created(desk.cluster, made + dt.timedelta(minutes=1)))


@conforms(
    "MS-RMPR 3.4.4.1", "A publishing licence outside its VALIDITYTIME gets IssuanceLicenseIsNotWithinValidTimeRange."
)
@conforms(
    "MS-RMPR 2.2.9.1.2",
    "Before the first and from the last minute of its VALIDITYTIME on, a certificate or licence is refused.",
)
def test_validity_of_the_licence_is_half_open(desk: Desk) -> None:
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    desk.ask(resigned(published, author, validity(0, 1)))
    refused(desk, resigned(published, author, validity(-1, 0)), IssuanceLicenseIsNotWithinValidTimeRange)
    refused(desk, resigned(published, author, validity(1, 2)), IssuanceLicenseIsNotWithinValidTimeRange)


def test_validity_counts_for_a_cached_licence(desk: Desk) -> None:
    author = desk.cluster.author()
    published = resigned(desk.cluster.publish(author, VIEW), author, validity(-1, 1))
    desk.ask(published)
    refused(desk, published, IssuanceLicenseIsNotWithinValidTimeRange, now=NOW + 2 * DAY)


@conforms("MS-RMPR 3.1.6.2", "Nothing is issued outside the range of the SLC.")
def test_K4_nothing_is_issued_outside_the_range_of_the_own_certificate(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    with pytest.raises(UnspecifiedError) as caught:
        desk.ask(
            published,
            desk.cluster.account(READER, validity=TimeRange(dt.datetime.min.replace(tzinfo=dt.UTC), NOW)),
            now=dt.datetime(2025, 6, 1, tzinfo=dt.UTC),
        )
    assert "server licensor certificate" in caught.value.detail


def test_L5_rac_of_another_is_served_and_recorded_or_restricted(desk: Desk) -> None:
    """Allowed and recorded by default; restricted to own RACs and listed accounts where the administrator says so."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(published, caller=desk.cluster.caller(OUTSIDER))
    assert desk.facts["account_certificate_of_another"] == [READER]
    desk.configure(require_own_rac=True)
    refused(desk, published, UnauthorizedAccess, caller=desk.cluster.caller(OUTSIDER))
    refused(desk, published, UnauthorizedAccess, caller=desk.cluster.caller(None))
    desk.ask(published, caller=desk.cluster.caller(READER))
    desk.configure(rac_proxies=frozenset({desk.cluster.sid(OUTSIDER).lower()}))
    desk.ask(published, caller=desk.cluster.caller(OUTSIDER))


def test_L3_licence_signed_by_one_naming_another_as_owner_is_honoured(desk: Desk) -> None:
    """Mail servers do it; the audit has signer and owner."""
    published = desk.cluster.publish(
        desk.cluster.author(desk.cluster.account(OUTSIDER)), VIEW, owner="boss@example.com"
    )
    assert desk.ask(published, "boss@example.com").rights == (OWNER_RIGHT,)
    assert desk.facts["owner"] == ["boss@example.com"]
    assert OUTSIDER in desk.facts["signer"][0]
    assert not desk.alerts


@conforms("MS-RMPR 3.4.4.1", "The owner gets OWNER, whatever the licence says.")
def test_missing_metadata_leaves_the_owner_of_the_rights_data(desk: Desk) -> None:
    """Wire facts 8: METADATA may be missing."""
    author = desk.cluster.author()
    published = desk.cluster.publish(author, VIEW)
    bare = resigned(published, author, (published.license.metadata, ""))
    assert desk.ask(bare, AUTHOR).rights == (OWNER_RIGHT,)


def test_account_disabled_or_gone_has_no_rights(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(published)
    desk.directory.change_user(desk.cluster.sid(READER), enabled=False)
    refused(desk, published, NoRightsForRequestedPrincipal)
    desk.directory.change_user(desk.cluster.sid(READER), enabled=True)
    desk.ask(published)
    desk.directory.remove_user(desk.cluster.sid(READER))
    refused(desk, published, NoRightsForRequestedPrincipal)


# --- versions, batches, limits -----------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.4.4.1", "A request of version 1.0.0.0 with several items is refused.")
def test_version_1_0_has_exactly_one_item(desk: Desk) -> None:
    """A SOAP fault for several items, before anything else is looked at; also where the cluster is decommissioned."""
    item = desk.item(desk.cluster.publish(desk.cluster.author(), VIEW).chain)
    desk.configure(decommissioned=True)
    with pytest.raises(InvalidOperation):
        desk.ask_batch([item, item], caller=desk.cluster.caller(READER))


@conforms("MS-RMPR 3.8.4.5", "Without a publishing licence or a RAC nobody gets a use licence.")
@conforms("MS-RMPR 3.4.4.1", "A request without a signed publishing licence or without a RAC is refused.")
@conforms("MS-RMPR 3.4.4.1", "A batch whose first item has no publishing licence is refused.")
@conforms("MS-RMPR 3.4.4.1", "An item without a publishing licence takes the latest one before it.")
@conforms("MS-RMPR 3.4.4.1.3.3", "A request whose first item has no publishing licence is refused.")
def test_first_item_needs_a_licence_and_later_ones_take_the_latest(desk: Desk) -> None:
    author = desk.cluster.author()
    one = desk.cluster.publish(author, VIEW, name="one")
    two = desk.cluster.publish(author, [Right.of("EDIT", grantee("all@example.com"))], name="two")
    answers = desk.ask_batch(
        [desk.item(one.chain), desk.item(None, OUTSIDER), desk.item(two.chain), desk.item(None, AUTHOR), desk.item(())]
    )
    names = [a.short_name if isinstance(a, RmsError) else a[0].partition("<RIGHTSLIST>")[2][:6] for a in answers]
    assert names == ["<VIEW>", "NoRightsForRequestedPrincipalException", "<EDIT>", "<RIGHT", "<EDIT>"]
    for items in ([], [desk.item(None), desk.item(one.chain)]):
        with pytest.raises(ArgumentNull):
            desk.ask_batch(items)


@conforms("MS-RMPR 3.8.4.1", "Without a RAC nobody gets a use licence.")
@conforms("MS-RMPR 3.8.4.5", "Without a publishing licence or a RAC nobody gets a use licence.")
@conforms("MS-RMPR 3.4.4.1", "A request without a signed publishing licence or without a RAC is refused.")
@conforms(
    "MS-RMPR 3.4.4.1", "An item that fails has an AcquireLicenseException with the error in the place of its licence."
)
@conforms("MS-RMPR 3.4.4.1.3.3", "An item without a RAC is refused.")
def test_errors_of_items_stand_in_their_places(desk: Desk) -> None:
    """From 1.1.0.0 up, also for a single item; what concerns the whole request is a fault."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    nobody = AcquireLicenseItem(None, published.chain, None)
    forged = altered(published, ("</METADATA>", "</METADATA> "))
    answers = desk.ask_batch([desk.item(forged.chain), desk.item(published.chain), nobody])
    assert [type(answer) for answer in answers] == [InvalidRightsLabelSignature, tuple, ArgumentNull]
    [answer] = desk.ask_batch([desk.item(published.chain, OUTSIDER)])
    assert type(answer) is NoRightsForRequestedPrincipal
    desk.configure(decommissioned=True)
    with pytest.raises(ClusterDecommissioned):
        desk.ask_batch([desk.item(published.chain)])


def test_X8_a_hundred_items_are_served_and_one_more_refused(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    items = [desk.item(published.chain), *[desk.item(None)] * 99]
    assert all(isinstance(answer, tuple) for answer in desk.ask_batch(items))
    assert desk.opened == 1
    with pytest.raises(UnspecifiedError):
        desk.ask_batch([*items, items[1]])


@conforms("MS-RMPR 3.4.4.1", "Application data above the limit gets UnspecifiedError.")
@pytest.mark.parametrize("character", ["x", "\u00e9", "\u20ac", "\U0001f512"])
def test_X8_application_data_in_bytes_as_they_came(desk: Desk, character: str) -> None:
    published, reader = desk.cluster.publish(desk.cluster.author(), VIEW), desk.cluster.account(READER)
    count, rest = divmod(102_400, len(character.encode()))
    data = character * count + "x" * rest
    fits, too_large = (AcquireLicenseItem(reader.chain, published.chain, text) for text in (data, data + "x"))
    answers = desk.ask_batch([fits, too_large])
    assert [type(answer) for answer in answers] == [tuple, UnspecifiedError]


@conforms("MS-RMPR 3.4.4.1.3.3", "The size of a publishing licence is limited.")
def test_X8_licence_at_the_limit_is_served_and_one_above_refused(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), [*VIEW, *[Right.of("EDIT", grantee(AUTHOR))] * 50])
    size = len(published.text.encode())
    desk.configure(issuance_license_limit_bytes=size)
    desk.ask(published)
    desk.configure(issuance_license_limit_bytes=size - 1)
    refused(desk, published, UnspecifiedError)


@conforms("MS-RMPR 3.4.4.1.3.3", "The size of a publishing licence is limited.")
def test_X8_licence_of_8_mib_is_served(desk: Desk) -> None:
    """With the real limit: rights data as large as a licence may hold."""
    author, content = desk.cluster.author(), ContentKey.build(bytes(16), RESERVED_CBC_4K)
    published = desk.cluster.publish(author, VIEW, content_key=content)
    room = 8 * 1024 * 1024 - len(published.text.encode())
    data = content.decrypt_text(published.license.encrypted_rights)
    filler = "x" * (room * 3 // 4 // 2 // 8 * 8 - 64)
    data = data.replace("</BODY>", f'<AUTHENTICATEDDATA id="other">{filler}</AUTHENTICATEDDATA></BODY>')
    big = desk.cluster.publish(author, rights_data=data, content_key=content)
    missing = 8 * 1024 * 1024 - len(big.text.encode())
    assert 0 <= missing < 1024
    big = resigned(big, author, ("</METADATA>", f"<SKU>{'x' * (missing - 11)}</SKU></METADATA>"))
    assert len(big.text.encode()) == 8 * 1024 * 1024
    desk.ask(big)
    refused(desk, altered(big, ("<SKU>", "<SKU>x")), UnspecifiedError)


@conforms("MS-RMPR 3.4.4.1.3.3", "Size and number of the certificates of an item are limited.")
def test_X8_a_hundred_certificates_of_30720_bytes(desk: Desk) -> None:
    published, reader = desk.cluster.publish(desk.cluster.author(), VIEW), desk.cluster.account(READER)
    many = dataclasses.replace(reader, chain=reader.chain + (reader.chain[1],) * (100 - len(reader.chain)))
    desk.ask(published, many)
    refused(desk, published, UnspecifiedError, reader=dataclasses.replace(many, chain=(*many.chain, many.chain[1])))


# --- caches ------------------------------------------------------------------------------------------------------------


@conforms(
    "MS-RMPR 3.4.4.1", "The signature of a publishing licence holds, and its issuer is trusted, or it is refused."
)
@conforms("MS-RMPR 3.4.4.1", "What is kept of a licence is found again by the licence alone.")
@pytest.mark.parametrize("where", ["before", "after"])
def test_L4_genuine_signature_on_an_altered_body(desk: Desk, where: str) -> None:
    """Refused before and after the genuine licence was seen, which opens all the same."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    altered_body = altered(published, (AUTHOR + "</NAME></OBJECT></OWNER>", OUTSIDER + "</NAME></OBJECT></OWNER>"))
    signature = published.text[published.text.index("<SIGNATURE>") :]
    assert altered_body.text.endswith(signature)
    if where == "after":
        desk.ask(published)
    for _ in range(2):
        refused(desk, altered_body, InvalidRightsLabelSignature, reader=OUTSIDER)
    desk.ask(published)
    refused(desk, altered_body, InvalidRightsLabelSignature, reader=OUTSIDER)
    desk.ask(published)


@conforms("MS-RMPR 3.4.4.1", "A licence that was opened is kept for later requests.")
def test_licence_is_opened_once(desk: Desk) -> None:
    """The hot path does no private-key decryption: with the key taken away a cached licence still opens."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(published)
    assert desk.opened == 1
    desk.ports = dataclasses.replace(desk.ports, budget=_NoBudget())
    desk.ask(published)
    assert desk.opened == 1


class _NoBudget:
    def allows(self, who: str) -> bool:
        raise AssertionError("private-key work on the hot path")

    def failed(self, who: str) -> bool:
        raise AssertionError("private-key work on the hot path")


def test_cached_licence_falls_with_the_trust_in_its_issuer(desk: Desk, stranger: Cluster) -> None:
    """L4: dropped with the issuer's trust, at the next request."""
    published = stranger.publish(stranger.author(stranger.account(AUTHOR)), VIEW)
    desk.configure(trusted_licensing_servers=(TrustedLicensingServer(stranger.state.licensor),))
    desk.ask(published)
    desk.configure(trusted_licensing_servers=())
    refused(desk, published, InvalidRightsLabelSignature)


def test_no_content_key_in_the_printed_form_of_what_is_cached(desk: Desk) -> None:
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    desk.ask(published)
    cache = desk.ports.license_cache
    assert isinstance(cache, BoundedLicenseCache)
    shown = repr([entry[0] for entry in cache._entries.values()])
    assert repr(published.content_key.payload)[2:-1] not in shown
    assert "payload" not in shown


@conforms("MS-RMPR 3.4.4.1", "Where the no-rights cache is on, it is asked before the licence is decrypted.")
def test_a_remembered_refusal_comes_before_decryption(desk: Desk) -> None:
    """Also where the licence itself is not in the cache any more."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    cache = desk.ports.license_cache
    assert isinstance(cache, BoundedLicenseCache)
    cache._entries.clear()
    desk.ports = dataclasses.replace(desk.ports, budget=_NoBudget())
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)


@conforms("MS-RMPR 3.4.4.1", "An account in the no-rights cache gets NoRightsForRequestedPrincipal.")
@conforms("MS-RMPR 3.4.4.1", "An account without rights is put into the no-rights cache where that is on.")
def test_no_rights_are_remembered_until_directory_or_configuration_change(desk: Desk) -> None:
    """L6: the refusal comes from the cache; a change of groups or of the configuration makes it be looked at anew."""
    published = desk.cluster.publish(desk.cluster.author(), [Right.of("VIEW", grantee("all@example.com"))])
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    assert desk.facts["no_rights"] == ["from the cache"]
    desk.directory.add_member("all@example.com", OUTSIDER)
    desk.ask(published, OUTSIDER)
    desk.directory.remove_member("all@example.com", OUTSIDER)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    desk.configure(configuration_version=7)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    assert "no_rights" not in desk.facts


@conforms("MS-RMPR 3.4.4.1", "An account without rights is put into the no-rights cache where that is on.")
def test_no_rights_cache_can_be_switched_off(desk: Desk) -> None:
    desk.configure(no_rights_cache_enabled=False)
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    for _ in range(2):
        refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
        assert "no_rights" not in desk.facts
    desk.configure(no_rights_cache_enabled=True)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    assert "no_rights" not in desk.facts


@conforms("MS-RMPR 3.4.4.1", "A remembered refusal is that of one account, by type of ID and ID.")
def test_a_refusal_is_remembered_by_type_of_id_and_id(desk: Desk) -> None:
    """Certificates with the same address and another ID, or the same ID of another type, are other accounts."""
    outsider, sid = desk.cluster.account(OUTSIDER), desk.cluster.sid(OUTSIDER)
    rights = [Right.of("VIEW", Grantee("Federation", sid, "")), Right.of("EDIT", grantee(READER))]
    published = desk.cluster.publish(desk.cluster.author(), rights)
    desk.configure(federation_enabled=True)
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    for old, new, granted in (('"Windows"', '"Federation"', "VIEW"), (sid, desk.cluster.sid(READER), "EDIT")):
        assert outsider.rac.body.surface.count(old) == 1
        body = outsider.rac.body.surface.replace(old, new)
        leaf = signed_document(body, desk.cluster.state.licensor.key, desk.cluster.mode)
        other = dataclasses.replace(outsider, chain=(leaf, *outsider.chain[1:]))
        assert [right.name for right in desk.ask(published, other).rights] == [granted]


@conforms("MS-RMPR 3.4.4.1", "A remembered refusal is that of one account, by type of ID and ID.")
@conforms("MS-RMPR 3.4.4.1", "A super user gets OWNER, whatever the licence says, where super users are on.")
def test_no_rights_of_one_do_not_refuse_another(desk: Desk) -> None:
    """The refusal belongs to an account and a licence; a super user is not held up by it either."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    other = desk.cluster.publish(desk.cluster.author(), [Right.of("VIEW", grantee(OUTSIDER))], name="other")
    refused(desk, published, NoRightsForRequestedPrincipal, reader=OUTSIDER)
    desk.ask(published)
    desk.ask(other, OUTSIDER)
    desk.directory.add_group("super@example.com", OUTSIDER)
    desk.configure(super_user_enabled=True, super_user_group="super@example.com", configuration_version=1)
    assert desk.ask(published, OUTSIDER).rights == (OWNER_RIGHT,)
    assert desk.alerts


def test_operation_is_the_same_in_both_versions(desk: Desk) -> None:
    """One item at 1.1.0.0 gives what 1.0.0.0 gives."""
    published = desk.cluster.publish(desk.cluster.author(), VIEW)
    [answer] = desk.ask_batch([desk.item(published.chain)], caller=desk.cluster.caller(READER, maximum_version=V1_1))
    assert isinstance(answer, tuple)
    assert [right.name for right in desk.ask(published).rights] == ["VIEW"]
