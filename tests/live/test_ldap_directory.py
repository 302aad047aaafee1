"""rmsserver.directory.ldap against a real Active Directory: the contract, and what is not in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("ldap", reason="python-ldap is not installed (extra [ad])")

from rmsserver.directory.ldap.directory import LdapDirectory
from rmsserver.directory.ldap.settings import Nesting, OtherForest
from rmsserver.state import DomainAccount
from tests.directory.contract import DirectoryContract, Populated
from tests.directory.ldap.clock import Clock
from tests.live import people
from tests.live.ldap_settings import settings
from tests.live.samba import Domain

pytestmark = pytest.mark.xdist_group("domain")


@pytest.fixture(scope="module")
def directory(domain: Domain) -> Iterator[LdapDirectory]:
    made = LdapDirectory(settings(domain))
    yield made
    made.close()


@pytest.fixture(scope="module", params=["ldap", "catalogue", "walk"])
def populated(request: pytest.FixtureRequest, domain: Domain) -> Iterator[Populated]:
    first = domain.controllers[0]
    nesting = Nesting.WALK if request.param == "walk" else Nesting.AUTO
    uri = first.uri(tls=True, catalogue=True) if request.param == "catalogue" else first.uri()
    made = LdapDirectory(settings(domain, uri, nesting=nesting))
    groups = ("inner", "outer", "loop", "readers")
    inner, outer, loop, other = ((f"{name}@rms.test", domain.sid(name)) for name in groups)
    yield Populated(
        made,
        "author",
        ("author@rms.test", "writer@rms.test"),
        "bob",
        "dave",
        inner,
        outer,
        loop,
        other,
        domain=people.NETBIOS,
    )
    made.close()


class TestLdapDirectory(DirectoryContract):
    """The contract, over LDAP and over the global catalogue, with each way of resolving nested groups."""


def test_contacts_have_all_their_addresses(directory: LdapDirectory) -> None:
    """Those in a group at any depth; a contact in no group is nobody's. A flush of the group forgets them."""
    found = directory.foreign_members(["outer@rms.test", "readers@rms.test", "nobodys@partner.test"])
    assert found == {"outer@rms.test": {"guests@partner.test", "visitors@partner.test"}}
    assert directory.foreign_members(["outer@rms.test"]) == found
    assert directory.flush("outer@rms.test") > 0
    assert directory.foreign_members(["outer@rms.test"]) == found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[Nesting.AUTO, Nesting.WALK], ids=["server", "walk"])
def aging(request: pytest.FixtureRequest, domain: Domain, clock: Clock) -> Iterator[LdapDirectory]:
    """A directory whose caches live by `clock`: what it answers may be 30 seconds old."""
    made = LdapDirectory(settings(domain, nesting=request.param, lifetime_seconds=60), clock=clock)
    yield made
    made.close()


def sid_of(directory: LdapDirectory, login: str) -> str:
    found = directory.by_login(login)
    assert found is not None
    return found.account.sid


# --- accounts ----------------------------------------------------------------------------------------------------------


def test_aliases_of_proxy_addresses(directory: LdapDirectory) -> None:
    """Every smtp: address finds the account, the primary one stands first, and other kinds of address are none."""
    alice = directory.by_email("A.Author@rms.test")
    assert alice is not None
    assert alice.emails == ("alice@rms.test", "a.author@rms.test", "alice@old.rms.test")
    bob = directory.by_email("bob@rms.test")
    assert bob is not None
    assert bob.emails == ("bob@rms.test",)


def test_sid_history(directory: LdapDirectory) -> None:
    """A SID of a former domain finds the account, under the SID it has now."""
    carol = directory.by_sid(people.OLD_SID)
    assert carol is not None
    assert carol.account.name == "RMSTEST\\carol"
    assert carol.account.sid != people.OLD_SID
    assert carol.sid_history == (people.OLD_SID,)


def test_expired_account(directory: LdapDirectory) -> None:
    """An account past its accountExpires counts as disabled."""
    erin = directory.by_login("erin")
    assert erin is not None
    assert not erin.enabled


def test_account_without_address(directory: LdapDirectory) -> None:
    """It is found, and has none."""
    frank = directory.by_login("frank")
    assert frank is not None
    assert frank.emails == ()


def test_computer_account(directory: LdapDirectory) -> None:
    """A computer is an account too, by login and by address."""
    assert directory.by_login("RMSTEST\\PC1$") == directory.by_email("pc1@rms.test") is not None


def test_built_in_principal_name(directory: LdapDirectory) -> None:
    """`login@domain` works where userPrincipalName says something else, or nothing."""
    found = directory.by_login("Administrator@rms.test")
    assert found is not None
    assert found.account.name == "RMSTEST\\Administrator"


def test_group_is_no_account(directory: LdapDirectory) -> None:
    """A group has an address and a login, and is nobody."""
    assert directory.by_email("readers@rms.test") is None
    assert directory.by_login("readers") is None


def test_N2_special_characters_are_only_characters(directory: LdapDirectory) -> None:
    """N2: an address with filter characters in it is found as it stands, and its characters match nothing else."""
    found = directory.by_email("odd(name)*@rms.test")
    assert found is not None
    assert found.account.name == "RMSTEST\\odd"
    for hostile in ("odd*@rms.test", "*@rms.test", "odd(name)@rms.test", "o*(name)*@rms.test"):
        assert directory.by_email(hostile) is None


INJECTIONS = (
    "*",
    "a*",
    "alice)(objectClass=*",
    "alice*)(|(mail=*",
    "*))%00",
    "alice\\2a",
    "\\2a",
    "alice\x00",
    "(|(sAMAccountName=alice))",
    "CN=alice,OU=People,DC=rms,DC=test",
    " alice",
    "alice ",
    "älice",
    "fran\u212a",
    "alic\u212f",
    "\uff41lice",
)


def test_N2_injection_finds_nothing(directory: LdapDirectory) -> None:
    """N2: nothing that means something in a filter or a name finds anybody, or any group."""
    alice = sid_of(directory, "alice")
    for hostile in INJECTIONS:
        address = f"{hostile}@rms.test"
        for name in (hostile, address, f"RMSTEST\\{hostile}", f"alice@{hostile}", f"{hostile}\\alice"):
            assert directory.by_login(name) is None, name
            assert directory.by_email(name) is None, name
            assert directory.by_sid(name) is None, name
            assert directory.groups_of(alice, [name]) == frozenset(), name
        assert directory.by_sid(f"{alice})(objectSid=*") is None


# --- groups ------------------------------------------------------------------------------------------------------------


def test_five_deep_and_removed(aging: LdapDirectory, clock: Clock, domain: Domain) -> None:
    """L6: a member five groups down is a member until she is removed and the lifetime is over, and again once put back."""
    alice = sid_of(aging, "alice")
    asked = ["all-staff@rms.test", "lonely@rms.test"]
    assert aging.groups_of(alice, asked) == {"all-staff@rms.test"}
    with domain.without_member("ring-3", "ring-2"):
        generation = aging.generation
        clock.now += 60
        assert aging.groups_of(alice, asked) == frozenset()
        assert aging.generation != generation
    clock.now += 60
    assert aging.groups_of(alice, asked) == {"all-staff@rms.test"}


def test_L6_cached_answers_end(aging: LdapDirectory, clock: Clock, domain: Domain) -> None:
    """L6: within half the lifetime the cache answers, after it never; the other half is for what others remember."""
    alice = sid_of(aging, "alice")
    aging.groups_of(alice, ["all-staff@rms.test"])
    with domain.without_member("ring-3", "ring-2"):
        clock.now += 29
        assert aging.groups_of(alice, ["all-staff@rms.test"])
        assert aging.statistics().memberships.oldest_seconds == 29
        clock.now += 1
        assert not aging.groups_of(alice, ["all-staff@rms.test"])


def test_flush(aging: LdapDirectory, domain: Domain) -> None:
    """After a flush, of everything or of one account by any of its names, the directory is asked again."""
    alice = sid_of(aging, "alice")
    for who in (None, "ALICE@rms.test", alice, "RMSTEST\\alice", "all-staff@rms.test"):
        assert aging.groups_of(alice, ["all-staff@rms.test"])
        generation = aging.generation
        with domain.without_member("ring-3", "ring-2"):
            assert aging.groups_of(alice, ["all-staff@rms.test"])
            assert aging.flush(who)
            assert not aging.groups_of(alice, ["all-staff@rms.test"])
            assert aging.generation != generation
        aging.flush()


def test_distribution_list(directory: LdapDirectory) -> None:
    """Membership counts through lists that are no security groups, under any address of the outer group."""
    asked = ["readers@rms.test", "lecteurs@rms.test", "team@rms.test", "lonely@rms.test"]
    assert directory.groups_of(sid_of(directory, "bob"), asked) == set(asked[:3])


def test_primary_group(aging: LdapDirectory, domain: Domain) -> None:
    """The primary group, which lists no members, counts."""
    users = domain.sid("Domain Users").lower()
    assert aging.groups_of(sid_of(aging, "alice"), [users]) == {users}


def test_many_candidates(directory: LdapDirectory) -> None:
    """A document that names hundreds of groups takes several filters and one answer."""
    asked = [f"group-{n}@rms.test" for n in range(150)] + ["all-staff@rms.test", "ring-1@rms.test"]
    assert directory.groups_of(sid_of(directory, "alice"), asked) == {"all-staff@rms.test", "ring-1@rms.test"}


def test_endless_candidates(directory: LdapDirectory, domain: Domain) -> None:
    """L10: a document made of 50,000 names costs no more than the account's own groups, and finds the same."""
    asked = [f"group-{n}@rms.test" for n in range(50_000)]
    users = domain.sid("Domain Users").lower()
    own = {"readers@rms.test", "team@rms.test", users}
    directory.flush()
    start = time.monotonic()
    assert directory.groups_of(sid_of(directory, "bob"), [*asked, *own]) == own
    assert time.monotonic() - start < 2
    assert directory.statistics().groups.entries < 100


def test_address_of_two_groups_is_nobodys(aging: LdapDirectory, domain: Domain) -> None:
    """Who gives a group of his own the address of another one gains nothing by it."""
    domain.change(people.person_dn("lonely"), mail="all-staff@rms.test")
    many = [f"group-{n}@rms.test" for n in range(300)]
    try:
        assert aging.groups_of(sid_of(aging, "alice"), ["all-staff@rms.test"]) == frozenset()
        assert aging.groups_of(sid_of(aging, "alice"), [*many, "all-staff@rms.test"]) == frozenset()
    finally:
        domain.change(people.person_dn("lonely"), mail="lonely@rms.test")


def test_paging(domain: Domain) -> None:
    """Answers longer than a page arrive whole."""
    made = LdapDirectory(settings(domain, nesting=Nesting.WALK, page_size=1))
    asked = [f"ring-{n}@rms.test" for n in range(1, people.NEST_DEPTH)] + ["inner@rms.test"]
    assert made.groups_of(sid_of(made, "alice"), asked) == set(asked[:-1])
    made.close()


# --- caches, forests ---------------------------------------------------------------------------------------------------


def test_misses_are_remembered_for_a_shorter_time(domain: Domain, clock: Clock) -> None:
    """Whoever was not there is asked for again after the shorter lifetime."""
    made = LdapDirectory(settings(domain, lifetime_seconds=600, negative_lifetime_seconds=5), clock=clock)
    assert made.by_email("new.hire@rms.test") is None
    domain.change(people.person_dn("frank"), mail="new.hire@rms.test")
    try:
        assert made.by_email("new.hire@rms.test") is None
        clock.now += 5
        assert made.by_email("new.hire@rms.test") is not None
    finally:
        domain.change(people.person_dn("frank"), mail="frank@rms.test")
        domain.run(
            *("ldbmodify", "-H", str(domain.controllers[0].database)),
            given=f"dn: {people.person_dn('frank')}\nchangetype: modify\ndelete: mail\n",
        )
        made.close()


def test_caches_are_bounded(domain: Domain) -> None:
    """However many names are asked for, so many are kept."""
    made = LdapDirectory(settings(domain, cache_entries=10))
    for number in range(50):
        made.by_email(f"nobody-{number}@rms.test")
    statistics = made.statistics()
    assert statistics.accounts.entries == 10
    assert statistics.accounts.evictions == 40
    made.close()


def test_other_forest(domain: Domain) -> None:
    """An account of a trusted forest is in that forest, whose locations are those of the configuration."""
    other = OtherForest("partner.test", ("PARTNER",), {"LicensingService": "https://rms.partner.test/_wmcs/licensing"})
    made = LdapDirectory(settings(domain, other_forests=(other,)))
    assert made.own_name == "rms.test"
    assert made.directory_of(DomainAccount("partner\\zoe", "S-1-5-21-7-7-7-1107")) == "partner.test"
    assert made.service_location("Partner.test", "LicensingService") == "https://rms.partner.test/_wmcs/licensing"
    assert made.service_location("partner.test", "ActivationService") is None
    assert made.service_location("rms.test", "LicensingService") is None
    made.close()


def test_many_threads(directory: LdapDirectory) -> None:
    """Requests of many threads get their own answers."""
    asked = ["alice", "bob", "carol", "dave", "erin", "frank"] * 40

    def ask(login: str) -> str:
        directory.flush(login)
        found = directory.by_login(login)
        return found.account.name if found else ""

    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(ask, asked)) == [f"RMSTEST\\{login}" for login in asked]
