"""How a person signs on over HTTP: with Kerberos tickets, or with a password by NTLM or Basic; by what the server offers."""

from __future__ import annotations

import base64
import binascii
import enum
import importlib.util
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests_ntlm import HttpNtlmAuth

from rmsserver.client.errors import SignOnError

if TYPE_CHECKING:
    from rmsserver.client.kerberos import KerberosSignOn


class Method(enum.StrEnum):
    """What `--auth` says."""

    AUTO = "auto"
    """Kerberos where the server takes it and this user has tickets, else Basic where nobody can listen, else NTLM."""
    KERBEROS = "kerberos"
    NTLM = "ntlm"
    BASIC = "basic"


@dataclass(frozen=True)
class Credentials:
    """Who signs on. `user` is `name`, `DOMAIN\\name` or `name@realm`; "" for whoever the Kerberos tickets are of.

    `password` may be a function, which is called only where a password is needed, once; it may raise SignOnError.
    """

    user: str
    password: str | Callable[[], str] = field(repr=False, default="")
    method: Method = Method.AUTO

    @cached_property
    def secret(self) -> str:
        return self.password if isinstance(self.password, str) else self.password()


def tickets_of() -> str | None:
    """Whose Kerberos tickets there are (`user@REALM`); None where there are none, or GSSAPI is not installed."""
    if importlib.util.find_spec("gssapi") is None:
        return None
    from rmsserver.client.kerberos import ticket_holder

    return ticket_holder()


def is_same_user(user: str, principal: str) -> bool:
    """Whether a login can be that of a Kerberos principal: same name, and same realm where the login has one."""
    name, _, realm = principal.rpartition("@")
    given = user.rpartition("\\")[2]
    given_name, at, given_realm = given.partition("@")
    return given_name.lower() == name.lower() and (not at or given_realm.lower() == realm.lower())


class ChallengedAuth(AuthBase):
    """Answers what the server asks for.

    Of the two ways with a password Basic comes first, because servers keep an NT hash only for those who need one, and a
    try with NTLM that must fail counts as a guess at the password. The name was typed for this server, which TLS has
    verified.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Connection"] = "Keep-Alive"
        request.register_hook("response", self._answer)  # type: ignore[no-untyped-call]
        return request

    def _answer(self, response: requests.Response, **settings: Any) -> requests.Response:
        if response.status_code != 401 or "Authorization" in response.request.headers:
            return response
        offered, method = response.headers.get("WWW-Authenticate", "").lower(), self._credentials.method
        if method in (Method.AUTO, Method.KERBEROS) and "negotiate" in offered and self._has_tickets():
            return self._with_kerberos(response, settings)
        if method in (Method.AUTO, Method.BASIC) and "basic" in offered and is_confidential(response.url):
            basic = HTTPBasicAuth(self._credentials.user.encode(), self._credentials.secret.encode())
            return _retry(response, settings, basic)
        if method in (Method.AUTO, Method.NTLM) and ("ntlm" in offered or "negotiate" in offered):
            ntlm = HttpNtlmAuth(self._credentials.user, self._credentials.secret)
            answer: requests.Response = ntlm.response_hook(response, **settings)
            return answer
        return response

    def _has_tickets(self) -> bool:
        """Raises SignOnError where Kerberos was demanded and cannot be."""
        user, demanded = self._credentials.user, self._credentials.method is Method.KERBEROS
        principal = tickets_of()
        if principal is None:
            if demanded:
                raise SignOnError(
                    'There are no Kerberos tickets; run kinit, and see that "rmsserver[ad]" is installed.'
                )
            return False
        if user and not is_same_user(user, principal):
            if demanded:
                raise SignOnError(f"The Kerberos tickets are of {principal}, not of {user}; run kinit for {user}.")
            return False
        return True

    def _with_kerberos(self, response: requests.Response, settings: dict[str, Any]) -> requests.Response:
        from rmsserver.client.kerberos import KerberosSignOn

        attempt = KerberosSignOn(urlsplit(response.url).hostname or "", _certificate_of(response))
        header = "Negotiate " + base64.b64encode(attempt.first_token()).decode("ascii")

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = header
            return request

        answer = _retry(response, settings, authorize)
        if answer.status_code != 401:
            _check_server(attempt, answer)
        return answer


def _check_server(attempt: KerberosSignOn, answer: requests.Response) -> None:
    scheme, _, token = answer.headers.get("WWW-Authenticate", "").partition(" ")
    try:
        octets = base64.b64decode(token.strip(), validate=True) if scheme.lower() == "negotiate" else b""
    except binascii.Error:
        octets = b""
    attempt.check_server(octets)


def _retry(
    response: requests.Response,
    settings: dict[str, Any],
    authorize: Callable[[requests.PreparedRequest], requests.PreparedRequest],
) -> requests.Response:
    """The same request once more over the same connection, with an Authorization header."""
    _ = response.content  # the connection is free again only when the answer was read
    response.close()
    request = authorize(response.request.copy())
    assert response.connection is not None  # noqa: S101 - set by the adapter that made the response
    answer = response.connection.send(request, **settings)
    answer.history.append(response)
    return answer


def _certificate_of(response: requests.Response) -> bytes | None:
    """The server's certificate (DER) of the connection an unread answer came over; None without TLS."""
    if urlsplit(response.url).scheme != "https":
        return None
    connection = getattr(response.raw, "connection", None) or getattr(response.raw, "_connection", None)
    socket = getattr(connection, "sock", None)
    if socket is None:
        raise SignOnError("The TLS connection is gone before the sign-on; try again.")
    certificate: bytes | None = socket.getpeercert(True)
    return certificate


def is_confidential(url: str) -> bool:
    """Nobody on the way can read what is sent there: TLS, or this machine itself."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_this_machine(parts.hostname or "")


def is_this_machine(host: str) -> bool:
    """True for `localhost` and loopback addresses."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal(offered: str, url: str, shown: str, credentials: Credentials | None) -> str:
    """One line for a 401, that says what to do. `shown` is the address as it may be printed."""
    offered, method = offered.lower(), credentials.method if credentials is not None else Method.AUTO
    if "basic" in offered and "ntlm" not in offered and not is_confidential(url):
        return f"{shown} asks for a password in clear text; use its https:// address."
    if method is Method.KERBEROS and "negotiate" in offered:
        return f"{shown} did not accept the Kerberos ticket; run kinit again, or use --auth ntlm or --auth basic."
    names = {Method.KERBEROS: "negotiate", Method.NTLM: "ntlm", Method.BASIC: "basic"}
    if method is not Method.AUTO and names[method] not in offered:
        return f"{shown} does not take {method}; use another --auth, or --auth auto."
    return f"{shown} did not accept the user name or password."
