"""Passwords (HTTP Basic) against a domain: a ticket is asked for with the password, as `kinit` does.

The answer of a Kerberos server alone proves nothing: whoever can fake one on the network could vouch for any password. So
with the ticket just got we ask for one for this service itself and open it with our own keytab, which no forger can do.
The SID in it must be that of the account the caller named. Needs the extra `[ad]`.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

import gssapi
import structlog
from gssapi.raw.types import RequirementFlag

from rmsserver.auth.domain_accounts import DomainAccounts, DomainDirectory
from rmsserver.auth.kerberos import TicketAcceptor, account_of
from rmsserver.auth.mechanism import SignOnError
from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable
from rmsserver.state import DomainAccount

T = TypeVar("T")

TIMEOUT_S = 4.9
_MECHANISM = gssapi.MechType.kerberos
_PRINCIPAL = gssapi.NameType.kerberos_principal
_FIRST_ERROR = 2**32 - 1765328384
"""ERROR_TABLE_BASE_krb5 as an unsigned number; error codes of [RFC4120] 7.5.9 follow it."""
_REFUSALS = {6, 12, 14, 18, 23, 24, 31}
"""Of the account and its password: unknown, policy, no encryption type in common, disabled or locked or expired, password
expired, pre-authentication failed, and a reply that the password does not open."""
_S2K_ROUNDS = 4096

_log = structlog.get_logger()


class KerberosPasswords:
    """A `basic.PasswordCheck`. At most `checks` under way at once, as threads that a silent network may keep for longer than
    their caller waits."""

    def __init__(
        self,
        acceptor: TicketAcceptor,
        directory: DomainDirectory,
        service_name: str,
        *,
        checks: int = 16,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`service_name` is one that the acceptor accepts, realm or not. Raises OperatorError where it is no name."""
        self._acceptor = acceptor
        self._directory = directory
        self._accounts = DomainAccounts(directory)
        try:
            self._service = gssapi.raw.import_name(service_name.encode(), _PRINCIPAL)
            gssapi.raw.canonicalize_name(self._service, _MECHANISM)
        except gssapi.raw.GSSError as error:
            raise OperatorError(
                f"sign_on.service_principals: {service_name} is no name for Kerberos: {_words(error)}; write it with its "
                "@REALM, or a default_realm into /etc/krb5.conf"
            ) from None
        self._timeout_s = timeout_s
        self._slots = threading.BoundedSemaphore(checks)

    def check_password(self, login: str, password: str) -> DomainAccount | None:
        """Raises PortUnavailable within five seconds where no controller answers."""
        found = self._directory.by_login(login)
        realm = self._directory.realm_of(found.account) if found is not None else None
        if found is None or realm is None or not password:
            self._within_time(lambda: self._nobody(password))
            return None
        user = found.account.name.partition("\\")[2]
        principal = f"{user}@{realm}"
        proven = self._within_time(lambda: self._prove(principal, password))
        if proven is None or proven.sid != found.account.sid:
            return None
        return proven

    def _prove(self, principal: str, password: str) -> DomainAccount | None:
        credentials = self._ask(principal, password)
        if credentials is None:
            return None
        try:
            token = gssapi.raw.init_sec_context(
                self._service,
                credentials,
                mech=_MECHANISM,
                flags=[RequirementFlag.integrity],
            ).token
            return account_of(self._acceptor.accept(token or b"", None), self._accounts)
        except gssapi.raw.GSSError as error:
            _log.error("no ticket for our own service", why=_words(error))
            raise PortUnavailable("no ticket for the server's own service") from None
        except SignOnError as error:
            _log.warning("sign-on refused", reason=error.reason, login=principal)
            return None

    def _ask(self, principal: str, password: str) -> gssapi.raw.Creds | None:
        """The ticket-granting ticket for a right password, kept in memory only as long as it is looked at."""
        name = gssapi.raw.import_name(principal.encode(), _PRINCIPAL)
        try:
            return gssapi.raw.acquire_cred_with_password(
                name, password.encode(), mechs=[_MECHANISM], usage="initiate"
            ).creds
        except gssapi.raw.GSSError as error:
            if error.min_code - _FIRST_ERROR in _REFUSALS:
                return None
            _log.warning("Kerberos cannot check passwords", why=_words(error))
            raise PortUnavailable("no Kerberos server answers") from None

    def _nobody(self, password: str) -> None:
        """The work and the messages of a wrong password, for a login that nobody has (N6): two questions, one key."""
        hashlib.pbkdf2_hmac("sha1", password.encode(), b"salt", _S2K_ROUNDS, 32)
        for _ in range(2):
            self._ask(secrets.token_hex(8), password or "x")

    def _within_time(self, job: Callable[[], T]) -> T:
        """The job's result; the library has time limits of its own making, so the caller has others."""
        deadline = time.monotonic() + self._timeout_s
        if not self._slots.acquire(timeout=self._timeout_s):
            raise PortUnavailable("too many passwords are being checked")
        future: Future[T] = Future()
        threading.Thread(target=self._run, args=(future, job), name="kerberos-password", daemon=True).start()
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except FutureTimeout:
            raise PortUnavailable("Kerberos does not answer in time") from None

    def _run(self, future: Future[Any], job: Callable[[], Any]) -> None:
        try:
            future.set_result(job())
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        finally:
            self._slots.release()


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
