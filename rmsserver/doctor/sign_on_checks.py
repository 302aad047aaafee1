"""Sign-on in a domain, tried: a real ticket for the service opened with its keytab, and winbind asked who it is.

The ticket is got as the account the server searches the directory with. So it takes the very way that a client's takes: the
controllers of krb5.conf, the service's principal name, the account's key. Needs the extra `[ad]`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import gssapi

from rmsserver.auth.kerberos import KerberosSettings, TicketAcceptor
from rmsserver.auth.mechanism import SignOnError
from rmsserver.auth.winbind import Helpers, WinbindSettings
from rmsserver.directory.ldap.directory import LdapDirectory
from rmsserver.directory.ldap.settings import KerberosBind, SimpleBind
from rmsserver.doctor.finding import Finding, failure, ok
from rmsserver.ports import PortUnavailable

_KERBEROS = gssapi.MechType.kerberos
_PRINCIPAL = gssapi.NameType.kerberos_principal


def check_ticket(
    service: str, keytab: Path, bind: SimpleBind | KerberosBind, directory: LdapDirectory
) -> Iterator[Finding]:
    """`service` is `HTTP/host` without realm. Nothing where the bind's name is none that Kerberos could know (a DN)."""
    principal = _principal_of(bind, directory)
    if principal is None and isinstance(bind, SimpleBind):
        return
    try:
        credentials = _credentials(bind, principal)
    except gssapi.raw.GSSError as error:
        yield failure(
            "ticket", f"no tickets for the bind's account: {_words(error)}", "see krb5.conf, clock and password"
        )
        return
    try:
        name = gssapi.raw.import_name(service.encode(), _PRINCIPAL)
        token = gssapi.raw.init_sec_context(name, credentials, mech=_KERBEROS).token or b""
    except gssapi.raw.GSSError as error:
        yield failure(
            "ticket", f"no ticket for {service}: {_words(error)}", "see the line spn, and realms in krb5.conf"
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = KerberosSettings(keytab, (service,), Path(folder) / "replay-cache")
        try:
            accepted = TicketAcceptor(settings).accept(token, None)
        except SignOnError as error:
            yield failure(
                "ticket", f"the keytab does not open a ticket for {service}: {error.reason}", "export it again"
            )
            return
    told = "with the account's SID in it" if accepted.pac else "without a PAC: accounts go by their names"
    yield ok("ticket", f"a ticket for {service} was got, and the keytab opens it, {told}")


def check_winbind(program: Path) -> Iterator[Finding]:
    """NTLM: `ntlm_auth` runs, and winbind says which domain this machine is in."""
    helpers = Helpers(WinbindSettings(program, 1))
    try:
        names = helpers.server_names()
    except PortUnavailable:
        yield failure(
            "ntlm",
            f"{program} does not answer: no winbind, or this machine is in no domain",
            'join it (net ads join) and run winbindd; without need of NTLM: mechanisms = ["kerberos"]',
        )
    else:
        yield ok("ntlm", f"winbind answers for {names.netbios_domain}")
    finally:
        helpers.close()


def _principal_of(bind: SimpleBind | KerberosBind, directory: LdapDirectory) -> str | None:
    if isinstance(bind, KerberosBind):
        return None
    found = directory.by_login(bind.user)
    realm = directory.realm_of(found.account) if found is not None else None
    return f"{found.account.name.rpartition(chr(92))[2]}@{realm}" if found is not None and realm else None


def _credentials(bind: SimpleBind | KerberosBind, principal: str | None) -> gssapi.raw.Creds:
    """In memory alone. Raises GSSError."""
    if isinstance(bind, KerberosBind):
        return gssapi.raw.acquire_cred(None, mechs=[_KERBEROS], usage="initiate").creds
    name = gssapi.raw.import_name((principal or "").encode(), _PRINCIPAL)
    return gssapi.raw.acquire_cred_with_password(
        name, bind.password.encode(), mechs=[_KERBEROS], usage="initiate"
    ).creds


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
