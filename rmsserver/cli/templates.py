"""`rmsserver template`: rights policy templates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import example, json_option, print_json
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.templates import TemplateDefinition, create_template, edit_template, list_templates
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.rights import ANYONE, NO_CONDITIONS, THE_OWNER, ApplicationData, Grantee, Right, TimeConditions
from rmsserver.xrml.template import LocalizedName, RightsTemplate
from rmsserver.xrml.values import Guid, TimeRange, parse_time

_guid = click.argument("guid")


@click.group()
@example("rmsserver template list --home ./cluster")
def template() -> None:
    """Rights policy templates: rights that an administrator decides, by name."""


@template.command("add")
@home_option
@click.option(
    "--name", "names", multiple=True, required=True, metavar="[LCID:]NAME", help="Name; repeat for languages."
)
@click.option("--description", "descriptions", multiple=True, metavar="[LCID:]TEXT", help="Description, by language.")
@click.option(
    "--grant",
    "grants",
    multiple=True,
    required=True,
    metavar="WHO=RIGHT,...",
    help="WHO is an e-mail address of a user or group, or Anyone, or Owner. May be repeated.",
)
@click.option("--until", metavar="YYYY-MM-DDTHH:MM", help="Documents can be opened until then (UTC).")
@click.option("--days", type=click.IntRange(1, 999_999), help="Documents can be opened for so many days.")
@click.option(
    "--license-days", type=click.IntRange(1, 999_999), help="A use licence must be renewed after so many days."
)
@click.option("--rights-request", metavar="URL", help="Where readers ask for more rights: mailto:x@y or a web address.")
@click.option("--no-cache", is_flag=True, help="Clients must not keep use licences (NOLICCACHE).")
@click.option("--viewer", is_flag=True, help="Documents may be viewed in a browser (VIEWER).")
@click.option("--replace", "replaced", metavar="GUID", help="Make a new version of this template.")
@json_option
@example('rmsserver template add --home ./cluster --name "Staff only" --grant staff@example.com=VIEW,PRINT')
def template_add(
    home: Path,
    names: tuple[str, ...],
    descriptions: tuple[str, ...],
    grants: tuple[str, ...],
    until: str | None,
    days: int | None,
    license_days: int | None,
    rights_request: str | None,
    no_cache: bool,
    viewer: bool,
    replaced: str | None,
    as_json: bool,
) -> None:
    """Make a template, sign it and distribute it."""
    data = [ApplicationData("NOLICCACHE", "1")] * no_cache + [ApplicationData("VIEWER", "1")] * viewer
    definition = TemplateDefinition(
        names=_names(names, descriptions),
        rights=tuple(right for grant in grants for right in _rights(grant, license_days)),
        rights_request_url=rights_request,
        preconditions=_preconditions(until, days),
        application_data=tuple(data),
    )
    opened, now = open_home(home), dt.datetime.now(dt.UTC)
    state = opened.state
    if replaced is None:
        text = create_template(definition, state, system_randomness(), now)
    else:
        text = edit_template(_parse_guid(replaced), definition, state, now)
    stored = opened.configuration.put_template(text, now)
    if as_json:
        print_json({"guid": stored.guid, "revision": stored.revision})
    else:
        click.echo(f"Template {stored.guid} ({definition.names[0].name}), version {stored.revision}.")


@template.command("list")
@home_option
@json_option
@example("rmsserver template list --home ./cluster")
def template_list(home: Path, as_json: bool) -> None:
    """Show all templates."""
    summaries = list_templates(open_home(home).state)
    if as_json:
        print_json(
            [
                {"guid": s.guid, "name": s.name, "archived": s.archived, "issued": s.issued.isoformat()}
                for s in summaries
            ]
        )
    elif not summaries:
        click.echo("There are no templates yet: rmsserver template add --help")
    for s in [] if as_json else summaries:
        click.echo(f"{s.guid}  {s.name:30} {'archived' if s.archived else 'distributed'}  {s.issued:%Y-%m-%d}")


@template.command("show")
@_guid
@home_option
@example("rmsserver template show 7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11 --home ./cluster")
def template_show(guid: str, home: Path) -> None:
    """Show what a template says."""
    found = open_home(home).state.template(_parse_guid(guid))
    if found is None:
        raise OperatorError(f"there is no template {guid[:60]}: see `rmsserver template list`")
    _print_template(found)


@template.command("archive")
@_guid
@home_option
@example("rmsserver template archive 7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11 --home ./cluster")
def template_archive(guid: str, home: Path) -> None:
    """Take a template out of distribution. Documents protected with it stay under its rights."""
    open_home(home).configuration.archive_template(_parse_guid(guid), archived=True)
    click.echo(f"{guid} is archived.")


@template.command("restore")
@_guid
@home_option
@example("rmsserver template restore 7d0a7e0c-1f46-4d1c-9a55-7c2f4a2b1c11 --home ./cluster")
def template_restore(guid: str, home: Path) -> None:
    """Distribute an archived template again."""
    open_home(home).configuration.archive_template(_parse_guid(guid), archived=False)
    click.echo(f"{guid} is distributed again.")


def _names(names: tuple[str, ...], descriptions: tuple[str, ...]) -> tuple[LocalizedName, ...]:
    described = dict(map(_localized, descriptions))
    return tuple(LocalizedName(lcid, name, described.get(lcid, "")) for lcid, name in map(_localized, names))


def _localized(text: str) -> tuple[int, str]:
    lcid, colon, rest = text.partition(":")
    return (int(lcid), rest) if colon and lcid.isascii() and lcid.isdigit() else (1033, text)


def _rights(grant: str, license_days: int | None) -> list[Right]:
    who, equals, names = grant.rpartition("=")
    if not equals or not who or not all(names.split(",")):
        raise OperatorError(f"--grant: {grant[:60]!r} is not WHO=RIGHT,..., for example staff@example.com=VIEW,PRINT")
    internal = {"anyone": ANYONE, "owner": THE_OWNER}
    grantee = internal.get(who.casefold(), Grantee("Unspecified", "", who))
    return [Right.of(name, grantee, TimeConditions(days=license_days)) for name in names.split(",")]


def _preconditions(until: str | None, days: int | None) -> TimeConditions:
    if until is None:
        return TimeConditions(days=days) if days else NO_CONDITIONS
    try:
        end = parse_time(until)
    except XrmlSyntaxError:
        raise OperatorError(f"--until: {until[:30]!r} is not YYYY-MM-DDTHH:MM, for example 2027-12-31T23:59") from None
    return TimeConditions(TimeRange(dt.datetime.now(dt.UTC).replace(second=0, microsecond=0), end), days)


def _parse_guid(text: str) -> Guid:
    try:
        return Guid.parse(text)
    except XrmlSyntaxError:
        raise OperatorError(f"{text[:60]!r} is not a GUID: see `rmsserver template list`") from None


def _print_template(found: RightsTemplate) -> None:
    for name in found.names:
        click.echo(f"{name.name} (language {name.lcid}){': ' + name.description if name.description else ''}")
    for right in found.rights:
        grantee = right.grantee.email or right.grantee.id
        condition = f", renewed every {right.conditions.days} days" if right.conditions.days else ""
        click.echo(f"  {grantee:40} {right.name}{condition}")
    if found.preconditions.span:
        click.echo(f"  until {found.preconditions.span.end:%Y-%m-%d %H:%M} UTC")
    if found.preconditions.days:
        click.echo(f"  for {found.preconditions.days} days")
    for data in found.application_data:
        click.echo(f"  {data.name} = {data.value}")
