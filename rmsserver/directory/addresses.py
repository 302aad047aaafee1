"""Which e-mail addresses and login names may stand in the directory (threat N2)."""

from __future__ import annotations

import re
import unicodedata

from rmsserver.errors import OperatorError

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_NOT_IN_LOGINS = frozenset('"/\\[]:;|=,+*?<>@')
"""What Windows does not allow in an account name, and what splits a login."""


def check_email(text: str) -> str:
    """The address, without surrounding blanks: the addr-spec of [RFC822] without quotes, comments and
    literals.

    Raises OperatorError.
    """
    email = text.strip()
    local, _, domain = email.rpartition("@")
    if not _EMAIL.fullmatch(email) or len(local) > 64 or len(domain) > 255:
        raise OperatorError(f"{text[:80]!r} is not an e-mail address: write it like reader@example.com")
    return email


def check_login(text: str) -> str:
    """The login name in normal form. Raises OperatorError."""
    login = unicodedata.normalize("NFC", text.strip())
    if not login or len(login) > 64 or not login.isprintable() or _NOT_IN_LOGINS.intersection(login):
        raise OperatorError(f'{text[:80]!r} is not a login name: up to 64 characters, none of "/\\[]:;|=,+*?<>@')
    return login


def can_be_looked_up(text: str) -> bool:
    """False for what no entry can be called: too long, control characters, half characters. It never reaches
    a database.
    """
    return 0 < len(text) <= 320 and text.isprintable()
