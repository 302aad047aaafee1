"""PrecertificationWebService ([MS-RMSI] 3.3)."""

from __future__ import annotations

from rmsserver.operations.precertify import Identification, PrecertifyItem, PrecertifyRequest
from rmsserver.soap.call import Call, Handler, Message


def precertify(call: Call, array: Message | None) -> Message:
    """3.3.4.1."""
    items = None if array is None else tuple(_item(item) for item in array.PrecertifyParams or ())
    result = call.ask(call.operations.precertify, PrecertifyRequest(items))
    response = call.new("PrecertifyResponse", Certificate=call.surfaces.add(result.certificate))
    return call.new("ArrayOfPrecertifyResponse", PrecertifyResponse=[response])


def _item(item: Message | None) -> PrecertifyItem | None:
    if item is None:
        return None
    found = item.Identification
    identification = None if found is None else Identification(found.AuthenticationMode, found.Id)
    return PrecertifyItem(item.UserName, identification)


HANDLERS: dict[str, Handler] = {"Precertify": precertify}
