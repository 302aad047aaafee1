"""The names of a forest's domains, as its controllers tell them ([MS-ADTS] 6.1.1.2.1.1, crossRef objects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rmsserver.directory.ldap.answers import Entry, LdapFailure, Scope
from rmsserver.directory.ldap.deadline import Deadline
from rmsserver.directory.ldap.filters import Filter
from rmsserver.directory.ldap.settings import LdapSettings, is_catalogue

if TYPE_CHECKING:
    from rmsserver.directory.ldap.connection import Connection

_HAS_DOMAIN_NAME = Filter("(&(objectClass=crossRef)(nETBIOSName=*))")
_ACTIVE_DIRECTORY = "1.2.840.113556.1.4.800"


@dataclass(frozen=True)
class Domain:
    """A domain of the forest: `RMSTEST`, `rms.test`, `DC=rms,DC=test`."""

    netbios_name: str
    dns_name: str
    dn: str

    def is_called(self, name: str) -> bool:
        return name.lower() in (self.netbios_name.lower(), self.dns_name.lower())


@dataclass(frozen=True)
class Forest:
    """`dns_name` is that of the root domain ([MS-RMPR] 3.1.1.2.4, ForestName)."""

    dns_name: str
    configuration_dn: str
    own_domain: Domain
    domains: tuple[Domain, ...]
    understands_chains: bool
    """Active Directory, which knows `tokenGroups` and LDAP_MATCHING_RULE_IN_CHAIN."""

    def domain_of(self, dn: str) -> Domain | None:
        """The domain an object is in: the longest name that its own ends with."""
        name = _folded(dn)
        holders = [d for d in self.domains if name == _folded(d.dn) or name.endswith("," + _folded(d.dn))]
        return max(holders, key=lambda domain: len(domain.dn), default=None)


def read_forest(connection: Connection, deadline: Deadline) -> Forest:
    """Raises `LdapFailure` where the controller tells no names."""
    root = connection.root(deadline)
    configuration_dn = root.text("configurationNamingContext")
    own_dn, forest_dn = root.text("defaultNamingContext"), root.text("rootDomainNamingContext")
    rows = connection.search(
        f"CN=Partitions,{configuration_dn}",
        Scope.ONE_LEVEL,
        _HAS_DOMAIN_NAME,
        ("nETBIOSName", "nCName", "dnsRoot"),
        deadline,
    )
    domains = tuple(_domain(row) for row in rows)
    own = next((domain for domain in domains if _folded(domain.dn) == _folded(own_dn)), None)
    if not configuration_dn or own is None:
        raise LdapFailure("this is no Active Directory domain controller, or our account may not read its Partitions")
    return Forest(
        _dns_name(forest_dn), configuration_dn, own, domains, _ACTIVE_DIRECTORY in root.texts("supportedCapabilities")
    )


def search_base(uri: str, forest: Forest, settings: LdapSettings) -> str:
    """Where searches begin on this controller: as configured, else at the root of all that it holds."""
    if settings.search_base is not None:
        return settings.search_base
    return "" if is_catalogue(uri) else forest.own_domain.dn


def _domain(row: Entry) -> Domain:
    dn = row.text("nCName")
    return Domain(row.text("nETBIOSName"), row.text("dnsRoot") or _dns_name(dn), dn)


def _dns_name(dn: str) -> str:
    """`DC=rms,DC=test` as `rms.test`."""
    return ".".join(part.partition("=")[2].strip() for part in dn.split(",")).lower()


def _folded(dn: str) -> str:
    return ",".join(part.strip() for part in dn.lower().split(","))
