"""What an administrator says about the directory. Checked here; needs no LDAP library."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from rmsserver.errors import OperatorError

_CATALOGUE_PORTS = {3268: 389, 3269: 636}


class Nesting(enum.Enum):
    """Who follows groups in groups."""

    AUTO = "auto"
    """The server; we where it cannot."""
    SERVER = "server"
    """`tokenGroups` and the matching rule LDAP_MATCHING_RULE_IN_CHAIN ([MS-ADTS] 3.1.1.3.4.4.3)."""
    WALK = "walk"
    """We, level by level: works on any server, and costs a search for each level."""


@dataclass(frozen=True)
class SimpleBind:
    """Name (`user@realm`, `DOMAIN\\user` or a DN) and password. Only ever sent under TLS."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class KerberosBind:
    """GSSAPI, over `ldap://` best: with the tickets of the process (`kinit`), a keytab, or another credential cache."""

    keytab: Path | None = None
    credential_cache: str = ""


@dataclass(frozen=True)
class OtherForest:
    """A trusted forest with an RMS cluster of its own (3.1.1.3.3).

    `name` is its DNS name; `domains` the NetBIOS and DNS names of the domains in it; `locations` says a URL for each
    service type, spelled as in the protocol ("LicensingService").
    """

    name: str
    domains: tuple[str, ...]
    locations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class LdapSettings:
    """Raises `OperatorError`, naming the setting, where they cannot work or would send a password in the clear."""

    controllers: tuple[str, ...]
    """`ldap://HOST[:PORT]` or `ldaps://HOST[:PORT]`, the preferred first. Ports 3268 and 3269 are the global catalogue."""
    bind: SimpleBind | KerberosBind = KerberosBind()
    start_tls: bool | None = None
    """On `ldap://`. None: where a password is sent. Kerberos signs and encrypts by itself, and proves who the controller is;
    Samba refuses it inside TLS unless told otherwise.
    """
    verify_certificate: bool = True
    ca_file: Path | None = None
    """PEM. None: what the system trusts."""
    search_base: str | None = None
    """None: the whole forest on a global catalogue, else the controller's own domain."""
    email_attributes: tuple[str, ...] = ("mail", "proxyAddresses")
    """Where e-mail addresses stand, the primary one first. In `proxyAddresses` they begin with `smtp:`."""
    nesting: Nesting = Nesting.AUTO
    other_forests: tuple[OtherForest, ...] = ()
    lifetime_seconds: float = 300.0
    """A change in the directory is felt after this time at the latest (threat L6)."""
    negative_lifetime_seconds: float = 60.0
    """The same for whatever was not found. At most `lifetime_seconds`."""
    cache_entries: int = 20_000
    """Bound of each of the three caches: accounts, groups, memberships."""
    request_seconds: float = 4.5
    """A request gets its answer or `PortUnavailable` within this time. At most 5."""
    connect_seconds: float = 1.5
    """For reaching one controller: name, TCP, TLS and bind."""
    retry_seconds: float = 15.0
    """A controller that failed is tried again after 1, 2, 4 … seconds, at most this."""
    connections: int = 8
    """Searches under way at once."""
    page_size: int = 500

    @property
    def cache_seconds(self) -> float:
        """How long an answer is kept here. The other half of the lifetime is for those who remember what followed from it."""
        return self.lifetime_seconds / 2

    def __post_init__(self) -> None:
        if not self.controllers:
            raise OperatorError("directory.controllers: name at least one, for example ldaps://dc1.example.com")
        for uri in self.controllers:
            self._check_controller(uri)
        self._check_numbers()
        for attribute in self.email_attributes:
            if not attribute.replace("-", "").isalnum() or not attribute.isascii():
                raise OperatorError(f"directory.email_attributes: {attribute!r} is no attribute name")
        if not self.email_attributes:
            raise OperatorError("directory.email_attributes: name at least one, for example mail")

    def _check_controller(self, uri: str) -> None:
        try:
            parts = urlsplit(uri)
            sound = parts.scheme in ("ldap", "ldaps") and parts.hostname and (parts.port or 389) > 0
        except ValueError:
            sound = None
        if not sound or parts.path.strip("/") or parts.query or parts.username:
            raise OperatorError(f"directory.controllers: {uri!r} is not of the form ldaps://HOST or ldap://HOST:PORT")
        if parts.scheme == "ldap" and self.start_tls is False and isinstance(self.bind, SimpleBind):
            raise OperatorError(
                f"directory.start_tls: a password does not go to {uri} without TLS; use ldaps:// or Kerberos"
            )

    def _check_numbers(self) -> None:
        if not 0 < self.request_seconds <= 5:
            raise OperatorError("directory.request_seconds: say more than 0 and at most 5")
        if not 0 < self.connect_seconds <= self.request_seconds:
            raise OperatorError("directory.connect_seconds: say more than 0 and at most request_seconds")
        if not 0 < self.negative_lifetime_seconds <= self.lifetime_seconds:
            raise OperatorError("directory.negative_lifetime_seconds: say more than 0 and at most lifetime_seconds")
        for name in ("retry_seconds", "connections", "page_size", "cache_entries"):
            if getattr(self, name) < 1:
                raise OperatorError(f"directory.{name}: say at least 1")


def starts_tls(uri: str, settings: LdapSettings) -> bool:
    """Whether to ask for TLS on a connection that begins without."""
    if uri.startswith("ldaps:"):
        return False
    return isinstance(settings.bind, SimpleBind) if settings.start_tls is None else settings.start_tls


def is_catalogue(uri: str) -> bool:
    """Whether this is a port of the global catalogue, which holds the whole forest and can be read only."""
    return urlsplit(uri).port in _CATALOGUE_PORTS


def writable(uri: str) -> str:
    """The same controller's own directory, for a URI of its global catalogue."""
    parts = urlsplit(uri)
    if parts.port not in _CATALOGUE_PORTS:
        return uri
    return f"{parts.scheme}://{parts.netloc.rpartition(':')[0]}:{_CATALOGUE_PORTS[parts.port]}"
