"""Who may do what with a document ([MS-RMPR] 3.4.4.1): rights data against one account and its groups.

Rules:
1. The owner of the publishing licence has OWNER and nothing else stands beside it, whatever the rights data says.
2. A super user has OWNER, where the administrator switched that on; every use of it is an alert in the audit.
3. Everybody else has what is granted to the account by ID, by e-mail address or alias, to a group that holds it at any
   depth, or to Anyone. Who is granted OWNER has OWNER alone.
4. PRECONDITIONLIST narrows every grant but the owner's. A condition whose end has passed grants nothing; one that has
   not begun yet is written, so that a reader can fetch the licence early.
5. One right granted several times is written once: unconditional where one of the grants is, else as long as the best
   grant that is valid now lasts. Never is a moment granted that no grant gives.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rmsserver.ports import Directory, DirectoryAccount
from rmsserver.state import AuditTrail, ServerState
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.rights import (
    OWNER,
    ApplicationData,
    Grantee,
    Policy,
    Right,
    RightsData,
    TimeConditions,
)
from rmsserver.xrml.use_license import OWNER_RIGHT, UseRight
from rmsserver.xrml.values import TimeRange, fold

WINDOWS = "Windows"
_FOREVER = dt.datetime.max.replace(tzinfo=dt.UTC)


# --- who asks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reader:
    """An account as rights see it: (ID type, ID) pairs and e-mail addresses, folded.

    `directory_sid` is the SID under which our directory knows it; None for accounts of others, which are in no group.
    """

    ids: frozenset[tuple[str, str]]
    emails: frozenset[str]
    directory_sid: str | None = None

    def is_named_by(self, grantee: Grantee) -> bool:
        """By ID where one is given, or by e-mail address."""
        if grantee.id_type == "Internal":
            return False
        return (fold(grantee.id_type), fold(grantee.id)) in self.ids or fold(grantee.email) in self.emails


def identify(rac: RightsAccountCertificate, state: ServerState, directory: Directory) -> Reader | None:
    """The reader that a verified RAC stands for; None where the account must not have anything.

    What our directory says of a SID it knows goes before what the RAC says, which may be a year old: addresses that
    were taken away do not count, new aliases do, a disabled account has nothing. An account of our own that the
    directory no longer knows has nothing either, nor has one of the root's on a licensing-only cluster. For accounts of
    others the RAC's address and aliases count, within the e-mail domains that their issuer is trusted with, and SIDs only
    where it is trusted with those.
    Diverges: the specification is silent on disabled and removed accounts. Raises PortUnavailable.
    """
    domain = state.trusted_user_domains.get(rac.issuer.public_key.id)
    id_type, identity = rac.account
    ids = frozenset({(fold(id_type), fold(identity))})
    emails = (rac.email, *rac.email_aliases)
    if domain is not None:
        emails = tuple(email for email in emails if domain.covers(email.strip()))
        if id_type != WINDOWS or not domain.sids_trusted:
            # Any ID may stand in another cluster's certificate, those of our own accounts too.
            return Reader(frozenset(), _addresses(emails))
    if id_type == WINDOWS:
        known = directory.by_sid(identity)
        if known is not None:
            return reader_of(known, identity)
        if any(rac.issuer.public_key == own.key.public for own in (state.licensor, *state.former_licensors)):
            return None
        if domain is None and state.is_licensing_only:
            namesake = account_of_root(identity, rac.email, directory)
            return None if namesake is None else reader_of(namesake, identity)
    return Reader(ids, _addresses(emails))


def account_of_root(sid: str, email: str, directory: Directory) -> DirectoryAccount | None:
    """For a SID of the root cluster that this licensing-only cluster's directory does not know: its account of that address.

    Two embedded directories have a SID each for one person. A SID of this directory's own domain is an account that is
    gone: who has its address now is somebody else. Raises PortUnavailable.
    """
    found = directory.by_email(email.strip())
    return None if found is None or _domain(found.account.sid) == _domain(sid) else found


def _domain(sid: str) -> str:
    return sid.rpartition("-")[0].upper()


def reader_of(account: DirectoryAccount, *sids: str) -> Reader | None:
    """The reader that an account of our directory is, also under `sids`; None where it is disabled."""
    if not account.enabled:
        return None
    every = {*sids, account.account.sid, *account.sid_history}
    ids = frozenset((fold(WINDOWS), fold(sid)) for sid in every)
    return Reader(ids, _addresses(account.emails), account.account.sid)


def _addresses(emails: Iterable[str]) -> frozenset[str]:
    return frozenset(fold(email.strip()) for email in emails) - {""}


# --- what was granted --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UsagePolicy:
    """What rights data or a template says, arranged for looking up one account among many grants."""

    rights: tuple[Right, ...]
    preconditions: TimeConditions
    policies: tuple[Policy, ...]
    application_data: tuple[ApplicationData, ...]
    revocation: str | None
    by_email: Mapping[str, list[int]] = field(repr=False, compare=False)
    by_id: Mapping[tuple[str, str], list[int]] = field(repr=False, compare=False)
    for_anyone: Sequence[int] = field(repr=False, compare=False)

    @classmethod
    def of(cls, data: RightsData) -> UsagePolicy:
        return cls.build(
            data.rights,
            preconditions=data.preconditions,
            policies=data.policies,
            application_data=data.application_data,
            revocation=data.revocation,
        )

    @classmethod
    def build(
        cls,
        rights: tuple[Right, ...],
        *,
        preconditions: TimeConditions,
        policies: tuple[Policy, ...] = (),
        application_data: tuple[ApplicationData, ...] = (),
        revocation: str | None = None,
    ) -> UsagePolicy:
        by_email: dict[str, list[int]] = {}
        by_id: dict[tuple[str, str], list[int]] = {}
        for_anyone: list[int] = []
        for index, right in enumerate(rights):
            grantee = right.grantee
            if grantee.is_anyone:
                for_anyone.append(index)
            elif grantee.id_type != "Internal":
                if grantee.email:
                    by_email.setdefault(fold(grantee.email), []).append(index)
                if grantee.id:
                    by_id.setdefault((fold(grantee.id_type), fold(grantee.id)), []).append(index)
        return cls(rights, preconditions, policies, application_data, revocation, by_email, by_id, for_anyone)

    def of_document(self, issued: dt.datetime, now: dt.datetime) -> UsagePolicy:
        """For a publishing licence of `issued`: days until its content ends count from then (2.2.9.8.4), whoever opens it
        when. An author's clock may be fast: a time to come counts as now.
        """
        if self.preconditions.days is None:
            return self
        return replace(self, preconditions=self.preconditions.counted_from(min(issued, now)))

    @property
    def group_candidates(self) -> list[str]:
        """Every e-mail address and SID named: any of them may be a group."""
        return [*self.by_email, *(id_ for id_type, id_ in self.by_id if id_type == fold(WINDOWS))]

    def granted_to(self, reader: Reader, groups: frozenset[str]) -> list[Right]:
        """The grants that mean this reader, in the order they stand."""
        found = set(self.for_anyone)
        for email in reader.emails | groups:
            found.update(self.by_email.get(email, ()))
        for identity in reader.ids | {(fold(WINDOWS), group) for group in groups}:
            found.update(self.by_id.get(identity, ()))
        return [self.rights[index] for index in sorted(found)]


# --- evaluation --------------------------------------------------------------------------------------------------------


def in_no_other_forest(_reader: Reader, _addresses: list[str]) -> frozenset[str]:
    return frozenset()


def evaluate_rights(
    policy: UsagePolicy,
    owner: Grantee | None,
    reader: Reader,
    directory: Directory,
    state: ServerState,
    trail: AuditTrail,
    now: dt.datetime,
    elsewhere: Callable[[Reader, list[str]], frozenset[str]] = in_no_other_forest,
) -> tuple[UseRight, ...]:
    """The rights of a use licence for `reader`; none where nothing is granted. `elsewhere` says which of some folded
    addresses and SIDs are groups that the reader is in by way of other forests. Raises PortUnavailable.
    """
    if owner is not None and reader.is_named_by(owner):
        return (OWNER_RIGHT,)
    super_users = _super_user_group(state)
    groups = _groups(reader, [*policy.group_candidates, *super_users], directory)
    if not groups.isdisjoint(super_users):
        trail.alert(f"super user: {reader.directory_sid} opened a document")
        return (OWNER_RIGHT,)
    if state.forests:
        known = reader.emails | groups
        groups |= elsewhere(reader, [name for name in policy.group_candidates if name not in known])
    return merge_grants(policy.granted_to(reader, groups), policy.preconditions, now)


def _super_user_group(state: ServerState) -> tuple[str, ...]:
    group = fold((state.super_user_group or "").strip()) if state.super_user_enabled else ""
    return (group,) if group else ()


def _groups(reader: Reader, candidates: list[str], directory: Directory) -> frozenset[str]:
    if reader.directory_sid is None or not candidates:
        return frozenset()
    return directory.groups_of(reader.directory_sid, candidates) & frozenset(candidates)


def merge_grants(grants: Iterable[Right], preconditions: TimeConditions, now: dt.datetime) -> tuple[UseRight, ...]:
    """Each right once, in the form and place in which it stands first; what grants nothing any more is left out."""
    first: dict[str, Right] = {}
    conditions: dict[str, list[TimeConditions]] = {}
    for right in grants:
        name = right.name.lower()
        first.setdefault(name, right)
        conditions.setdefault(name, []).append(_both(right.conditions, preconditions))
    merged: dict[str, UseRight] = {}
    for name, right in first.items():
        best = widest(conditions[name], now)
        if best is not None:
            merged[name] = UseRight(right.name, right.as_element, best)
    return _owner_alone(merged, now)


def _owner_alone(merged: dict[str, UseRight], now: dt.datetime) -> tuple[UseRight, ...]:
    """OWNER stands alone and in form 1 (2.2.9.9.6). One that has not begun yet must not hide rights of today."""
    owner = merged.pop(OWNER.lower(), None)
    if owner is None:
        return tuple(merged.values())
    if merged and owner.conditions.span is not None and now < owner.conditions.span.start:
        return tuple(merged.values())
    return (UseRight(OWNER, False, owner.conditions),)


def _both(one: TimeConditions, other: TimeConditions) -> TimeConditions:
    """Conditions that both hold: the ranges' intersection (it may be empty), the fewer days."""
    if not other:
        return one
    if not one:
        return other
    spans = [c.span for c in (one, other) if c.span is not None]
    span = TimeRange(max(s.start for s in spans), min(s.end for s in spans)) if spans else None
    return TimeConditions(span, min((c.days for c in (one, other) if c.days is not None), default=None))


def widest(alternatives: Sequence[TimeConditions], now: dt.datetime) -> TimeConditions | None:
    """The best of several conditions under which one right is granted; None where all of them are over.

    Of those valid now the one that lasts longest, its range joined with the ranges of others of as many days: all of
    them contain now, so the joined range holds no moment that none of them gives. Where none is valid yet, the one that
    begins first.
    """
    live = [c for c in alternatives if c.span is None or max(c.span.start, now) < c.span.end]
    current = [c for c in live if c.span is None or c.span.start <= now]
    if not current:
        return min(live, key=_beginning, default=None)
    best = max(current, key=lambda c: (_end(c, now), c.days is None, c.span is None))
    if best.span is None:
        return best
    spans = [c.span for c in current if c.span is not None and c.days == best.days]
    return TimeConditions(TimeRange(min(s.start for s in spans), max(s.end for s in spans)), best.days)


def _beginning(conditions: TimeConditions) -> tuple[dt.datetime, dt.timedelta]:
    span = conditions.span
    return (_FOREVER, dt.timedelta()) if span is None else (span.start, span.start - span.end)


def _end(conditions: TimeConditions, now: dt.datetime) -> dt.datetime:
    """Until when a use licence issued now is good."""
    end = _FOREVER if conditions.span is None else conditions.span.end
    return end if conditions.days is None else min(end, now + dt.timedelta(days=conditions.days))
