"""The service connection point ([MS-RMPR] 3.1.4.4): where a forest says which cluster its clients go to.

`find` and `discover` read it, for clients (3.8.3.2.1), servers and administrators alike; `register` and `remove` need the
right to write below CN=Services of the configuration, which Enterprise Admins have. All raise `OperatorError`, in one line.
"""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from rmsserver.directory.ldap.answers import Entry, LdapFailure, NotPermitted, Scope
from rmsserver.directory.ldap.connection import Connection, use_kerberos
from rmsserver.directory.ldap.controllers import Controllers, Work
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.filters import ANYTHING, Filter
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, writable
from rmsserver.errors import OperatorError
from rmsserver.ports import PortUnavailable

T = TypeVar("T")

_KEYWORDS = ("MSRMRootCluster", "1.0")
_CONTAINER = "CN=RightsManagementServices,CN=Services"
_IS_POINT = Filter("(&(objectClass=serviceConnectionPoint)(keywords=MSRMRootCluster)(keywords=1.0))")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ServiceConnectionPoint:
    """`url` is that of the certification service, `https://rms.example.com/_wmcs/certification`."""

    dn: str
    url: str

    def names(self, base_url: str) -> bool:
        """Whether clients find the cluster with this base URL through it. Where not, the point is stale or another's."""
        return _same_place(self.url, certification_url(base_url))


class Registration(enum.Enum):
    CREATED = "created"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


def certification_url(base_url: str) -> str:
    """What stands in the point for a cluster (3.1.4.4.1.1)."""
    return base_url.rstrip("/") + "/certification"


def find(settings: LdapSettings) -> tuple[ServiceConnectionPoint, ...]:
    """Every point of the forest, the one in its proper place first. More than one confuses clients."""
    return _do(settings, _find)


def discover(settings: LdapSettings) -> str:
    """The certification URL of the forest's cluster, from which a client asks ServiceLocator.asmx for the rest."""
    points = find(settings)
    if not points:
        raise OperatorError(
            "the directory names no RMS cluster; give its URL, or have it registered: rmsserver scp register"
        )
    return points[0].url


def register(settings: LdapSettings, base_url: str, *, replace: bool = False) -> Registration:
    """Point the forest's clients at this cluster. Another cluster's point is only overwritten where `replace` says so."""
    url = certification_url(base_url)
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise OperatorError(f"{base_url!r} is no base URL; one looks like https://rms.example.com/_wmcs")

    def work(connection: Connection, deadline: Deadline) -> Registration:
        found = _proper(_find(connection, deadline))
        if found is not None and found.names(base_url):
            return Registration.UNCHANGED
        if found is not None and not replace:
            raise OperatorError(f"{found.dn} names another cluster, {found.url}; add --replace where that one is gone")
        return _write(connection, url, deadline)

    return _do(settings, work)


def remove(settings: LdapSettings, base_url: str | None = None) -> bool:
    """Delete the point; False where there is none. With `base_url`, only that of this cluster."""

    def work(connection: Connection, deadline: Deadline) -> bool:
        found = _proper(_find(connection, deadline))
        if found is None:
            return False
        if base_url is not None and not found.names(base_url):
            raise OperatorError(f"{found.dn} names another cluster, {found.url}; add --force to remove it all the same")
        connection.delete(found.dn, deadline)
        return True

    return _do(settings, work)


def _find(connection: Connection, deadline: Deadline) -> tuple[ServiceConnectionPoint, ...]:
    services = f"CN=Services,{_configuration(connection, deadline)}"
    rows = connection.search(services, Scope.SUBTREE, _IS_POINT, ("serviceBindingInformation",), deadline)
    points = [_point(row) for row in rows]
    return tuple(sorted(points, key=lambda point: (_proper((point,)) is None, point.dn)))


def _point(row: Entry) -> ServiceConnectionPoint:
    return ServiceConnectionPoint(row.dn, row.text("serviceBindingInformation"))


def _proper(points: tuple[ServiceConnectionPoint, ...]) -> ServiceConnectionPoint | None:
    """The one that we write and remove: CN=SCP in the container of the specification."""
    prefix = f"CN=SCP,{_CONTAINER},".lower()
    return next((point for point in points if point.dn.lower().startswith(prefix)), None)


def _write(connection: Connection, url: str, deadline: Deadline) -> Registration:
    container = f"{_CONTAINER},{_configuration(connection, deadline)}"
    dn = f"CN=SCP,{container}"
    contents = {
        "keywords": [keyword.encode() for keyword in _KEYWORDS],
        "serviceBindingInformation": [url.encode()],
    }
    if connection.search(dn, Scope.BASE, ANYTHING, ("cn",), deadline):
        connection.replace(dn, contents, deadline)
        return Registration.REPLACED
    if not connection.search(container, Scope.BASE, ANYTHING, ("cn",), deadline):
        connection.add(container, {"objectClass": [b"container"]}, deadline)
    connection.add(dn, {"objectClass": [b"serviceConnectionPoint"]} | contents, deadline)
    return Registration.CREATED


def _configuration(connection: Connection, deadline: Deadline) -> str:
    """The name of the forest's configuration."""
    dn = connection.root(deadline).text("configurationNamingContext")
    if not dn:
        raise LdapFailure(f"{connection.uri} is no Active Directory domain controller")
    return dn


def _do(settings: LdapSettings, work: Work[T]) -> T:
    if isinstance(settings.bind, KerberosBind):
        use_kerberos(settings.bind)
    # The global catalogue answers, but writes nothing.
    controllers = Controllers(dataclasses.replace(settings, controllers=tuple(map(writable, settings.controllers))))
    try:
        return controllers.do(work, controllers.deadline())
    except NotPermitted as error:
        raise OperatorError(
            f"the account we bind with may not write below {_CONTAINER} ({error}); use one of Enterprise Admins, "
            "or have it delegated"
        ) from error
    except PortUnavailable as error:
        raise OperatorError(f"no domain controller can be used: {error.detail}") from error
    except LdapFailure as error:
        raise OperatorError(f"the directory refused: {error}") from error
    finally:
        controllers.close()


def _same_place(one: str, other: str) -> bool:
    """URLs compare as places: host without case, default port, path without case and final slash."""
    return _place(one) == _place(other)


def _place(url: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(url.strip())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme.lower())
    except ValueError:
        return "", url, None, ""
    return parts.scheme.lower(), (parts.hostname or "").lower(), port, parts.path.rstrip("/").lower()
