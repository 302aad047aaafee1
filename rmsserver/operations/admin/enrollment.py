"""What a cluster checks before it becomes what another cluster's certificate says it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rmsserver.errors import OperatorError
from rmsserver.xrml.chain import MAX_ISSUERS, check_mode
from rmsserver.xrml.document import Document
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.issuing import IssuingCertificate, IssuingKind
from rmsserver.xrml.keys import CryptoMode, PublicKey
from rmsserver.xrml.values import Guid


def check_enrolled_chain(
    chain: Sequence[str], key: PublicKey, guid: Guid, mode: CryptoMode, now: dt.datetime
) -> tuple[IssuingCertificate, ...]:
    """The certificates of an answer to Enroll or SubEnroll: ours first, for our key and GUID, valid now, each verified with
    the parent at its position (threat L8). Raises OperatorError.
    """
    try:
        certificates = tuple(IssuingCertificate.read(text) for text in chain)
        if not 2 <= len(certificates) <= MAX_ISSUERS:
            raise OperatorError("the root cluster answered without a chain of certificates")
        child: Document = certificates[0]
        for parent in certificates[1:]:
            parent.issued(child)
            child = parent
        child.verify()
        own = certificates[0]
        if own.principal.public_key != key or own.principal.object.guid != guid or own.kind is not IssuingKind.SERVER:
            raise OperatorError("the root cluster answered with the certificate of another server")
        check_mode(own, mode)
    except XrmlError as error:
        raise OperatorError(f"the root cluster answered with certificates that do not hold: {error}") from None
    if now not in own.issuance:
        raise OperatorError("the certificate that the root cluster issued may not issue now: compare the clocks")
    return certificates
