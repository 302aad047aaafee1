"""What comes back from a controller: entries, or one of four kinds of failure. Needs no LDAP library."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Mapping
from dataclasses import dataclass


class LdapFailure(Exception):
    """Base of what goes wrong with a connection. The text is one line, for the log and the audit."""


class ControllerDown(LdapFailure):
    """The controller cannot be used: unreachable, silent, wrong certificate, bind refused. Another may do."""

    def __init__(self, text: str, *, stale: bool = False) -> None:
        super().__init__(text)
        self.stale = stale
        """The connection had been closed from the other side: a fresh one may work."""


class NotSupported(LdapFailure):
    """The controller does not know this filter, attribute or control."""


class NotPermitted(LdapFailure):
    """The account we bind with lacks the right."""


class SearchRefused(LdapFailure):
    """The controller is there and refused this request for another reason."""


class Scope(enum.Enum):
    """How far below the base a search reaches ([RFC4511] 4.5.1.2)."""

    BASE = 0
    ONE_LEVEL = 1
    SUBTREE = 2


@dataclass(frozen=True)
class Entry:
    """An object of the directory. Attribute names in lower case."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]

    def all(self, attribute: str) -> tuple[bytes, ...]:
        return self.attributes.get(attribute.lower(), ())

    def texts(self, attribute: str) -> tuple[str, ...]:
        """The values that are UTF-8."""
        found = []
        for value in self.all(attribute):
            with contextlib.suppress(UnicodeDecodeError):
                found.append(value.decode())
        return tuple(found)

    def text(self, attribute: str) -> str:
        """The first value; "" where there is none."""
        return next(iter(self.texts(attribute)), "")

    def number(self, attribute: str) -> int:
        """The first value; 0 where there is none."""
        text = self.text(attribute)
        return int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdigit() else 0
