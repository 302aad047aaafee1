"""AcquirePreLicense: use licences for many readers at once."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable

import pytest

from rmsserver.errors import (
    AcquirePreLicenseInvalidLicensee,
    ArgumentNull,
    ClusterDecommissioned,
    DrmacIsExcluded,
    InvalidOperation,
    InvalidRightsLabelSignature,
    IssuanceLicenseIsNotWithinValidTimeRange,
    NoRightsForRequestedPrincipal,
    RightsLabelNoMatchingIssuedPrincipal,
    RmsError,
    UnspecifiedError,
)
from rmsserver.operations.acquire_pre_license import (
    AcquirePreLicenseItem,
    AcquirePreLicenseRequest,
    acquire_pre_license,
)
from rmsserver.operations.admin.templates import TemplateDefinition, create_template
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.ports import DirectoryAccount, PortUnavailable
from rmsserver.state import ApplicationExclusion
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.keys import PrivateKey
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.revocation import RevocationPoint
from rmsserver.xrml.rights import ApplicationData, Policy, Right
from rmsserver.xrml.template import LocalizedName, RightsTemplate
from rmsserver.xrml.use_license import OWNER_RIGHT, UseLicense
from rmsserver.xrml.values import TimeRange, VersionSpan
from tests.cluster import ALWAYS, DAY, NOW, Cluster, Published, grantee, server_hierarchy
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, Desk, altered, resigned

MAIL_SERVER = "boss@example.com"


def ask(
    desk: Desk,
    published: Published | Iterable[str],
    *identities: str | None,
    now: dt.datetime = NOW,
) -> tuple[UseLicense | type[RmsError], ...]:
    """The answers; licences are checked as clients check them, errors told by their class."""
    documents = (published.text,) if isinstance(published, Published) else tuple(published)
    desk.caller = desk.cluster.caller(MAIL_SERVER)
    request = AcquirePreLicenseRequest((AcquirePreLicenseItem(identities, documents, None),))
    result = acquire_pre_license(request, desk.caller, desk.cluster.state, desk.ports, now)
    assert result.chain == desk.cluster.state.licensor.chain
    return tuple(type(a) if isinstance(a, RmsError) else read(a, desk.cluster) for a in result.answers)


def read(text: str, cluster: Cluster) -> UseLicense:
    license_ = UseLicense.read(text)
    cluster.state.licensor.certificate.issued(license_)
    return license_


def refused(desk: Desk, error: type[RmsError], *items: AcquirePreLicenseItem | None) -> None:
    with pytest.raises(RmsError) as caught:
        acquire_pre_license(
            AcquirePreLicenseRequest(items), desk.cluster.caller(MAIL_SERVER), desk.cluster.state, desk.ports, NOW
        )
    assert type(caught.value) is error


def stored_key(desk: Desk, email: str) -> PrivateKey | None:
    return desk.ports.user_keys.get(desk.cluster.sid(email), desk.cluster.mode.rsa_bits)


@conforms("MS-RMSI 3.5.4.1", "Each identity is looked up, and its account's public key found or made.")
@conforms("MS-RMSI 3.5.4.1", "Where no licence can be issued to an account, an error stands in its place.")
@conforms("MS-RMSI 3.5.4.1", "Every identity with rights gets a use licence.")
def test_each_identity_is_answered_in_its_place(cluster: Cluster) -> None:
    """By address or SID, in any case, twice if asked twice; owner, reader, outsider and stranger."""
    desk, published = Desk(cluster), cluster.publish(cluster.author())
    identities = (READER, OUTSIDER, AUTHOR, "nobody@example.com", cluster.sid(READER).lower(), "READER@example.com")
    first, second, third, fourth, fifth, sixth = ask(desk, published, *identities)
    assert second is NoRightsForRequestedPrincipal
    assert fourth is AcquirePreLicenseInvalidLicensee
    assert isinstance(third, UseLicense)
    assert third.rights == (OWNER_RIGHT,)
    for license_ in (first, fifth, sixth):
        assert isinstance(license_, UseLicense)
        assert [right.name for right in license_.rights] == ["VIEW"]
        assert license_.principal.object.id == cluster.sid(READER)
    assert desk.facts["item_error"] == ["1: NoRightsForRequestedPrincipalException",
                                        "3: AcquirePreLicenseInvalidLicenseeException"]  # fmt: skip


@conforms("MS-RMSI 3.5.4.1", "Each identity is looked up, and its account's public key found or made.")
def test_a_user_certified_later_opens_it(cluster: Cluster) -> None:
    """The key pair is made and stored; the RAC of the first Certify has it, and the same principal to the letter."""
    desk, published = Desk(cluster), cluster.publish(cluster.author())
    assert stored_key(desk, READER) is None
    [license_] = ask(desk, published, READER)
    assert isinstance(license_, UseLicense)
    machine = cluster.machine()
    request = CertifyRequest(machine.chain, persistent=True)
    chain = certify(request, cluster.caller(READER), cluster.state, desk.ports, NOW).chain
    rac = RightsAccountCertificate.read(chain[0])
    assert license_.principal.object_and_key_surface == rac.principal.object_and_key_surface
    key = rac.open_private_key(machine.key, bytes(16))
    assert license_.open_content_key(key, bytes(16)) == published.content_key


def test_the_licence_is_that_of_acquire_license(mode_2: Cluster) -> None:
    """With the same rights, conditions, policies and work; only identity, key block and times are of each."""
    desk, published = Desk(mode_2), mode_2.publish(mode_2.author())
    [mine] = ask(desk, published, READER)
    assert isinstance(mine, UseLicense)
    key = stored_key(desk, READER)
    assert key is not None
    theirs = desk.ask(published)
    assert (mine.rights, mine.policies, mine.application_data) == (theirs.rights, theirs.policies, ())
    assert mine.body.one("WORK").one("OBJECT").surface == theirs.body.one("WORK").one("OBJECT").surface
    assert [element.tag for element in mine.body.children] == [element.tag for element in theirs.body.children]


def test_nobody_without_rights_gets_a_key_pair(mode_2: Cluster) -> None:
    """A key costs; and what is not licensed needs none. The refusal is remembered, and AcquireLicense knows it."""
    desk, published = Desk(mode_2), mode_2.publish(mode_2.author())
    assert ask(desk, published, OUTSIDER) == (NoRightsForRequestedPrincipal,)
    assert "no_rights" not in desk.facts
    assert ask(desk, published, OUTSIDER) == (NoRightsForRequestedPrincipal,)
    assert desk.facts["no_rights"] == ["from the cache"]
    assert stored_key(desk, OUTSIDER) is None
    with pytest.raises(NoRightsForRequestedPrincipal):
        desk.ask([published.text], OUTSIDER)
    assert desk.facts["no_rights"] == ["from the cache"]


def test_members_of_groups_and_aliases_have_their_rights(mode_2: Cluster) -> None:
    """As in AcquireLicense: the directory decides."""
    desk = Desk(mode_2)
    desk.directory.change_user(mode_2.sid(READER), emails=(READER, "r@example.com"))
    for granted in ("all@example.com", "r@example.com"):
        published = mode_2.publish(mode_2.author(), [Right.of("VIEW", grantee(granted))])
        [by_alias, outsider] = ask(desk, published, "r@example.com", OUTSIDER)
        assert isinstance(by_alias, UseLicense)
        assert outsider is NoRightsForRequestedPrincipal


@conforms(
    "MS-RMSI 3.5.4.1", "Who is not known gets AcquirePreLicenseInvalidLicenseeException in the place of a licence."
)
@pytest.mark.parametrize(
    "identity", [None, "", "  ", "reader", "EXAMPLE\\reader", "all@example.com", "S-1-5-21-1", "*"]
)
def test_what_names_no_account(mode_2: Cluster, identity: str | None) -> None:
    """The error in its place, and the next one is served."""
    first, second = ask(Desk(mode_2), mode_2.publish(mode_2.author()), identity, READER)
    assert first is AcquirePreLicenseInvalidLicensee
    assert isinstance(second, UseLicense)


@pytest.mark.parametrize("change", [{"enabled": False}, {"emails": ()}])
def test_accounts_that_cannot_be_certified(mode_2: Cluster, change: dict[str, object]) -> None:
    """Disabled, or without an address: no licence and no key."""
    desk = Desk(mode_2)
    desk.directory.change_user(mode_2.sid(READER), **change)
    assert ask(desk, mode_2.publish(mode_2.author()), mode_2.sid(READER)) == (AcquirePreLicenseInvalidLicensee,)
    assert stored_key(desk, READER) is None


@conforms("MS-RMSI 3.5.4.1", "Where no licence can be issued to an account, an error stands in its place.")
def test_an_excluded_key_gets_no_licence(mode_2: Cluster) -> None:
    """racExclusionPolicy holds where no RAC is shown, too."""
    desk, published = Desk(mode_2), mode_2.publish(mode_2.author())
    ask(desk, published, READER)
    key = stored_key(desk, READER)
    assert key is not None
    desk.configure(excluded_racs=frozenset({key.public.id}))
    assert ask(desk, published, READER) == (DrmacIsExcluded,)


def test_one_decryption_serves_all(mode_2: Cluster) -> None:
    """And the next request finds it in the cache."""
    desk, published = Desk(mode_2), mode_2.publish(mode_2.author())
    ask(desk, published, READER, AUTHOR, READER)
    assert desk.opened == 1


def test_bounded(mode_2: Cluster) -> None:
    """The limit is served, one more is a fault; it is the operator's."""
    desk, published = Desk(mode_2.with_state(pre_license_limit=2)), mode_2.publish(mode_2.author())
    assert len(ask(desk, published, READER, READER)) == 2
    refused(desk, UnspecifiedError, AcquirePreLicenseItem((READER,) * 3, published.chain, None))
    refused(desk, UnspecifiedError, AcquirePreLicenseItem((READER,), published.chain, "x" * 102_401))


@conforms("MS-RMSI 3.5.4.1", "A request without identities or without a licence that holds is refused.")
def test_the_form_of_a_request(mode_2: Cluster) -> None:
    """One element with identities and a licence (3.5.4.1.2.1)."""
    desk, published = Desk(mode_2), mode_2.publish(mode_2.author())
    good = AcquirePreLicenseItem((READER,), published.chain, None)
    refused(desk, ArgumentNull)
    refused(desk, ArgumentNull, None)
    refused(desk, InvalidOperation, good, good)
    for changes in ({"licensee_identities": None}, {"licensee_identities": ()}, {"issuance_license": None},
                    {"issuance_license": ()}, {"issuance_license": ("",)}):  # fmt: skip
        refused(desk, ArgumentNull, dataclasses.replace(good, **changes))


@conforms("MS-RMSI 3.5.4.1", "A request without identities or without a licence that holds is refused.")
@conforms("MS-RMSI 3.5.4.1", "What is wrong with the whole request is a fault.")
def test_what_is_wrong_with_the_licence_is_a_fault(mode_2: Cluster, stranger: Cluster) -> None:
    """With the names of AcquireLicense: it concerns every identity."""
    desk, author = Desk(mode_2), mode_2.author()
    published = mode_2.publish(author)
    over = "<VALIDITYTIME><FROM>2020-01-01T00:00</FROM><UNTIL>2021-01-01T00:00</UNTIL></VALIDITYTIME>"
    cases = (
        (altered(published, ("<ISSUEDTIME>2", "<ISSUEDTIME>3")), InvalidRightsLabelSignature),
        (stranger.publish(stranger.author()), InvalidRightsLabelSignature),
        (mode_2.publish(author, sealed_to=stranger.state.licensor), RightsLabelNoMatchingIssuedPrincipal),
        (resigned(published, author, ("</ISSUEDTIME>", f"</ISSUEDTIME>{over}")), IssuanceLicenseIsNotWithinValidTimeRange),
    )  # fmt: skip
    for wrong, error in cases:
        refused(desk, error, AcquirePreLicenseItem((READER,), wrong.chain, None))
    assert stored_key(desk, READER) is None


def test_a_directory_that_is_away_is_a_fault(mode_2: Cluster) -> None:
    """At once: a hundred identities must not each wait for it."""
    desk, asked = Desk(mode_2), []

    def away(email: str) -> DirectoryAccount | None:
        asked.append(email)
        raise PortUnavailable("the directory does not answer")

    desk.directory.by_email = away  # type: ignore[method-assign]
    item = AcquirePreLicenseItem((READER, AUTHOR), mode_2.publish(mode_2.author()).chain, None)
    refused(desk, PortUnavailable, item)
    assert asked == [READER]


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """Before the request is looked at."""
    refused(Desk(mode_2.with_state(decommissioned=True)), ClusterDecommissioned)


def test_K4_nothing_is_issued_outside_the_own_certificate(mode_2: Cluster) -> None:
    """A fault, before any key is made."""
    licensor = server_hierarchy(mode_2.mode, issuance=TimeRange(ALWAYS.start, NOW - DAY)).licensor
    desk = Desk(mode_2.with_state(licensor=licensor))
    refused(desk, UnspecifiedError, AcquirePreLicenseItem((READER,), mode_2.publish(mode_2.author()).chain, None))
    assert stored_key(desk, READER) is None


def test_conditions_are_those_of_licences_that_readers_fetch_themselves(cluster: Cluster) -> None:
    """Excluded applications and systems, and what the template says, are in licences that arrive with a message too."""
    definition = TemplateDefinition(
        names=(LocalizedName(1033, "Staff", ""),),
        rights=(Right.of("VIEW", grantee(READER)),),
        application_data=(ApplicationData("NOLICCACHE", "1"),),
        revocation=own_revocation_point(cluster.state, DAY),
    )
    template = RightsTemplate.read(create_template(definition, cluster.state, system_randomness(), NOW))
    desk = Desk(cluster)
    desk.configure(
        published_templates={template.guid: template},
        template_revisions={template.guid: 3},
        application_exclusions=(ApplicationExclusion("c.exe", VersionSpan("0", "3")),),
        os_exclusion=VersionSpan("5.0.0.0", "6.1.0.0"),
    )
    document = cluster.publish(cluster.author(), rights_data=template.text)
    [fetched] = ask(desk, document, READER)
    assert desk.facts["template"] == [f"{template.guid}:3"]
    assert isinstance(fetched, UseLicense)
    own = desk.ask(document)
    for license_ in (fetched, own):
        assert license_.policies == (Policy("exclusion", "c.exe", "0", "3"),)
        assert license_.body.one("CONDITIONLIST").one("CONDITION").text == "5.0.0.0-6.1.0.0"
        assert license_.application_data == definition.application_data
        assert RevocationPoint.read(license_.body.one("WORK").one("CONDITIONLIST")) == definition.revocation
