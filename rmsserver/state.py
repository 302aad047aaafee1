"""The values a request is served with ([MS-RMPR] 3.1.1.1): frozen, replaced whole, never changed in place.

`ServerState` is loaded from the certificate store and the database (`stores/configuration.py`) at start and again
whenever `configuration_version` moves. `RequestContext` is what the HTTP side knows about one request.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from rmsserver.xrml.issuing import IssuingCertificate
from rmsserver.xrml.keys import CryptoMode, KeyId, PrivateKey, PublicKey
from rmsserver.xrml.revocation import Revocation
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid, Version, VersionSpan

# --- who is asking: 3.1.1.1.5 to 3.1.1.1.8 -----------------------------------------------------------------------------


class AuthenticationType(enum.Enum):
    """How the HTTP side verified the caller (3.1.4.3)."""

    NONE = "None"
    BASIC = "Basic"
    NTLM = "NTLM"
    KERBEROS = "Kerberos"
    FEDERATION = "MWBF"


@dataclass(frozen=True)
class DomainAccount:
    """An account of a directory (3.1.1.1.5). `name` is DOMAIN\\user, `sid` the SID in string form."""

    name: str
    sid: str


@dataclass(frozen=True)
class FederatedAccount:
    """An account that signed in through federation (3.1.1.1.6)."""

    email: str
    proxy_addresses: tuple[str, ...] = ()


@dataclass
class AuditTrail:
    """Facts that one request collects on its way; written with its outcome as one audit record.

    Keys are snake_case nouns ("signer", "owner", "open_reading"); values are short strings, cut to 200 characters.
    Never key material, licence text or a password.
    """

    facts: dict[str, list[str]] = field(default_factory=dict)
    alerts: list[str] = field(default_factory=list)

    def note(self, key: str, value: str) -> None:
        """Add a fact; the same key may be noted several times, at most 20 values are kept."""
        values = self.facts.setdefault(key, [])
        if len(values) < 20:
            values.append(value[:200])

    def alert(self, what: str) -> None:
        """Add a fact that an administrator should look at."""
        if len(self.alerts) < 20:
            self.alerts.append(what[:200])


@dataclass(frozen=True)
class RequestContext:
    """What the HTTP server tells an operation about a request (3.1.1.1.8)."""

    authentication: AuthenticationType = AuthenticationType.NONE
    account: DomainAccount | FederatedAccount | None = None
    anonymous_endpoint: bool = False
    """True where configuration opens this endpoint to anonymous callers."""
    maximum_version: Version = Version(1, 0, 0, 0)
    """The MaximumVersion of the request's VersionData header (2.2.4.2), 1.0.0.0 where it had none."""
    application: str = ""
    """The User-Agent header, cut to 200 characters. Informative."""
    trail: AuditTrail = field(default_factory=AuditTrail, compare=False)

    @property
    def is_authenticated(self) -> bool:
        return self.account is not None

    @property
    def domain_account(self) -> DomainAccount | None:
        return self.account if isinstance(self.account, DomainAccount) else None


# --- the server: 3.1.1.1.1 to 3.1.1.1.4 --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Licensor:
    """An issuing identity (a server, or the SPC issuer): certificate, chain and private key.

    `chain` is the certificate followed by every one above it, as surface texts, as answers append them.
    """

    certificate: IssuingCertificate
    chain: tuple[str, ...]
    key: PrivateKey = field(repr=False)

    @property
    def mode(self) -> CryptoMode:
        return CryptoMode.of_key_bits(self.certificate.principal.public_key.bits)


@dataclass(frozen=True)
class TrustedLicensingServer:
    """A server on whose behalf use licences are issued (3.1.1.1.2): an imported trusted publishing domain."""

    licensor: Licensor
    templates: Mapping[Guid, RightsTemplate] = field(default_factory=dict)


@dataclass(frozen=True)
class TrustedUserDomain:
    """An imported trusted user domain: the conditions under which another cluster's account certificates count."""

    name: str
    email_domains: frozenset[str] | None = None
    """Lower case; None: every domain."""
    sids_trusted: bool = False
    """Whether a SID in its certificates means that account of our directory, and rights granted to the SID."""
    federated_trusted: bool = False
    """Whether its certificates of type Federation count."""

    def covers(self, email: str) -> bool:
        """Is the address in one of the trusted domains?"""
        _, at, domain = email.rpartition("@")
        # Only ASCII is folded: U+212A (Kelvin sign) must not become "k".
        folded = domain.lower() if domain.isascii() else domain
        return self.email_domains is None or (bool(at) and folded in self.email_domains)


@dataclass(frozen=True)
class ApplicationExclusion:
    """An application excluded in every use licence (3.1.1.1.4). `filename` is that of the executable."""

    filename: str
    span: VersionSpan


@dataclass(frozen=True)
class ServerState:
    """Everything configuration says, ready for use (3.1.1.1.1; defaults 3.1.3.3)."""

    licensor: Licensor
    base_url: str
    """Without a final slash, for example `https://rms.example.com/_wmcs`."""
    configuration_version: int = 0
    configuration_refresh_interval: dt.timedelta = dt.timedelta(seconds=30)
    server_version: str = "6.3.0.0"
    name: str = ""
    sku: str = "RMS 2.0"
    cryptographic_mode: CryptoMode = CryptoMode.MODE_2
    machine_issuer: Licensor | None = None
    """The cluster's own SPC issuer, with which it signs machine certificates for our client."""
    former_licensors: tuple[Licensor, ...] = ()
    """Own SLCs of the past: their RACs stay trusted, their licences still open."""
    trusted_licensing_servers: tuple[TrustedLicensingServer, ...] = ()
    trusted_rac_issuers: Mapping[KeyId, PublicKey] = field(default_factory=dict)
    """Exact SLC keys: own, former own, imported user domains."""
    trusted_user_domains: Mapping[KeyId, TrustedUserDomain] = field(default_factory=dict)
    """Of the trusted RAC issuers those of other clusters, by SLC key, each with its conditions."""
    trusted_machine_issuers: Mapping[KeyId, PublicKey] = field(default_factory=dict)
    """trustedSpcCAKeys: accepted as the first or second certificate above an SPC."""
    machine_roots: Mapping[KeyId, PublicKey] = field(default_factory=dict)
    """Roots (the production root) at which a whole machine chain may close instead."""
    minimum_security_processor: Version | None = None
    """spcExclusionPolicy: the lowest accepted version of the Repository level."""
    excluded_racs: frozenset[KeyId] = frozenset()
    revocations: tuple[Revocation, ...] = ()
    """What the cluster's own revocation list names."""
    blocked_users: frozenset[str] = frozenset()
    """E-mail addresses and SIDs, folded, of users who are refused everywhere whatever certificate they have."""
    application_exclusions: tuple[ApplicationExclusion, ...] = ()
    os_exclusion: VersionSpan | None = None
    """None where OS exclusion is off."""
    creation_time_tolerance: dt.timedelta = dt.timedelta(days=15)
    rac_validity: dt.timedelta = dt.timedelta(days=365)
    temporary_rac_validity: dt.timedelta = dt.timedelta(minutes=15)
    federated_rac_validity: dt.timedelta = dt.timedelta(days=1)
    validity_tolerance: dt.timedelta = dt.timedelta(days=1)
    licensing_url: str | None = None
    external_certification_url: str | None = None
    external_licensing_url: str | None = None
    external_falls_back_to_internal: bool = True
    federation_enabled: bool = False
    decommissioned: bool = False
    no_rights_cache_enabled: bool = True
    online_publishing_enabled: bool = True
    super_user_enabled: bool = False
    super_user_group: str | None = None
    published_templates: Mapping[Guid, RightsTemplate] = field(default_factory=dict)
    archived_templates: Mapping[Guid, RightsTemplate] = field(default_factory=dict)
    template_revisions: Mapping[Guid, int] = field(default_factory=dict)
    """Which version of each template those are, counted from 1."""
    serve_unknown_licensors: bool = True
    """Serve a publishing licence whose CLC nobody here remembers, where our key opens it (wire facts 5, case 6)."""
    require_own_rac: bool = False
    """AcquireLicense and GetClientLicensorCert only for the RAC of the authenticated account (threat L5)."""
    rac_proxies: frozenset[str] = frozenset()
    """SIDs that may present other accounts' RACs where `require_own_rac` is on (mail servers)."""
    refuse_republished_keys: bool = False
    """Refuse a content key that another signer published first (threat L13); recorded in any case."""
    group_expansion_enabled: bool = False
    """IsPrincipalMemberOf over SOAP ([MS-RMPRS] 3.5)."""
    binary_group_expansion_enabled: bool = False
    """The same in the binary form of the product's first version ([MS-RMPRS] 3.6)."""
    forests: Mapping[str, str] = field(default_factory=dict)
    """Domain of e-mail addresses (small letters) -> URL of the group expansion service of the forest that has them."""
    cross_forest_limit: int = 10
    """A question about groups that has come through this many servers is not answered any more."""
    sub_enrollment_enabled: bool = False
    """Certificates for licensing-only clusters ([MS-RMPRS] 3.3)."""
    enrollment_enabled: bool = False
    """Certificates for clusters of their own under our hierarchy ([MS-RMPR] 3.6)."""
    enrollment_service: Licensor | None = None
    """Whose key signs those; None where enrollment is off, or the store does not hold the key."""
    root_url: str | None = None
    """The URL of the root cluster of a licensing-only one, as `base_url`; None: this cluster certifies itself."""
    activation_url: str | None = None
    """The activation service that Activate requests are passed on to ([MS-RMPR] 3.2)."""
    certificate_limit_bytes: int = 30_720
    certificate_limit_count: int = 100
    issuance_license_limit_bytes: int = 8 * 1024 * 1024
    application_data_limit_bytes: int = 102_400
    batch_limit: int = 100
    pre_license_limit: int = 100
    """Identities in one AcquirePreLicense."""

    @property
    def certification_url(self) -> str:
        """Where account certificates come from: here, or at the root cluster of a licensing-only one."""
        return (self.root_url or self.base_url) + "/certification"

    @property
    def is_licensing_only(self) -> bool:
        """Enrolled under a root cluster with authority to license, not to certify ([MS-RMPRS] 3.3)."""
        return self.root_url is not None

    @property
    def internal_licensing_url(self) -> str:
        """licensingUrl, else baseUrl + "/licensing" (rulings 7)."""
        return self.licensing_url or self.base_url + "/licensing"

    def template(self, guid: Guid) -> RightsTemplate | None:
        """The server's current version of a template, distributed or archived."""
        return self.published_templates.get(guid) or self.archived_templates.get(guid)
