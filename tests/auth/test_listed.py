"""Names in endpoint rules: looked up in the directory, again and again (threat L10)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rmsserver.auth import Identity
from rmsserver.auth.listed import ListedNames, find_name
from rmsserver.auth.policy import AccessPolicy, Verdict
from rmsserver.directory.memory import MemoryDirectory
from rmsserver.ports import DirectoryAccount, PortUnavailable
from rmsserver.state import AuthenticationType, DomainAccount

PATH = "/certification/precertification.asmx"
OPERATION = "/licensing/license.asmx#acquireprelicense"


class Directory(MemoryDirectory):
    """One that can be away."""

    away = False

    def by_login(self, login: str) -> DirectoryAccount | None:
        self._check()
        return super().by_login(login)

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        self._check()
        return super().by_sid(sid)

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        self._check()
        return super().groups_of(sid, candidates)

    def _check(self) -> None:
        if self.away:
            raise PortUnavailable("away")


@pytest.fixture
def directory() -> Directory:
    made = Directory("EXAMPLE")
    for login in ("exchange", "reader"):
        made.add_user(login, f"{login}@example.com")
    made.add_group("servers@example.com", "exchange@example.com")
    made.add_group("all@example.com", "servers@example.com")
    return made


def sid(directory: MemoryDirectory, login: str) -> str:
    found = directory.by_login(login)
    assert found is not None
    return found.account.sid


def verdict(names: ListedNames, directory_sid: str) -> Verdict:
    account = DomainAccount("EXAMPLE\\somebody", directory_sid)
    return names.policy().rule(PATH).judge(Identity(AuthenticationType.KERBEROS, account))


@pytest.mark.parametrize(
    "name",
    ["exchange", "EXAMPLE\\Exchange", "exchange@EXAMPLE", "Exchange@example.com", "servers@example.com", "all@example.com"],
)  # fmt: skip
def test_a_name_lists_its_account_or_members(directory: Directory, name: str) -> None:
    """Login, e-mail address and group, nested ones too; nobody else."""
    names = ListedNames(AccessPolicy(), {PATH: [name]}, directory)
    assert verdict(names, sid(directory, "exchange")) is Verdict.SERVE
    assert verdict(names, sid(directory, "reader")) is Verdict.FORBID


def test_sids(directory: Directory) -> None:
    """Of an account, of a group, and of an account that had another SID before."""
    directory.add_user("moved", "moved@example.com", sid_history=("S-1-5-21-1-2-3-1105",))
    wanted = [sid(directory, "reader").lower(), "S-1-5-21-1-2-3-1105"]
    names = ListedNames(AccessPolicy(), {PATH: wanted}, directory)
    assert verdict(names, sid(directory, "reader")) is Verdict.SERVE
    assert verdict(names, sid(directory, "moved")) is Verdict.SERVE
    assert verdict(names, sid(directory, "exchange")) is Verdict.FORBID


def test_a_name_given_to_another_person_follows(directory: Directory) -> None:
    """What a name means is asked again with every refresh."""
    names = ListedNames(AccessPolicy(), {PATH: ["newcomer@example.com"]}, directory)
    added = directory.add_user("newcomer", "newcomer@example.com")
    assert verdict(names, added.account.sid) is Verdict.FORBID
    names.refresh()
    assert verdict(names, added.account.sid) is Verdict.SERVE


def test_a_removed_member_is_refused_at_once(directory: Directory) -> None:
    """Membership is asked with each request; how old the answer may be is the directory's business."""
    names = ListedNames(AccessPolicy(), {PATH: ["servers@example.com"]}, directory)
    directory.remove_member("servers@example.com", "exchange@example.com")
    assert verdict(names, sid(directory, "exchange")) is Verdict.FORBID


def test_directory_away_at_start(directory: Directory) -> None:
    """SIDs count as they stand; other names let nobody in until the directory has answered."""
    exchange, reader = sid(directory, "exchange"), sid(directory, "reader")
    directory.away = True
    names = ListedNames(AccessPolicy(), {PATH: [exchange, "reader"]}, directory)
    assert verdict(names, exchange) is Verdict.SERVE
    directory.away = False
    assert verdict(names, reader) is Verdict.FORBID
    names.refresh()
    assert verdict(names, reader) is Verdict.SERVE


def test_directory_away_later(directory: Directory) -> None:
    """What it said before stays; a group cannot be asked, and whoever needs it is told so."""
    names = ListedNames(AccessPolicy(), {PATH: ["exchange"], OPERATION: ["all@example.com"]}, directory)
    exchange, reader = sid(directory, "exchange"), sid(directory, "reader")
    directory.away = True
    names.refresh()
    assert verdict(names, exchange) is Verdict.SERVE
    assert verdict(names, reader) is Verdict.FORBID
    caller = Identity(AuthenticationType.KERBEROS, DomainAccount("EXAMPLE\\exchange", exchange))
    with pytest.raises(PortUnavailable):
        names.policy().allows("/licensing/license.asmx", "AcquirePreLicense", caller)
    directory.away = False
    assert names.policy().allows("/licensing/license.asmx", "AcquirePreLicense", caller)


@pytest.mark.parametrize("name", ["nosuch", "EXAMPLE\\nosuch", "*", ""])
def test_an_unknown_name_lets_nobody_in(directory: Directory, name: str) -> None:
    """It is known as unknown, and the endpoint stays closed."""
    assert not find_name(name, directory).is_known
    names = ListedNames(AccessPolicy(), {PATH: [name]}, directory)
    assert verdict(names, sid(directory, "exchange")) is Verdict.FORBID


def test_an_unknown_path(directory: Directory) -> None:
    """A misspelt path is an error."""
    with pytest.raises(ValueError, match="no such endpoint"):
        ListedNames(AccessPolicy(), {"/licensing/licence.asmx": ["reader"]}, directory)
