"""What can go wrong for a person at the client: each is one line that says what to do, and exit code 2."""

from __future__ import annotations


class ClientError(Exception):
    """Base of everything the client raises. `str()` is one line for the person; never key material."""


class ContentError(ClientError):
    """Encrypted content that cannot be what it claims: cut short, damaged, or opened with another key."""


class PFileError(ClientError):
    """Not a PFile, a version that is not supported, or offsets and lengths that do not fit the file."""


class OutputError(ClientError):
    """A file cannot be written, or is there already and may not be replaced."""
