"""One LDAP connection. The only module that knows python-ldap; whoever uses it needs the extra `[ad]`.

A connection is used by one thread at a time. Errors come out as the classes of `answers`, whatever the library
called them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import ldap
from ldap.controls import SimplePagedResultsControl
from ldap.ldapobject import LDAPObject

from rmsserver.directory.ldap.answers import ControllerDown, Entry, NotPermitted, NotSupported, Scope, SearchRefused
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.filters import ANYTHING, Filter
from rmsserver.directory.ldap.liveness import check_alive
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, starts_tls
from rmsserver.errors import OperatorError

_TLS_1_2 = 0x0303
_KEEPALIVE = {ldap.OPT_X_KEEPALIVE_IDLE: 60, ldap.OPT_X_KEEPALIVE_INTERVAL: 10, ldap.OPT_X_KEEPALIVE_PROBES: 3}
_SIGN_AND_ENCRYPT_BITS = 56
"""Least strength that counts as encryption for SASL; Kerberos with AES gives 256."""


def use_kerberos(bind: KerberosBind) -> None:
    """Tell Kerberos, for the whole process, where our keytab and tickets are. Call once, before the first connection.

    The library takes them from the environment alone. A server's own keytab for accepting (KRB5_KTNAME) is another one.
    """
    if bind.keytab is not None:
        if not os.access(bind.keytab, os.R_OK):
            raise OperatorError(f"directory.keytab: {bind.keytab} cannot be read; make it readable for this account")
        os.environ["KRB5_CLIENT_KTNAME"] = f"FILE:{bind.keytab}"
        if not bind.credential_cache:
            os.environ["KRB5CCNAME"] = "MEMORY:rmsserver-directory"
    if bind.credential_cache:
        os.environ["KRB5CCNAME"] = bind.credential_cache


class Connection:
    """Open, bound, ready. `deadline` bounds each call as far as the library lets it: see `workers`."""

    def __init__(self, uri: str, settings: LdapSettings, deadline: Deadline) -> None:
        """Connect and bind. Raises `ControllerDown`."""
        self.uri = uri
        self._page_size = settings.page_size
        check_alive(uri, deadline)
        with self._translated():
            self._ldap: LDAPObject = ldap.initialize(uri)
            self._set_options(settings, deadline)
            self._begin_tls(settings)
            self._bind(settings, deadline)

    def search(
        self, base: str, scope: Scope, which: Filter, attributes: tuple[str, ...], deadline: Deadline
    ) -> list[Entry]:
        """Entries that match, page after page; none where the base does not exist. Referrals are not followed."""
        with self._translated():
            found: list[Entry] = []
            paged = SimplePagedResultsControl(criticality=True, size=self._page_size, cookie="")
            while True:
                controls = [] if scope is Scope.BASE else [paged]
                answer, cookie = self._one_page(base, scope, which, attributes, controls, deadline)
                found.extend(answer)
                if not cookie:
                    return found
                paged.cookie = cookie
        raise AssertionError  # `_translated` lets nothing pass

    def root(self, deadline: Deadline) -> Entry:
        """What the controller says about itself (rootDSE)."""
        found = self.search("", Scope.BASE, ANYTHING, ("*", "+"), deadline)
        if not found:
            raise ControllerDown(f"{self.uri}: says nothing about itself")
        return found[0]

    def add(self, dn: str, attributes: Mapping[str, list[bytes]], deadline: Deadline) -> None:
        with self._translated():
            self._ldap.set_option(ldap.OPT_TIMEOUT, deadline.remaining)
            self._ldap.add_s(dn, list(attributes.items()))

    def replace(self, dn: str, attributes: Mapping[str, list[bytes]], deadline: Deadline) -> None:
        """Give these attributes exactly these values."""
        with self._translated():
            self._ldap.set_option(ldap.OPT_TIMEOUT, deadline.remaining)
            self._ldap.modify_s(dn, [(ldap.MOD_REPLACE, name, values) for name, values in attributes.items()])

    def delete(self, dn: str, deadline: Deadline) -> None:
        with self._translated():
            self._ldap.set_option(ldap.OPT_TIMEOUT, deadline.remaining)
            self._ldap.delete_s(dn)

    def close(self) -> None:
        with contextlib.suppress(ldap.LDAPError):
            self._ldap.unbind_s()

    # --- inside ---------------------------------------------------------------------------------------------

    def _one_page(
        self,
        base: str,
        scope: Scope,
        which: Filter,
        attributes: tuple[str, ...],
        controls: list[SimplePagedResultsControl],
        deadline: Deadline,
    ) -> tuple[list[Entry], bytes]:
        if deadline.passed:
            raise ldap.TIMEOUT
        try:
            message = self._ldap.search_ext(
                base, scope.value, which, list(attributes), serverctrls=controls, timeout=deadline.remaining
            )
            _, rows, _, answers = self._ldap.result3(message, timeout=deadline.remaining)
        except ldap.NO_SUCH_OBJECT:
            return [], b""
        cookies = [one.cookie for one in answers or () if one.controlType == SimplePagedResultsControl.controlType]
        # A row without a name is a reference to another server.
        return [_entry(dn, values) for dn, values in rows if dn is not None], next(iter(cookies), b"")

    def _set_options(self, settings: LdapSettings, deadline: Deadline) -> None:
        connection = self._ldap
        connection.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, deadline.remaining)
        connection.set_option(ldap.OPT_TIMEOUT, deadline.remaining)
        for option, seconds_or_times in _KEEPALIVE.items():
            connection.set_option(option, seconds_or_times)
        # The ticket is for the name in the configuration, whatever the name service makes of it.
        connection.set_option(ldap.OPT_X_SASL_NOCANON, 1)
        if not self.uri.startswith("ldaps:") and not starts_tls(self.uri, settings):
            connection.set_option(ldap.OPT_X_SASL_SSF_MIN, _SIGN_AND_ENCRYPT_BITS)
            return
        # Active Directory refuses a second encryption inside TLS.
        connection.set_option(ldap.OPT_X_SASL_SSF_MAX, 0)
        demand = ldap.OPT_X_TLS_DEMAND if settings.verify_certificate else ldap.OPT_X_TLS_NEVER
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, demand)
        connection.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, _TLS_1_2)
        if settings.ca_file is not None:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(settings.ca_file))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # Last: only this makes the others count.

    def _begin_tls(self, settings: LdapSettings) -> None:
        """Shake hands now, in either way, so that a failure of it is known for what it is."""
        try:
            if starts_tls(self.uri, settings):
                self._ldap.start_tls_s()
            elif self.uri.startswith("ldaps:"):
                self._ldap.search_s("", ldap.SCOPE_BASE, ANYTHING, ["1.1"])
        except _ANONYMOUS_REFUSED:
            pass  # The handshake is done, and that is all we wanted.
        except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR) as error:
            # The library says no more; that somebody is there has been checked.
            raise ControllerDown(
                f"{urlsplit(self.uri).netloc}: TLS failed; is its certificate for this very name, in date, "
                "and from an authority in directory.ca_file?"
            ) from error

    def _bind(self, settings: LdapSettings, deadline: Deadline) -> None:
        self._ldap.set_option(ldap.OPT_TIMEOUT, deadline.remaining)
        if isinstance(settings.bind, KerberosBind):
            self._ldap.sasl_non_interactive_bind_s("GSSAPI")
        else:
            self._ldap.simple_bind_s(settings.bind.user, settings.bind.password)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        host = urlsplit(self.uri).netloc
        try:
            yield
        except ldap.SERVER_DOWN as error:
            raise ControllerDown(f"{host}: {_words(error)}", stale=True) from error
        except _PERMISSION as error:
            raise NotPermitted(f"{host}: {_words(error)}") from error
        except _UNSUPPORTED as error:
            raise NotSupported(f"{host}: {_words(error)}") from error
        except _DOWN as error:
            raise ControllerDown(f"{host}: {_words(error)}") from error
        except ldap.LDAPError as error:
            raise SearchRefused(f"{host}: {_words(error)}") from error
        except ValueError as error:  # An option this build of the library does not have, or a malformed URI.
            raise ControllerDown(f"{host}: {error}") from error


_ANONYMOUS_REFUSED = (
    ldap.OPERATIONS_ERROR,
    ldap.INSUFFICIENT_ACCESS,
    ldap.INAPPROPRIATE_AUTH,
    ldap.STRONG_AUTH_REQUIRED,
)
_PERMISSION = (ldap.INSUFFICIENT_ACCESS,)
_UNSUPPORTED = (
    ldap.INAPPROPRIATE_MATCHING,
    ldap.UNAVAILABLE_CRITICAL_EXTENSION,
    ldap.UNDEFINED_TYPE,
    ldap.FILTER_ERROR,
)
_DOWN = (ldap.TIMEOUT, ldap.CONNECT_ERROR, ldap.LOCAL_ERROR, ldap.DECODING_ERROR, ldap.BUSY, ldap.UNAVAILABLE)
"""Not the likes of UNWILLING_TO_PERFORM: no single request may make a controller count as down for all."""


def _entry(dn: str, values: Mapping[str, list[bytes]]) -> Entry:
    return Entry(dn, {name.lower(): tuple(found) for name, found in values.items()})


def _words(error: ldap.LDAPError) -> str:
    """The library's description and the controller's remark, on one line."""
    first = error.args[0] if error.args else {}
    known = first if isinstance(first, dict) else {}
    words = [str(known[key]) for key in ("desc", "info") if known.get(key)]
    return " ".join(": ".join(words).split())[:300] or type(error).__name__
