"""Making rights policy templates ([MS-RMPR] 2.2.9.10): what an administrator says becomes a signed text.

The text is stored by the caller (`put_template` of the configuration store, which keeps earlier versions); from the next
refresh on it is in the state that requests are served with. Every error here is the operator's: one line that says what
to do.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from dataclasses import dataclass

from rmsserver.errors import OperatorError, UnspecifiedError
from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.preconditions import check_may_issue
from rmsserver.ports import Randomness
from rmsserver.state import ServerState
from rmsserver.xrml.errors import XrmlError
from rmsserver.xrml.revocation import RevocationPoint
from rmsserver.xrml.rights import NO_CONDITIONS, OWNER, THE_OWNER, ApplicationData, Right, TimeConditions
from rmsserver.xrml.template import (
    LocalizedName,
    RightsTemplate,
    format_names,
    parse_names,
    write_rights_template,
)
from rmsserver.xrml.values import Guid

_RIGHT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")

_DATA_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}\Z")


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
    revocation: RevocationPoint | None = None
    """Where clients find the revocation list that documents depend on."""


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
    _existing(guid, state)
    return _sign(guid, definition, state, now)


def definition_of(template: RightsTemplate) -> TemplateDefinition:
    """What the administrator decided about a template: to copy, import or change it. Raises OperatorError."""
    full_control = Right(OWNER, THE_OWNER)
    rights = tuple(right for right in template.rights if not _is(right, full_control))
    referrals = [point.address("URL") for point in template.distribution_points() if point.type == "Referral-Info"]
    conditions = template.body.one("WORK").find("CONDITIONLIST")
    try:
        revocation = None if conditions is None else RevocationPoint.read(conditions)
    except XrmlError as error:
        raise OperatorError(
            f"the template's revocation point cannot be read ({error}): make the template anew"
        ) from None
    return TemplateDefinition(
        names=template.names,
        rights=rights,
        rights_request_url=next(iter(referrals), None),
        preconditions=template.preconditions,
        application_data=template.application_data,
        owner_has_full_control=any(_is(right, full_control) for right in template.rights),
        revocation=revocation,
    )


def _is(right: Right, full_control: Right) -> bool:
    return right.name.upper() == full_control.name and right.grantee.is_owner


def copy_template(
    guid: Guid, names: tuple[LocalizedName, ...], state: ServerState, random: Randomness, now: dt.datetime
) -> str:
    """A new template that says the same under other names. Raises OperatorError."""
    definition = definition_of(_existing(guid, state))
    return create_template(dataclasses.replace(definition, names=names), state, random, now)


def import_template(template: RightsTemplate, state: ServerState, now: dt.datetime, *, replace: bool) -> str:
    """A template of a file under its own GUID, signed by this cluster. Raises OperatorError.

    `replace`: where there is one with this GUID, the file's becomes its next version.
    """
    if not replace and state.template(template.guid) is not None:
        raise OperatorError(f"there is a template {template.guid} already: --replace makes this its next version")
    return _sign(template.guid, definition_of(template), state, now)


def _existing(guid: Guid, state: ServerState) -> RightsTemplate:
    found = state.template(guid)
    if found is None:
        raise OperatorError(f"there is no template {guid}: `rmsserver template list` shows those that there are")
    return found


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
    _check_rights_request(definition.rights_request_url)
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
            revocation=definition.revocation.xml() if definition.revocation else "",
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
    if not all(name.name.isprintable() and _is_text(name.description) for name in names):
        raise OperatorError(
            "names and descriptions are plain text: leave out control characters and line breaks in names"
        )
    if parse_names(format_names(names)) != names:
        raise OperatorError(
            "a name or description looks like the template format itself: leave out `LCID 1:NAME ` and such"
        )


def _is_text(text: str) -> bool:
    """Printable, in several lines perhaps: it is shown on terminals and in menus."""
    return all(c.isprintable() or c in "\n\t" for c in text)


def _check_rights_request(url: str | None) -> None:
    """Clients open it when a reader asks for more: nothing but mail and the web (wire facts 8)."""
    if url is None:
        return
    scheme, _, rest = url.partition(":")
    is_mail = is_email_address(rest.partition("?")[0] if scheme.lower() == "mailto" else url)
    is_web = scheme.lower() in ("http", "https") and rest.startswith("//") and rest.strip("/") != ""
    if not url.isprintable() or not (is_mail or is_web):
        raise OperatorError(
            f"{url[:80]!r} is not where readers can ask for rights: write mailto:rights@example.com or a web address"
        )


def _check_rights(definition: TemplateDefinition) -> None:
    if not definition.rights:
        raise OperatorError("a template grants at least one right: add --grant reader@example.com=VIEW")
    if len({data.name for data in definition.application_data}) != len(definition.application_data):
        raise OperatorError("application data of one name stands twice: give each name one value")
    if not all(_DATA_NAME.match(data.name) for data in definition.application_data):
        raise OperatorError("application data is NAME=VALUE, for example --data Classification=Secret")
    for right in definition.rights:
        if not _RIGHT_NAME.match(right.name):
            raise OperatorError(f"{right.name[:80]!r} is not the name of a right: write letters and digits, like VIEW")
        grantee = right.grantee
        if not (grantee.is_anyone or grantee.is_owner or is_email_address(grantee.email)):
            raise OperatorError(f"{grantee.email[:80]!r} is not an e-mail address: write it like reader@example.com")
        if right.conditions.span is not None:
            raise OperatorError("one right alone cannot have an end date: give it to the whole template, with --until")
        _check_times(right.conditions)
    if definition.preconditions.span is not None and definition.preconditions.days is not None:
        raise OperatorError("a template has either an end date or a number of days: leave out --until or --days")
    _check_times(definition.preconditions)


def _check_times(conditions: TimeConditions) -> None:
    if conditions.span is not None and not conditions.span.start < conditions.span.end:
        raise OperatorError("the time range is empty: give an end after its beginning")
    if conditions.days is not None and not 0 < conditions.days <= 999_999:
        raise OperatorError("a number of days is between 1 and 999999")
