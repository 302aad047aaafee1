"""TemplateDistributionWebService ([MS-RMPR] 3.4.4.2, 3.4.4.3)."""

from __future__ import annotations

from rmsserver.soap.call import Call, Handler, Message


def acquire_template_information(call: Call) -> Message:
    """3.4.4.2."""
    information = call.query(call.operations.acquire_template_information)
    return call.new(
        "TemplateInformation",
        ServerPublicKey=information.server_public_key,
        GuidHashCount=len(information.entries),
        GuidHash=[call.new("GuidHash", Guid=entry.guid, Hash=entry.hash) for entry in information.entries],
    )


def acquire_templates(call: Call, array: Message | None) -> Message:
    """3.4.4.3. A template is a string here, so Spyne escapes it; unescaped it is the signed text again."""
    guids = None if array is None else tuple(array.string or ())
    entries = call.ask(call.operations.acquire_templates, guids)
    return call.new(
        "ArrayOfGuidTemplate",
        GuidTemplate=[
            call.new("GuidTemplate", Guid=entry.guid, Hash=entry.hash, Template=entry.template) for entry in entries
        ],
    )


HANDLERS: dict[str, Handler] = {
    "AcquireTemplateInformation": acquire_template_information,
    "AcquireTemplates": acquire_templates,
}
