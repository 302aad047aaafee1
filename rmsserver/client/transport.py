"""HTTP to the cluster: TLS, limits, and errors a person can act on. Touches the network.

The password goes where the person said and where that server sends us, never to an address out of a
document: a hostile file must not be able to collect sign-ons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from rmsserver.client.errors import ClientError, ServerAnswerError, ServerUnreachableError, SignOnError
from rmsserver.client.sign_on import ChallengedAuth, Credentials, is_this_machine, refusal

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 120.0
SOAP_STATUSES = frozenset({200, 500})
"""An answer, or a fault."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole and unpacked."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


class HttpConnection:
    """One person's connection to a cluster. NTLM and Kerberos authenticate the connection, so there is
    one, kept alive."""

    def __init__(
        self, credentials: Credentials | None = None, *, ca_file: Path | None = None, allow_http: bool = False
    ) -> None:
        """`ca_file` holds the certificates that may stand above the server's for TLS; else the system's do.

        `allow_http` permits addresses without TLS that are not this machine's own.
        """
        self._allow_http = allow_http
        self._credentials = credentials
        self._session = requests.Session()
        # Proxy settings and .netrc out of the environment would move the sign-on elsewhere.
        self._session.trust_env = False
        self._session.mount("https://", HTTPAdapter(pool_connections=4, pool_maxsize=1))
        self._session.mount("http://", HTTPAdapter(pool_connections=4, pool_maxsize=1))
        self._session.verify = str(ca_file) if ca_file else True
        self._session.headers["User-Agent"] = "rmsclient"
        if credentials is not None:
            self._session.auth = ChallengedAuth(credentials)

    def post(
        self, url: str, data: bytes, headers: dict[str, str], *, statuses: frozenset[int] = SOAP_STATUSES
    ) -> Answer:
        """Send one request. An answer of another status than `statuses` is an error.

        Raises SignOnError, ServerUnreachableError or ServerAnswerError.
        """
        return self._send("POST", url, data, headers, statuses)

    def get(self, url: str, *, limit_bytes: int | None = None) -> Answer:
        """Fetch service descriptions and revocation lists; `limit_bytes` where less is enough. Raises as `post`."""
        return self._send("GET", url, None, {}, frozenset({200}), limit_bytes)

    def close(self) -> None:
        self._session.close()

    def _send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: dict[str, str],
        statuses: frozenset[int],
        limit_bytes: int | None = None,
    ) -> Answer:
        self.check_address(url)
        try:
            with self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(CONNECT_TIMEOUT_S, ANSWER_TIMEOUT_S),
            ) as response:
                return self._read(response, url, statuses, limit_bytes)
        except (requests.RequestException, PermissionError, KeyError) as error:
            # requests_ntlm raises the last two where a server breaks off the handshake.
            raise _explain(error, url) from None

    def check_address(self, url: str) -> None:
        """Refuse what is not HTTP, and plain HTTP to other machines. Raises ServerUnreachableError."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ServerUnreachableError(f"{_shown(url)} is not an address of the form https://host/_wmcs.")
        if parts.scheme == "http" and not self._allow_http and not is_this_machine(parts.hostname):
            raise ServerUnreachableError(
                f"{_shown(url)} has no TLS; use https://, or --allow-http where the network is safe."
            )

    def _read(self, response: requests.Response, url: str, statuses: frozenset[int], limit_bytes: int | None) -> Answer:
        if response.status_code == 401:
            offered = response.headers.get("WWW-Authenticate", "")
            raise SignOnError(refusal(offered, url, _shown(url), self._credentials))
        if response.status_code not in statuses:
            raise ServerAnswerError(f"{_shown(url)} answered HTTP status {response.status_code}.")
        body = bytearray()
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > (limit_bytes or ANSWER_LIMIT_BYTES):
                raise ServerAnswerError(f"{_shown(url)} sent an answer that is too large.")
        return Answer(response.status_code, response.headers.get("Content-Type", ""), bytes(body))


def _explain(error: Exception, url: str) -> ClientError:
    where = _shown(url)
    if isinstance(error, requests.exceptions.SSLError):
        return ServerUnreachableError(
            f"The TLS certificate of {where} cannot be verified; name its CA certificate with --ca FILE."
        )
    if isinstance(error, requests.exceptions.Timeout):
        return ServerUnreachableError(f"{where} did not answer in time; try again later.")
    if isinstance(error, requests.exceptions.ConnectionError):
        return ServerUnreachableError(f"{where} cannot be reached; check the address and the network.")
    if isinstance(error, (PermissionError, KeyError)):
        return SignOnError(f"{where} broke off the sign-on; check user name and password.")
    return ServerAnswerError(f"{where} did not answer as an HTTP server does.")


def _shown(url: str) -> str:
    """An address as it may be printed: without user name, query, control characters."""
    parts = urlsplit(url)
    text = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return "".join(c for c in text if c.isprintable())[:200]
