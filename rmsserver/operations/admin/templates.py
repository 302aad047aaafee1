"""Making rights policy templates ([MS-RMPR] 2.2.9.10): what an administrator says becomes a signed text.

The text is stored by the caller (`put_template` of the configuration store, which keeps earlier versions); from the next
refresh on it is in the state that requests are served with. Every error here is the operator's: one line that says what
to do.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from rmsserver.errors import OperatorError, UnspecifiedError
from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.preconditions import check_may_issue
from rmsserver.ports import Randomness
from rmsserver.state import ServerState
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.rights import NO_CONDITIONS, ApplicationData, Right, TimeConditions
from rmsserver.xrml.template import (
    LocalizedName,
    RightsTemplate,
    format_names,
    parse_names,
    write_rights_template,
)
from rmsserver.xrml.values import Guid

_RIGHT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")


@dataclass(frozen=True)
class TemplateDefinition:
    """What an administrator decides about a template."""

    names: tuple[LocalizedName, ...]
    """Name and description for each language, at least one."""
    rights: tuple[Right, ...]
    rights_request_url: str | None = None
    """Where readers ask for more rights: `mailto:x@y` or a web address."""
    preconditions: TimeConditions = NO_CONDITIONS
    """Until when, or how many days after publishing, documents can be opened."""
    application_data: tuple[ApplicationData, ...] = ()
    owner_has_full_control: bool = True


@dataclass(frozen=True)
class TemplateSummary:
    """A line of the list of templates."""

    guid: Guid
    name: str
    """In the first of its languages."""
    archived: bool
    issued: dt.datetime


def create_template(definition: TemplateDefinition, state: ServerState, random: Randomness, now: dt.datetime) -> str:
    """A new template, signed by the cluster, as text. Raises OperatorError."""
    return _sign(random.guid(), definition, state, now)


def edit_template(guid: Guid, definition: TemplateDefinition, state: ServerState, now: dt.datetime) -> str:
    """A new version of a template under its old GUID, so that documents follow it (rulings 19). Raises OperatorError."""
    if state.template(guid) is None:
        raise OperatorError(f"there is no template {guid}: `rmsserver template list` shows those that there are")
    return _sign(guid, definition, state, now)


def list_templates(state: ServerState) -> tuple[TemplateSummary, ...]:
    """Every template, published ones first, each kind by name."""
    both = ((False, state.published_templates), (True, state.archived_templates))
    found = [_summary(template, archived) for archived, templates in both for template in templates.values()]
    return tuple(sorted(found, key=lambda summary: (summary.archived, summary.name.casefold(), summary.guid)))


def _summary(template: RightsTemplate, archived: bool) -> TemplateSummary:
    names = template.names
    return TemplateSummary(template.guid, names[0].name if names else "", archived, template.issued_time)


def _sign(guid: Guid, definition: TemplateDefinition, state: ServerState, now: dt.datetime) -> str:
    _check_names(definition.names)
    _check_rights(definition)
    try:
        check_may_issue(state, now)
        text = write_rights_template(
            template_id=guid,
            names=definition.names,
            issuer_object_and_key=state.licensor.certificate.principal.object_and_key_surface,
            licensing_url=state.internal_licensing_url,
            rights_request_url=definition.rights_request_url,
            rights=definition.rights,
            owner_has_full_control=definition.owner_has_full_control,
            preconditions=definition.preconditions,
            application_data=definition.application_data,
            issued=now,
            signing_key=state.licensor.key,
            mode=state.cryptographic_mode,
        )
        # What clients and this server will read is what was meant, or it is not signed into the world.
        if RightsTemplate.read(text).names != definition.names:
            raise OperatorError("the names do not survive in a template: use plain words in names and descriptions")
    except UnspecifiedError as error:
        raise OperatorError(error.detail) from None
    except XrmlError as error:
        raise OperatorError(
            f"the template cannot be written ({error}): use plain text without control characters"
        ) from None
    return text


def _check_names(names: tuple[LocalizedName, ...]) -> None:
    if not names or not all(name.name.strip() for name in names):
        raise OperatorError("a template needs a name in at least one language: add --name")
    if len({name.lcid for name in names}) != len(names):
        raise OperatorError("a language stands twice: give each language one name and description")
    if not all(0 < name.lcid < 100_000 for name in names):
        raise OperatorError("a language is a Windows locale identifier, for example 1033 for English")
    if parse_names(format_names(names)) != names:
        raise OperatorError(
            "a name or description looks like the template format itself: leave out `LCID 1:NAME ` and such"
        )


def _check_rights(definition: TemplateDefinition) -> None:
    if not definition.rights:
        raise OperatorError("a template grants at least one right: add --grant reader@example.com=VIEW")
    for right in definition.rights:
        if not _RIGHT_NAME.match(right.name):
            raise OperatorError(f"{right.name[:80]!r} is not the name of a right: write letters and digits, like VIEW")
        grantee = right.grantee
        if not (grantee.is_anyone or grantee.is_owner or is_email_address(grantee.email)):
            raise OperatorError(f"{grantee.email[:80]!r} is not an e-mail address: write it like reader@example.com")
        _check_times(right.conditions)
    _check_times(definition.preconditions)


def _check_times(conditions: TimeConditions) -> None:
    if conditions.span is not None and not conditions.span.start < conditions.span.end:
        raise OperatorError("the time range is empty: give an end after its beginning")
    if conditions.days is not None and not 0 < conditions.days <= 999_999:
        raise OperatorError("a number of days is between 1 and 999999")
