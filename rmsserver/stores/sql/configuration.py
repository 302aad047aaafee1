"""The StoredConfiguration ([MS-RMPR] 3.1.3.3) and the templates: rows, and the version that every change
moves.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Delete, Update, delete, insert, select, update

from rmsserver.errors import OperatorError
from rmsserver.stores.configuration_keys import Json, settable_key
from rmsserver.stores.sql.database import Database
from rmsserver.stores.sql.tables import configuration, template_versions, templates
from rmsserver.stores.sql.trusted_user_domains import (
    StoredUserDomain,
    add_user_domain,
    delete_user_domain,
    read_user_domains,
)
from rmsserver.xrml.template import RightsTemplate
from rmsserver.xrml.values import Guid

_VERSION = "configurationVersion"
_LARGEST_VERSION = 1_000_000


@dataclass(frozen=True)
class StoredTemplate:
    """The current version of a template."""

    guid: Guid
    text: str
    archived: bool
    revision: int


@dataclass(frozen=True)
class TemplateVersion:
    """One version of a template, as it was signed."""

    revision: int
    created: dt.datetime
    text: str


@dataclass(frozen=True)
class StoredConfiguration:
    """Everything a ServerState is made of that is in the database, read in one transaction."""

    version: int
    values: Mapping[str, Json]
    templates: tuple[StoredTemplate, ...]
    user_domains: tuple[StoredUserDomain, ...] = ()


class SqlConfiguration:
    """Reads and changes the configuration. Every change moves `version` in its own transaction (3.1.6.1).

    Methods raise PortUnavailable, and OperatorError for what cannot be.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def version(self) -> int:
        with self._database.read() as connection:
            return _version(connection)

    def read(self) -> StoredConfiguration:
        with self._database.read() as connection:
            rows = connection.execute(select(configuration)).all()
            values = {key: value for key, value in rows if key != _VERSION}
            return StoredConfiguration(
                _version(connection), values, _templates(connection), read_user_domains(connection)
            )

    def set(self, name: str, text: str) -> None:
        """Set one key to what an operator wrote. Raises OperatorError where key or value is not
        acceptable.
        """
        key = settable_key(name)
        self.set_values({key.name: key.parse(text)})

    def set_values(self, values: Mapping[str, Json]) -> None:
        """Set several keys, parsed already, as one change."""
        with self._database.write() as connection:
            for name, value in values.items():
                put_value(connection, name, value)
            bump_version(connection)

    def entries(self, name: str) -> list[str]:
        """What is stored under a key that has a list, in order; none where the key stands at its default."""
        return _entries(self.read().values.get(name))

    def change_list(
        self, name: str, *, add: Iterable[str] = (), remove: Callable[[str], bool] = lambda _entry: False
    ) -> list[str]:
        """Add entries to a key that has a list, and take others out, as one change; the entries afterwards.

        What is added is parsed as `set` would. Raises OperatorError where an entry is not acceptable.
        """
        key = settable_key(name)
        added = [entry for text in add for entry in _entries(key.parse(text))]
        with self._database.write() as connection:
            query = select(configuration.c.value).where(configuration.c.key == key.name)
            kept = [entry for entry in _entries(connection.execute(query).scalar_one_or_none()) if not remove(entry)]
            entries = list(dict.fromkeys((*kept, *added)))
            put_value(connection, key.name, [*entries] or None)
            bump_version(connection)
        return entries

    def reset(self, name: str) -> None:
        """Back to the default. Raises OperatorError for baseUrl, which has none."""
        key = settable_key(name)
        if key.name == "baseUrl":
            raise OperatorError("baseUrl has no default: set another value")
        with self._database.write() as connection:
            connection.execute(delete(configuration).where(configuration.c.key == key.name))
            bump_version(connection)

    def touch(self) -> None:
        """Tell running servers that something outside the database changed (certificate files)."""
        with self._database.write() as connection:
            bump_version(connection)

    # --- trusted user domains -------------------------------------------------------------------------------

    def add_user_domain(self, domain: StoredUserDomain, *, replacing: Guid | None = None) -> None:
        """Trust another cluster's account certificates, in the place of an earlier row where one is named.

        Raises OperatorError where they are trusted already, or there is no such row.
        """
        with self._database.write() as connection:
            if replacing is not None:
                delete_user_domain(connection, replacing)
            add_user_domain(connection, domain)
            bump_version(connection)

    def remove_user_domain(self, domain: Guid) -> None:
        """Raises OperatorError where there is none."""
        with self._database.write() as connection:
            delete_user_domain(connection, domain)
            bump_version(connection)

    # --- templates ------------------------------------------------------------------------------------------

    def put_template(self, text: str, now: dt.datetime) -> StoredTemplate:
        """A signed template, new or a new version of one with the same GUID; earlier versions are kept."""
        return self.put_templates([text], now)[0]

    def put_templates(self, texts: Iterable[str], now: dt.datetime, *, archive: bool = False) -> list[StoredTemplate]:
        """Several as one change. `archive`: out of distribution at once; else new ones are distributed, and others stay as
        they are.
        """
        with self._database.write() as connection:
            stored = [_put_template(connection, text, now, archive=archive) for text in texts]
            bump_version(connection)
        return stored

    def archive_template(self, guid: Guid, *, archived: bool) -> None:
        """Take a template out of distribution, or back into it. Raises OperatorError where there is none."""
        self._change_template(update(templates).where(templates.c.guid == guid).values(archived=archived), guid)

    def remove_template(self, guid: Guid) -> None:
        """Remove a template with its history: documents that cite it are then judged by what they hold
        themselves.
        """
        self._change_template(delete(templates).where(templates.c.guid == guid), guid)

    def template_history(self, guid: Guid) -> list[str]:
        """Every version's text, oldest first."""
        query = select(template_versions.c.text).where(template_versions.c.guid == guid)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(template_versions.c.revision)).scalars())

    def template_versions(self, guid: Guid) -> list[TemplateVersion]:
        """Every version that is kept, oldest first; none where there is no such template."""
        columns = (template_versions.c.revision, template_versions.c.created, template_versions.c.text)
        query = select(*columns).where(template_versions.c.guid == guid).order_by(template_versions.c.revision)
        with self._database.read() as connection:
            return [TemplateVersion(*row) for row in connection.execute(query)]

    def _change_template(self, statement: Update | Delete, guid: Guid) -> None:
        with self._database.write() as connection:
            if connection.execute(statement).rowcount != 1:
                raise OperatorError(f"there is no template {guid}: see `rmsserver template list`")
            bump_version(connection)


def _entries(value: Json) -> list[str]:
    return [str(entry) for entry in value] if isinstance(value, list) else []


def bump_version(connection: Connection) -> None:
    """Move configurationVersion, inside the transaction that changes something (3.1.6.1)."""
    version = _version(connection) + 1
    put_value(connection, _VERSION, 1 if version > _LARGEST_VERSION else version)


def _version(connection: Connection) -> int:
    query = select(configuration.c.value).where(configuration.c.key == _VERSION)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def put_value(connection: Connection, name: str, value: Json) -> None:
    """Write one row, inside the transaction that moves the version."""
    statement = update(configuration).where(configuration.c.key == name).values(value=value)
    if connection.execute(statement).rowcount == 0:
        connection.execute(insert(configuration), {"key": name, "value": value})


def _put_template(connection: Connection, text: str, now: dt.datetime, *, archive: bool) -> StoredTemplate:
    guid = RightsTemplate.read(text).guid
    row = connection.execute(select(templates).where(templates.c.guid == guid)).one_or_none()
    revision, archived = (1, archive) if row is None else (row.revision + 1, archive or row.archived)
    if row is None:
        connection.execute(insert(templates), {"guid": str(guid), "revision": revision, "archived": archived})
    else:
        changed = update(templates).where(templates.c.guid == guid)
        connection.execute(changed.values(revision=revision, archived=archived))
    version = {"guid": str(guid), "revision": revision, "text": text, "created": now}
    connection.execute(insert(template_versions), version)
    return StoredTemplate(guid, text, archived, revision)


def _templates(connection: Connection) -> tuple[StoredTemplate, ...]:
    current = (templates.c.guid == template_versions.c.guid) & (templates.c.revision == template_versions.c.revision)
    query = select(templates, template_versions.c.text).join(template_versions, current).order_by(templates.c.guid)
    rows = connection.execute(query)
    return tuple(StoredTemplate(Guid(row.guid), row.text, row.archived, row.revision) for row in rows)
