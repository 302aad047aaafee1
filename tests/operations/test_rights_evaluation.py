"""Who may do what: the rules of `rights_evaluation`, and an independent oracle."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.directory.memory import MemoryDirectory
from rmsserver.operations.rights_evaluation import (
    Reader,
    UsagePolicy,
    evaluate_rights,
    identify,
    merge_grants,
    widest,
)
from rmsserver.state import AuditTrail
from rmsserver.xrml.rights import ANYONE, THE_OWNER, Grantee, Right, TimeConditions
from rmsserver.xrml.use_license import OWNER_RIGHT, UseRight
from rmsserver.xrml.values import TimeRange, fold
from tests.cluster import DAY, NOW, Cluster, grantee, known
from tests.conformance import conforms

READER = "reader@example.com"
ALWAYS = TimeConditions()


def span(start_days: float, end_days: float, days: int | None = None) -> TimeConditions:
    return TimeConditions(TimeRange(NOW + start_days * DAY, NOW + end_days * DAY), days)


def evaluate(
    cluster: Cluster,
    rights: list[Right],
    *,
    owner: str = "author@example.com",
    reader: str = READER,
    directory: MemoryDirectory | None = None,
    preconditions: TimeConditions = ALWAYS,
    trail: AuditTrail | None = None,
    state: Mapping[str, object] | None = None,
) -> tuple[UseRight, ...]:
    directory = directory or cluster.directory()
    found = identify(cluster.account(reader).rac, cluster.state, directory)
    assert found is not None
    return evaluate_rights(
        UsagePolicy.build(tuple(rights), preconditions=preconditions),
        grantee(owner),
        found,
        directory,
        cluster.with_state(**(state or {})).state,
        trail or AuditTrail(),
        NOW,
    )


def names(rights: tuple[UseRight, ...]) -> list[str]:
    return [right.name for right in rights]


# --- who asks ----------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.4.4.1", "Groups of any depth, aliases and former SIDs count for their account.")
def test_alias_and_sid_history_of_a_known_account_count(mode_2: Cluster) -> None:
    """What the directory says of a SID counts: aliases and former SIDs, though the RAC names neither."""
    directory = mode_2.directory()
    sid = mode_2.sid(READER)
    directory.change_user(sid, emails=(READER, "Alias@Example.com"), sid_history=("S-1-5-21-9-9-9-1",))
    found = identify(mode_2.account(READER).rac, mode_2.state, directory)
    assert found is not None
    assert found.emails == {READER, "alias@example.com"}
    assert found.is_named_by(grantee("ALIAS@example.com"))
    assert found.is_named_by(Grantee("Windows", "s-1-5-21-9-9-9-1", ""))


def test_address_taken_away_no_longer_counts(mode_2: Cluster) -> None:
    """A RAC lives a year; an address that the directory gave to somebody else does not stay with it (L6)."""
    directory = mode_2.directory()
    directory.change_user(mode_2.sid(READER), emails=("renamed@example.com",))
    assert evaluate(mode_2, [Right.of("VIEW", grantee(READER))], directory=directory) == ()


def test_disabled_account_is_nobody(mode_2: Cluster) -> None:
    directory = mode_2.directory()
    directory.change_user(mode_2.sid(READER), enabled=False)
    assert identify(mode_2.account(READER).rac, mode_2.state, directory) is None


def test_own_account_that_is_gone_is_nobody(mode_2: Cluster) -> None:
    directory = mode_2.directory()
    directory.remove_user(mode_2.sid(READER))
    assert identify(mode_2.account(READER).rac, mode_2.state, directory) is None


def test_accounts_of_the_root_on_a_licensing_only_cluster(mode_2: Cluster, stranger: Cluster) -> None:
    """Where two directories have a SID each for one person, the address leads to our account: its groups, its aliases, or
    that it is disabled. A SID of our own domain that is gone is nobody, whoever has its address now (L6).
    """
    slc = stranger.state.licensor.certificate.principal.public_key
    state = mode_2.with_state(root_url="https://root.example.com/_wmcs", trusted_rac_issuers={slc.id: slc}).state
    rac = mode_2.account(READER, licensor=stranger.state.licensor).rac
    directory = MemoryDirectory("BRANCH", domain_sid="S-1-5-21-1-2-3")
    directory.add_user("reader", "nick@example.com", READER)
    mine = directory.by_email(READER)
    assert mine is not None
    found = identify(rac, state, directory)
    assert found is not None
    assert found.directory_sid == mine.account.sid
    assert found.emails == {READER, "nick@example.com"}
    assert found.is_named_by(Grantee("Windows", mode_2.sid(READER), ""))
    directory.change_user(mine.account.sid, enabled=False)
    assert identify(rac, state, directory) is None
    directory.remove_user(mine.account.sid)
    assert identify(rac, state, directory) is None
    shared = mode_2.directory()
    shared.remove_user(mode_2.sid(READER))
    shared.add_user("successor", READER)
    assert identify(rac, state, shared) is None


def test_account_of_a_trusted_domain_is_what_its_certificate_says(mode_2: Cluster, stranger: Cluster) -> None:
    account = mode_2.account(
        "guest@partner.com", licensor=stranger.state.licensor, aliases=("g@partner.com",), id_type="Federation"
    )
    found = identify(account.rac, mode_2.state, mode_2.directory())
    assert found is not None
    assert found.emails == {"guest@partner.com", "g@partner.com"}
    assert found.directory_sid is None


def test_look_alike_address_is_another_address() -> None:
    """Letters compare without case, but U+212A, which lower-cases to k, is not k."""
    assert fold("Mark@Example.COM") == "mark@example.com"
    assert fold("mar\u212a@example.com") != "mark@example.com"
    assert fold("\u0130@x") != fold("i@x")
    assert fold("B\u00d6SS@x") == "b\u00f6ss@x"


# --- grants ------------------------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.4.4.1", "Groups of any depth, aliases and former SIDs count for their account.")
@conforms("MS-RMPR 2.2.9.8.5.3", "Identities of the types Unspecified, Windows and Internal have their rights.")
@conforms("MS-RMPR 2.2.9.8.5.3", "A Windows identity is found by its SID.")
@conforms("MS-RMPR 2.2.9.8.5.3", "An identity is found by its address in NAME.")
@pytest.mark.parametrize(
    "named",
    [
        grantee("READER@example.com"),
        Grantee("Windows", "", READER),
        Grantee("Windows", "{sid}", ""),
        Grantee("Windows", "{group}", ""),
        grantee("All@example.com"),
        grantee("outer@example.com"),
        ANYONE,
        Grantee("Internal", "anyone", ""),
    ],
    ids=["email", "windows email", "sid", "group sid", "group", "nested group", "Anyone", "anyone"],
)
def test_grant_reaches_the_reader(mode_2: Cluster, named: Grantee) -> None:
    """By e-mail address, by SID, through groups of any nesting, as Anyone; letter case does not matter."""
    directory = mode_2.directory()
    directory.add_group("middle@example.com", "all@example.com")
    directory.add_group("outer@example.com", "middle@example.com")
    group = directory.add_group("by-sid@example.com", READER)
    named = dataclasses.replace(named, id=named.id.format(sid=mode_2.sid(READER), group=group))
    assert names(evaluate(mode_2, [Right.of("PRINT", named)], directory=directory)) == ["PRINT"]


@conforms("MS-RMPR 2.2.9.8.5.3", "Internal means Owner or Anyone, and nobody else.")
@conforms("MS-RMPR 2.2.9.8.5.3", "A grant without SID and address is nobody's.")
@pytest.mark.parametrize(
    "named",
    [
        grantee("outsider@example.com"),
        grantee(""),
        Grantee("Windows", "", ""),
        grantee("nobody@example.com"),
        THE_OWNER,
        Grantee("Internal", "Everybody", READER),
        Grantee("Passport", "S-1-5-21-1004336348-1177238915-682003330-1106", ""),
    ],
    ids=["other", "nameless", "nameless and without SID", "unknown", "owner", "unknown internal", "other kind of ID"],
)
def test_grant_to_others_does_not(mode_2: Cluster, named: Grantee) -> None:
    assert evaluate(mode_2, [Right.of("VIEW", named)]) == ()


def test_leaving_a_group_ends_what_it_granted(mode_2: Cluster) -> None:
    """L6: the directory is asked each time; nothing of a membership is kept here."""
    directory = mode_2.directory()
    grants = [Right.of("VIEW", grantee("all@example.com"))]
    assert names(evaluate(mode_2, grants, directory=directory)) == ["VIEW"]
    directory.remove_member("all@example.com", READER)
    assert evaluate(mode_2, grants, directory=directory) == ()


def test_group_loop_ends(mode_2: Cluster) -> None:
    """L10: groups that contain each other do no harm."""
    directory = mode_2.directory()
    directory.add_group("one@example.com", READER)
    directory.add_group("two@example.com", "one@example.com")
    directory.add_member("one@example.com", "two@example.com")
    assert names(evaluate(mode_2, [Right.of("VIEW", grantee("two@example.com"))], directory=directory)) == ["VIEW"]


def test_groups_are_asked_for_once(mode_2: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One question to the directory with everybody who is named, however many grants there are."""
    directory = mode_2.directory()
    asked: list[list[str]] = []
    answer = directory.groups_of

    def groups_of(sid: str, candidates: list[str]) -> frozenset[str]:
        asked.append(sorted(candidates))
        return answer(sid, candidates)

    monkeypatch.setattr(directory, "groups_of", groups_of)
    grants = [Right.of(name, grantee(f"{name}@example.com")) for name in ("VIEW", "EDIT", "PRINT")]
    evaluate(mode_2, grants, directory=directory)
    assert asked == [["edit@example.com", "print@example.com", "view@example.com"]]


# --- owner and super users ---------------------------------------------------------------------------------------------


@conforms("MS-RMPR 3.4.4.1", "The owner gets OWNER, whatever the licence says.")
@pytest.mark.parametrize("grants", [[], [Right.of("VIEW", grantee(READER))]], ids=["no grant", "a lesser grant"])
def test_owner_has_owner_alone(mode_2: Cluster, grants: list[Right]) -> None:
    expired = span(-9, -1)
    assert evaluate(mode_2, grants, owner="Reader@Example.com", preconditions=expired) == (OWNER_RIGHT,)


def test_owner_by_alias_and_by_sid(mode_2: Cluster) -> None:
    directory = mode_2.directory()
    directory.change_user(mode_2.sid(READER), emails=(READER, "alias@example.com"))
    assert evaluate(mode_2, [], owner="alias@example.com", directory=directory) == (OWNER_RIGHT,)
    by_sid = Reader(frozenset({("windows", "s-1-5-21-7")}), frozenset())
    assert by_sid.is_named_by(Grantee("Windows", "S-1-5-21-7", "other@example.com"))


def test_granted_owner_stands_alone_in_form_1(mode_2: Cluster) -> None:
    """2.2.9.9.6: no further rights, `<RIGHT name="OWNER">`, whatever form it was read in."""
    grants = [
        Right.of("VIEW", grantee(READER)),
        Right("Owner", grantee(READER), as_element=True),
        Right.of("EDIT", grantee(READER)),
    ]
    assert evaluate(mode_2, grants) == (OWNER_RIGHT,)


def test_owner_of_tomorrow_does_not_hide_rights_of_today(mode_2: Cluster) -> None:
    grants = [Right.of("OWNER", grantee(READER), span(1, 9)), Right.of("VIEW", grantee(READER))]
    assert names(evaluate(mode_2, grants)) == ["VIEW"]
    assert evaluate(mode_2, grants[:1]) == (UseRight("OWNER", False, span(1, 9)),)


@conforms("MS-RMPR 3.4.4.1", "A super user gets OWNER, whatever the licence says, where super users are on.")
def test_super_user_has_owner_and_it_is_an_alert(mode_2: Cluster) -> None:
    """W8: every use of the super user's right is an audit event."""
    directory, trail = mode_2.directory(), AuditTrail()
    directory.add_group("super@example.com", READER)
    on = {"super_user_enabled": True, "super_user_group": "Super@example.com"}
    assert evaluate(mode_2, [], directory=directory, trail=trail, state=on) == (OWNER_RIGHT,)
    assert trail.alerts
    assert mode_2.sid(READER) in trail.alerts[0]


@conforms("MS-RMPR 3.4.4.1", "A super user gets OWNER, whatever the licence says, where super users are on.")
@pytest.mark.parametrize(
    "state",
    [
        {"super_user_enabled": False, "super_user_group": "super@example.com"},
        {"super_user_enabled": True, "super_user_group": None},
        {"super_user_enabled": True, "super_user_group": ""},
        {"super_user_enabled": True, "super_user_group": "all-but@example.com"},
    ],
)
def test_no_super_user_otherwise(mode_2: Cluster, state: dict[str, object]) -> None:
    directory = mode_2.directory()
    directory.add_group("super@example.com", READER)
    assert evaluate(mode_2, [], directory=directory, state=state) == ()


# --- forms and times ---------------------------------------------------------------------------------------------------


def test_right_is_answered_once_in_the_form_read(mode_2: Cluster) -> None:
    """Wire facts 8: one right to one person as Windows and Unspecified; unknown names pass through."""
    grants = [
        Right("Strange.Right", grantee(READER)),
        Right("VIEW", Grantee("Windows", "", READER), as_element=True),
        Right("OBJMODEL", grantee(READER), as_element=True),
        Right("view", grantee(READER)),
    ]
    assert [(r.name, r.as_element) for r in evaluate(mode_2, grants)] == [
        ("Strange.Right", False),
        ("VIEW", True),
        ("OBJMODEL", True),
    ]


def test_expired_grant_grants_nothing_and_a_later_one_is_written(mode_2: Cluster) -> None:
    grants = [
        Right.of("VIEW", grantee(READER), span(-9, -1)),
        Right.of("PRINT", grantee(READER), span(1, 9)),
        Right.of("EDIT", grantee(READER), span(-9, 0)),
        Right.of("EXPORT", grantee(READER), span(3, 2)),
    ]
    assert evaluate(mode_2, grants) == (UseRight("PRINT", True, span(1, 9)),)


def test_preconditions_narrow_every_grant(mode_2: Cluster) -> None:
    grants = [
        Right.of("VIEW", grantee(READER), span(-9, 5)),
        Right.of("PRINT", grantee(READER)),
        Right.of("EDIT", grantee(READER), TimeConditions(days=30)),
        Right.of("EXPORT", grantee(READER), span(4, 9)),
    ]
    assert evaluate(mode_2, grants, preconditions=span(-1, 3, 7)) == (
        UseRight("VIEW", True, span(-1, 3, 7)),
        UseRight("PRINT", True, span(-1, 3, 7)),
        UseRight("EDIT", True, span(-1, 3, 7)),
    )
    assert evaluate(mode_2, grants, preconditions=span(-9, -1)) == ()


def test_unconditional_grant_wins() -> None:
    assert widest([span(-1, 1), ALWAYS, TimeConditions(days=3)], NOW) == ALWAYS


def test_valid_now_goes_before_what_begins_later() -> None:
    assert widest([span(2, 90), span(-2, 1)], NOW) == span(-2, 1)
    assert widest([span(9, 90), span(2, 3), span(2, 4)], NOW) == span(2, 4)


def test_overlapping_ranges_are_joined() -> None:
    assert widest([span(-2, 3), span(-5, 1)], NOW) == span(-5, 3)
    assert widest([span(-2, 3, 2), span(-5, 1, 2)], NOW) == span(-5, 3, 2)


_RANGES = st.tuples(st.integers(-5, 5), st.integers(-5, 5)).map(lambda p: TimeRange(NOW + p[0] * DAY, NOW + p[1] * DAY))
_CONDITIONS = st.builds(TimeConditions, st.none() | _RANGES, st.none() | st.integers(0, 6))


def _allows(conditions: TimeConditions, moment: dt.datetime) -> bool:
    """Under a use licence issued NOW, may the right be exercised at `moment`?"""
    in_range = conditions.span is None or moment in conditions.span
    return in_range and (conditions.days is None or moment < NOW + conditions.days * DAY)


@given(st.lists(_CONDITIONS, min_size=1, max_size=5), _CONDITIONS, st.integers(0, 20))
def test_no_moment_is_granted_that_no_grant_gives(
    alternatives: list[TimeConditions], preconditions: TimeConditions, hours: int
) -> None:
    moment = NOW + hours * 8 * dt.timedelta(hours=1)
    granted = merge_grants([Right.of("VIEW", grantee("x"), c) for c in alternatives], preconditions, NOW)
    allowed = any(_allows(c, moment) and _allows(preconditions, moment) for c in alternatives)
    for right in granted:
        assert not _allows(right.conditions, moment) or allowed
    if moment == NOW:
        # And what is granted now is not lost.
        assert any(_allows(right.conditions, NOW) for right in granted) == allowed


# --- an independent oracle ---------------------------------------------------------------------------------------------

_PEOPLE = ["author@example.com", "reader@example.com", "outsider@example.com", "boss@example.com"]
_GROUPS = ["g0@example.com", "g1@example.com", "g2@example.com"]
_NAMED = st.sampled_from(
    [grantee(email) for email in [*_PEOPLE, *_GROUPS]]
    + [Grantee("Windows", "", email) for email in _PEOPLE]
    + [ANYONE, THE_OWNER, grantee(""), grantee("elsewhere@other.com")]
)
_RIGHTS = st.lists(
    st.builds(Right, st.sampled_from(["VIEW", "view", "EDIT", "OWNER", "X-Y"]), _NAMED, st.just(ALWAYS), st.booleans()),
    max_size=6,
)
_MEMBERS = st.lists(st.tuples(st.sampled_from(_GROUPS), st.sampled_from([*_PEOPLE, *_GROUPS])), max_size=8)


def _oracle(rights: list[Right], owner: str, reader: str, members: list[tuple[str, str]]) -> set[str]:
    """The names a reader may have, written for reading, not for speed: all groups by repetition, then every grant."""
    mine = {reader}
    for _ in range(len(members) + 1):
        mine |= {group for group, member in members if member in mine}
    if owner == reader:
        return {"owner"}
    granted = {right.name.lower() for right in rights if right.grantee.email in mine or right.grantee == ANYONE}
    return {"owner"} if "owner" in granted else granted


@conforms("MS-RMPR 3.4.4.1", "An account has a document only where the policy says so.")
@given(_RIGHTS, st.sampled_from([*_PEOPLE, "gone@example.com"]), st.sampled_from(_PEOPLE), _MEMBERS)
def test_nobody_gets_a_right_that_no_grant_gives(
    mode_2: Cluster, rights: list[Right], owner: str, reader: str, members: list[tuple[str, str]]
) -> None:
    directory = mode_2.directory()
    for group in _GROUPS:
        directory.add_group(group)
    for group, member in members:
        directory.add_member(group, member)
    granted = evaluate(mode_2, rights, owner=owner, reader=reader, directory=directory)
    assert {right.name.lower() for right in granted} == _oracle(rights, owner, reader, members)
    assert len(granted) == len({right.name.lower() for right in granted})
    assert known(directory, reader).enabled
