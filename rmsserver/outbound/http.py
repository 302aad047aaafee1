"""HTTP to another server: verified TLS, no redirects, no proxies out of the environment, bounded in time, size and number."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests_ntlm import HttpNtlmAuth
from urllib3.exceptions import HTTPError

from rmsserver.ports import PortUnavailable

_CHUNK = 65_536
_CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class PeerAccount:
    """Whom this server signs on as, by NTLM, which shows the password to nobody. `login` as in `DOMAIN\\user`."""

    login: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Question:
    """One request. `seconds` is for all of it, sign-on included."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    seconds: float
    limit_bytes: int
    sign_on: bool = True

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or "the server"


@dataclass(frozen=True)
class Answer:
    """An answer, read whole."""

    status: int
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class HttpPeer:
    """Posts to URLs of the configuration. `ca_file` takes the place of the public authorities for TLS.

    `simultaneous` requests at once; one more is refused rather than queued, so that a slow server, or two servers that ask
    each other in a circle, cannot take all workers.
    """

    account: PeerAccount | None = None
    ca_file: Path | None = None
    simultaneous: int = 4
    _places: threading.BoundedSemaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_places", threading.BoundedSemaphore(self.simultaneous))

    def post(self, question: Question) -> Answer:
        """Ask on a connection of its own. Raises PortUnavailable; its detail names neither password nor body.

        Asks in a thread of its own: time limits of sockets begin anew with each octet that a server drips, and whoever
        called must not wait for it. The thread keeps its place until the connection is over.
        """
        if not self._places.acquire(blocking=False):
            raise PortUnavailable("all connections to other servers are in use")
        outcome: list[Answer | PortUnavailable] = []
        thread = threading.Thread(target=self._ask, args=(question, outcome), daemon=True)
        thread.start()
        thread.join(question.seconds)
        if not outcome:
            raise PortUnavailable(f"{question.host} did not answer in time")
        if isinstance(outcome[0], PortUnavailable):
            raise outcome[0]
        return outcome[0]

    def _ask(self, question: Question, outcome: list[Answer | PortUnavailable]) -> None:
        try:
            outcome.append(self._exchange(question))
        except PortUnavailable as error:
            outcome.append(error)
        except (requests.RequestException, HTTPError, OSError, KeyError, ValueError) as error:
            # requests_ntlm raises the last two, and PermissionError, where a server breaks off the handshake.
            outcome.append(PortUnavailable(f"no answer from {question.host}: {type(error).__name__}"))
        finally:
            self._places.release()

    def _exchange(self, question: Question) -> Answer:
        deadline = time.monotonic() + question.seconds
        with self._session(question) as session:
            answering = session.post(
                question.url,
                data=question.body,
                headers={**question.headers, "Accept-Encoding": "identity", "User-Agent": "rmsserver"},
                stream=True,
                allow_redirects=False,
                timeout=(min(question.seconds, _CONNECT_SECONDS), question.seconds),
            )
            with answering as response:
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise PortUnavailable(f"{question.host} answered in a coding it was not asked for")
                body = _read(response, question, deadline)
                return Answer(response.status_code, response.headers.get("Content-Type", ""), body)

    def _session(self, question: Question) -> requests.Session:
        session = requests.Session()
        # Proxies, .netrc and CA bundles out of the environment would move connection or sign-on elsewhere.
        session.trust_env = False
        session.verify = str(self.ca_file) if self.ca_file else True
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=0, pool_maxsize=1))
        if self.account is not None and question.sign_on:
            session.auth = HttpNtlmAuth(self.account.login, self.account.password)
        return session


def _read(response: requests.Response, question: Question, deadline: float) -> bytes:
    """The body, as much at a time as there is, within its limits."""
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK):
        body += chunk
        if len(body) > question.limit_bytes:
            raise PortUnavailable(f"{question.host} answered with more than {question.limit_bytes} bytes")
        if time.monotonic() > deadline:
            raise PortUnavailable(f"{question.host} did not answer in time")
    return bytes(body)
