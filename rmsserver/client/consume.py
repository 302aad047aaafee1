"""Opening a protected file: get a use licence, believe it only when it verifies, do what it allows
([MS-RMPR] 3.8.4.5).

Rules of this module: 1. The only address that is asked is the cluster this client was set up with, whatever
a file names: a file must not be able to send a sign-on elsewhere. No other server's licence would be
believed anyway. 2. A use licence counts when the pinned server issued it to this account, or when this
account itself published the file offline and made it (`trust`). 3. Rights count while their conditions
hold: ranges against now, intervals against the licence's issue. 4. An application that a POLICYLIST
excludes, or that is missing where there is a list of those included, gets nothing. 5. A licence that
depends on a revocation list is good for nothing until `revocation` has looked at the list.

This is a program a person runs on her own machine: it keeps honest people honest, as every client of this
protocol does.
"""

from __future__ import annotations

import datetime as dt
import enum
import platform
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rmsserver.client.account import Account
from rmsserver.client.ciphers import ContentCipher
from rmsserver.client.errors import PFileError, RefusedError, TrustError
from rmsserver.client.machine import CLIENT_VERSION, platform_version
from rmsserver.client.services import Services
from rmsserver.client.trust import ClusterTrust
from rmsserver.xrml.chain import body_type_of, select_publishing_license
from rmsserver.xrml.clc import LICENSOR_CERTIFICATE
from rmsserver.xrml.document import LICENSE, Document
from rmsserver.xrml.enabling_bits import ContentKey
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.files import split_documents
from rmsserver.xrml.license import PublishingLicense
from rmsserver.xrml.rac import GROUP_IDENTITY
from rmsserver.xrml.rights import OWNER, Policy, TimeConditions
from rmsserver.xrml.use_license import UseLicense, UseRight
from rmsserver.xrml.values import Version

APPLICATION = "rmsclient"
"""The file name under which POLICYLISTs know this program, with or without `.exe`."""
CLOCK_TOLERANCE = dt.timedelta(hours=1)
_OUTSIDE_CHAIN = 9


class Use(enum.Enum):
    """What a person wants to do, and which rights allow it."""

    SEE = frozenset({"VIEW", "EDIT", "DOCEDIT", "EXPORT", OWNER})
    SAVE_UNPROTECTED = frozenset({"EXPORT", OWNER})


@dataclass(frozen=True)
class Licenses:
    """The documents of a protected file, and the publishing licence among them."""

    documents: tuple[str, ...] = field(repr=False)
    publishing: PublishingLicense

    @classmethod
    def read(cls, text: str) -> Licenses:
        """Raises PFileError."""
        try:
            documents = tuple(split_documents(text))
            return cls(documents, PublishingLicense.read(select_publishing_license(documents)))
        except XrmlError as error:
            raise PFileError(f"The file's licence cannot be read: {error}.") from None

    @property
    def issuance_chain(self) -> tuple[str, ...]:
        """What is sent to the server: the publishing licence and what stands behind it, up to the owner's
        licence."""
        at = self.documents.index(self.publishing.text)
        return (self.publishing.text, *_chain_behind(self.documents, at))


@dataclass(frozen=True)
class OpenedLicense:
    """A use licence that was believed, and the content key out of it."""

    license: UseLicense
    content_key: ContentKey = field(repr=False)
    offline: bool
    """It came out of the file: the owner's own."""
    not_revoked: bool = False
    """Its revocation list was looked at (`revocation.check_not_revoked`)."""

    @property
    def cipher(self) -> ContentCipher:
        """The content cipher the key names. Raises RefusedError."""
        try:
            return ContentCipher(self.content_key.reserved)
        except ValueError:
            raise RefusedError("The file's content is in a cipher this client does not know.") from None

    def allowed(self, now: dt.datetime) -> tuple[str, ...]:
        """Names of the rights whose conditions hold now, in capitals."""
        names = [r.name.upper() for r in self.license.rights if _holds(r, self.license.issued_time, now)]
        return tuple(dict.fromkeys(names))

    def require(self, use: Use, now: dt.datetime) -> None:
        """Raises RefusedError where the licence does not allow `use` at this time to this program."""
        check_conditions(self.license, now)
        if self.license.body.one("WORK").find("CONDITIONLIST") is not None and not self.not_revoked:
            raise RefusedError("The licence depends on a revocation list, which was not looked at.")
        allowed = self.allowed(now)
        if use.value.isdisjoint(allowed):
            raise RefusedError(_refusal(use, allowed, self.license))


def open_licenses(
    licenses: Licenses,
    account: Account,
    trust: ClusterTrust,
    connect: Callable[[], Services],
) -> OpenedLicense:
    """The owner's licence out of the file where it is ours, else one from the server that `connect` reaches.

    Raises TrustError, or what the services raise.
    """
    own = find_owner_license(licenses, account, trust)
    if own is not None:
        return own
    chain = connect().acquire_license(account.chain, licenses.issuance_chain)
    try:
        license_ = UseLicense.read(chain[0])
    except XrmlError as error:
        raise TrustError(f"The server's use licence cannot be read: {error}.") from None
    trust.close(license_, chain[1:], "The use licence")
    return _opened(license_, account, offline=False)


def find_owner_license(licenses: Licenses, account: Account, trust: ClusterTrust) -> OpenedLicense | None:
    """A use licence in the file that this account made when it published the file; None where there is none.

    One that is there but does not verify is as good as none: the server is asked instead.
    """
    for at, text in enumerate(licenses.documents):
        if not _is_use_license(text):
            continue
        try:
            license_ = UseLicense.read(text)
            clc = trust.close_owner_license(license_, _chain_behind(licenses.documents, at))
            # Ours only where we published this very licence, unaltered.
            licenses.publishing.verify(clc.principal.public_key)
            if clc.principal.object.same_identity(account.rac.principal.object):
                return _opened(license_, account, offline=True)
        except (XrmlError, TrustError):
            continue
    return None


def check_conditions(license_: UseLicense, now: dt.datetime) -> None:
    """Conditions on the whole licence: validity, applications, operating systems. Raises RefusedError."""
    if license_.validity is not None and now not in license_.validity.widened(CLOCK_TOLERANCE):
        raise RefusedError("The use licence is not valid at this time.")
    _check_application(license_.policies)
    _check_operating_system(license_)


def _opened(license_: UseLicense, account: Account, *, offline: bool) -> OpenedLicense:
    if license_.principal.key != account.rac.principal.key:
        raise TrustError("The use licence was issued to another account.")
    try:
        content = license_.open_content_key(account.key, secrets.token_bytes(16))
    except XrmlError as error:
        raise TrustError(f"The use licence cannot be opened: {error}.") from None
    return OpenedLicense(license_, content, offline)


def _is_use_license(text: str) -> bool:
    try:
        document = Document.read(text)
        if document.body_type != LICENSE or document.body.find("WORK") is None:
            return False
        # A licensor certificate has a WORK and an account as principal too.
        is_clc = document.descriptor is not None and document.descriptor.type == LICENSOR_CERTIFICATE
        return document.principal.object.type == GROUP_IDENTITY and not is_clc
    except XrmlError:
        return False


def _chain_behind(documents: Sequence[str], at: int) -> list[str]:
    """The certificates that follow, up to the next document that is none."""
    chain: list[str] = []
    for text in documents[at + 1 : at + 1 + _OUTSIDE_CHAIN]:
        if body_type_of(text) != LICENSE or _is_use_license(text):
            break
        chain.append(text)
    return chain


def _holds(right: UseRight, issued: dt.datetime, now: dt.datetime) -> bool:
    conditions: TimeConditions = right.conditions
    if conditions.span is not None and now not in conditions.span:
        return False
    # An interval of no days means: ask again each time. A licence just issued is such an answer.
    return conditions.days is None or now < issued + dt.timedelta(days=conditions.days) + (
        CLOCK_TOLERANCE if conditions.days == 0 else dt.timedelta()
    )


def _check_application(policies: Sequence[Policy]) -> None:
    ours = [policy for policy in policies if _is_us(policy)]
    if any(policy.list_type == "exclusion" for policy in ours):
        raise RefusedError(f"This program, {APPLICATION} {CLIENT_VERSION}, is excluded by the licence.")
    included = any(policy.list_type == "inclusion" for policy in policies)
    if included and not any(policy.list_type == "inclusion" for policy in ours):
        raise RefusedError("The licence names the programs that may open the file, and this one is not among them.")


def _is_us(policy: Policy) -> bool:
    if policy.filename.strip().lower() not in (APPLICATION, f"{APPLICATION}.exe"):
        return False
    return _in_span(CLIENT_VERSION, policy.minimum, policy.maximum)


def _in_span(version: str, minimum: str, maximum: str) -> bool:
    """Both ends included. A span that cannot be read covers everything: it was meant to cover something."""
    try:
        return Version.parse(minimum) <= Version.parse(version) <= Version.parse(maximum)
    except XrmlError:
        return True


def _check_operating_system(license_: UseLicense) -> None:
    """The CONDITION "OS-Exclusion" of 2.2.9.9.9 counts versions of Windows; elsewhere it says nothing."""
    conditions = license_.body.find("CONDITIONLIST")
    if conditions is None or platform.system() != "Windows":
        return
    for condition in conditions.all("CONDITION"):
        minimum, _, maximum = condition.leaf_text().partition("-")
        if _in_span(platform_version(), minimum, maximum):
            raise RefusedError("This version of the operating system is excluded by the licence.")


def _refusal(use: Use, allowed: Sequence[str], license_: UseLicense) -> str:
    granted = ", ".join(allowed) or "nothing at this time"
    if not allowed and license_.rights:
        return "Your rights to this file have expired or do not hold yet; ask its author."
    if use is Use.SAVE_UNPROTECTED:
        return f"You may not save an unprotected copy; that needs EXPORT, and you have: {granted}."
    return f"You may not see this file; that needs VIEW, and you have: {granted}."
