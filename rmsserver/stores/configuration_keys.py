"""The keys of the cluster's configuration ([MS-RMPR] 3.1.1.1.1), typed: what each means, how it is written
and read.

Values are kept as JSON. Names are those of the specification; keys of our own follow its manner. Defaults are
those of `ServerState`, which has them from 3.1.3.3 and the rulings.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from rmsserver.errors import OperatorError
from rmsserver.state import ApplicationExclusion, ServerState
from rmsserver.xrml.errors import XrmlError, XrmlSyntaxError
from rmsserver.xrml.keys import KeyId
from rmsserver.xrml.revocation import Revocation, RevokedBy
from rmsserver.xrml.values import Guid, Version, VersionSpan, fold

Json = None | bool | int | str | list[object]


@dataclass(frozen=True)
class ValueType:
    """`parse` turns an operator's text into JSON (ValueError: its text says what is expected), `load` JSON
    into a value.
    """

    parse: Callable[[str], Json]
    load: Callable[[Json], object]


@dataclass(frozen=True)
class ConfigurationKey:
    """One key. `field` is the field of ServerState it becomes."""

    name: str
    field: str
    type: ValueType
    description: str
    nullable: bool = False
    commands: str = ""
    """The commands that change it, where `config set` must not."""

    def parse(self, text: str) -> Json:
        """Read what an operator wrote; "" and "none" empty a key that may be empty. Raises OperatorError."""
        if text.strip().casefold() in ("", "none"):
            if self.nullable:
                return None
            raise OperatorError(f"{self.name} must have a value: {self.description}")
        try:
            value = self.type.parse(text.strip())
            self.load(value)
        except ValueError as error:
            raise OperatorError(f"{self.name}: {error}") from None
        return value

    def load(self, value: Json) -> object:
        """The value as ServerState has it."""
        return None if value is None and self.nullable else self.type.load(value)


# --- types of values ----------------------------------------------------------------------------------------

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,255}")
_SID = re.compile(r"S-1(-[0-9]{1,10}){1,15}", re.IGNORECASE)
_URL_TEXT = re.compile(r"[A-Za-z0-9._~:/\[\]%-]+")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_FILENAME = re.compile(r"[^\x00-\x1f\\/:*?\"<>|]{1,255}")


def _duration(text: str) -> Json:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a number and one of s, m, h, d, for example 365d")
    seconds = int(match.group(1)) * _UNITS[match.group(2)]
    if seconds > 100 * 365 * 86_400:
        raise ValueError("at most 36500d")
    return seconds


def _flag(text: str) -> Json:
    values = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.casefold() not in values:
        raise ValueError("write true or false")
    return values[text.casefold()]


def url(text: str) -> str:
    """A base URL: http or https, a host, no query, no final slash. Raises ValueError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL, for example https://rms.example.com/_wmcs") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or not _URL_TEXT.fullmatch(text):
        raise ValueError("not a URL, for example https://rms.example.com/_wmcs")
    return text.rstrip("/")


def is_loopback(host: str) -> bool:
    """By its name or number alone: nobody is asked."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _matching(pattern: re.Pattern[str], example: str) -> Callable[[str], Json]:
    def parse(text: str) -> Json:
        if not pattern.fullmatch(text):
            raise ValueError(f"not of the expected form, for example {example}")
        return text

    return parse


def _text(text: str) -> Json:
    if len(text) > 200 or not text.isprintable():
        raise ValueError("at most 200 printable characters")
    return text


def _version(text: str) -> Json:
    try:
        return str(Version.parse(text))
    except XrmlSyntaxError:
        raise ValueError("write a version of up to four numbers, for example 6.1.7600.16385") from None


def _span(text: str) -> Json:
    low, dash, high = text.partition("-")
    try:
        ordered = Version.parse(low) <= Version.parse(high)
    except XrmlSyntaxError:
        ordered = False
    if not dash or not ordered:
        raise ValueError("write lowest and highest version, for example 0-2.1.5.2600")
    return text


def _load_span(value: Json) -> VersionSpan:
    low, _, high = str(value).partition("-")
    return VersionSpan(low, high)


def _exclusion(text: str) -> Json:
    filename, equals, span = text.rpartition("=")
    if not equals or not _FILENAME.fullmatch(filename):
        raise ValueError("write file name and versions, for example WINWORD.EXE=0-11.9999.9999.9999")
    return f"{filename}={_span(span)}"


def _load_exclusion(value: Json) -> ApplicationExclusion:
    filename, _, span = str(value).rpartition("=")
    return ApplicationExclusion(filename, _load_span(span))


def _count(minimum: int, maximum: int) -> Callable[[str], Json]:
    def parse(text: str) -> Json:
        if not text.isascii() or not text.isdigit() or not minimum <= int(text) <= maximum:
            raise ValueError(f"write a number from {minimum} to {maximum}")
        return int(text)

    return parse


def _many(one: Callable[[str], Json], load_one: Callable[[Json], object], collect: Callable[..., object]) -> ValueType:
    """Several values, separated by commas or blanks."""

    def parse(text: str) -> Json:
        return [one(part) for part in re.split(r"[,\s]+", text) if part]

    def load(value: Json) -> object:
        return collect(load_one(part) for part in (value if isinstance(value, list) else []))  # type: ignore[arg-type]

    return ValueType(parse, load)


def _revocation(text: str) -> Json:
    try:
        found = _load_revocation(text)
        found.xml()
    except (ValueError, XrmlError):
        kinds = ", ".join(by.value[1] for by in RevokedBy)
        raise ValueError(f"write TYPE=VALUE, TYPE one of {kinds}; keys and hashes in base64") from None
    # Clients compare the ID in the account certificate: an address would stand in the list and revoke nobody.
    if found.by is RevokedBy.PRINCIPAL_ID and found.id_type == "ascii-tag":
        raise ValueError(
            "people are revoked by the SID or GUID in their account certificate; `rmsserver user list` shows SIDs"
        )
    return text


def _load_revocation(value: Json) -> Revocation:
    type_, _, identity = str(value).partition("=")
    by = next((by for by in RevokedBy if by.value[1] == type_), None)
    if by is None or not identity:
        raise ValueError
    if by.by_key or by is RevokedBy.LICENSE_HASH:
        return Revocation(by, identity, "")
    if _SID.fullmatch(identity):
        return Revocation(by, identity, "Windows")
    try:
        return Revocation(by, Guid.parse(identity).braced)
    except XrmlSyntaxError:
        return Revocation(by, identity, "ascii-tag")


DURATION = ValueType(_duration, lambda value: dt.timedelta(seconds=int(str(value))))
FLAG = ValueType(_flag, bool)
URL = ValueType(url, str)
EMAIL = ValueType(_matching(_EMAIL, "group@example.com"), str)
TEXT = ValueType(_text, str)
VERSION_TEXT = ValueType(_version, str)
VERSION = ValueType(_version, lambda value: Version.parse(str(value)))
SPAN = ValueType(_span, _load_span)
KEY_IDS = _many(
    _matching(re.compile(r"[0-9a-f]{64}"), "64 hexadecimal digits"), lambda v: KeyId(bytes.fromhex(str(v))), frozenset
)
BLOCKED = _many(
    _matching(
        re.compile(rf"{_EMAIL.pattern}|{_SID.pattern}", re.IGNORECASE), "user@example.com or S-1-5-21-1-2-3-1104"
    ),
    lambda value: fold(str(value)),
    frozenset,
)
REVOCATIONS = _many(_revocation, _load_revocation, tuple)
SIDS = _many(_matching(_SID, "S-1-5-21-1-2-3-1104"), str, frozenset)
EXCLUSIONS = _many(_exclusion, _load_exclusion, tuple)


def _forest(text: str) -> Json:
    domain, equals, address = text.partition("=")
    if not equals or not _DOMAIN.fullmatch(domain):
        raise ValueError("write a mail domain and a URL, for example example.net=https://rms.example.net/groups.asmx")
    found = url(address)
    parts = urlsplit(found)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "without TLS anybody on the way could answer in the other forest's place: write an https:// URL"
        )
    return f"{domain.lower()}={found}"


def _load_forest(value: Json) -> tuple[str, str]:
    domain, _, address = str(value).partition("=")
    return domain, address


FORESTS = _many(_forest, _load_forest, dict)


def _number(minimum: int, maximum: int) -> ValueType:
    return ValueType(_count(minimum, maximum), lambda value: int(str(value)))


# --- the table ----------------------------------------------------------------------------------------------

_KEYS = (
    ConfigurationKey("baseUrl", "base_url", URL, "the cluster's URL, for example https://rms.example.com/_wmcs"),
    ConfigurationKey(
        "licensingUrl", "licensing_url", URL, "another server for licensing; none: baseUrl/licensing", True
    ),
    ConfigurationKey(
        "externalCertificationUrl", "external_certification_url", URL, "extranet URL of certification", True
    ),
    ConfigurationKey("externalLicensingUrl", "external_licensing_url", URL, "extranet URL of licensing", True),
    ConfigurationKey(
        "externalFallsBackToInternal",
        "external_falls_back_to_internal",
        FLAG,
        "answer internal URLs where no extranet URL is set",
    ),
    ConfigurationKey(
        "configurationRefreshInterval",
        "configuration_refresh_interval",
        DURATION,
        "how often a server looks for changes of configuration",
    ),
    ConfigurationKey("name", "name", TEXT, "friendly name of the server"),
    ConfigurationKey("serverVersion", "server_version", VERSION_TEXT, "version that answers tell"),
    ConfigurationKey("sku", "sku", TEXT, "SKU that answers tell"),
    ConfigurationKey("racValidityTime", "rac_validity", DURATION, "lifetime of account certificates"),
    ConfigurationKey("tempRacValidityTime", "temporary_rac_validity", DURATION, "lifetime of temporary ones"),
    ConfigurationKey("federatedRacValidityTime", "federated_rac_validity", DURATION, "lifetime of federated ones"),
    ConfigurationKey(
        "certificateValidityTimeTolerance",
        "validity_tolerance",
        DURATION,
        "how long before its issue an account certificate is valid",
    ),
    ConfigurationKey(
        "creationTimeTolerance",
        "creation_time_tolerance",
        DURATION,
        "how much younger than a document an account may be",
    ),
    ConfigurationKey(
        "spcExclusionPolicy",
        "minimum_security_processor",
        VERSION,
        "lowest version of security processors that is served",
        True,
    ),
    ConfigurationKey("racExclusionPolicy", "excluded_racs", KEY_IDS, "key ids of excluded account certificates", True),
    ConfigurationKey(
        "revocations", "revocations", REVOCATIONS, "what the cluster's revocation list names, TYPE=VALUE", True
    ),
    ConfigurationKey(
        "blockedUsers",
        "blocked_users",
        BLOCKED,
        "e-mail addresses and SIDs of users who are refused whatever certificate they have",
        True,
    ),
    ConfigurationKey(
        "applicationExclusionPolicy",
        "application_exclusions",
        EXCLUSIONS,
        "excluded applications, NAME.EXE=lowest-highest",
        True,
    ),
    ConfigurationKey("osExclusionPolicy", "os_exclusion", SPAN, "versions of Windows excluded in use licences"),
    ConfigurationKey("osExclusionEnabled", "os_exclusion", FLAG, "whether osExclusionPolicy applies"),
    ConfigurationKey("federationEnabled", "federation_enabled", FLAG, "whether federated accounts are served"),
    ConfigurationKey(
        "serverDecommissioned",
        "decommissioned",
        FLAG,
        "whether the cluster only helps to decrypt",
        commands="rmsserver decommission",
    ),
    ConfigurationKey(
        "noRightsCacheEnabled", "no_rights_cache_enabled", FLAG, "whether refusals are remembered for a while"
    ),
    ConfigurationKey("onlinePublishingEnabled", "online_publishing_enabled", FLAG, "whether the server signs licences"),
    ConfigurationKey("superUserEnabled", "super_user_enabled", FLAG, "whether superUserGroup applies"),
    ConfigurationKey(
        "superUserGroup", "super_user_group", EMAIL, "e-mail of the group that opens every document", True
    ),
    ConfigurationKey(
        "serveUnknownLicensors",
        "serve_unknown_licensors",
        FLAG,
        "whether licences of licensors that nobody here remembers are served where our key opens them",
    ),
    ConfigurationKey("requireOwnRac", "require_own_rac", FLAG, "whether callers may present only their own RAC"),
    ConfigurationKey("racProxies", "rac_proxies", SIDS, "SIDs that may present other accounts' RACs", True),
    ConfigurationKey(
        "refuseRepublishedKeys",
        "refuse_republished_keys",
        FLAG,
        "refuse a content key that another signer published first",
    ),
    ConfigurationKey(
        "groupExpansionEnabled",
        "group_expansion_enabled",
        FLAG,
        "whether other servers may ask who is in a group; the endpoint needs accounts, too",
    ),
    ConfigurationKey(
        "binaryGroupExpansionEnabled",
        "binary_group_expansion_enabled",
        FLAG,
        "the same in the binary form of the product's first version",
    ),
    ConfigurationKey("forests", "forests", FORESTS, "group expansion services of other forests, MAIL-DOMAIN=URL", True),
    ConfigurationKey(
        "crossForestLimit",
        "cross_forest_limit",
        _number(1, 10),
        "through how many servers a question about groups may have come",
    ),
    ConfigurationKey(
        "subEnrollmentEnabled",
        "sub_enrollment_enabled",
        FLAG,
        "whether licensing-only clusters may enroll here; the endpoint needs accounts, too",
    ),
    ConfigurationKey(
        "enrollmentEnabled",
        "enrollment_enabled",
        FLAG,
        "whether other clusters may enroll under our hierarchy; the endpoint needs accounts, too",
    ),
    ConfigurationKey("rootUrl", "root_url", URL, "the root cluster of a licensing-only one; set by init", True),
    ConfigurationKey(
        "activationUrl", "activation_url", URL, "activation service that Activate requests are passed on to", True
    ),
    ConfigurationKey(
        "certificateLimitBytes", "certificate_limit_bytes", _number(1024, 2**20), "size of one licensee certificate"
    ),
    ConfigurationKey(
        "certificateLimitCount", "certificate_limit_count", _number(1, 1000), "licensee certificates in one item"
    ),
    ConfigurationKey(
        "issuanceLicenseLimitBytes",
        "issuance_license_limit_bytes",
        _number(1024, 64 * 2**20),
        "size of one publishing licence",
    ),
    ConfigurationKey(
        "applicationDataLimitBytes", "application_data_limit_bytes", _number(0, 2**24), "size of application data"
    ),
    ConfigurationKey("batchLimit", "batch_limit", _number(1, 1000), "items in one AcquireLicense"),
    ConfigurationKey("preLicenseLimit", "pre_license_limit", _number(1, 1000), "identities in one AcquirePreLicense"),
)

KEYS: Mapping[str, ConfigurationKey] = {key.name: key for key in _KEYS}
"""Every key by its name."""

DEFAULT_OS_EXCLUSION = "0-2.1.5.2600"
"""3.1.3.3; in force only with osExclusionEnabled."""


def configuration_key(name: str) -> ConfigurationKey:
    """The key of that name, in any letter case. Raises OperatorError that names the nearest."""
    folded = {key.casefold(): key for key in KEYS}
    if name.casefold() not in folded:
        raise OperatorError(f"there is no configuration key {name[:64]!r}: see `rmsserver config list`")
    return KEYS[folded[name.casefold()]]


def settable_key(name: str) -> ConfigurationKey:
    """The key of that name, for `config set` and `config reset`. Raises OperatorError also where other commands own it."""
    key = configuration_key(name)
    if key.commands:
        raise OperatorError(f"{key.name} is not set by hand: see `{key.commands} --help`")
    return key


def state_fields(values: Mapping[str, Json]) -> dict[str, object]:
    """Stored values as keyword arguments of ServerState; keys of a newer version are left out."""
    fields = {
        KEYS[name].field: KEYS[name].load(value)
        for name, value in values.items()
        if name in KEYS and not name.startswith("osExclusion")
    }
    for name in ("excluded_racs", "blocked_users", "revocations", "application_exclusions", "rac_proxies", "forests"):
        if fields.get(name, ()) is None:
            del fields[name]
    if values.get("osExclusionEnabled"):
        fields["os_exclusion"] = SPAN.load(values.get("osExclusionPolicy", DEFAULT_OS_EXCLUSION))
    return fields


def default_text(key: ConfigurationKey) -> str:
    """The default as an operator would write it, for `config list`."""
    if key.name == "osExclusionPolicy":
        return DEFAULT_OS_EXCLUSION
    if key.name == "osExclusionEnabled":
        return "false"
    field = next(field for field in dataclasses.fields(ServerState) if field.name == key.field)
    if field.default_factory is not dataclasses.MISSING:
        return show(field.default_factory())
    return "(set at init)" if field.default is dataclasses.MISSING else show(field.default)


def show(value: object) -> str:
    """A value, stored or default, as an operator would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.timedelta):
        return _show_seconds(int(value.total_seconds()))
    if isinstance(value, (list, tuple, frozenset, Mapping)):
        return ",".join(map(str, value)) or "none"
    return str(value) or "(empty)"


def show_stored(key: ConfigurationKey, value: Json) -> str:
    """A stored JSON value as an operator would write it."""
    return _show_seconds(int(str(value))) if key.type is DURATION and value is not None else show(value)


def _show_seconds(seconds: int) -> str:
    unit = next(unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"
