"""Republish ([MS-RMSI] 3.4)."""

from __future__ import annotations

from rmsserver.operations.edit_issuance_license import EditIssuanceLicenseItem, EditIssuanceLicenseRequest
from rmsserver.soap.call import Call, Handler, Message


def edit_issuance_license(call: Call, array: Message | None) -> Message:
    """3.4.4.1. The chain of the answer is the licence alone."""
    items = None
    if array is not None:
        items = tuple(_item(call, item) for item in array.EditIssuanceLicenseParams or ())
    result = call.ask(call.operations.edit_issuance_license, EditIssuanceLicenseRequest(items))
    response = call.new("EditIssuanceLicenseResponse", CertificateChain=call.chain_answer((result.license,)))
    return call.new("ArrayOfEditIssuanceLicenseResponse", EditIssuanceLicenseResponse=[response])


def _item(call: Call, item: Message | None) -> EditIssuanceLicenseItem | None:
    if item is None:
        return None
    return EditIssuanceLicenseItem(
        call.text(item.SignedIssuanceLicense) or None, call.text(item.UnsignedIssuanceLicense) or None
    )


HANDLERS: dict[str, Handler] = {"EditIssuanceLicense": edit_issuance_license}
