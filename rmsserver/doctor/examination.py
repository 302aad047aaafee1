"""Which checks apply to a cluster, in the order in which one failure explains the next."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from rmsserver.account_source import ldap_settings, open_accounts, service_names
from rmsserver.directory.embedded import EmbeddedDirectory
from rmsserver.doctor import account_checks, federation_checks, home_checks, network_checks
from rmsserver.doctor.bounded import CHECK_SECONDS, Check, run_bounded
from rmsserver.doctor.finding import Finding, Verdict, failure, ok, warning
from rmsserver.doctor.group_path import Path, path_in_rows
from rmsserver.doctor.network_checks import Place
from rmsserver.doctor.round_trip import Traveller, check_round_trip
from rmsserver.endpoint_table import open_paths
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.ports import Directory, PortUnavailable
from rmsserver.state import ServerState
from rmsserver.stores.configuration import StateHolder
from rmsserver.stores.sql.user_keys import SqlUserKeys

if TYPE_CHECKING:
    from rmsserver.directory.ldap.directory import LdapDirectory
    from rmsserver.doctor.domain import Domain


@dataclass(frozen=True)
class Wanted:
    """What to look at besides the cluster itself."""

    user: str | None = None
    group: str | None = None
    """An e-mail address; needs `user`."""
    ca_file: FilePath | None = None


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True)
class Examination:
    """Of one cluster. `run` may be used once."""

    home: Home
    wanted: Wanted
    now: Callable[[], dt.datetime] = _utc_now
    check_seconds: float = CHECK_SECONDS

    def run(self) -> Iterator[Finding]:
        """One finding after the other, as they come. A check that makes no sense after a failure is left out."""
        yield from self._home()
        if self._base_url is None:
            return
        yield from self._network(self._base_url)
        if self._store_opens:
            yield from self._bounded("configuration", lambda: self._configuration(self._base_url or ""))
            yield from self._bounded("federation", self._federation)
        if self._in_domain:
            yield from self._domain(self._base_url)
        elif self.wanted.user is not None:
            rows = self.home.accounts
            yield from self._person(EmbeddedDirectory(rows), self.wanted.user, functools.partial(path_in_rows, rows))

    # --- what checks look at --------------------------------------------------------------------------------

    @cached_property
    def _base_url(self) -> str | None:
        """None where the database cannot tell."""
        try:
            return str(self.home.configuration.read().values["baseUrl"])
        except (OperatorError, PortUnavailable, KeyError):
            return None

    @cached_property
    def _store_opens(self) -> bool:
        try:
            return bool(self.home.certificates)
        except (OperatorError, OSError):
            return False

    @cached_property
    def _state(self) -> ServerState:
        return StateHolder(self.home.certificates, self.home.configuration).current()

    @property
    def _in_domain(self) -> bool:
        return self.home.config.directory.kind == "ldap"

    # --- the parts ------------------------------------------------------------------------------------------

    def _home(self) -> Iterator[Finding]:
        yield from self._bounded("home", lambda: home_checks.check_permissions(self.home.config.home))
        yield from self._bounded("database", lambda: home_checks.check_database(self.home))
        store = self._bounded("certificates", lambda: home_checks.check_store(self.home))
        yield from store
        if not _has_failed(store):
            yield from self._bounded("licensor", lambda: home_checks.check_issuing_time(self._state, self.now()))

    def _network(self, base_url: str) -> Iterator[Finding]:
        place = Place(base_url, self.wanted.ca_file, self._in_domain)
        checks: list[tuple[str, Check]] = [
            ("name", lambda: network_checks.check_name(place)),
            ("port", lambda: network_checks.check_port(place)),
            ("tls", lambda: network_checks.check_tls(place, self.now())),
            ("sign-on", lambda: network_checks.check_sign_on(place)),
        ]
        for name, check in checks:
            found = self._bounded(name, check)
            yield from found
            if name != "tls" and _has_failed(found):
                return

    def _configuration(self, base_url: str) -> Iterator[Finding]:
        """The sign-on that is configured can begin, and no endpoint is open by accident."""
        accounts = open_accounts(self.home, base_url)
        accounts.close()
        opened = open_paths(self.home.config)
        if opened:
            yield warning(
                "configuration", f"anonymous callers may use {', '.join(opened)}", "is that meant? see [endpoints]"
            )
        else:
            yield ok("configuration", "sign-on is complete, no endpoint is open to anonymous callers")

    def _federation(self) -> Iterator[Finding]:
        own = () if self._in_domain else self.home.accounts.accounts()
        domains = frozenset(email.rpartition("@")[2].lower() for account in own for email in account.emails)
        federation = federation_checks.Federation.of(self.home.config.federation.issuers, self._state, domains)
        yield from federation_checks.check_federation(federation, self.now())

    def _domain(self, base_url: str) -> Iterator[Finding]:
        try:
            from rmsserver.directory.ldap.directory import LdapDirectory
            from rmsserver.doctor.domain import Domain
        except ImportError:
            yield failure("controller", "python-ldap is not installed", 'pip install "rmsserver[ad]"')
            return
        try:
            settings = ldap_settings(self.home.config.directory)
            domain, directory = Domain(settings), LdapDirectory(settings)
        except OperatorError as error:
            yield failure("controller", str(error), "correct [directory] in rmsserver.toml")
            return
        try:
            yield from self._domain_itself(domain, directory, base_url)
        finally:
            domain.close()
            directory.close()

    def _domain_itself(self, domain: Domain, directory: LdapDirectory, base_url: str) -> Iterator[Finding]:
        from rmsserver.doctor import domain_checks, service_keys
        from rmsserver.doctor.group_path import path_in_domain

        settings, keytab = domain.settings, self.home.config.sign_on.keytab
        found = [self._bounded("controller", functools.partial(domain_checks.check_controller, uri, settings))
                 for uri in settings.controllers]  # fmt: skip
        down = [_has_failed(findings) for findings in found]
        # One that is down is no failure as long as another serves.
        yield from (one if all(down) else _softened(one) for findings in found for one in findings)
        if all(down):
            return
        yield from self._bounded("clock", lambda: domain_checks.check_clock(domain, self.now()))
        yield from self._bounded("search", lambda: domain_checks.check_search(domain))
        yield from self._bounded("scp", lambda: domain_checks.check_service_connection_point(settings, base_url))
        if keytab is not None:
            file = self._bounded("keytab", lambda: service_keys.check_keytab_file(keytab))
            yield from file
            for name in service_names(self.home.config, base_url) if not _is_unreadable(keytab) else ():
                check = functools.partial(service_keys.check_service_name, name, keytab, domain)
                yield from self._bounded("spn", check)
        yield from self._domain_sign_on(domain, directory, base_url)
        if self.wanted.user is not None:
            yield from self._person(directory, self.wanted.user, functools.partial(path_in_domain, domain))

    def _domain_sign_on(self, domain: Domain, directory: LdapDirectory, base_url: str) -> Iterator[Finding]:
        try:
            from rmsserver.doctor import sign_on_checks
        except ImportError:
            yield failure("ticket", "gssapi is not installed", 'pip install "rmsserver[ad]"')
            return
        sign_on = self.home.config.sign_on
        keytab, mechanisms = sign_on.keytab, sign_on.mechanisms or ("kerberos", "ntlm")
        if keytab is not None and not _is_unreadable(keytab):
            for name in service_names(self.home.config, base_url):
                check = functools.partial(sign_on_checks.check_ticket, name, keytab, domain.settings.bind, directory)
                yield from self._bounded("ticket", check)
        program = sign_on.ntlm_auth or shutil.which("ntlm_auth")
        if "ntlm" in mechanisms and program:
            yield from self._bounded("ntlm", functools.partial(sign_on_checks.check_winbind, FilePath(program)))

    def _person(self, directory: Directory, user: str, path: Callable[[str, str], Path | None]) -> Iterator[Finding]:
        found = self._bounded("user", lambda: account_checks.check_user(directory, user))
        yield from found
        group, in_group = self.wanted.group, True
        if group is not None:
            findings = self._bounded("group", lambda: account_checks.check_group(directory, user, group, path))
            yield from findings
            in_group = not _has_failed(findings)
        if self._store_opens and not _has_failed(found):
            yield from self._bounded(
                "round trip", lambda: self._round_trip(directory, user, group if in_group else None)
            )

    def _round_trip(self, directory: Directory, user: str, group: str | None) -> Iterator[Finding]:
        account = account_checks.find_account(directory, user)
        if account is None or account.primary_email is None:
            return
        keys = SqlUserKeys(self.home.database, self.home.certificates.master_key)
        now = self.now().replace(second=0, microsecond=0)
        traveller = Traveller(account.account, account.primary_email, self._state, directory, keys, now)
        yield from check_round_trip(traveller, group or account.primary_email)

    def _bounded(self, name: str, check: Check) -> tuple[Finding, ...]:
        return run_bounded(name, check, self.check_seconds)


def _has_failed(findings: Iterable[Finding]) -> bool:
    return any(finding.verdict is Verdict.FAILURE for finding in findings)


def _softened(finding: Finding) -> Finding:
    return dataclasses.replace(finding, verdict=Verdict.WARNING) if finding.verdict is Verdict.FAILURE else finding


def _is_unreadable(path: FilePath) -> bool:
    return not os.access(path, os.R_OK)
