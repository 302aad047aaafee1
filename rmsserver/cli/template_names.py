"""Naming a template on the command line: by its GUID, or by a name it has in any language."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rmsserver.errors import OperatorError
from rmsserver.xrml.errors import XrmlSyntaxError
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid

if TYPE_CHECKING:
    # Clients name templates too, and have no SQL.
    from rmsserver.stores.sql.configuration import SqlConfiguration

_LISTED = 10


def named_templates(wanted: str, templates: Iterable[RightsTemplate]) -> list[Guid]:
    """Which templates are meant: the GUID itself where it is one, else all that have the name, letter case ignored."""
    try:
        return [Guid.parse(wanted)]
    except XrmlSyntaxError:
        name = _folded(wanted)
    return [found.guid for found in templates if any(_folded(localized.name) == name for localized in found.names)]


def ambiguous(wanted: str, guids: list[Guid]) -> str:
    """What to tell about a name that several templates have."""
    more = ", ..." if len(guids) > _LISTED else ""
    return (
        f"{len(guids)} templates are called {wanted[:60]!r}: name one by its GUID: {', '.join(guids[:_LISTED])}{more}"
    )


def find_template(configuration: SqlConfiguration, wanted: str) -> Guid:
    """A GUID as it stands, whether or not there is such a template; or that of the one template of this name, distributed or
    archived. Needs no passphrase. Raises OperatorError.
    """
    found = named_templates(wanted, (RightsTemplate.read(stored.text) for stored in configuration.read().templates))
    if len(found) > 1:
        raise OperatorError(ambiguous(wanted, found))
    if not found:
        raise OperatorError(f"{wanted[:60]!r} is neither a template's name nor a GUID: see `rmsserver template list`")
    return found[0]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()
