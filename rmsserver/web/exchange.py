"""A request and an answer as plain values."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rmsserver.auth import ConnectionAuth
from rmsserver.state import AuthenticationType, DomainAccount, FederatedAccount

_GZIP_FROM_BYTES = 512
_GZIP_LEVEL = 1
"""Answers are base64 for the most part, which higher levels hardly make smaller, at three times the cost."""


@dataclass(frozen=True)
class HttpRequest:
    """`headers` has names in small letters; of a header sent more than once the last counts."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client_address: str
    sign_on: Callable[[], ConnectionAuth]
    """The sign-on of this request's connection, made when it is first needed."""
    secure: bool = False
    """Whether this server itself ended the connection's TLS."""

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


@dataclass(frozen=True)
class Refusal:
    """For the audit: why a caller was turned away, and who it was as far as known. `login` is of the client's making."""

    reason: str
    login: str = ""
    authentication: AuthenticationType = AuthenticationType.NONE
    account: DomainAccount | FederatedAccount | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """`operation` and `outcome` are labels for metrics; "" where there is nothing to count."""

    status: int
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=())
    operation: str = ""
    outcome: str = ""
    refusal: Refusal | None = field(default=None, compare=False)
    """Set where somebody was turned away before any operation was reached."""


_TEXTS = {
    400: "Bad request",
    401: "Sign-on required",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    413: "Too large",
    415: "Unsupported media type",
    500: "Internal error",
    503: "Not available at the moment",
}


def plain(status: int, *headers: tuple[str, str]) -> HttpAnswer:
    """An answer that says its status in words and nothing of the request."""
    return HttpAnswer(status, body=f"{_TEXTS[status]}\n".encode(), headers=headers, outcome=str(status))


def compressed(answer: HttpAnswer, accept_encoding: str | None) -> HttpAnswer:
    """The answer in gzip, where the client takes it and it is worth the trouble ([MS-RMPR] 2.1)."""
    if len(answer.body) < _GZIP_FROM_BYTES or not takes_gzip(accept_encoding):
        return answer
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=31)
    body = packer.compress(answer.body) + packer.flush()
    headers = (*answer.headers, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return replace(answer, body=body, headers=headers)


def takes_gzip(accept_encoding: str | None) -> bool:
    """What Accept-Encoding says of gzip: its own weight, else that of `*`; not where identity is liked better."""
    weights = dict(_weights(part) for part in (accept_encoding or "").split(",")[:20])
    gzip = max(weights.get("gzip", -1), weights.get("x-gzip", -1))
    if gzip < 0:
        gzip = weights.get("*", 0)
    return gzip > 0 and gzip >= weights.get("identity", 0)


def _weights(part: str) -> tuple[str, float]:
    coding, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return coding, min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return coding, 0.0
    return coding, 1.0
