"""The checks that operations share."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import structlog

from rmsserver.errors import ArgumentNull, ClusterDecommissioned, UnspecifiedError
from rmsserver.operations.preconditions import check_certificates, check_in_service, check_may_issue
from rmsserver.xrml.values import TimeRange
from tests.cluster import INSTALLED, NOW, Cluster, server_hierarchy

MINUTE = dt.timedelta(minutes=1)


def test_decommissioned(mode_2: Cluster) -> None:
    """A cluster in service passes, a decommissioned one does not."""
    check_in_service(mode_2.state)
    with pytest.raises(ClusterDecommissioned):
        check_in_service(dataclasses.replace(mode_2.state, decommissioned=True))


@pytest.mark.parametrize("texts", [None, (), [], [""]])
def test_no_certificates(mode_2: Cluster, texts: tuple[str, ...] | None) -> None:
    """Missing, empty and null are the same."""
    with pytest.raises(ArgumentNull):
        check_certificates(texts, mode_2.state)


@pytest.mark.parametrize(("text", "accepted"), [("a" * 30_720, True), ("a" * 30_721, False), ("é" * 15_361, False)])
def test_X8_certificate_size(mode_2: Cluster, text: str, accepted: bool) -> None:
    """X8: 30,720 bytes of UTF-8 are served, one more is refused; characters do not count, bytes do."""
    if accepted:
        assert check_certificates([text], mode_2.state) == (text,)
    else:
        with pytest.raises(UnspecifiedError):
            check_certificates([text], mode_2.state)


@pytest.mark.parametrize(("count", "accepted"), [(100, True), (101, False)])
def test_X8_certificate_count(mode_2: Cluster, count: int, accepted: bool) -> None:
    """X8: 100 certificates in an item."""
    if accepted:
        assert len(check_certificates(["a"] * count, mode_2.state)) == count
    else:
        with pytest.raises(UnspecifiedError):
            check_certificates(["a"] * count, mode_2.state)


def test_unpaired_surrogates_are_counted_not_raised(mode_2: Cluster) -> None:
    """What cannot be encoded is for the reader to refuse, with its own fault."""
    assert check_certificates(["\ud800"], mode_2.state) == ("\ud800",)


@pytest.mark.parametrize(
    ("now", "accepted"),
    [
        (INSTALLED - MINUTE, False),
        (INSTALLED, True),
        (NOW - MINUTE, True),
        (NOW, False),
        (NOW + 700 * dt.timedelta(days=1), False),
    ],
)
def test_K4_issue_range(mode_2: Cluster, now: dt.datetime, accepted: bool) -> None:
    """K4: from the SLC's own issue to the end of its range, which is half-open."""
    issuance = TimeRange(dt.datetime(2002, 12, 5, tzinfo=dt.UTC), NOW)
    licensor = server_hierarchy(mode_2.mode, issuance=issuance).licensor
    state = dataclasses.replace(mode_2.state, licensor=licensor)
    if accepted:
        check_may_issue(state, now)
    else:
        with pytest.raises(UnspecifiedError):
            check_may_issue(state, now)


def test_K4_a_clear_line_in_the_log_and_the_audit(mode_2: Cluster) -> None:
    """K4: the same line in both; short enough to stand whole in the audit."""
    with structlog.testing.capture_logs() as logs, pytest.raises(UnspecifiedError) as caught:
        check_may_issue(mode_2.state, dt.datetime(2026, 1, 3, 8, 15, tzinfo=dt.UTC))
    assert [(entry["log_level"], entry["reason"]) for entry in logs] == [("error", caught.value.detail)]
    assert len(caught.value.detail) <= 200
