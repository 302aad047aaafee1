"""Small typed values: GUIDs, versions, times, and the escaping of text."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import NamedTuple

from rmsserver.xrml.errors import XrmlSyntaxError

_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12})\}?\Z")
_TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2})\Z")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no form for, and the carriage return, which no reader gives back (wire facts 1)."""
_VERSION = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}\Z")


class Guid(str):
    """A GUID in the form it is compared in: lower case, no braces. `braced` is the form written in documents."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Guid:
        """With or without braces, in any case. Raises XrmlSyntaxError."""
        match = _GUID.match(text)
        if match is None or text.startswith("{") != text.endswith("}"):
            raise XrmlSyntaxError("not a GUID")
        return cls(match.group(1).lower())

    @property
    def braced(self) -> str:
        return "{" + self + "}"


class Version(NamedTuple):
    """Up to four numbers; missing ones are zero, so versions compare as tuples."""

    major: int
    minor: int = 0
    build: int = 0
    revision: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """One to four dotted decimal numbers. Raises XrmlSyntaxError."""
        if not _VERSION.match(text):
            raise XrmlSyntaxError("not a version number")
        return cls(*map(int, text.split(".")))

    def __str__(self) -> str:
        return ".".join(map(str, self))


@dataclass(frozen=True)
class VersionSpan:
    """Lowest and highest version, both included; texts as they are written into licences."""

    minimum: str
    maximum: str


class TimeRange(NamedTuple):
    """Half-open: `start` is inside, `end` is not. Aware UTC, to the minute."""

    start: dt.datetime
    end: dt.datetime

    def __contains__(self, moment: object) -> bool:
        return isinstance(moment, dt.datetime) and self.start <= moment < self.end

    def widened(self, tolerance: dt.timedelta) -> TimeRange:
        """The range with `tolerance` added at both ends."""
        return TimeRange(_shift(self.start, -tolerance), _shift(self.end, tolerance))


def _shift(moment: dt.datetime, by: dt.timedelta) -> dt.datetime:
    try:
        return moment + by
    except OverflowError:
        return moment


def parse_time(text: str) -> dt.datetime:
    """`YYYY-MM-DDTHH:MM` as aware UTC ([MS-RMPR] 2.2.9.1.1, wire facts 2). Raises XrmlSyntaxError."""
    match = _TIME.match(text)
    if match is None:
        raise XrmlSyntaxError("not a time of the form YYYY-MM-DDTHH:MM")
    try:
        year, month, day, hour, minute = map(int, match.groups())
        return dt.datetime(year, month, day, hour, minute, tzinfo=dt.UTC)
    except ValueError:
        raise XrmlSyntaxError("not a time of the form YYYY-MM-DDTHH:MM") from None


def format_time(moment: dt.datetime) -> str:
    """The inverse of `parse_time`; seconds are cut. `moment` must be aware."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M").rjust(16, "0")


def fold(name: str) -> str:
    """An e-mail address or SID in the form it is compared in.

    Letters compare without case, but no other character ever becomes an ASCII one: U+212A (Kelvin sign) is not "k", or
    an address that somebody else may register would stand for the one that was granted.
    """
    if name.isascii():
        return name.lower()
    return "".join(c if not c.isascii() and c.lower().isascii() else _lower(c) for c in name)


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def escape(text: str) -> str:
    """Text for element content, in the spelling that survives a .NET DOM round trip (wire facts 1)."""
    if _UNWRITABLE.search(text):
        raise XrmlSyntaxError("text with control characters or unpaired surrogates cannot be written")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_attribute(text: str) -> str:
    """Text for an attribute value in double quotes."""
    if "\t" in text or "\n" in text:
        raise XrmlSyntaxError("an attribute with line breaks cannot be written")
    return escape(text).replace('"', "&quot;")
