"""The VersionData header: [MS-RMPR] 2.2.4.2, 3.1.4.6, note 1 of section 7, rulings 12."""

from __future__ import annotations

import re

from lxml import etree

from rmsserver.errors import MalformedDataVersion, UnsupportedDataVersion
from rmsserver.xrml.values import Version

MINIMUM = Version(1, 0, 0, 0)
MAXIMUM = Version(1, 2, 0, 0)
_MAXIMA = {"EnrollService": MINIMUM}
"""Services that speak less than the server ([MS-RMPR] 3.6.4.1.1)."""
_FOUR_NUMBERS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9}){3}\Z")


def maximum_of(service: str) -> Version:
    """The highest version of a service, by its name in the WSDL."""
    return _MAXIMA.get(service, MAXIMUM)


def negotiated(header: etree._Element | None, highest: Version = MAXIMUM) -> Version:
    """The MaximumVersion that a request asks for; 1.0.0.0 where header or element is missing.

    Raises MalformedDataVersion where a number is none or the minimum lies above the maximum, UnsupportedDataVersion where
    the range has nothing in common with ours, which ends at `highest`, or its end lies above it.
    """
    minimum, maximum = _number(header, "MinimumVersion"), _number(header, "MaximumVersion")
    if minimum > maximum:
        raise MalformedDataVersion("minimum above maximum")
    if maximum > highest or maximum < MINIMUM:
        raise UnsupportedDataVersion(str(maximum))
    return maximum


def _number(header: etree._Element | None, name: str) -> Version:
    if header is None:
        return MINIMUM
    tag = str(header.tag)
    wanted = tag[: tag.rfind("}") + 1] + name
    found = [child for child in header if child.tag == wanted]
    if not found:
        return MINIMUM
    text = found[0].text or ""
    if len(found) > 1 or len(found[0]) or not _FOUR_NUMBERS.match(text):
        raise MalformedDataVersion(name)
    return Version.parse(text)
