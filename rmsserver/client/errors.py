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


class TrustError(ClientError):
    """A certificate or licence that does not chain to the root and server this client was set up with."""


class SetupError(ClientError):
    """The client's own store is missing something, is damaged, or is open to others."""


class ServerUnreachableError(ClientError):
    """No answer: wrong address, no network, TLS that cannot be verified, or a time-out."""


class ServerAnswerError(ClientError):
    """The server answered something that is no answer of the protocol."""


class SignOnError(ClientError):
    """The server did not accept the user name or password."""


class ServiceFaultError(ClientError):
    """The server refused a request. `name` is the short exception name of the protocol ([MS-RMPR]
    3.1.4.5)."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class RefusedError(ClientError):
    """The licence does not allow what was asked for."""
