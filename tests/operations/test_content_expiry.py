"""The end of a document's content: a date, or days after it was published ([MS-RMPR] 2.2.9.8.4, 2.2.9.10.4.1)."""

from __future__ import annotations

import datetime as dt

import pytest

from rmsserver.errors import NoRightsForRequestedPrincipal, RmsError
from rmsserver.operations.acquire_pre_license import (
    AcquirePreLicenseItem,
    AcquirePreLicenseRequest,
    acquire_pre_license,
)
from rmsserver.xrml.rights import Right, TimeConditions
from rmsserver.xrml.use_license import UseLicense
from rmsserver.xrml.values import TimeRange
from tests.cluster import DAY, NOW, Cluster, Published, grantee
from tests.operations.licensing import AUTHOR, READER, Desk

NINETY_DAYS = TimeConditions(days=90)


def conditions(license_: UseLicense) -> list[TimeConditions]:
    return [right.conditions for right in license_.rights]


def documents(desk: Desk, days: TimeConditions) -> list[Published]:
    """Published today: with rights of its own, with a template that this server keeps, with one that it does not."""
    cluster = desk.cluster
    kept, unknown = cluster.template("kept", preconditions=days), cluster.template("unknown", preconditions=days)
    desk.configure(published_templates={kept.guid: kept}, template_revisions={kept.guid: 1})
    author = cluster.author()
    return [
        cluster.publish(author, preconditions=days, issued=NOW),
        cluster.publish(author, rights_data=kept.text, issued=NOW),
        cluster.publish(author, rights_data=unknown.text, issued=NOW),
    ]


def test_days_count_from_publishing_whenever_it_is_opened(mode_2: Cluster) -> None:
    """Each licence ends when the content does; afterwards there is none."""
    desk = Desk(mode_2)
    for document in documents(desk, NINETY_DAYS):
        for day in (0, 1, 89):
            expected = TimeConditions(TimeRange(NOW, NOW + 90 * DAY))
            assert conditions(desk.ask(document, now=NOW + day * DAY)) == [expected]
        with pytest.raises(NoRightsForRequestedPrincipal):
            desk.ask(document, now=NOW + 90 * DAY)


def test_the_author_opens_it_afterwards_too(mode_2: Cluster) -> None:
    desk = Desk(mode_2)
    document = documents(desk, NINETY_DAYS)[0]
    license_ = desk.ask(document, AUTHOR, caller=mode_2.caller(AUTHOR), now=NOW + 200 * DAY)
    assert [(right.name, right.conditions) for right in license_.rights] == [("OWNER", TimeConditions())]


def test_days_of_a_licence_and_days_of_the_content_are_two_things(mode_2: Cluster) -> None:
    """A licence that must be renewed after 7 days still ends with the content."""
    desk = Desk(mode_2)
    weekly = Right.of("VIEW", grantee(READER), TimeConditions(days=7))
    document = mode_2.publish(mode_2.author(), [weekly], preconditions=NINETY_DAYS, issued=NOW)
    expected = TimeConditions(TimeRange(NOW, NOW + 90 * DAY), 7)
    assert conditions(desk.ask(document, now=NOW + 80 * DAY)) == [expected]


def test_licences_fetched_for_others_end_alike(mode_2: Cluster) -> None:
    desk = Desk(mode_2)
    document = documents(desk, NINETY_DAYS)[1]
    request = AcquirePreLicenseRequest((AcquirePreLicenseItem((READER,), (document.text,), None),))

    def ask(now: dt.datetime) -> str | RmsError:
        caller = mode_2.caller("boss@example.com")
        return acquire_pre_license(request, caller, desk.cluster.state, desk.ports, now).answers[0]

    before, after = ask(NOW + 89 * DAY), ask(NOW + 91 * DAY)
    assert isinstance(before, str)
    assert conditions(UseLicense.read(before)) == [TimeConditions(TimeRange(NOW, NOW + 90 * DAY))]
    assert isinstance(after, NoRightsForRequestedPrincipal)


def test_an_author_whose_clock_is_fast(mode_2: Cluster) -> None:
    """Readers need not wait until that clock's time has come."""
    document = mode_2.publish(mode_2.author(), preconditions=NINETY_DAYS, issued=NOW + DAY / 24)
    assert conditions(Desk(mode_2).ask(document)) == [TimeConditions(TimeRange(NOW, NOW + 90 * DAY))]


def test_more_days_than_the_calendar_has(mode_2: Cluster) -> None:
    """No end, rather than a server that cannot answer."""
    far = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
    assert TimeConditions(days=999_999).counted_from(far) == TimeConditions()
    range_ = TimeRange(NOW, far)
    assert TimeConditions(range_, 999_999).counted_from(far) == TimeConditions(range_)


def test_days_only_narrow_a_range() -> None:
    range_ = TimeRange(NOW - DAY, NOW + 5 * DAY)
    assert TimeConditions(range_, 3).counted_from(NOW) == TimeConditions(TimeRange(NOW, NOW + 3 * DAY))
    assert TimeConditions(range_, 9).counted_from(NOW) == TimeConditions(TimeRange(NOW, NOW + 5 * DAY))
    assert TimeConditions(range_).counted_from(NOW) == TimeConditions(range_)
