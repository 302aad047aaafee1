"""License ([MS-RMPR] 3.4.4.1, [MS-RMSI] 3.5.4.1)."""

from __future__ import annotations

from rmsserver.errors import RmsError
from rmsserver.operations.acquire_license import AcquireLicenseItem, AcquireLicenseRequest
from rmsserver.operations.acquire_pre_license import AcquirePreLicenseItem, AcquirePreLicenseRequest
from rmsserver.soap.call import Call, Handler, Message
from rmsserver.soap.faults import batch_error


def acquire_license(call: Call, array: Message | None) -> Message:
    """One answer for each item, in order: a chain, or the error in its place. ReferenceCertificates is always empty."""
    items = None
    if array is not None:
        items = tuple(_item(call, item) for item in array.AcquireLicenseParams or ())
    result = call.ask(call.operations.acquire_license, AcquireLicenseRequest(items))
    responses = []
    for index, answer in enumerate(result.answers):
        texts = (batch_error(answer, index),) if isinstance(answer, RmsError) else answer
        if isinstance(answer, RmsError):
            call.caller.trail.note("item_error", f"{index} {answer.short_name}")
        responses.append(
            call.new(
                "AcquireLicenseResponse",
                CertificateChain=call.chain_answer(texts),
                ReferenceCertificates=call.chain_answer(()),
            )
        )
    return call.new("ArrayOfAcquireLicenseResponse", AcquireLicenseResponse=responses)


def _item(call: Call, item: Message | None) -> AcquireLicenseItem:
    if item is None:
        return AcquireLicenseItem(None, None, None)
    return AcquireLicenseItem(
        licensee_certs=call.chain(item.LicenseeCerts),
        issuance_license=call.chain(item.IssuanceLicense),
        application_data=call.text(item.ApplicationData) or None,
    )


def acquire_pre_license(call: Call, array: Message | None) -> Message:
    """`Licenses[i]` answers `LicenseeIdentities[i]`: the leaf alone, or the error in its place."""
    items = None
    if array is not None:
        items = tuple(_pre_license_item(call, item) for item in array.AcquirePreLicenseParams or ())
    result = call.ask(call.operations.acquire_pre_license, AcquirePreLicenseRequest(items))
    texts = (
        batch_error(answer, index, "AcquirePreLicense") if isinstance(answer, RmsError) else answer
        for index, answer in enumerate(result.answers)
    )
    response = call.new(
        "AcquirePreLicenseResponse",
        Licenses=call.chain_answer(texts),
        CertificateChain=call.chain_answer(result.chain),
        ReferenceCertificates=call.chain_answer(()),
    )
    return call.new("ArrayOfAcquirePreLicenseResponse", AcquirePreLicenseResponse=[response])


def _pre_license_item(call: Call, item: Message | None) -> AcquirePreLicenseItem | None:
    if item is None:
        return None
    identities = item.LicenseeIdentities
    return AcquirePreLicenseItem(
        licensee_identities=None if identities is None else tuple(identities.string or ()),
        issuance_license=call.chain(item.IssuanceLicense),
        application_data=call.text(item.ApplicationData) or None,
    )


HANDLERS: dict[str, Handler] = {"AcquireLicense": acquire_license, "AcquirePreLicense": acquire_pre_license}
