"""GUIDs, versions, times and escapes: exact forms in, exact forms out."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmsserver.xrml.errors import XrmlError, XrmlSyntaxError
from rmsserver.xrml.surface import parse, render
from rmsserver.xrml.values import (
    Guid,
    TimeRange,
    Version,
    escape,
    escape_attribute,
    format_time,
    parse_time,
)

LOWER = "8ba9ea80-99e4-4a2b-9764-4cd84f77c3a0"


@pytest.mark.parametrize("text", [LOWER, "{" + LOWER + "}", LOWER.upper(), "{" + LOWER.upper() + "}"])
def test_guids_compare_without_case_and_braces(text: str) -> None:
    assert Guid.parse(text) == LOWER
    assert Guid.parse(text).braced == "{" + LOWER + "}"


@pytest.mark.parametrize(
    "text", ["", "{" + LOWER, LOWER + "}", LOWER + "\n", " " + LOWER, LOWER[:-1], LOWER + "0", LOWER.replace("8", "８")]
)
def test_what_is_no_guid_is_refused(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        Guid.parse(text)


def test_versions_compare_as_numbers() -> None:
    """Missing parts are zero."""
    assert Version.parse("6.1.7600.16385") > Version.parse("6.1.760.99999")
    assert Version.parse("6") == Version.parse("6.0.0.0")
    assert str(Version.parse("1.2")) == "1.2.0.0"


@pytest.mark.parametrize("text", ["", "1.", ".1", "1.2.3.4.5", "-1", "1 ", "١", "1" * 10, "1.2\n", "9" * 5000])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        Version.parse(text)


@pytest.mark.parametrize("text", ["2002-12-05T01:07", "0001-01-01T00:00", "9999-12-31T23:59", "2024-02-29T12:00"])
def test_times_come_back_as_they_were(text: str) -> None:
    """Four digits of year, also for the first centuries."""
    assert format_time(parse_time(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0000-01-01T00:00",
        "2023-02-29T12:00",
        "2026-01-01T24:00",
        "2026-01-01T00:60",
        "2026-1-1T0:0",
        "2026-01-01T00:00\n",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(XrmlSyntaxError):
        parse_time(text)


def test_seconds_and_zones_are_cut_and_turned_to_utc() -> None:
    moment = dt.datetime(2026, 11, 22, 18, 30, 59, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    assert format_time(moment) == "2026-11-22T17:30"


def test_ranges_are_half_open() -> None:
    """The start is inside, the end is not (wire facts 2)."""
    start, end = parse_time("2026-01-01T00:00"), parse_time("2026-01-02T00:00")
    span = TimeRange(start, end)
    assert start in span
    assert end not in span
    assert end - dt.timedelta(minutes=1) in span
    assert end in span.widened(dt.timedelta(minutes=1))
    assert "2026-01-01" not in span
    assert start not in TimeRange(end, start)


def test_widening_stops_at_the_ends_of_time() -> None:
    """Year 1 and year 9999 stand in real certificates of other makers; no OverflowError."""
    span = TimeRange(parse_time("0001-01-01T00:00"), parse_time("9999-12-31T23:59"))
    assert span.widened(dt.timedelta(days=1)) == span


@pytest.mark.parametrize("text", ["\x00", "\x08", "\r", "\x1f", "\ud800", "a\udfff", "\ufffe", "\uffff"])
def test_N4_what_xml_cannot_hold_is_not_written(text: str) -> None:
    """An XrmlError, not a broken document and not a UnicodeError later."""
    for write in (escape, escape_attribute):
        with pytest.raises(XrmlSyntaxError):
            write(text)


@given(st.text())
def test_N4_escaped_text_reads_back(text: str) -> None:
    """Any text that is written at all comes back, in a spelling that a DOM keeps."""
    try:
        document = f'<r a="{escape_attribute(text)}">{escape(text)}</r>'
    except XrmlError:
        return
    root = parse(document)
    assert root.text == text
    assert root.attributes["a"] == text
    assert render(root) == document
