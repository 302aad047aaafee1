"""What an operator sets for one server process: a TOML file, then the environment, then the command line.

`rmsserver.toml` in the cluster's home holds any of the keys below; RMSSERVER_<KEY> in the environment beats
it (tables with two underscores: RMSSERVER_LIMITS__BODY_BYTES). What all servers of a cluster share (URLs,
lifetimes, policies) is not here but in the database: `rmsserver config`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

FILE_NAME = "rmsserver.toml"
PREFIX = "RMSSERVER_"
PASSPHRASE_VARIABLE = "RMSSERVER_PASSPHRASE"  # noqa: S105 - the name of a variable


class ConfigError(Exception):
    """Every mistake at once, one line each: the key, what is wrong, what to write. `str` joins the lines."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class EndpointAccess(StrEnum):
    """Who may call an endpoint."""

    REQUIRED = "required"
    """Every account that signs on."""
    ANONYMOUS = "anonymous"
    """Everyone; who signs on nevertheless is known."""
    NOBODY = "nobody"
    LISTED = "listed"
    """Those in `accounts`: accounts by SID, login or e-mail address, groups by SID or e-mail address."""


class PassphraseSource(StrEnum):
    """Where the passphrase of the certificate store comes from."""

    FILE = "file"
    ENVIRONMENT = "environment"
    PROMPT = "prompt"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Endpoint(_Table):
    """Authentication of one endpoint."""

    access: EndpointAccess
    accounts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _listed(self) -> Endpoint:
        if bool(self.accounts) != (self.access is EndpointAccess.LISTED):
            raise ValueError('accounts belongs to access = "listed" and must name at least one there')
        return self


class Limits(_Table):
    """Bounds on requests. Sizes in bytes, times in seconds."""

    body_bytes: Annotated[int, Field(ge=65_536, le=2**30)] = 16 * 2**20
    request_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    idle_seconds: Annotated[float, Field(gt=0, le=3_600)] = 120.0
    connections: Annotated[int, Field(ge=10, le=1_000_000)] = 512


class KeyPoolSize(_Table):
    """Ready RSA key pairs: kept in all, and in memory."""

    keys: Annotated[int, Field(ge=0, le=100_000)] = 256
    staged: Annotated[int, Field(ge=0, le=10_000)] = 100


class Caches(_Table):
    """Opened licences and refusals ([MS-RMPR] 3.1.1.1.3). `lifetime_seconds` bounds how late a grant is
    seen.
    """

    licenses: Annotated[int, Field(ge=0, le=1_000_000)] = 2_000
    license_bytes: Annotated[int, Field(ge=0, le=2**36)] = 128 * 2**20
    refusals: Annotated[int, Field(ge=0, le=10_000_000)] = 50_000
    witnesses: Annotated[int, Field(ge=0, le=10_000_000)] = 50_000
    lifetime_seconds: Annotated[float, Field(ge=0, le=86_400)] = 600.0


class Audit(_Table):
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 365
    queue: Annotated[int, Field(ge=100, le=1_000_000)] = 20_000


class SignOn(_Table):
    """How callers sign on. The keys behind `mechanisms` are for directory.kind = "ldap"."""

    basic: Literal["never", "secure", "secure-or-loopback", "always"] = "secure"
    """Where passwords may come in the clear: under TLS that this server ends, on loopback too, or
    anywhere.
    """
    channel_binding: Literal["never", "optional", "required"] = "optional"
    """Extended protection of Kerberos and NTLM; "required" needs TLS that this server ends."""
    mechanisms: tuple[Literal["kerberos", "ntlm"], ...] | None = None
    """None: all that the directory can: Kerberos and NTLM with "ldap", NTLM with "embedded"."""
    keytab: Path | None = None
    """Keys of the service's account. Kerberos needs it, and so does Basic against a domain."""
    service_principals: tuple[str, ...] = ()
    """Names of the service that tickets may be for. Empty: HTTP/ and the host of the cluster's URL."""
    ntlm_auth: Path | None = None
    """Samba's program of that name. None: where PATH finds it."""
    ntlm_helpers: Annotated[int, Field(ge=1, le=64)] = 4
    """Processes of `ntlm_auth` at most."""


class OtherForestTable(_Table):
    """A trusted forest that has a cluster of its own; `locations` has a URL for each service type."""

    name: str
    domains: tuple[str, ...]
    locations: Mapping[str, str] = Field(default_factory=dict)


class DirectoryTable(_Table):
    """Where accounts and groups come from. All but `kind` is for "ldap"; what is None has the default that
    directory/ldap/settings.py gives it.
    """

    kind: Literal["embedded", "ldap"] = "embedded"
    controllers: tuple[str, ...] | None = None
    bind_user: str | None = None
    """With `bind_password_file` a simple bind; without, Kerberos."""
    bind_password_file: Path | None = None
    keytab: Path | None = None
    """For Kerberos: keys of the account the server searches as. Not the service's own (sign_on.keytab)."""
    credential_cache: str | None = None
    start_tls: bool | None = None
    verify_certificate: bool | None = None
    ca_file: Path | None = None
    search_base: str | None = None
    email_attributes: tuple[str, ...] | None = None
    nesting: Literal["auto", "server", "walk"] | None = None
    other_forests: tuple[OtherForestTable, ...] | None = None
    lifetime_seconds: float | None = None
    negative_lifetime_seconds: float | None = None
    cache_entries: int | None = None
    request_seconds: float | None = None
    connect_seconds: float | None = None
    retry_seconds: float | None = None
    connections: int | None = None
    page_size: int | None = None

    @model_validator(mode="after")
    def _of_ldap(self) -> DirectoryTable:
        given = sorted(name for name in self.model_fields_set if name != "kind" and getattr(self, name) is not None)
        if self.kind == "embedded" and given:
            raise ValueError(f'{", ".join(given)}: only for kind = "ldap"; remove, or set kind = "ldap"')
        if self.kind == "ldap" and not self.controllers:
            raise ValueError('kind = "ldap" needs controllers, for example ["ldaps://dc1.example.com"]')
        if (self.bind_user is None) != (self.bind_password_file is None):
            raise ValueError("bind_user and bind_password_file belong together: set both, or neither for Kerberos")
        return self


class PeersTable(_Table):
    """Calls to other servers, whose URLs are in `rmsserver config` (forests, activationUrl)."""

    login: str | None = None
    """Whom this server signs on as at other forests, by NTLM, for example EXAMPLE\\rms."""
    password_file: Path | None = None
    ca_file: Path | None = None
    """PEM file of the authorities for their TLS certificates. None: the public ones."""
    simultaneous: Annotated[int, Field(ge=1, le=64)] = 4
    """Calls at once, and never more than half of `threads`; one more is refused."""

    @model_validator(mode="after")
    def _pairs(self) -> PeersTable:
        if (self.login is None) != (self.password_file is None):
            raise ValueError("login and password_file belong together: set both, or neither")
        return self


class FederationIssuerTable(_Table):
    """A federation partner whose users sign on here. It needs a certificate file or a thumbprint."""

    name: Annotated[str, Field(min_length=1, max_length=500)]
    """What stands as Issuer in its tokens."""
    sign_in_url: Annotated[str, Field(pattern=r"^https://[!-~]+$", max_length=1_000)]
    email_domains: Annotated[tuple[str, ...], Field(min_length=1)]
    """Whose addresses it may speak for; "*" for all."""
    certificate_files: tuple[Path, ...] = ()
    """PEM files of the certificates that sign its tokens."""
    thumbprints: tuple[str, ...] = ()
    """SHA-256 of such certificates, in hexadecimal."""
    realm: Annotated[str | None, Field(min_length=1, max_length=500)] = None
    """What it calls this cluster. None: https URLs of the cluster's directories `…external/`."""
    allow_sha1: bool = False
    proxy_addresses: bool = False
    """Whether its ProxyAddresses claims count."""

    @field_validator("thumbprints", mode="after")
    @classmethod
    def _hexadecimal(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple("".join(c for c in text.lower() if c not in " :") for text in given)
        if any(len(text) != 64 or set(text) - set("0123456789abcdef") for text in plain):
            raise ValueError("a thumbprint is the SHA-256 of the certificate: 64 hexadecimal digits")
        return plain

    @model_validator(mode="after")
    def _some_key(self) -> FederationIssuerTable:
        if not self.certificate_files and not self.thumbprints:
            raise ValueError("an issuer needs certificate_files or thumbprints: set one")
        return self


class FederationTable(_Table):
    """Federated sign-on ([MS-MWBF]). Needs TLS that this server ends, and federationEnabled (`rmsserver config`)."""

    issuers: tuple[FederationIssuerTable, ...] = ()
    session_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    clock_skew_seconds: Annotated[int, Field(ge=0, le=900)] = 300

    @model_validator(mode="after")
    def _distinct(self) -> FederationTable:
        if len({issuer.name for issuer in self.issuers}) != len(self.issuers):
            raise ValueError("two issuers have the same name: give each its own")
        return self


class DecryptionBudget(_Table):
    """Failing private-key operations of one account (threat C4)."""

    failures: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    window_seconds: Annotated[float, Field(gt=0, le=86_400)] = 3_600.0


class Config(BaseSettings):
    """One server process. Frozen; made by `load_config`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", validate_default=True
    )

    home: Path
    """The cluster's home: certificates, this file, the default database."""
    listen_address: str = "127.0.0.1"
    listen_port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    tls_certificate: Path | None = None
    """PEM file: server certificate and intermediates."""
    tls_key: Path | None = None
    passphrase_source: PassphraseSource = PassphraseSource.PROMPT
    passphrase_file: Path | None = None
    database_url: str = ""
    """An SQLAlchemy URL; empty: `state.db` in the home."""
    database_connections: Annotated[int, Field(ge=2, le=200)] = 20
    threads: Annotated[int, Field(ge=1, le=256)] = 8
    metrics: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    trusted_proxies: Literal["none"] = "none"
    """Identity and address come from the connection alone: no forwarded header is ever read."""
    limits: Limits = Limits()
    key_pool: KeyPoolSize = KeyPoolSize()
    caches: Caches = Caches()
    audit: Audit = Audit()
    decryption_budget: DecryptionBudget = DecryptionBudget()
    directory: DirectoryTable = DirectoryTable()
    sign_on: SignOn = SignOn()
    peers: PeersTable = PeersTable()
    federation: FederationTable = FederationTable()
    endpoints: Mapping[str, Endpoint] = Field(default_factory=dict)
    """By path under the cluster's URL, letter case ignored; the others keep the product's defaults
    (auth/policy.py).
    """

    @field_validator("endpoints", mode="after")
    @classmethod
    def _folded(cls, given: Mapping[str, Endpoint]) -> Mapping[str, Endpoint]:
        return {path.lower().strip("/"): endpoint for path, endpoint in given.items()}

    @model_validator(mode="after")
    def _pairs(self) -> Config:
        wrong = []
        if (self.tls_certificate is None) != (self.tls_key is None):
            wrong.append("tls_certificate and tls_key belong together: set both, or neither")
        if (self.passphrase_source is PassphraseSource.FILE) != (self.passphrase_file is not None):
            wrong.append('passphrase_file belongs to passphrase_source = "file": set both, or neither')
        wrong += self._sign_on_of_a_domain()
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    def _sign_on_of_a_domain(self) -> list[str]:
        sign_on = self.sign_on
        if self.directory.kind == "embedded":
            wrong = ['sign_on.mechanisms: "kerberos" needs directory.kind = "ldap": remove it, or set that']
            return wrong if "kerberos" in (sign_on.mechanisms or ()) else []
        needs_keytab = sign_on.basic != "never" or "kerberos" in (sign_on.mechanisms or ("kerberos",))
        if needs_keytab and sign_on.keytab is None:
            return [
                "sign_on.keytab: Kerberos, and passwords checked against a domain, need the service's keytab: set it, "
                'or set mechanisms = ["ntlm"] and basic = "never"'
            ]
        return []

    @property
    def database(self) -> str:
        """The database's URL, the default filled in."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'state.db'}"


def load_config(home: Path, overrides: Mapping[str, object] | None = None) -> Config:
    """Read `rmsserver.toml` in `home` (it may be missing) and the environment; `overrides` come from the
    command line.

    Raises ConfigError with every mistake.
    """
    path = home / FILE_NAME
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8")) if path.exists() else {}
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: not a TOML file: {error}"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from None
    lines = _unknown_variables()
    if "home" in content:
        lines.append(f"{path}: home: the file lies in the home itself; remove the key and use --home")
        del content["home"]
    try:
        return _checked(lines, given | {"home": home}, content)
    except ValidationError as error:
        lines += [_line(detail) for detail in error.errors(include_url=False, include_input=False)]
        raise ConfigError(lines) from None


def _checked(lines: list[str], overrides: Mapping[str, Any], content: Mapping[str, Any]) -> Config:
    class Layered(Config):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the interface
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the interface
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the interface
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            command_line = InitSettingsSource(settings_cls, dict(overrides))
            return command_line, env_settings, InitSettingsSource(settings_cls, dict(content))

    try:
        config = Layered()  # type: ignore[call-arg]  # home comes from the first source
    except SettingsError as error:
        # An environment variable for a table that is not JSON: reported alone, pydantic-settings stops there.
        raise ConfigError([*lines, f"environment: {error}: write one {PREFIX}TABLE__KEY for each value"]) from None
    if lines:
        raise ConfigError(lines)
    return config


def read_passphrase(config: Config, prompt: Callable[[], str]) -> str:
    """The passphrase of the certificate store from where `passphrase_source` says. Raises ConfigError."""
    if config.passphrase_source is PassphraseSource.PROMPT:
        return prompt()
    if config.passphrase_source is PassphraseSource.ENVIRONMENT:
        passphrase = os.environ.get(PASSPHRASE_VARIABLE, "")
        if not passphrase:
            raise ConfigError([f"passphrase_source: {PASSPHRASE_VARIABLE} is not set: set it, or use another source"])
        return passphrase
    return read_secret("passphrase_file", config.passphrase_file or Path())


def read_secret(key: str, path: Path) -> str:
    """The first line of a file that nobody else may read; `key` names it in the ConfigError."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError([f"{key}: {path} is open to other users: run `chmod 600 {path}`"])
        secret = path.read_text("utf-8").splitlines()[0]
    except (OSError, UnicodeDecodeError, IndexError):
        raise ConfigError([f"{key}: {path} cannot be read or is empty: write the secret into its first line"]) from None
    return secret


def _unknown_variables() -> list[str]:
    known = {name.upper() for name in Config.model_fields} | {PASSPHRASE_VARIABLE.removeprefix(PREFIX)}
    return [
        f"{name}: unknown variable: remove it, or check its spelling"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).split("__")[0] not in known
    ]


def _line(detail: ErrorDetails) -> str:
    """One mistake: the key, what is expected. Never the value, which may be a secret."""
    key = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key: remove it, or check its spelling"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message}: correct it in {FILE_NAME} or {PREFIX}{_variable(detail)}" if key else message


def _variable(detail: ErrorDetails) -> str:
    return "__".join(str(part) for part in detail["loc"]).upper()
