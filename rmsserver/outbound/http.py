"""HTTP to another server: verified TLS, no redirects, no proxies out of the environment, bounded in time and size."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_ntlm import HttpNtlmAuth

from rmsserver.ports import PortUnavailable

_CHUNK = 65_536


@dataclass(frozen=True)
class PeerAccount:
    """Whom this server signs on as, by NTLM, which shows the password to nobody. `login` as in `DOMAIN\\user`."""

    login: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """An answer, read whole."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class HttpPeer:
    """Posts to URLs of the configuration. `ca_file` takes the place of the public authorities for TLS."""

    account: PeerAccount | None = None
    ca_file: Path | None = None

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        seconds: float,
        limit_bytes: int,
        sign_on: bool = True,
    ) -> Answer:
        """One request on a connection of its own. `seconds` is for all of it, sign-on included.

        Raises PortUnavailable; its detail names neither password nor body.
        """
        deadline = time.monotonic() + seconds
        with requests.Session() as session:
            # Proxies, .netrc and CA bundles out of the environment would move connection or sign-on elsewhere.
            session.trust_env = False
            session.verify = str(self.ca_file) if self.ca_file else True
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=0, pool_maxsize=1))
            if self.account is not None and sign_on:
                session.auth = HttpNtlmAuth(self.account.login, self.account.password)
            try:
                return _exchange(session, url, body, headers, deadline, limit_bytes)
            except (requests.RequestException, OSError, KeyError, ValueError) as error:
                # requests_ntlm raises the last two, and PermissionError, where a server breaks off the handshake.
                raise PortUnavailable(f"no answer from {_host(url)}: {type(error).__name__}") from None


def _exchange(
    session: requests.Session, url: str, body: bytes, headers: Mapping[str, str], deadline: float, limit_bytes: int
) -> Answer:
    seconds = max(deadline - time.monotonic(), 0.1)
    with session.post(
        url,
        data=body,
        headers={**headers, "Accept-Encoding": "identity", "User-Agent": "rmsserver"},
        stream=True,
        allow_redirects=False,
        timeout=(min(seconds, 3.0), seconds),
    ) as response:
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise PortUnavailable(f"{_host(url)} answered in a coding it was not asked for")
        return Answer(
            response.status_code,
            response.headers.get("Content-Type", ""),
            _read(response, url, deadline, limit_bytes),
        )


def _read(response: requests.Response, url: str, deadline: float, limit_bytes: int) -> bytes:
    """The body; chunk by chunk, so that neither size nor a server that drips can go beyond the limits."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit_bytes:
            raise PortUnavailable(f"{_host(url)} answered with more than {limit_bytes} bytes")
        if time.monotonic() > deadline:
            raise PortUnavailable(f"{_host(url)} did not answer in time")
    return bytes(body)


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the server"
