"""What the outside supplies ([MS-RMPR] 3.1.1.3), as protocols. One contract suite per port runs on every implementation.

All methods may block; operations run in worker threads, so implementations are thread-safe. A failing outside (directory
or database away) raises `PortUnavailable`, within five seconds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rmsserver.errors import UnspecifiedError
from rmsserver.state import AuditTrail, AuthenticationType, DomainAccount
from rmsserver.xrml.keys import KeyId, PrivateKey
from rmsserver.xrml.values import Guid


class PortUnavailable(UnspecifiedError):
    """A directory, database or other outside part did not answer; the request may succeed when it is back."""


@dataclass(frozen=True)
class DirectoryAccount:
    """An account as the directory knows it. `emails` has the primary address first, then every alias."""

    account: DomainAccount
    emails: tuple[str, ...]
    enabled: bool = True
    sid_history: tuple[str, ...] = ()

    @property
    def primary_email(self) -> str | None:
        return self.emails[0] if self.emails else None


class Directory(Protocol):
    """Accounts, e-mail addresses and groups. Logins, SIDs and e-mail addresses compare without case."""

    def by_sid(self, sid: str) -> DirectoryAccount | None:
        """The account with this SID, also in its SID history; None where there is none."""

    def by_login(self, login: str) -> DirectoryAccount | None:
        """The account for `user`, `DOMAIN\\user` or `user@realm`."""

    def by_email(self, email: str) -> DirectoryAccount | None:
        """The account that has this address as primary address or alias."""

    def groups_of(self, sid: str, candidates: Iterable[str]) -> frozenset[str]:
        """Which of `candidates` (group e-mail addresses or group SIDs) the account belongs to, at any depth of nesting.

        Answers are lower-cased members of `candidates`. Loops of groups do no harm.
        """

    def foreign_members(self, groups: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """For each of `groups` (e-mail addresses or SIDs) that holds groups or people of other directories, at any depth of
        nesting: their e-mail addresses.

        Names and addresses are lower-cased. Loops of groups do no harm.
        """

    def directory_of(self, account: DomainAccount) -> str | None:
        """GetDirectoryForAccount (3.1.1.3.1): the name of the directory that holds the account, None where unknown."""

    @property
    def own_name(self) -> str:
        """The name of the directory this server is in."""

    def service_location(self, directory: str, service_type: str) -> str | None:
        """GetServiceLocationForDirectory (3.1.1.3.3): for accounts of another directory."""

    @property
    def generation(self) -> int:
        """A number that changes when accounts or groups may have changed; caches of "no rights" are keyed with it."""


class Credentials(Protocol):
    """Verifies sign-on. Logins are `user`, `DOMAIN\\user` or `user@realm`, without case; disabled accounts do not sign on."""

    def check_password(self, login: str, password: str) -> DomainAccount | None:
        """The account whose password this is, else None. An unknown login costs the same time as a known one (N6)."""

    def nt_hash(self, login: str) -> tuple[DomainAccount, bytes] | None:
        """Account and NT hash (16 bytes; as good as the password) where the account is enabled and NTLM is on for it."""


class UserKeys(Protocol):
    """RAC key pairs, one per account and cryptographic mode (3.1.1.3.4, 3.1.1.3.5), wrapped at rest."""

    def get(self, account: str, bits: int) -> PrivateKey | None:
        """The key pair stored for this SID or federated e-mail address."""

    def put_if_absent(self, account: str, key: PrivateKey) -> PrivateKey:
        """Store `key` durably unless another caller was first; returns the pair that is stored."""


class KeyPool(Protocol):
    """Ready RSA key pairs. No key is ever handed out twice, also across processes and restarts."""

    def take(self, bits: int) -> PrivateKey:
        """A fresh key pair: from the pool, or generated here and now where the pool is empty."""


@dataclass(frozen=True)
class IssuedLicensor:
    """What is remembered of an issued CLC (wire facts 5): enough to accept a publishing licence that comes alone."""

    key_id: KeyId
    clc_id: Guid
    account_type: str
    account_id: str
    account_name: str
    valid_from: dt.datetime
    valid_until: dt.datetime
    issuer_key_id: KeyId


class LicensorRegister(Protocol):
    """The public half of every CLC issued."""

    def remember(self, licensor: IssuedLicensor) -> None:
        """Durable before it returns: a CLC is answered only after this."""

    def find(self, key_id: KeyId) -> IssuedLicensor | None: ...


class ContentKeyWitness(Protocol):
    """Remembers which signer first published a content key and enabling bits (threats L2 and L13)."""

    def first_signer(self, fingerprint: bytes, signer: KeyId) -> KeyId:
        """The signer seen first with this fingerprint; records `signer` where there was none. Never blocks on a disk."""

    def signer_of(self, fingerprint: bytes) -> KeyId | None:
        """The signer seen first with this fingerprint; None where there was none. Records nothing; may read a disk."""


class Secrets(Protocol):
    """Keyed hashing with a secret of this cluster, for fingerprints that must mean nothing outside."""

    def fingerprint(self, purpose: str, data: bytes) -> bytes:
        """HMAC-SHA-256 under a key derived for `purpose`."""


class Wrapping(Protocol):
    """Authenticated encryption at rest, under a key of this cluster (threat K1)."""

    def wrap(self, purpose: str, identity: str, data: bytes) -> bytes:
        """Encrypt `data`; `purpose` and `identity` (a SID, a GUID) are bound to the result."""

    def unwrap(self, purpose: str, identity: str, wrapped: bytes) -> bytes:
        """The inverse. Raises `UnwrapError` where anything differs: key, purpose, identity or a single bit."""


class UnwrapError(UnspecifiedError):
    """A wrapped item was changed, moved to another place, or wrapped under another key."""


# --- what the embedded directory stands on -----------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredAccount:
    """A user of the embedded directory. `login` as given; `emails` has the primary address first."""

    sid: str
    login: str
    emails: tuple[str, ...]
    enabled: bool
    ntlm: bool
    """NTLM is switched on; its hash is there once a password was set since."""
    password_hash: str | None = field(default=None, repr=False)
    nt_hash_wrapped: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class StoredGroup:
    sid: str
    email: str


@dataclass(frozen=True)
class ForeignMember:
    """A group or a person of another directory that one of ours holds: all that is known is an e-mail address."""

    email: str


class AccountRows(Protocol):
    """Users and groups at rest. What is looked up is folded (`casefold`), SIDs are in capitals.

    Changes move `generation` in their own transaction and raise OperatorError for what is taken or missing.
    """

    def name(self) -> str: ...

    def generation(self) -> int: ...

    def by_sid(self, sid: str) -> StoredAccount | None: ...

    def by_login(self, login_folded: str) -> StoredAccount | None: ...

    def by_email(self, email_folded: str) -> StoredAccount | None: ...

    def groups_among(self, sid: str, candidates: Collection[str]) -> set[str]:
        """Which of `candidates` (folded group addresses, SIDs in capitals) the account is in, at any depth."""

    def groups_above(self, sid: str, limit: int) -> list[StoredGroup] | None:
        """All groups the account is in, at any depth, with folded addresses; None where they are more than `limit`."""

    def accounts(self) -> list[StoredAccount]: ...

    def add_account(self, login: str, emails: Sequence[str]) -> StoredAccount: ...

    def remove_account(self, sid: str) -> None: ...

    def set_enabled(self, sid: str, enabled: bool) -> None: ...

    def set_emails(self, sid: str, emails: Sequence[str]) -> None: ...

    def set_password(self, sid: str, password_hash: str, nt_hash_wrapped: bytes | None) -> None: ...

    def set_ntlm(self, sid: str, ntlm: bool, nt_hash_wrapped: bytes | None) -> None: ...

    def groups(self) -> list[StoredGroup]: ...

    def group_by_email(self, email_folded: str) -> StoredGroup | None: ...

    def group_by_sid(self, sid: str) -> StoredGroup | None: ...

    def add_group(self, email: str) -> StoredGroup: ...

    def remove_group(self, sid: str) -> None: ...

    def members(self, group_sid: str) -> list[str]:
        """The SIDs of direct members."""

    def foreign_members(self, group_sid: str) -> list[ForeignMember]:
        """Direct members that are of other directories."""

    def foreign_memberships(self) -> list[tuple[str, StoredGroup]]:
        """Each folded address of another directory with each group that holds it, at any depth, with folded addresses."""

    def add_foreign_member(self, group_sid: str, email: str) -> None: ...

    def remove_foreign_member(self, group_sid: str, email_folded: str) -> None: ...

    def add_member(self, group_sid: str, member_sid: str) -> None: ...

    def remove_member(self, group_sid: str, member_sid: str) -> None: ...


class LicenseCache(Protocol):
    """Parsed publishing licences and accounts known to have no rights. Bounded; empty after a restart.

    `key` is made by the operation from the leaf's whole text and the issuer it resolved to, never from its SIGNATURE.
    A value that holds much says how much in an attribute `weight_bytes`.
    """

    def get(self, key: bytes) -> object | None: ...

    def put(self, key: bytes, value: object) -> None: ...

    def has_no_rights(self, key: bytes, account: tuple[str, str], generation: object) -> bool:
        """True where this (ID type, ID) was refused under the same generation of templates and directory."""

    def remember_no_rights(self, key: bytes, account: tuple[str, str], generation: object) -> None: ...


@dataclass(frozen=True)
class AuditRecord:
    """One request. `outcome` is "ok", or the short wire name of the fault, or an HTTP status."""

    time: dt.datetime
    operation: str
    outcome: str
    client_address: str
    authentication: AuthenticationType
    account: str
    application: str
    duration_ms: float
    trail: AuditTrail


class Audit(Protocol):
    def record(self, record: AuditRecord) -> None:
        """Queue one record. Never blocks a request on a disk; a record lost to a full queue is counted and reported."""


class DecryptionBudget(Protocol):
    """Bounds failing private-key operations per account (threat C4)."""

    def allows(self, who: str) -> bool: ...

    def failed(self, who: str) -> bool:
        """Count a failure; True exactly once per exhausted budget, for the alert."""


@dataclass(frozen=True)
class SoapMessage:
    """A SOAP message as it stands, with what HTTP says of it. `status` is that of an answer."""

    content_type: str
    body: bytes = field(repr=False)
    soap_action: str | None = None
    status: int = 200


class Peers(Protocol):
    """Other servers. Every URL comes from this cluster's configuration, never from a document (threat N1); calls end
    within five seconds for groups and accounts, thirty for activation. All raise PortUnavailable for whatever goes wrong.
    """

    def is_principal_member_of(
        self, url: str, principal: str, groups: Sequence[str], calls: int, seconds: float = 5.0
    ) -> bool:
        """Ask another forest's group expansion service ([MS-RMPRS] 3.5). `calls`: servers involved, ourselves included;
        `seconds`: how long to wait at most.
        """

    def precertify(self, url: str, identity: str) -> str | None:
        """Ask a root cluster for the pre-certified RAC of an account, by SID or e-mail address ([MS-RMSI] 3.3): its surface
        text, not verified; None where that server has none for it.
        """

    def activate(self, url: str, message: SoapMessage) -> SoapMessage:
        """Pass an Activate request on, and its answer back, both octet for octet ([MS-RMPR] 3.2)."""


@dataclass(frozen=True)
class Randomness:
    """Session keys and GUIDs, as arguments to the engine, which makes none itself."""

    bytes: Callable[[int], bytes]
    guid: Callable[[], Guid]


@dataclass(frozen=True)
class Ports:
    """All of them, built once in `server.build_ports`."""

    directory: Directory
    user_keys: UserKeys
    key_pool: KeyPool
    licensors: LicensorRegister
    witness: ContentKeyWitness
    secrets: Secrets
    license_cache: LicenseCache
    audit: Audit
    budget: DecryptionBudget
    random: Randomness
    peers: Peers
