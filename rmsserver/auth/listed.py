"""From the names that administrators write into endpoint rules to accounts and groups, looked up again and again.

A name is a SID, a login (`DOMAIN\\user`, `user@realm`) or an e-mail address of an account, or the SID or e-mail address of a
group. Names of accounts become SIDs; where the directory does not answer, what it said before stays. A name that it does
not know lets nobody in, and the log says so once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from rmsserver.auth.policy import AccessPolicy, Demand, Rule
from rmsserver.ports import Directory, PortUnavailable
from rmsserver.xrml.values import fold

_SID = re.compile(r"[Ss]-1-[0-9]+(-[0-9]+)+\Z")

_log = structlog.get_logger()


@dataclass(frozen=True)
class FoundName:
    """What the directory says of one name. `account`: the SID of an account; `group`: how a group is asked for."""

    name: str
    account: str | None = None
    group: str | None = None

    @property
    def is_known(self) -> bool:
        """False where the name can be nobody's. A group is only ever asked for with a caller, so it counts as known."""
        return self.account is not None or self.group is not None


def find_name(name: str, directory: Directory) -> FoundName:
    """Raises PortUnavailable."""
    if _SID.match(name):
        found = directory.by_sid(name)
        return FoundName(name, found.account.sid if found else None, name.lower())
    found = directory.by_login(name) or (directory.by_email(name) if "@" in name else None)
    if found is not None:
        return FoundName(name, found.account.sid)
    return FoundName(name, group=fold(name) if "@" in name and "\\" not in name else None)


class ListedNames:
    """The policy of one cluster with its lists resolved. `policy` never waits; `refresh` is called by a timer."""

    def __init__(self, policy: AccessPolicy, listed: Mapping[str, Iterable[str]], directory: Directory) -> None:
        """`listed`: names by path, as `AccessPolicy.changed` takes it, which raises ValueError for one it has not."""
        self._base = policy
        self._listed = {path: tuple(names) for path, names in listed.items()}
        self._directory = directory
        self._found: dict[str, FoundName] = {}
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        self._policy = self._made()
        self.refresh()

    def policy(self) -> AccessPolicy:
        return self._policy

    def refresh(self) -> None:
        """Ask the directory for every name. Nothing is raised."""
        with self._lock:
            for name in dict.fromkeys(name for names in self._listed.values() for name in names):
                try:
                    self._found[name] = find_name(name, self._directory)
                except PortUnavailable as error:
                    _log.warning("endpoints.not_resolved", reason=error.detail)
                    break
                self._warn(self._found[name])
            self._policy = self._made()

    def _warn(self, found: FoundName) -> None:
        if found.is_known:
            self._warned.discard(found.name)
        elif found.name not in self._warned:
            self._warned.add(found.name)
            _log.warning("endpoints.unknown_name", name=found.name[:80])

    def _made(self) -> AccessPolicy:
        policy = self._base
        for path, names in self._listed.items():
            found = [self._found.get(name) or _unasked(name) for name in names]
            accounts = frozenset(one.account for one in found if one.account)
            groups = frozenset(one.group for one in found if one.group)
            policy = policy.changed(path, Rule(Demand.LISTED, accounts, groups, self._directory.groups_of))
        return policy


def _unasked(name: str) -> FoundName:
    """Before the directory answered for the first time: a SID counts as it stands."""
    return FoundName(name, name.upper(), name.lower()) if _SID.match(name) else FoundName(name)
