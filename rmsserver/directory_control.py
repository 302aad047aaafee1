"""What `rmsserver directory` asks of a serving process about its directory: how old the caches are, and to empty them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from rmsserver.control import Verb
from rmsserver.errors import OperatorError
from rmsserver.ports import Directory

if TYPE_CHECKING:
    from rmsserver.directory.ldap.directory import DirectoryStatistics

STATUS, FLUSH = "directory-status", "directory-flush"
_LONGEST_NAME = 320


@runtime_checkable
class CachingDirectory(Protocol):
    """A directory that answers from caches for a while."""

    def flush(self, who: str | None = None) -> int: ...

    def statistics(self) -> DirectoryStatistics: ...


def directory_verbs(directory: Directory) -> Mapping[str, Verb]:
    """For `ControlSocket`."""

    def status(_fields: Mapping[str, Any]) -> dict[str, Any]:
        """`{"caches": {name: {entries, hits, misses, evictions, oldest_seconds}}, "controllers": [...]}`; both empty
        where nothing is cached."""
        if not isinstance(directory, CachingDirectory):
            return {"caches": {}, "controllers": []}
        found = asdict(directory.statistics())
        controllers = found.pop("controllers")
        return {"caches": found, "controllers": list(controllers)}

    def flush(fields: Mapping[str, Any]) -> dict[str, Any]:
        """`{"forgotten": number of entries}`. `who`: a SID, login or e-mail address; null: everything."""
        who = fields.get("who")
        if who is not None and not (isinstance(who, str) and 0 < len(who) <= _LONGEST_NAME):
            raise OperatorError("a name has 1 to 320 characters")
        return {"forgotten": directory.flush(who) if isinstance(directory, CachingDirectory) else 0}

    return {STATUS: status, FLUSH: flush}
