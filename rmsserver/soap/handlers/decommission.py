"""DecommissionService ([MS-RMSI] 3.2)."""

from __future__ import annotations

import base64

from rmsserver.operations.acquire_content_key import AcquireContentKeyRequest
from rmsserver.soap.call import Call, Handler, Message


def acquire_content_key(call: Call, array: Message | None) -> Message:
    """3.2.4.1."""
    items = None
    if array is not None:
        items = tuple(
            call.chain(item.IssuanceLicense) if item else None for item in array.AcquireContentKeyParams or ()
        )
    result = call.ask(call.operations.acquire_content_key, AcquireContentKeyRequest(items))
    response = call.new(
        "AcquireContentKeyResponse",
        ContentKey=base64.b64encode(result.key).decode(),
        ContentKeyType=result.key_type,
    )
    return call.new("ArrayOfAcquireContentKeyResponse", AcquireContentKeyResponse=[response])


HANDLERS: dict[str, Handler] = {"AcquireContentKey": acquire_content_key}
