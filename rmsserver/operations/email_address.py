"""Whether an e-mail address may stand in a certificate ([MS-RMPR] 3.3.4.1 wants the form of [RFC822])."""

from __future__ import annotations

import re

_MAX_LENGTH = 254
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LABEL = r"[^\W_](?:[^\W_]|-)*"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*\Z")
"""Dot-atom and domain names; letters of any script ([RFC6531]). No quoted local parts, comments or address literals:
directories do not hold them, and rights are compared by the plain text of an address."""


def is_email_address(text: str) -> bool:
    """True for `local@domain` without blanks, quotes or comments, of at most 254 characters."""
    return len(text) <= _MAX_LENGTH and _ADDRESS.match(text) is not None
