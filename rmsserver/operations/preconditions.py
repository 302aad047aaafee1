"""What must hold before an operation does its work: the cluster is in service, the sizes fit, the SLC may issue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import structlog

from rmsserver.errors import ArgumentNull, ClusterDecommissioned, UnauthorizedAccess, UnspecifiedError
from rmsserver.state import Licensor, ServerState

_log = structlog.get_logger()


def check_in_service(state: ServerState) -> None:
    """The first check everywhere but AcquireContentKey (rulings 34). Raises ClusterDecommissioned."""
    if state.decommissioned:
        raise ClusterDecommissioned


def check_certifies(state: ServerState) -> None:
    """A licensing-only cluster has authority to license, not to certify ([MS-RMPRS] 3.3). Raises UnauthorizedAccess."""
    if state.is_licensing_only:
        raise UnauthorizedAccess("a licensing-only cluster does not certify; its root cluster does")


def check_certificates(texts: Sequence[str] | None, state: ServerState) -> tuple[str, ...]:
    """The certificates of one item, within the limits of [MS-RMPR] section 7, note 42 (sizes in bytes of UTF-8).

    Raises ArgumentNull where there are none (null ones do not count), UnspecifiedError where there are too many, or one is
    too large.
    """
    if not texts or not any(texts):
        raise ArgumentNull("there are no certificates in the request")
    if len(texts) > state.certificate_limit_count:
        raise UnspecifiedError(f"{len(texts)} certificates in one item; the limit is {state.certificate_limit_count}")
    limit = state.certificate_limit_bytes
    if any(exceeds(text, limit) for text in texts):
        raise UnspecifiedError(f"a certificate is larger than {limit} bytes")
    return tuple(texts)


def exceeds(text: str, limit_bytes: int) -> bool:
    """Whether a text has more bytes of UTF-8 than `limit_bytes`."""
    # A character has one to four bytes, so most texts need not be encoded to know.
    return len(text) > limit_bytes or (
        len(text) * 4 > limit_bytes and len(text.encode("utf-8", "surrogatepass")) > limit_bytes
    )


def check_may_issue(state: ServerState, now: dt.datetime) -> None:
    """The own SLC allows issuing now ([MS-RMPR] 3.1.6.2, threat K4). Raises UnspecifiedError, see `check_licensor`."""
    check_licensor(state.licensor, "server licensor certificate", now)


def check_licensor(licensor: Licensor, what: str, now: dt.datetime) -> None:
    """Now is within the certificate's ISSUE range and VALIDITYTIME, and after it was issued itself (threat K4).

    Raises UnspecifiedError, whose detail says which clock and which range, and logs the same line: nothing is issued that
    nobody would accept.
    """
    certificate = licensor.certificate
    start, end = certificate.issuance
    start = max(start, certificate.issued_time)
    if certificate.validity is not None:
        start, end = max(start, certificate.validity.start), min(end, certificate.validity.end)
    if not start <= now < end:
        detail = (
            f"nothing is issued: the clock says {now:%Y-%m-%d %H:%M} UTC, and the {what} issues from "
            f"{start:%Y-%m-%d %H:%M} until {end:%Y-%m-%d %H:%M}: set the clock right, or renew the certificate"
        )
        _log.error("issuance refused", reason=detail)
        raise UnspecifiedError(detail)
