"""Precertify: the public half of a user's account certificate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmsserver.errors import (
    ArgumentNull,
    ClusterDecommissioned,
    DrmsArgument,
    RmsError,
    UnauthorizedAccess,
    UnexpectedPersonaCert,
    UnspecifiedError,
)
from rmsserver.operations.certify import CertifyRequest, certify
from rmsserver.operations.get_client_licensor_cert import GetClientLicensorCertRequest, get_client_licensor_cert
from rmsserver.operations.precertify import Identification, PrecertifyItem, PrecertifyRequest, precertify
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.use_license import UseLicense
from rmsserver.xrml.values import TimeRange
from tests.cluster import ALWAYS, DAY, NOW, Cluster, server_hierarchy
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, READER, Desk


def ask(desk: Desk, *items: PrecertifyItem | None, caller: str = AUTHOR) -> RightsAccountCertificate:
    """The answer, checked as whoever uses it checks it. Raises RmsError."""
    desk.caller = desk.cluster.caller(caller)
    request = PrecertifyRequest(items)
    text = precertify(request, desk.caller, desk.cluster.state, desk.ports, NOW).certificate
    rac = RightsAccountCertificate.read(text)
    desk.cluster.state.licensor.certificate.issued(rac)
    return rac


def named(user_name: str | None = None, sid: str | None = None) -> PrecertifyItem:
    return PrecertifyItem(user_name, None if sid is None else Identification("Windows", sid))


def refused(desk: Desk, error: type[RmsError], *items: PrecertifyItem | None) -> None:
    with pytest.raises(RmsError) as caught:
        ask(desk, *items)
    assert type(caught.value) is error


@conforms("MS-RMSI 3.3.4.1", "The answer has the certificate of the user's public key.")
@conforms("MS-RMSI 3.3.4.1.3.2", "Address, SID or both name the user, and nothing else does.")
@conforms("MS-RMSI 3.3.4.1.3.3", "Id is the SID of an account.")
def test_a_user_by_address_sid_or_both(cluster: Cluster) -> None:
    """One and the same account; letter case and an alias make no difference; no machine and no private key."""
    desk = Desk(cluster)
    sid = cluster.sid(READER)
    desk.directory.change_user(sid, emails=(READER, "r@example.com"))
    items = [named(READER), named("R@Example.com"), named(sid=sid.lower()), named(READER, sid)]
    racs = [ask(desk, item) for item in items]
    assert {(rac.account, rac.email) for rac in racs} == {(("Windows", sid), READER)}
    assert {rac.principal.public_key for rac in racs} == {racs[0].principal.public_key}
    assert all(rac.machine is None and "FEDERATIONPRINCIPALS" not in rac.text for rac in racs)
    assert racs[0].validity == TimeRange(NOW - DAY, NOW + 365 * DAY)
    assert desk.facts["account"] == [READER]


def test_a_user_certified_later_has_the_same_key(cluster: Cluster) -> None:
    """What is licensed before the first Certify opens after it."""
    desk = Desk(cluster)
    before = ask(desk, named(READER))
    request, caller = CertifyRequest(cluster.machine().chain, persistent=True), cluster.caller(READER)
    [text, *_] = certify(request, caller, cluster.state, desk.ports, NOW).chain
    after = RightsAccountCertificate.read(text)
    assert before.principal.object_and_key_surface == after.principal.object_and_key_surface
    assert ask(desk, named(READER)).principal.public_key == after.principal.public_key


def test_a_use_licence_is_issued_for_it(cluster: Cluster) -> None:
    """AcquireLicense takes the leaf alone, as the example of [MS-RMSI] 4.2; the account's own key opens the licence."""
    desk = Desk(cluster)
    rac = ask(desk, named(READER))
    published = cluster.publish(cluster.author())

    [answer] = desk.ask_batch([replace(desk.item(published.chain), licensee_certs=(rac.text,))])
    assert not isinstance(answer, RmsError)

    key = desk.ports.user_keys.get(cluster.sid(READER), cluster.mode.rsa_bits)
    assert key is not None
    assert UseLicense.read(answer[0]).open_content_key(key, bytes(16)) == published.content_key


def test_it_gets_no_client_licensor_certificate(mode_2: Cluster) -> None:
    """Who asked for it is not the user (rulings 6)."""
    desk = Desk(mode_2)
    request = GetClientLicensorCertRequest(((ask(desk, named(READER)).text,),))
    with pytest.raises(UnexpectedPersonaCert):
        get_client_licensor_cert(request, mode_2.caller(AUTHOR), mode_2.state, desk.ports, NOW)


@conforms("MS-RMSI 3.3.4.1", "A request that names no user of the directory makes no certificate and no key.")
@conforms("MS-RMSI 3.3.4.1", "A request with neither UserName nor Identification is refused.")
@conforms("MS-RMSI 3.3.4.1", "An Identification without AuthenticationMode is refused.")
@conforms("MS-RMSI 3.3.4.1", "An Identification without Id is refused.")
@conforms("MS-RMSI 3.3.4.1", "An Id that is no SID is refused.")
@conforms("MS-RMSI 3.3.4.1.2.1", "An array without a request is refused.")
@conforms("MS-RMSI 3.3.4.1.2.1", "None or several requests in the array are refused with DRMSArgumentException.")
@conforms("MS-RMSI 3.3.4.1.3.1", "More or less than one element is refused.")
@conforms("MS-RMSI 3.3.4.1.3.2", "Address, SID or both name the user, and nothing else does.")
@conforms("MS-RMSI 3.3.4.1.3.3", "AuthenticationMode may not be missing.")
@conforms("MS-RMSI 3.3.4.1.3.3", "Id is the SID of an account.")
@pytest.mark.parametrize(
    ("items", "error"),
    [
        ((), DrmsArgument),
        ((named(READER), named(READER)), DrmsArgument),
        ((None,), ArgumentNull),
        ((named(),), ArgumentNull),
        ((named(""),), ArgumentNull),
        ((named("nobody@example.com"),), DrmsArgument),
        ((named("all@example.com"),), DrmsArgument),
        ((named("reader"),), DrmsArgument),
        ((named("EXAMPLE\\reader"),), DrmsArgument),
        ((named(sid="S-1-5-21-1-2-3-4"),), DrmsArgument),
        ((named(sid=READER),), DrmsArgument),
        ((PrecertifyItem(None, Identification("Windows", None)),), ArgumentNull),
        ((PrecertifyItem(None, Identification(None, "S-1-5-21-1")),), ArgumentNull),
    ],
)
def test_what_names_no_user(mode_2: Cluster, items: tuple[PrecertifyItem | None, ...], error: type[RmsError]) -> None:
    """A fault, and no key was made for anybody."""
    desk = Desk(mode_2)
    refused(desk, error, *items)
    assert desk.ports.user_keys.get(mode_2.sid(READER), 2048) is None


def test_no_request_at_all(mode_2: Cluster) -> None:
    with pytest.raises(ArgumentNull):
        precertify(PrecertifyRequest(None), mode_2.caller(AUTHOR), mode_2.state, mode_2.ports(), NOW)


@conforms("MS-RMSI 3.3.4.1.3.3", "Another AuthenticationMode than Windows is refused.")
@pytest.mark.parametrize("mode", ["Forms", "Passport", "windows", ""])
def test_another_authentication_mode(mode_2: Cluster, mode: str) -> None:
    """Though the SID, and the address beside it, are those of a user."""
    for user_name in (None, READER):
        refused(Desk(mode_2), DrmsArgument, PrecertifyItem(user_name, Identification(mode, mode_2.sid(READER))))


@conforms("MS-RMSI 3.3.4.1", "UserName and Identification of two users are refused with UnauthorizedAccessException.")
def test_address_and_sid_of_two_users(mode_2: Cluster) -> None:
    """Nobody gets a certificate that says one thing and was asked for as another (3.3.4.1)."""
    refused(Desk(mode_2), UnauthorizedAccess, named(READER, mode_2.sid(AUTHOR)))


def test_a_disabled_user(mode_2: Cluster) -> None:
    """No certificate, and no key."""
    desk = Desk(mode_2)
    desk.directory.change_user(mode_2.sid(READER), enabled=False)
    refused(desk, UnauthorizedAccess, named(READER))
    assert desk.ports.user_keys.get(mode_2.sid(READER), 2048) is None


@pytest.mark.parametrize("emails", [(), ("not an address",)])
def test_a_user_without_an_address(mode_2: Cluster, emails: tuple[str, ...]) -> None:
    """A certificate names one."""
    desk = Desk(mode_2)
    desk.directory.change_user(mode_2.sid(READER), emails=emails)
    refused(desk, DrmsArgument, named(sid=mode_2.sid(READER)))


def test_a_licensing_only_cluster(mode_2: Cluster) -> None:
    """It has no key pairs of accounts; its root cluster has."""
    desk = Desk(mode_2.with_state(root_url="https://root.example.com/_wmcs"))
    refused(desk, UnauthorizedAccess, named(READER))
    assert desk.ports.user_keys.get(mode_2.sid(READER), 2048) is None


def test_decommissioned_cluster(mode_2: Cluster) -> None:
    """Before anything else."""
    refused(Desk(mode_2.with_state(decommissioned=True)), ClusterDecommissioned)


def test_K4_nothing_is_issued_outside_the_own_certificate(mode_2: Cluster) -> None:
    """Where the clock or the server certificate is wrong."""
    late = TimeRange(ALWAYS.start, NOW - DAY)
    licensor = server_hierarchy(mode_2.mode, issuance=late).licensor
    refused(Desk(mode_2.with_state(licensor=licensor)), UnspecifiedError, named(READER))
