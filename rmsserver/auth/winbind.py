"""NTLM against a domain: winbind passes a client's response on to a domain controller, through Samba's `ntlm_auth`
(`--helper-protocol=ntlm-server-1`).

The handshake stays ours (`ntlm`): challenge, refusal of NTLMv1, MIC, channel bindings. The controller says whether the
response proves the password, and answers with the session key, which is what MIC and SPNEGO are then checked with. So all
that holds for the embedded directory holds here. What the account is called is looked up in the directory.

The account the server runs as needs access to winbind's privileged pipe (group `winbindd_priv` on Debian).
"""

from __future__ import annotations

import base64
import os
import select
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from rmsserver.auth.domain_accounts import DomainAccounts
from rmsserver.auth.mechanism import SignOnError
from rmsserver.auth.ntlm import Proven, ServerNames, login_of
from rmsserver.auth.ntlm_messages import (
    AuthenticateMessage,
    AvId,
    ClientChallenge,
    Flags,
    NegotiateMessage,
    NtlmMessageError,
    read_target_info,
)
from rmsserver.ports import PortUnavailable

TIMEOUT_S = 5.0
_ANSWER_LIMIT_BYTES = 65_536
_UNAVAILABLE = ("winbind", "logon server", "domain controller", "timeout", "timed out", "time-out", "access denied",
                "access_denied", "rpc", "trust relationship", "pipe", "unsuccessful")  # fmt: skip
"""Words in an Authentication-Error that are about the way to the controller and not about the account."""

_log = structlog.get_logger()


class HelperFailed(Exception):
    """The helper process died, hung or answered nonsense; it is of no use any more."""


@dataclass(frozen=True)
class WinbindSettings:
    program: Path
    """`ntlm_auth` of Samba."""
    helpers: int = 4
    """At most so many processes; each checks one response at a time."""


class Helper:
    """One process of `ntlm_auth`. Used by one thread at a time."""

    def __init__(self, program: Path, protocol: str) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the program is the administrator's, the word is ours
                [program, f"--helper-protocol={protocol}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise HelperFailed(f"{program} cannot be started: {error.strerror}") from None

    def ask(self, question: bytes, end: bytes, deadline: float) -> bytes:
        """Send, and read up to `end` (a monotonic time is the `deadline`). Raises HelperFailed; then only `close` is left."""
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101
        answer = b""
        try:
            if select.select([self._process.stdout], [], [], 0)[0]:
                raise HelperFailed("talks unasked, or has ended")
            self._process.stdin.write(question)
            while not answer.endswith(end):
                remaining = deadline - time.monotonic()
                ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, remaining))
                if not ready:
                    raise HelperFailed("no answer in time")
                octets = os.read(self._process.stdout.fileno(), 4096)
                answer += octets
                if not octets or len(answer) > _ANSWER_LIMIT_BYTES:
                    raise HelperFailed("ended, or talks without end")
        except OSError:
            raise HelperFailed("died") from None
        return answer

    def close(self) -> None:
        """End the process, by force: it holds nothing that could be lost."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


class Helpers:
    """A bounded pool of helpers, each started when first needed and replaced when it fails. Thread-safe."""

    def __init__(self, settings: WinbindSettings, *, timeout_s: float = TIMEOUT_S) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._slots = threading.BoundedSemaphore(settings.helpers)
        self._idle: list[Helper] = []
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, question: bytes) -> dict[str, str]:
        """The fields of the answer. Raises PortUnavailable within the timeout."""
        deadline = time.monotonic() + self._timeout_s
        if not self._slots.acquire(timeout=self._timeout_s):
            raise PortUnavailable("every ntlm_auth helper is busy")
        try:
            return _fields(self._ask(question, deadline))
        except HelperFailed as error:
            _log.warning("ntlm_auth failed", why=str(error))
            raise PortUnavailable("ntlm_auth does not answer") from None
        finally:
            self._slots.release()

    def server_names(self) -> ServerNames:
        """What the domain's controllers know this machine as: out of the challenge that winbind itself would send."""
        helper = None
        try:
            helper = Helper(self._settings.program, "squid-2.5-ntlmssp")
            wish = NegotiateMessage(Flags.UNICODE | Flags.REQUEST_TARGET | Flags.NTLM | Flags.EXTENDED_SESSION_SECURITY)
            question = b"YR " + base64.b64encode(wish.write()) + b"\n"
            answer = helper.ask(question, b"\n", time.monotonic() + self._timeout_s)
            if not answer.startswith(b"TT "):
                raise HelperFailed("no challenge; is winbind running, and this machine a member of the domain?")
            return _names_in(base64.b64decode(answer[3:]))
        except (HelperFailed, NtlmMessageError, ValueError) as error:
            _log.warning("ntlm_auth failed", why=str(error))
            raise PortUnavailable("ntlm_auth does not answer") from None
        finally:
            if helper is not None:
                helper.close()

    def close(self) -> None:
        """End the idle helpers; those at work end after it."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for helper in idle:
            helper.close()

    def _ask(self, question: bytes, deadline: float) -> bytes:
        """Asks a helper that is there, and where that one has died meanwhile, a new one."""
        with self._lock:
            helper = self._idle.pop() if self._idle else None
        if helper is not None:
            try:
                return self._ask_one(helper, question, deadline)
            except HelperFailed:
                if time.monotonic() >= deadline:
                    raise
        return self._ask_one(Helper(self._settings.program, "ntlm-server-1"), question, deadline)

    def _ask_one(self, helper: Helper, question: bytes, deadline: float) -> bytes:
        try:
            answer = helper.ask(question, b".\n", deadline)
        except BaseException:
            helper.close()
            raise
        # Samba ends a refusal with two full stops, the second of which would be taken for the next answer. A helper is kept
        # only after the one answer whose end is certain; no answer can then ever reach another's question.
        with self._lock:
            keep = not self._closed and answer.startswith(b"Authenticated: Yes\n")
            if keep:
                self._idle.append(helper)
        if not keep:
            helper.close()
        return answer


class WinbindVerifier:
    """The `ResponseVerifier` of a domain. `domain` and `computer` of the challenge are those of the machine's account."""

    is_remote = True

    def __init__(self, helpers: Helpers, accounts: DomainAccounts) -> None:
        self._helpers = helpers
        self._accounts = accounts
        self._names: ServerNames | None = None

    def names(self) -> ServerNames:
        """Asked once, and again after a failure."""
        if self._names is None:
            self._names = self._helpers.server_names()
        return self._names

    def verify(
        self,
        message: AuthenticateMessage,
        response: ClientChallenge,  # noqa: ARG002 - the interface; the controller reads it for itself
        server_challenge: bytes,
    ) -> Proven | None:
        # A name without a domain is one of our own; with an @ the controller finds its domain itself.
        domain = message.domain or ("" if "@" in message.user else self.names().netbios_domain)
        answer = self._helpers.ask(_question(message.user, domain, server_challenge, message.nt_response))
        key = _session_key(answer)
        if key is None:
            return None
        login = login_of(message) if message.domain or "@" in message.user else f"{domain}\\{message.user}"
        try:
            return Proven(self._accounts.of_name(login), key)
        except SignOnError as error:
            _log.info("sign-on refused", reason=error.reason, login=error.login)
            return None


def _question(user: str, domain: str, challenge: bytes, nt_response: bytes) -> bytes:
    """Names in base64, so that nothing in them can be taken for another line."""
    lines = (
        f"Username:: {_encoded(user)}",
        f"NT-Domain:: {_encoded(domain)}" if domain else "",
        f"LANMAN-Challenge: {challenge.hex()}",
        f"NT-Response: {nt_response.hex()}",
        "Request-User-Session-Key: Yes",
        ".\n",
    )
    return "\n".join(line for line in lines if line).encode("ascii")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode("ascii")


def _fields(answer: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in answer.decode("utf-8", "replace").splitlines())
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


def _session_key(answer: dict[str, str]) -> bytes | None:
    """The key where the response was right; None where it was wrong. Raises PortUnavailable where nobody could say."""
    if answer.get("authenticated") == "Yes":
        try:
            key = bytes.fromhex(answer.get("user-session-key", ""))
        except ValueError:
            key = b""
        # Without its key the MIC could not be checked; an all-zero one is what a guest gets.
        return key if len(key) == 16 and any(key) else None
    error = answer.get("authentication-error", answer.get("error", "winbind said nothing"))
    if "authenticated" not in answer or any(word in error.lower() for word in _UNAVAILABLE):
        _log.warning("winbind cannot check passwords", why=error[:200])
        raise PortUnavailable("winbind cannot reach a domain controller")
    return None


def _names_in(challenge: bytes) -> ServerNames:
    info = read_target_info(challenge)
    texts = {av_id: info.get(av_id, b"").decode("utf-16-le", "replace") for av_id in (1, 2, 3, 4)}
    names = ServerNames(
        texts[AvId.NB_DOMAIN_NAME],
        texts[AvId.NB_COMPUTER_NAME],
        texts[AvId.DNS_DOMAIN_NAME],
        texts[AvId.DNS_COMPUTER_NAME],
    )
    if not names.netbios_domain or not names.netbios_computer:
        raise NtlmMessageError("challenge without names")
    return names
