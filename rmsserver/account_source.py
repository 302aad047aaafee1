"""Where accounts come from and how they prove who they are: the embedded directory, or a domain. Part of the wiring of
server.py; the domain's modules need the extra `[ad]` and are imported only where they are configured.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rmsserver.auth.basic import BasicScheme, BasicUse
from rmsserver.auth.connection import HttpAuthenticator, SignOnSettings
from rmsserver.auth.domain_accounts import DomainAccounts
from rmsserver.auth.guessing import PasswordGuessing
from rmsserver.auth.mechanism import ChannelBinding, Mechanism
from rmsserver.auth.ntlm import HashVerifier, NtlmMechanism, NtlmSettings, ServerNames
from rmsserver.auth.winbind import Helpers, WinbindSettings, WinbindVerifier
from rmsserver.config import Config, ConfigError, DirectoryTable, read_secret
from rmsserver.directory.credentials import EmbeddedCredentials
from rmsserver.directory.embedded import EmbeddedDirectory
from rmsserver.directory.ldap.settings import KerberosBind, LdapSettings, Nesting, OtherForest, SimpleBind
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.ports import Directory

if TYPE_CHECKING:
    from rmsserver.auth.kerberos import TicketAcceptor
    from rmsserver.directory.ldap.directory import LdapDirectory

_EXTRA = 'needs more packages: pip install "rmsserver[ad]"'
_OWN_KEYS = frozenset(
    {"kind", "bind_user", "bind_password_file", "keytab", "credential_cache", "nesting", "other_forests"}
)
"""Those of `[directory]` that are not handed to `LdapSettings` as they stand."""


@dataclass(frozen=True)
class AccountSource:
    """The port `Directory`, and sign-on against it."""

    directory: Directory
    authenticator: HttpAuthenticator
    close: Callable[[], None] = lambda: None


def open_accounts(home: Home, base_url: str) -> AccountSource:
    """As `[directory]` and `[sign_on]` say. Raises OperatorError, naming the key."""
    return _domain(home.config, base_url) if home.config.directory.kind == "ldap" else _embedded(home)


# --- the embedded directory ---------------------------------------------------------------------------------------------


def _embedded(home: Home) -> AccountSource:
    config, credentials = home.config, EmbeddedCredentials(home.accounts, home.certificates.master_key)
    directory, guessing = EmbeddedDirectory(home.accounts), PasswordGuessing()
    host = socket.gethostname()
    name = directory.own_name
    names = ServerNames(name[:15], host.split(".")[0].upper()[:15], name.lower(), host)
    ntlm = NtlmMechanism(HashVerifier(credentials, names), guessing, _ntlm_settings(config))
    mechanisms: list[Mechanism] = [ntlm] if _is_on(config, "ntlm") else []
    authenticator = HttpAuthenticator(mechanisms, BasicScheme(credentials, guessing), _http_settings(config))
    return AccountSource(directory, authenticator)


# --- a domain -----------------------------------------------------------------------------------------------------------


def _domain(config: Config, base_url: str) -> AccountSource:
    settings = ldap_settings(config.directory)
    try:
        from rmsserver.directory.ldap.directory import LdapDirectory
    except ImportError:
        raise OperatorError(f'directory.kind: "ldap" {_EXTRA}') from None
    directory, guessing = LdapDirectory(settings), PasswordGuessing()
    accounts = DomainAccounts(directory)
    names = service_names(config, base_url)
    acceptor = _ticket_acceptor(config, names) if config.sign_on.keytab is not None else None
    mechanisms: list[Mechanism] = []
    if acceptor is not None and _is_on(config, "kerberos"):
        from rmsserver.auth.kerberos import KerberosMechanism

        mechanisms.append(KerberosMechanism(acceptor, accounts))
    helpers = _ntlm_helpers(config) if _is_on(config, "ntlm") else None
    if helpers is not None:
        mechanisms.append(NtlmMechanism(WinbindVerifier(helpers, accounts), guessing, _ntlm_settings(config)))
    # With its realm where the configuration has one: the default realm may be another.
    own_name = (*config.sign_on.service_principals, *names)[0]
    basic = _basic(acceptor, directory, own_name, guessing)

    def close() -> None:
        directory.close()
        if helpers is not None:
            helpers.close()

    authenticator = HttpAuthenticator(mechanisms, basic, _http_settings(config))
    return AccountSource(directory, authenticator, close)


def _basic(
    acceptor: TicketAcceptor | None, directory: LdapDirectory, own_name: str, guessing: PasswordGuessing
) -> BasicScheme | None:
    if acceptor is None:
        return None  # the configuration has made sure that basic is "never"
    from rmsserver.auth.kerberos_password import KerberosPasswords

    return BasicScheme(KerberosPasswords(acceptor, directory, own_name), guessing, is_remote=True)


def service_names(config: Config, base_url: str) -> tuple[str, ...]:
    """Names of the service in tickets, without realms."""
    given = tuple(name.partition("@")[0] for name in config.sign_on.service_principals)
    return given or (f"HTTP/{urlsplit(base_url).hostname}",)


def ldap_settings(table: DirectoryTable) -> LdapSettings:
    """What `[directory]` says. Raises OperatorError, naming the key."""
    given = {name: value for name in DirectoryTable.model_fields if (value := getattr(table, name)) is not None}
    plain = {name: value for name, value in given.items() if name not in _OWN_KEYS}
    if table.nesting is not None:
        plain["nesting"] = Nesting(table.nesting)
    forests = tuple(OtherForest(other.name, other.domains, other.locations) for other in table.other_forests or ())
    return LdapSettings(bind=_bind(table), other_forests=forests, **plain)


def _bind(table: DirectoryTable) -> SimpleBind | KerberosBind:
    if table.bind_user is None or table.bind_password_file is None:
        return KerberosBind(table.keytab, table.credential_cache or "")
    try:
        return SimpleBind(table.bind_user, read_secret("directory.bind_password_file", table.bind_password_file))
    except ConfigError as error:
        raise OperatorError("; ".join(error.lines)) from None


def _ticket_acceptor(config: Config, names: tuple[str, ...]) -> TicketAcceptor:
    try:
        from rmsserver.auth.kerberos import KerberosSettings, TicketAcceptor
    except ImportError:
        raise OperatorError(f"sign_on.keytab: Kerberos {_EXTRA}") from None
    binding = ChannelBinding(config.sign_on.channel_binding)
    replay_cache = config.home.absolute() / "kerberos-replay-cache"
    return TicketAcceptor(KerberosSettings(config.sign_on.keytab or Path(), names, replay_cache, binding))


def _ntlm_helpers(config: Config) -> Helpers:
    found = config.sign_on.ntlm_auth or shutil.which("ntlm_auth")
    if not found or not os.access(found, os.X_OK):
        raise OperatorError(
            f"sign_on.ntlm_auth: {found or 'ntlm_auth'} is not there: install Samba's winbind and join the domain, name the "
            'program, or set sign_on.mechanisms = ["kerberos"]'
        )
    return Helpers(WinbindSettings(Path(found), config.sign_on.ntlm_helpers))


# --- both ---------------------------------------------------------------------------------------------------------------


def _is_on(config: Config, mechanism: str) -> bool:
    chosen = config.sign_on.mechanisms
    return chosen is None or mechanism in chosen


def _ntlm_settings(config: Config) -> NtlmSettings:
    return NtlmSettings(channel_binding=ChannelBinding(config.sign_on.channel_binding))


def _http_settings(config: Config) -> SignOnSettings:
    return SignOnSettings(basic=BasicUse(config.sign_on.basic))
