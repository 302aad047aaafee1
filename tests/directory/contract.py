"""What every `Directory` must do. A test module subclasses `DirectoryContract` and supplies the fixture
`populated`.

`populated` is a directory in which the following stands, under names of its own choice:
author (two addresses), reader, disabled (switched off); group inner holds author, group outer holds inner,
group loop holds outer and inner holds loop; group other holds reader. Inner also holds FOREIGN, of another directory.
"""

from __future__ import annotations

from dataclasses import dataclass

from rmsserver.ports import Directory, DirectoryAccount
from rmsserver.state import DomainAccount

FOREIGN = "Guests@partner.test"


@dataclass(frozen=True)
class Populated:
    """The directory under test. Groups are given by e-mail address and SID."""

    directory: Directory
    author_login: str
    author_emails: tuple[str, str]
    reader_login: str
    disabled_login: str
    inner: tuple[str, str]
    outer: tuple[str, str]
    loop: tuple[str, str]
    other: tuple[str, str]
    domain: str = ""
    """What stands before the backslash; "" where that is the directory's own name."""

    def login(self, name: str) -> DirectoryAccount:
        found = self.directory.by_login(name)
        assert found is not None
        return found

    @property
    def author(self) -> DirectoryAccount:
        return self.login(self.author_login)


HOSTILE = (
    "",
    "*",
    "*)(objectClass=*",
    "author' OR '1'='1",
    "author\0",
    "a\nb",
    "\ud800",
    "\\",
    "@",
    "x" * 100_000,
    "%",
    "_uthor",
)
"""Names that mean something to LDAP, SQL or nobody (threat N2)."""


class DirectoryContract:
    """The tests."""

    def test_login_in_every_spelling(self, populated: Populated) -> None:
        """`user`, `DOMAIN\\user` and `user@realm` are the same account, in any letter case."""
        name, own = populated.author_login, populated.directory.own_name
        for login in (name, f"{own}\\{name}", f"{name}@{own}"):
            for spelling in (login, login.upper(), login.lower()):
                assert populated.directory.by_login(spelling) == populated.author

    def test_login_of_another_domain(self, populated: Populated) -> None:
        """A domain that is not this directory's is not taken for it."""
        assert populated.directory.by_login(f"ELSEWHERE\\{populated.author_login}") is None
        assert populated.directory.by_login(f"{populated.author_login}@elsewhere.invalid") is None

    def test_unknown(self, populated: Populated) -> None:
        """Nobody is None, not an error."""
        assert populated.directory.by_login("nobody") is None
        assert populated.directory.by_email("nobody@example.com") is None
        assert populated.directory.by_sid("S-1-5-21-1-1-1-1") is None

    def test_by_sid(self, populated: Populated) -> None:
        """A SID finds its account in any letter case."""
        sid = populated.author.account.sid
        assert populated.directory.by_sid(sid) == populated.directory.by_sid(sid.lower()) == populated.author

    def test_by_email_and_alias(self, populated: Populated) -> None:
        """Primary address and alias find the account without case; the primary address comes first."""
        for email in populated.author_emails:
            assert populated.directory.by_email(email.upper()) == populated.author
        assert populated.author.primary_email == populated.author_emails[0]
        assert set(populated.author.emails) == set(populated.author_emails)

    def test_account_name(self, populated: Populated) -> None:
        """The account is called DOMAIN\\user."""
        domain = populated.domain or populated.directory.own_name
        assert populated.author.account.name == f"{domain}\\{populated.author_login}"

    def test_disabled(self, populated: Populated) -> None:
        """A disabled account is found, and says so."""
        assert not populated.login(populated.disabled_login).enabled
        assert populated.author.enabled

    def test_direct_and_nested_groups(self, populated: Populated) -> None:
        """Membership counts at any depth, by address and by SID, and loops end."""
        groups = (populated.inner, populated.outer, populated.loop)
        asked = [name.upper() for group in groups for name in group]
        found = populated.directory.groups_of(populated.author.account.sid, asked)
        assert found == {name.lower() for name in asked}

    def test_only_candidates_are_answered(self, populated: Populated) -> None:
        """Groups that were not asked for are not told; groups one is not in are not answered."""
        asked = [populated.outer[0], *populated.other]
        assert populated.directory.groups_of(populated.author.account.sid, asked) == {populated.outer[0].lower()}
        assert populated.directory.groups_of(populated.author.account.sid, []) == frozenset()

    def test_groups_of_nobody(self, populated: Populated) -> None:
        """An unknown SID is in no group."""
        assert populated.directory.groups_of("S-1-5-21-1-1-1-1", populated.inner) == frozenset()

    def test_members_of_other_directories(self, populated: Populated) -> None:
        """For groups that hold them at any depth, by address and by SID, and loops end."""
        groups = (populated.inner, populated.outer, populated.loop)
        asked = [name.upper() for group in groups for name in group]
        found = populated.directory.foreign_members([*asked, *populated.other, *populated.author_emails])
        assert found.keys() == {name.lower() for name in asked}
        assert all(FOREIGN.lower() in addresses for addresses in found.values())
        assert populated.directory.foreign_members([]) == {}

    def test_members_of_other_directories_are_in_no_directory(self, populated: Populated) -> None:
        """Nor are they accounts of this one."""
        assert populated.directory.by_email(FOREIGN) is None
        assert populated.directory.by_login(FOREIGN) is None

    def test_directory_of(self, populated: Populated) -> None:
        """The own directory holds its accounts; others are unknown."""
        assert populated.directory.directory_of(populated.author.account) == populated.directory.own_name
        assert populated.directory.directory_of(DomainAccount("X\\y", "S-1-5-21-1-1-1-1")) is None

    def test_N2_hostile_names(self, populated: Populated) -> None:
        """N2, N3: names that mean something to LDAP, SQL or nobody find nobody, and the next question is
        answered.
        """
        for name in HOSTILE:
            assert populated.directory.by_login(name) is None
            assert populated.directory.by_email(name) is None
            assert populated.directory.by_sid(name) is None
            assert populated.directory.groups_of(populated.author.account.sid, [name]) == frozenset()
            assert populated.directory.groups_of(name, populated.inner) == frozenset()
            assert populated.directory.foreign_members([name]) == {}
        assert populated.author.enabled
