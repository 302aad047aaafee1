"""The words with which an administrator says what a template is to be: `rmsserver template add` and `edit`."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from rmsserver.cli.end_dates import EndDate
from rmsserver.cli.program import Command
from rmsserver.cli.written_files import read_limited
from rmsserver.errors import OperatorError
from rmsserver.operations.admin.revocation import foreign_revocation_point, read_signer
from rmsserver.operations.admin.templates import TemplateDefinition
from rmsserver.operations.revocation_list import own_revocation_point
from rmsserver.state import ServerState
from rmsserver.xrml.revocation import RevocationPoint
from rmsserver.xrml.rights import ANYONE, THE_OWNER, ApplicationData, Grantee, Right, TimeConditions
from rmsserver.xrml.template import LocalizedName
from rmsserver.xrml.values import TimeRange

Kept = TypeVar("Kept")

_NO_CACHE = "NOLICCACHE"
_VIEWER = "VIEWER"
_REMOVABLE = ("until", "days", "license-days", "rights-request", "revocation", "data")


@dataclass(frozen=True)
class TemplateOptions:
    """What was said on the command line; None or empty where nothing was."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    grants: tuple[str, ...]
    until: dt.datetime | None
    days: int | None
    license_days: int | None
    rights_request: str | None
    no_cache: bool | None
    viewer: bool | None
    data: tuple[str, ...]
    no_owner: bool | None
    revocation: str | None
    revocation_key: Path | None
    revocation_days: int
    without: tuple[str, ...] = ()
    """Parts that a change takes away."""

    def definition(self, state: ServerState, now: dt.datetime) -> TemplateDefinition:
        """A new template's. Raises OperatorError."""
        return self.changed(TemplateDefinition(names=(), rights=()), state, now)

    def changed(self, old: TemplateDefinition, state: ServerState, now: dt.datetime) -> TemplateDefinition:
        """What is said in the place of what was, and the rest as it was. Raises OperatorError."""
        return TemplateDefinition(
            names=self._names(old.names),
            rights=self._rights(old.rights),
            rights_request_url=self.rights_request or self._kept("rights-request", old.rights_request_url),
            preconditions=self._preconditions(old.preconditions, now),
            application_data=self._application_data(old.application_data),
            owner_has_full_control=old.owner_has_full_control if self.no_owner is None else not self.no_owner,
            revocation=self._revocation(state) or self._kept("revocation", old.revocation),
        )

    def _kept(self, part: str, value: Kept) -> Kept | None:
        return None if part in self.without else value

    def _names(self, old: tuple[LocalizedName, ...]) -> tuple[LocalizedName, ...]:
        named = localized_names(self.names, ()) or old
        described = dict(map(_localized, self.descriptions))
        if unknown := set(described) - {name.lcid for name in named}:
            raise OperatorError(
                f"--description: there is no name in language {min(unknown)}: add --name {min(unknown)}:NAME"
            )
        kept = {name.lcid: name.description for name in old} | described
        return tuple(dataclasses.replace(name, description=kept.get(name.lcid, "")) for name in named)

    def _rights(self, old: tuple[Right, ...]) -> tuple[Right, ...]:
        rights = tuple(right for grant in self.grants for right in _granted(grant)) or old
        if self.license_days is not None or "license-days" in self.without:
            conditions = TimeConditions(days=self.license_days)
        elif self.grants and old:
            conditions = old[0].conditions
        else:
            return rights
        return tuple(dataclasses.replace(right, conditions=conditions) for right in rights)

    def _preconditions(self, old: TimeConditions, now: dt.datetime) -> TimeConditions:
        """An end date takes the place of a number of days, and the other way round: a template has one of them."""
        if self.until is None and self.days is None:
            return TimeConditions(self._kept("until", old.span), self._kept("days", old.days))
        return TimeConditions(None if self.until is None else _span(self.until, now), self.days)

    def _application_data(self, old: tuple[ApplicationData, ...]) -> tuple[ApplicationData, ...]:
        flags = {_NO_CACHE: self.no_cache, _VIEWER: self.viewer}
        data = {one.name: one for one in old if one.name in flags or "data" not in self.without}
        for name, flag in flags.items():
            if flag:
                data[name] = ApplicationData(name, "1")
            elif flag is not None:
                data.pop(name, None)
        said = {one.name: one for one in map(_named_value, self.data)}
        if len(said) < len(self.data) or any(flags.get(name) is not None for name in said):
            raise OperatorError("application data of one name stands twice: give each name one value")
        return tuple((data | said).values())

    def _revocation(self, state: ServerState) -> RevocationPoint | None:
        interval = dt.timedelta(days=self.revocation_days)
        if self.revocation is None:
            return None
        if self.revocation == "own":
            if self.revocation_key is not None:
                raise OperatorError("--revocation own: this cluster signs its list itself; leave --revocation-key out")
            return own_revocation_point(state, interval)
        key = None if self.revocation_key is None else read_signer(read_limited(self.revocation_key))
        return foreign_revocation_point(self.revocation, key, state, interval)


def template_options(*, change: bool) -> Callable[[Command], Command]:
    """All of these options, for a command that takes them as `**said: Any` and makes TemplateOptions of them.

    `change`: nothing is required, flags can be taken back, and there is --without.
    """
    options = [
        click.option(
            "--name",
            "names",
            multiple=True,
            required=not change,
            metavar="[LCID:]NAME",
            help="Name; repeat for languages.",
        ),
        click.option(
            "--description", "descriptions", multiple=True, metavar="[LCID:]TEXT", help="Description, by language."
        ),
        click.option(
            "--grant",
            "grants",
            multiple=True,
            required=not change,
            metavar="WHO=RIGHT,...",
            help="WHO is an e-mail address of a user or group, or Anyone, or Owner. May be repeated.",
        ),
        click.option("--until", type=EndDate(), help="Documents can be opened until then (UTC)."),
        click.option(
            "--days",
            type=click.IntRange(1, 999_999),
            help="Documents can be opened for so many days after they were published.",
        ),
        click.option(
            "--license-days", type=click.IntRange(1, 999_999), help="A use licence must be renewed after so many days."
        ),
        click.option(
            "--rights-request", metavar="URL", help="Where readers ask for more rights: mailto:x@y or a web address."
        ),
        _flag("--no-cache", "--cache", change, "Clients must not keep use licences (NOLICCACHE)."),
        _flag("--viewer", "--no-viewer", change, "Documents may be viewed in a browser (VIEWER)."),
        click.option("--data", multiple=True, metavar="NAME=VALUE", help="Further application data; may be repeated."),
        _flag("--no-owner", "--owner", change, "Do not grant the author full control."),
        click.option(
            "--revocation", metavar="URL", help="Clients need the revocation list there, or `own`: this cluster's."
        ),
        click.option(
            "--revocation-key",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Who signs that list: a public key in PEM, or an XrML document by its issuer. Default: this cluster.",
        ),
        click.option(
            "--revocation-days", type=click.IntRange(1, 3650), default=1, show_default=True, help="How old it may be."
        ),
    ]
    if change:
        kinds = click.Choice(_REMOVABLE)
        options.append(click.option("--without", multiple=True, type=kinds, help="Take this away; may be repeated."))

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _flag(on: str, off: str, change: bool, words: str) -> Callable[[Command], Command]:
    return click.option(
        f"{on}/{off}" if change else on, on[2:].replace("-", "_"), is_flag=True, default=None, help=words
    )


def localized_names(names: tuple[str, ...], descriptions: tuple[str, ...]) -> tuple[LocalizedName, ...]:
    """Of --name and --description, each perhaps with its language before a colon."""
    described = dict(map(_localized, descriptions))
    return tuple(LocalizedName(lcid, name, described.get(lcid, "")) for lcid, name in map(_localized, names))


def _localized(text: str) -> tuple[int, str]:
    lcid, colon, rest = text.partition(":")
    return (int(lcid), rest) if colon and lcid.isascii() and lcid.isdigit() else (1033, text)


def _granted(grant: str) -> list[Right]:
    who, equals, names = grant.rpartition("=")
    if not equals or not who or not all(names.split(",")):
        raise OperatorError(f"--grant: {grant[:60]!r} is not WHO=RIGHT,..., for example staff@example.com=VIEW,PRINT")
    internal = {"anyone": ANYONE, "owner": THE_OWNER}
    grantee = internal.get(who.casefold(), Grantee("Unspecified", "", who))
    return [Right.of(name, grantee) for name in names.split(",")]


def _span(end: dt.datetime, now: dt.datetime) -> TimeRange:
    return TimeRange(now.replace(second=0, microsecond=0), end)


def _named_value(text: str) -> ApplicationData:
    name, equals, value = text.partition("=")
    if not equals:
        raise OperatorError(f"--data: {text[:60]!r} is not NAME=VALUE, for example Classification=Secret")
    return ApplicationData(name.strip(), value.strip())
