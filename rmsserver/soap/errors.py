"""What can be wrong with a SOAP message before any operation sees it. Messages never quote the request."""

from __future__ import annotations


class SoapClientError(Exception):
    """The message cannot be read or does not fit the service: a `Client` (SOAP 1.2: `Sender`) fault."""

    code = "Client"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class NotUnderstood(SoapClientError):
    """A header that must be understood and is not: a `MustUnderstand` fault."""

    code = "MustUnderstand"


class VersionMismatch(SoapClientError):
    """The root is an envelope of another SOAP version than the content type says."""

    code = "VersionMismatch"


class UnsupportedMediaType(Exception):
    """Not SOAP at all, by its content type: an HTTP 415."""
