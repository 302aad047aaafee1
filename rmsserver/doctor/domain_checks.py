"""The domain: does each controller let us in, may we search, is its clock ours, and whom do its clients find?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from rmsserver.directory.ldap.answers import LdapFailure, Scope
from rmsserver.directory.ldap.connection import Connection
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.filters import ANYTHING
from rmsserver.directory.ldap.settings import LdapSettings, SimpleBind, starts_tls
from rmsserver.directory.ldap.sids import sid_bytes, sid_text
from rmsserver.directory.service_connection_point import find
from rmsserver.doctor.domain import Domain
from rmsserver.doctor.finding import Finding, failure, ok, warning

_KERBEROS_TOLERANCE = dt.timedelta(minutes=5)
_DRIFT = dt.timedelta(seconds=30)
_ADMINISTRATOR_RID = 500


def check_controller(uri: str, settings: LdapSettings) -> Iterator[Finding]:
    """It can be reached, its certificate is good, and the bind is accepted."""
    try:
        connection = Connection(uri, settings, Deadline.after(settings.request_seconds))
    except LdapFailure as error:
        remedy = (
            "see [directory]: controllers, ca_file, bind; and whether the account is locked or its password expired"
        )
        yield failure("controller", str(error), remedy)
        return
    connection.close()
    encrypted = uri.startswith("ldaps:") or starts_tls(uri, settings)
    how = settings.bind.user if isinstance(settings.bind, SimpleBind) else "Kerberos"
    if encrypted and not settings.verify_certificate:
        yield warning(
            "controller", f"{uri} lets us in ({how}), unverified", "set verify_certificate = true, with ca_file"
        )
    else:
        yield ok("controller", f"{uri} lets us in ({how}{', TLS' if encrypted else ''})")


def check_clock(domain: Domain, now: dt.datetime) -> Iterator[Finding]:
    """Kerberos refuses tickets across more than five minutes."""
    text = domain.ask(lambda connection, deadline: connection.root(deadline)).text("currentTime")
    theirs = dt.datetime.strptime(text.partition(".")[0].rstrip("Z"), "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
    apart = now - theirs
    seen = f"{abs(apart).total_seconds():.0f} s {'ahead of' if apart > dt.timedelta() else 'behind'} the controller"
    if abs(apart) >= _KERBEROS_TOLERANCE:
        yield failure("clock", seen, "set the clock by NTP from the domain: Kerberos refuses from 300 s on")
    elif abs(apart) >= _DRIFT:
        yield warning("clock", seen, "let chrony or systemd-timesyncd follow the domain's clock")
    else:
        yield ok("clock", seen)


def check_search(domain: Domain) -> Iterator[Finding]:
    """We may read accounts, and the list of an account's groups: tried on the built-in Administrator of the domain."""
    dn = domain.forest().own_domain.dn
    top = domain.ask(lambda connection, until: connection.search(dn, Scope.BASE, ANYTHING, ("objectSid",), until))
    sid = sid_text(next(iter(top[0].all("objectSid")), b"")) if top else None
    if sid is None:
        yield failure("search", f"{dn} cannot be read", "let the account of [directory] read the domain")
        return
    groups = domain.ask(lambda connection, until: _groups_of(connection, f"{sid}-{_ADMINISTRATOR_RID}", until))
    if groups is None:
        yield failure("search", "accounts cannot be read", "let the account of [directory] read users and groups")
    elif not groups:
        yield warning(
            "search",
            "accounts can be read, the list of their groups (tokenGroups) cannot",
            "put the account of [directory] into Windows Authorization Access Group",
        )
    else:
        yield ok("search", f"accounts and their groups can be read in {domain.forest().own_domain.dns_name}")


def _groups_of(connection: Connection, sid: str, deadline: Deadline) -> int | None:
    """How many groups an account is told to have; None where the account itself cannot be seen."""
    # A name of the form <SID=...> finds the object wherever it was moved ([MS-ADTS] 3.1.1.3.1.2.4).
    encoded = (sid_bytes(sid) or b"").hex()
    attributes = ("objectSid", "tokenGroups")
    found = connection.search(f"<SID={encoded}>", Scope.BASE, ANYTHING, attributes, deadline)
    return len(found[0].all("tokenGroups")) if found else None


def check_service_connection_point(settings: LdapSettings, base_url: str) -> Iterator[Finding]:
    """Clients of the forest find this cluster, and no other."""
    found = find(settings)
    others = [point.url for point in found if not point.names(base_url)]
    if not found:
        yield warning("scp", "the forest names no cluster", "rmsserver scp register; else rmsserver client-settings")
    elif len(others) == len(found):
        yield failure(
            "scp", f"the forest names {', '.join(others)}", "where that one is gone: rmsserver scp register --replace"
        )
    elif others:
        yield warning("scp", f"the forest names this cluster, and {', '.join(others)} too", "delete the others")
    else:
        yield ok("scp", f"the forest names {found[0].url}")
