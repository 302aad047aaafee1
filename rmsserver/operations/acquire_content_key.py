"""AcquireContentKey ([MS-RMSI] 3.2.4.1): the content key of a publishing licence, once the cluster is decommissioned.

No right is looked at: who may call the endpoint reads everything that was ever protected with this cluster. Therefore three
things come before it: the two commands that decommission a cluster, and accounts added to the endpoint, which serves
nobody by default. It is the one operation of a decommissioned cluster (rulings 34), and never one of a cluster in service.

The licence's signature must hold. Diverges: 3.2.4.1 does not ask for that. Who signed it does not matter, as what its signer
granted does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from rmsserver.errors import (
    ArgumentNull,
    ClusterNotDecommissioned,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal,
    UnspecifiedError,
)
from rmsserver.operations import blocked_users
from rmsserver.operations.known_servers import KnownServers
from rmsserver.operations.open_license import budget_name, open_content_key
from rmsserver.operations.use_licenses import check_license_sizes
from rmsserver.ports import Ports
from rmsserver.state import RequestContext, ServerState
from rmsserver.xrml.chain import body_type_of
from rmsserver.xrml.document import RIGHTS_LABEL
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.license import PublishingLicense


@dataclass(frozen=True)
class AcquireContentKeyRequest:
    items: tuple[tuple[str, ...] | None, ...] | None
    """One IssuanceLicense per element, surface texts; None where missing or null."""


@dataclass(frozen=True)
class AcquireContentKeyResult:
    key: bytes = field(repr=False)
    """The raw octets, without KeyHeader (rulings 35)."""
    key_type: str = "AES"
    """A KeyType of 3.2.4.1.4.1. Content keys are AES keys in either mode; no other opens here (threat L11)."""


def acquire_content_key(
    request: AcquireContentKeyRequest,
    caller: RequestContext,
    state: ServerState,
    ports: Ports,
    now: dt.datetime,  # noqa: ARG001 - every operation has these arguments
) -> AcquireContentKeyResult:
    """The content key of the first publishing licence of the first element; all others are ignored (3.2.4.1).

    Raises ClusterNotDecommissioned, UnauthorizedAccess (blocked), ArgumentNull,
    UnsignedIssuanceLicenseNoMatchingIssuedPrincipal, UnspecifiedError (sizes; no licence, or one that does not hold or open).
    """
    if not state.decommissioned:
        raise ClusterNotDecommissioned
    blocked_users.check_caller(caller, state, ports.directory)
    texts = request.items[0] if request.items else None
    if not texts or not any(texts):
        raise ArgumentNull("there is no publishing licence in the first element")
    check_license_sizes(texts, None, state)
    license_ = _read(texts)
    server = KnownServers.of(state).addressed_by(license_)
    if server is None:
        raise UnsignedIssuanceLicenseNoMatchingIssuedPrincipal("the licence is sealed to another server")
    try:
        content_key = open_content_key(license_, server, budget_name(caller), ports, caller.trail)
    except XrmlError as error:
        raise UnspecifiedError(str(error)) from None
    _note(license_, caller)
    return AcquireContentKeyResult(content_key.key)


def _read(texts: Sequence[str]) -> PublishingLicense:
    """The table of 3.2.4.1 has no name for a licence that does not hold."""
    first = next((text for text in texts if body_type_of(text) == RIGHTS_LABEL), None)
    if first is None:
        raise UnspecifiedError("there is no publishing licence among the documents")
    try:
        license_ = PublishingLicense.read(first)
        license_.verify()
    except XrmlError as error:
        raise UnspecifiedError(str(error)) from None
    return license_


def _note(license_: PublishingLicense, caller: RequestContext) -> None:
    """Whose document was opened; who opened it is in the audit record itself."""
    trail, signer = caller.trail, license_.issuer.object
    trail.note("signer", f"{signer.id} {signer.name or ''}".strip())
    if license_.owner is not None:
        trail.note("owner", license_.owner.email or license_.owner.id)
