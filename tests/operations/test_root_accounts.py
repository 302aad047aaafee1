"""Pre-licensing on a licensing-only cluster, whose accounts have their keys at its root cluster."""

from __future__ import annotations

import pytest

from rmsserver.errors import AcquirePreLicenseInvalidLicensee, DrmacIsExcluded, UntrustedPersonaCert
from rmsserver.operations.precertify import PrecertifyItem, PrecertifyRequest, precertify
from rmsserver.ports import PortUnavailable
from rmsserver.stores.memory import MemoryPeers
from rmsserver.xrml.keys import CryptoMode
from rmsserver.xrml.use_license import UseLicense
from tests.cluster import DAY, NOW, Cluster, make_cluster
from tests.conformance import conforms
from tests.operations.licensing import AUTHOR, OUTSIDER, READER, Desk
from tests.operations.test_acquire_pre_license import ask, stored_key

ROOT_URL = "https://root.example.com/_wmcs"
PRECERTIFICATION = ROOT_URL + "/certification/Precertification.asmx"


@pytest.fixture
def root(mode_2: Cluster) -> Desk:
    return Desk(mode_2)


@pytest.fixture
def branch(root: Desk) -> Desk:
    """A cluster under `root`, which certifies its accounts; each is listed there."""
    own = make_cluster(CryptoMode.MODE_2, "branch")
    slc = root.cluster.state.licensor.certificate.principal.public_key
    desk = Desk(own.with_state(root_url=ROOT_URL, trusted_rac_issuers={slc.id: slc}, require_own_rac=True))
    peers(desk).certificates[PRECERTIFICATION] = {own.sid(email): at_root(root, email) for email in (READER, AUTHOR)}
    return desk


def at_root(root: Desk, email: str) -> str:
    request = PrecertifyRequest((PrecertifyItem(email, None),))
    return precertify(request, root.cluster.caller(AUTHOR), root.cluster.state, root.ports, NOW).certificate


def peers(desk: Desk) -> MemoryPeers:
    assert isinstance(desk.ports.peers, MemoryPeers)
    return desk.ports.peers


def test_the_licence_is_sealed_to_the_key_at_the_root(root: Desk, branch: Desk) -> None:
    """Asked once for each account; nothing is made or stored here."""
    published = branch.cluster.publish(branch.cluster.author())
    key = stored_key(root, READER)
    assert key is not None
    for _ in range(2):
        [license_] = ask(branch, published, READER)
        assert isinstance(license_, UseLicense)
        assert license_.open_content_key(key, bytes(16)) == published.content_key
    assert peers(branch).asked == [(PRECERTIFICATION, branch.cluster.sid(READER))]
    assert stored_key(branch, READER) is None


def test_who_has_no_rights_is_not_asked_about(branch: Desk) -> None:
    """The root learns of readers alone."""
    ask(branch, branch.cluster.publish(branch.cluster.author()), OUTSIDER)
    assert peers(branch).asked == []


@conforms("MS-RMSI 3.5.4.1", "Where the account's key cannot be had, an error stands in the place of the licence.")
def test_what_the_root_does_not_know(branch: Desk) -> None:
    """In its place, and the next one is served."""
    del peers(branch).certificates[PRECERTIFICATION][branch.cluster.sid(READER)]
    first, second = ask(branch, branch.cluster.publish(branch.cluster.author()), READER, AUTHOR)
    assert first is AcquirePreLicenseInvalidLicensee
    assert isinstance(second, UseLicense)


def test_a_root_that_is_away_is_a_fault(branch: Desk) -> None:
    peers(branch).certificates.clear()
    with pytest.raises(PortUnavailable):
        ask(branch, branch.cluster.publish(branch.cluster.author()), READER, AUTHOR)
    assert len(peers(branch).asked) == 1


@conforms("MS-RMSI 3.5.4.1", "Where the account's key cannot be had, an error stands in the place of the licence.")
def test_L9_the_answer_is_checked(root: Desk, branch: Desk, stranger: Cluster) -> None:
    """Signed by exactly the trusted key, for exactly the account asked about."""
    published = branch.cluster.publish(branch.cluster.author())
    certificates, sid = peers(branch).certificates[PRECERTIFICATION], branch.cluster.sid(READER)
    certificates[sid] = stranger.account(READER).chain[0]
    assert ask(branch, published, READER) == (UntrustedPersonaCert,)
    certificates[sid] = at_root(root, OUTSIDER)
    assert ask(branch, published, READER) == (AcquirePreLicenseInvalidLicensee,)
    certificates[sid] = at_root(root, READER)
    assert isinstance(ask(branch, published, READER)[0], UseLicense)


def test_two_directories_with_a_sid_each_for_one_person(root: Desk, branch: Desk) -> None:
    """Embedded directories: whom the root does not know by SID is asked about by address, and is our account of it."""
    published = branch.cluster.publish(branch.cluster.author())
    sid, theirs = branch.cluster.sid(READER), at_root(root, READER)
    branch.directory.remove_user(sid)
    branch.directory.add_user("reader", READER, sid="S-1-5-21-1-2-3-1105")
    certificates = peers(branch).certificates[PRECERTIFICATION] = {READER: at_root(root, AUTHOR)}
    assert ask(branch, published, READER) == (AcquirePreLicenseInvalidLicensee,), "of another address"
    certificates[READER] = theirs
    peers(branch).asked.clear()
    key = stored_key(root, READER)
    assert key is not None
    for _ in range(2):
        [license_] = ask(branch, published, READER)
        assert isinstance(license_, UseLicense)
        assert license_.open_content_key(key, bytes(16)) == published.content_key
    assert [identity for _, identity in peers(branch).asked] == ["S-1-5-21-1-2-3-1105", READER]
    branch.directory.add_user("namesake", "other@example.com", sid=sid)
    assert ask(branch, published, READER) == (AcquirePreLicenseInvalidLicensee,), "the SID is another account's here"


def test_exclusions_and_times_hold_for_what_is_kept(root: Desk, branch: Desk) -> None:
    """A certificate in the cache that does not count any more is fetched anew, and judged again."""
    published = branch.cluster.publish(branch.cluster.author())
    ask(branch, published, READER)
    key = stored_key(root, READER)
    assert key is not None
    branch.configure(excluded_racs=frozenset({key.public.id}))
    assert ask(branch, published, READER) == (DrmacIsExcluded,)
    branch.configure(excluded_racs=frozenset())
    certificates = peers(branch).certificates[PRECERTIFICATION]
    later = NOW + 400 * DAY
    request = PrecertifyRequest((PrecertifyItem(READER, None),))
    certificates[branch.cluster.sid(READER)] = precertify(
        request, root.cluster.caller(AUTHOR), root.cluster.state, root.ports, later
    ).certificate
    asked = len(peers(branch).asked)
    assert isinstance(ask(branch, published, READER, now=later)[0], UseLicense)
    assert len(peers(branch).asked) == asked + 1
