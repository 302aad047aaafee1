"""`rmsserver template`: rights policy templates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rmsserver.cli.changes import Change, note
from rmsserver.cli.opening import home_option, open_home
from rmsserver.cli.program import Commands, counted, example, json_option, print_json
from rmsserver.cli.right_names import hint_at_rights
from rmsserver.cli.template_names import find_template
from rmsserver.cli.template_options import TemplateOptions, localized_names, template_options
from rmsserver.cli.written_files import read_limited, write_new
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.signed_exports import check_fingerprint
from rmsserver.operations.admin.template_files import read_templates, write_bare, write_package
from rmsserver.operations.admin.templates import (
    TemplateSummary,
    copy_template,
    create_template,
    definition_of,
    edit_template,
    import_template,
    list_templates,
)
from rmsserver.state import ServerState
from rmsserver.stores.memory import system_randomness
from rmsserver.stores.sql.configuration import StoredTemplate
from rmsserver.trust_administration import management_identity
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid

_template = click.argument("wanted", metavar="GUID|NAME")


@click.group(cls=Commands)
@example("rmsserver template list --home ./cluster")
def template() -> None:
    """Rights policy templates: rights that an administrator decides, by name."""


@template.command("add", cls=Change)
@home_option
@template_options(change=False)
@json_option
@example('rmsserver template add --home ./cluster --name "Staff only" --grant staff@example.com=VIEW,PRINT')
def template_add(home: Path, as_json: bool, **said: Any) -> None:
    """Make a template, sign it and distribute it. Rights may be any words: those that applications ask for."""
    opened, now = open_home(home), dt.datetime.now(dt.UTC)
    definition = TemplateOptions(**said).definition(opened.state, now)
    text = create_template(definition, opened.state, system_randomness(), now)
    _tell(opened.configuration.put_template(text, now), definition.names[0].name, as_json)
    hint_at_rights(_rights_of(said))


@template.command("edit", cls=Change)
@_template
@home_option
@template_options(change=True)
@json_option
@example('rmsserver template edit "Staff only" --home ./cluster --grant staff@example.com=VIEW')
def template_edit(wanted: str, home: Path, as_json: bool, **said: Any) -> None:
    """Make the next version of a template, which documents protected with it follow.

    What is not named stays as it is. --name and --grant replace all names and all rights; --data replaces the data of the
    same name.
    """
    opened, now = open_home(home), dt.datetime.now(dt.UTC)
    guid = find_template(opened.configuration, wanted)
    old = definition_of(_existing(guid, opened.state))
    definition = TemplateOptions(**said).changed(old, opened.state, now)
    if definition == old:
        raise OperatorError("nothing would change: say what is to be different, see `rmsserver template edit --help`")
    text = edit_template(guid, definition, opened.state, now)
    _tell(opened.configuration.put_template(text, now), definition.names[0].name, as_json)
    hint_at_rights(_rights_of(said))


def _tell(stored: StoredTemplate, name: str, as_json: bool) -> None:
    _note(stored)
    if as_json:
        print_json(_stored_json(stored))
    else:
        click.echo(f"Template {stored.guid} ({name}), version {stored.revision}.")


def _note(stored: StoredTemplate) -> None:
    note("id", stored.guid)
    note("version", stored.revision)


def _stored_json(stored: StoredTemplate) -> dict[str, object]:
    return {"guid": stored.guid, "version": stored.revision}


@template.command("list")
@home_option
@json_option
@example("rmsserver template list --home ./cluster")
def template_list(home: Path, as_json: bool) -> None:
    """Show all templates."""
    state = open_home(home).state
    summaries = list_templates(state)
    if as_json:
        print_json([_line_json(s, state) for s in summaries])
    elif not summaries:
        click.echo("There are no templates yet: rmsserver template add --help")
    for s in [] if as_json else summaries:
        click.echo(f"{s.guid}  {s.name:30} {'archived' if s.archived else 'distributed':11}  {s.issued:%Y-%m-%d}")


def _line_json(summary: TemplateSummary, state: ServerState) -> dict[str, object]:
    return {
        "guid": summary.guid,
        "name": summary.name,
        "archived": summary.archived,
        "issued": summary.issued.isoformat(),
        "version": state.template_revisions[summary.guid],
    }


@template.command("show")
@_template
@home_option
@json_option
@example('rmsserver template show "Staff only" --home ./cluster')
def template_show(wanted: str, home: Path, as_json: bool) -> None:
    """Show what a template says."""
    opened = open_home(home)
    guid, state = find_template(opened.configuration, wanted), opened.state
    found = _existing(guid, state)
    summary = next(s for s in list_templates(state) if s.guid == guid)
    line = _line_json(summary, state)
    if as_json:
        print_json(line | _said_json(found))
        return
    click.echo(f"{guid}, version {line['version']}, {'archived' if summary.archived else 'distributed'}")
    _print_template(found)


@template.command("archive", cls=Change)
@_template
@home_option
@example('rmsserver template archive "Staff only" --home ./cluster')
def template_archive(wanted: str, home: Path) -> None:
    """Take a template out of distribution. Documents protected with it stay under its rights."""
    _archive(home, wanted, archived=True)
    click.echo(f"{wanted} is archived.")


@template.command("restore", cls=Change)
@_template
@home_option
@example('rmsserver template restore "Staff only" --home ./cluster')
def template_restore(wanted: str, home: Path) -> None:
    """Distribute an archived template again."""
    _archive(home, wanted, archived=False)
    click.echo(f"{wanted} is distributed again.")


def _archive(home: Path, wanted: str, *, archived: bool) -> None:
    configuration = open_home(home).configuration
    guid = find_template(configuration, wanted)
    configuration.archive_template(guid, archived=archived)
    note("id", guid)


@template.command("copy", cls=Change)
@_template
@home_option
@click.option(
    "--name",
    "names",
    multiple=True,
    required=True,
    metavar="[LCID:]NAME",
    help="Name of the copy; repeat for languages.",
)
@click.option("--description", "descriptions", multiple=True, metavar="[LCID:]TEXT", help="Description, by language.")
@json_option
@example('rmsserver template copy "Staff only" --home ./cluster --name "Board only"')
def template_copy(
    wanted: str, home: Path, names: tuple[str, ...], descriptions: tuple[str, ...], as_json: bool
) -> None:
    """Make another template that says the same, under another name."""
    opened, now = open_home(home), dt.datetime.now(dt.UTC)
    localized = localized_names(names, descriptions)
    guid = find_template(opened.configuration, wanted)
    text = copy_template(guid, localized, opened.state, system_randomness(), now)
    _tell(opened.configuration.put_template(text, now), localized[0].name, as_json)


@template.command("delete", cls=Change)
@_template
@home_option
@click.option("--force", is_flag=True, help="Also where documents depend on it.")
@example('rmsserver template delete "Staff only" --home ./cluster')
def template_delete(wanted: str, home: Path, force: bool) -> None:
    """Delete a template with its history.

    Refused where the audit knows of documents protected with it: those would stay under the version that they carry, or
    could not be opened. Archiving is the safe way. Documents that nobody opened while the audit lasts are not known.
    """
    opened = open_home(home)
    guid = find_template(opened.configuration, wanted)
    note("id", guid)
    uses = opened.audit.licenses_from_template(guid)
    if uses and not force:
        raise OperatorError(
            f"documents depend on the template ({uses} requests in the audit): archive it with `rmsserver template archive`, "
            "or add --force"
        )
    opened.configuration.remove_template(guid)
    click.echo(f"{wanted} is deleted.")


@template.command("history")
@_template
@home_option
@json_option
@click.option("--version", type=click.IntRange(1), help="Show what this version says.")
@example('rmsserver template history "Staff only" --home ./cluster')
def template_history(wanted: str, home: Path, as_json: bool, version: int | None) -> None:
    """Show every version of a template. The audit says which one a licence applied: template=GUID:VERSION."""
    configuration = open_home(home).configuration
    versions = configuration.template_versions(find_template(configuration, wanted))
    chosen = [stored for stored in versions if version in (None, stored.revision)]
    if not chosen:
        raise OperatorError(f"there is no such template or version: see `rmsserver template list` ({wanted[:60]})")
    if as_json:
        print_json([{"version": v.revision, "created": v.created.isoformat(), "text": v.text} for v in chosen])
        return
    for stored in chosen:
        found = RightsTemplate.read(stored.text)
        click.echo(
            f"{stored.revision:4}  {stored.created:%Y-%m-%d %H:%M}  {found.names[0].name if found.names else ''}"
        )
        if version is not None:
            _print_template(found)


@template.command("export")
@click.argument("named", nargs=-1, metavar="[GUID|NAME]...")
@home_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@click.option(
    "--bare", is_flag=True, help="One template as plain XrML, unsigned by the cluster, as AD RMS tools read it."
)
@example("rmsserver template export --home ./cluster -o templates.xml")
def template_export(named: tuple[str, ...], home: Path, output: Path, bare: bool) -> None:
    """Write templates, all or those named, into a file that another cluster imports. It holds no secret."""
    opened, now = open_home(home), dt.datetime.now(dt.UTC)
    wanted = [find_template(opened.configuration, name) for name in named]
    wanted = wanted or [summary.guid for summary in list_templates(opened.state)]
    found = [_existing(guid, opened.state) for guid in dict.fromkeys(wanted)]
    if not found or (bare and len(found) != 1):
        raise OperatorError("there is no template yet" if not found else "--bare writes one template: name it")
    if bare:
        write_new(output, write_bare(found[0]))
        click.echo(f"{output}: {found[0].guid}, not signed as a file.")
        return
    identity = management_identity(opened, now)
    write_new(output, write_package(found, identity, now))
    click.echo(
        f"{output}: {counted(len(found), 'template')}. Tell whoever imports it the fingerprint, by another way than the file:"
    )
    click.echo(identity.fingerprint)


@template.command("import", cls=Change)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@click.option("--fingerprint", help="What the exporting administrator says.")
@click.option("--unsigned", is_flag=True, help="Accept bare XrML, which nobody vouches for.")
@click.option("--replace", is_flag=True, help="Templates that are here already become their next versions.")
@click.option("--archived", is_flag=True, help="Do not distribute them yet.")
@json_option
@example("rmsserver template import templates.xml --home ./cluster --fingerprint 3f7c...")
def template_import(
    file: Path, home: Path, fingerprint: str | None, unsigned: bool, replace: bool, archived: bool, as_json: bool
) -> None:
    """Take over the templates of a file under their GUIDs, signed by this cluster. All of them, or none."""
    offered = read_templates(read_limited(file))
    if offered.fingerprint is None and not unsigned:
        raise OperatorError("the file is not signed: look at what it says, and add --unsigned to import it")
    if offered.fingerprint is not None:
        if fingerprint is None:
            raise OperatorError(
                f"the file's fingerprint is {offered.fingerprint}: compare it with its sender, and give it by --fingerprint"
            )
        check_fingerprint(offered.fingerprint, fingerprint)
    opened, now = open_home(home), dt.datetime.now(dt.UTC)
    state = opened.state
    texts = [import_template(found, state, now, replace=replace) for found in offered.templates]
    imported = opened.configuration.put_templates(texts, now, archive=archived)
    for stored in imported:
        _note(stored)
    if as_json:
        print_json([_stored_json(stored) for stored in imported])
    for stored in [] if as_json else imported:
        name = RightsTemplate.read(stored.text).names[0].name
        click.echo(f"Template {stored.guid} ({name}), version {stored.revision}.")


def _existing(guid: Guid, state: ServerState) -> RightsTemplate:
    found = state.template(guid)
    if found is None:
        raise OperatorError(f"there is no template {guid}: see `rmsserver template list`")
    return found


def _rights_of(said: Mapping[str, Any]) -> list[str]:
    """Names of the rights in --grant."""
    return [name for grant in said["grants"] for name in grant.rpartition("=")[2].split(",")]


def _said_json(found: RightsTemplate) -> dict[str, object]:
    """What the administrator said, by the names of the options; what was not said is null."""
    said = definition_of(found)
    span, point = said.preconditions.span, said.revocation
    return {
        "names": [{"lcid": n.lcid, "name": n.name, "description": n.description} for n in said.names],
        "grants": [
            {"who": r.grantee.email or r.grantee.id, "right": r.name, "license_days": r.conditions.days}
            for r in found.rights
        ],
        "until": span.end.isoformat() if span else None,
        "days": said.preconditions.days,
        "rights_request": said.rights_request_url,
        "data": {data.name: data.value for data in said.application_data},
        "revocation": {"url": point.url, "days": point.interval.days} if point else None,
    }


def _print_template(found: RightsTemplate) -> None:
    definition = definition_of(found)
    for name in found.names:
        click.echo(f"{name.name} (language {name.lcid}){': ' + name.description if name.description else ''}")
    for right in found.rights:
        grantee = right.grantee.email or right.grantee.id
        condition = f", renewed every {counted(right.conditions.days, 'day')}" if right.conditions.days else ""
        click.echo(f"  {grantee:40} {right.name}{condition}")
    if found.preconditions.span:
        click.echo(f"  until {found.preconditions.span.end:%Y-%m-%d %H:%M} UTC")
    if found.preconditions.days:
        click.echo(f"  for {counted(found.preconditions.days, 'day')} after publishing")
    if definition.rights_request_url:
        click.echo(f"  more rights: {definition.rights_request_url}")
    if point := definition.revocation:
        click.echo(f"  revocation list {point.url}, at most {counted(point.interval.days, 'day')} old")
    for data in found.application_data:
        click.echo(f"  {data.name} = {data.value}")
