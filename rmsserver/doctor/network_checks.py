"""The way to the cluster's URL: name, port, TLS, and what the server asks of a caller who has not signed on.

Looked at from this machine, as a client would; a name that only clients resolve, or a firewall between, shows elsewhere.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rmsserver.doctor.finding import Finding, failure, ok, warning

_SECONDS = 4.0
_SOON = dt.timedelta(days=21)
_ENDPOINT = "/certification/certification.asmx"


@dataclass(frozen=True)
class Place:
    """Where clients go. `ca_file`: what they trust besides what this system trusts."""

    base_url: str
    ca_file: Path | None = None
    in_domain: bool = False
    """Sign-on is against Active Directory."""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.base_url).port or (443 if self.has_tls else 80)

    @property
    def has_tls(self) -> bool:
        return urlsplit(self.base_url).scheme == "https"


def check_name(place: Place) -> Iterator[Finding]:
    """The URL's host has an address; in a domain it is no alias, or the alias's target has a principal name too."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except (OSError, UnicodeError) as error:
        yield failure("name", f"{place.host} has no address ({error})", f"give {place.host} an A record in DNS")
        return
    addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
    canonical = found[0][3].rstrip(".").lower()
    if place.in_domain and canonical and canonical != place.host.lower() and not _is_address(place.host):
        yield warning(
            "name",
            f"{place.host} is an alias of {canonical} ({addresses})",
            f"clients may ask for tickets for HTTP/{canonical}: use an A record, or add that name too",
        )
    else:
        yield ok("name", f"{place.host} is {addresses}")


def check_port(place: Place) -> Iterator[Finding]:
    try:
        with contextlib.closing(socket.create_connection((place.host, place.port), _SECONDS)):
            yield ok("port", f"{place.host}:{place.port} accepts connections")
    except OSError as error:
        yield failure(
            "port",
            f"{place.host}:{place.port} cannot be reached ({error.strerror or error})",
            "start rmsserver serve there; see --listen, port forwarding and firewall",
        )


def check_tls(place: Place, now: dt.datetime) -> Iterator[Finding]:
    """The chain closes at an authority that this system trusts, the name is right, and it does not end soon."""
    if not place.has_tls:
        if place.host != "localhost" and not place.host.startswith("127."):
            yield warning("tls", "the URL has no TLS: anybody on the way reads along", "serve it under https://")
        return
    try:
        certificate = _peer_certificate(place)
    except ssl.SSLCertVerificationError as error:
        yield failure(
            "tls", f"the certificate is not good for {place.host}: {error.verify_message}", _tls_remedy(error)
        )
        return
    except OSError as error:
        yield failure("tls", f"no TLS on {place.host}:{place.port} ({error})", "see tls_certificate and tls_key")
        return
    end = dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), dt.UTC)
    if end - now < _SOON:
        yield warning("tls", f"the certificate ends {end:%Y-%m-%d}", "renew it and restart the server")
    else:
        yield ok("tls", f"the certificate is good for {place.host} until {end:%Y-%m-%d}")


def check_sign_on(place: Place) -> Iterator[Finding]:
    """Whoever has not signed on is asked to, by the ways that clients of a domain know."""
    try:
        status, offered = _unsigned_request(place)
    except (OSError, http.client.HTTPException) as error:
        yield failure("sign-on", f"no answer to a request over HTTP ({error})", "see the log of the server")
        return
    ways = ", ".join(dict.fromkeys(header.split()[0] for header in offered if header.split())) or "no way to sign on"
    if status != 401:
        remedy = "see rmsserver endpoints" if status in (200, 403, 500) else "is this server behind that URL?"
        yield warning("sign-on", f"{_ENDPOINT} answers {status} to a caller who has not signed on", remedy)
    elif place.in_domain and "negotiate" not in ways.lower():
        yield failure(
            "sign-on", f"the server offers {ways}", "Windows clients need Negotiate: see [sign_on] mechanisms"
        )
    else:
        yield ok("sign-on", f"the server offers {ways}")


def _peer_certificate(place: Place) -> dict[str, object]:
    with (
        contextlib.closing(socket.create_connection((place.host, place.port), _SECONDS)) as raw,
        _trust(place).wrap_socket(raw, server_hostname=place.host) as wrapped,
    ):
        return dict(wrapped.getpeercert() or {})


def _unsigned_request(place: Place) -> tuple[int, list[str]]:
    """(status, WWW-Authenticate headers). Trust is `check_tls`'s business: nothing secret is sent here."""
    connection: http.client.HTTPConnection
    if place.has_tls:
        untrusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        untrusting.check_hostname, untrusting.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(place.host, place.port, timeout=_SECONDS, context=untrusting)
    else:
        connection = http.client.HTTPConnection(place.host, place.port, timeout=_SECONDS)
    with contextlib.closing(connection):
        headers = {"Content-Type": "text/xml; charset=utf-8", "User-Agent": "rmsserver doctor"}
        connection.request("POST", urlsplit(place.base_url).path + _ENDPOINT, b"", headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_all("WWW-Authenticate") or []


def _trust(place: Place) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if place.ca_file is not None:
        context.load_verify_locations(place.ca_file)
    return context


def _tls_remedy(error: ssl.SSLCertVerificationError) -> str:
    text = error.verify_message.lower()
    if "mismatch" in text or "not valid for" in text:
        return "get a certificate for this very name"
    if "expired" in text:
        return "renew it and restart the server"
    return "put the intermediates into tls_certificate; where the authority is your own, name it with --ca"


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
