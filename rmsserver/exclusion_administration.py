"""What `rmsserver exclusion user` does to a cluster: excluding the keys of a user's account certificates, and blocking users.

Excluding has the product's semantics: the present key pairs do not count any more and are retired, so the next certification
gives the user new ones, which do. It answers a stolen key. A block answers a person: it stays until it is lifted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rmsserver.account_source import ldap_settings
from rmsserver.directory.embedded import EmbeddedDirectory
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.operations.email_address import is_email_address
from rmsserver.operations.subject import find_account, is_sid
from rmsserver.ports import Directory, DirectoryAccount
from rmsserver.stores.sql.user_keys import SqlUserKeys
from rmsserver.xrml.values import fold

EXCLUDED, BLOCKED = "racExclusionPolicy", "blockedUsers"
_KEY_ID = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)


@dataclass(frozen=True)
class ExcludedUser:
    """The keys that were excluded for a user."""

    key_ids: tuple[str, ...]
    retired: bool
    """Whether the next certification gives new keys."""


def exclude_user(home: Home, who: str, *, keep_keys: bool = False) -> ExcludedUser:
    """Exclude a RAC key by its id, or those that are stored for an e-mail address or SID. Raises OperatorError.

    The exclusion is in force before the pairs are retired: a crash between leaves the user excluded.
    """
    if _KEY_ID.fullmatch(who):
        key_ids, names = [who.lower()], []
    else:
        keys = _keys(home)
        names = _key_names(home, who)
        key_ids = [pair.public.id.hex() for name in names for pair in keys.pairs(name)]
    if not key_ids:
        raise OperatorError(
            f"no account certificate was made for {who[:80]!r} yet, so there is no key to exclude: to refuse the person, "
            "run `rmsserver exclusion user block`"
        )
    home.configuration.change_list(EXCLUDED, add=[",".join(key_ids)])
    retire = bool(names) and not keep_keys
    for name in names if retire else []:
        _keys(home).retire(name)
    return ExcludedUser(tuple(key_ids), retire)


def include_user(home: Home, who: str) -> tuple[str, ...]:
    """Take an exclusion back, by key id or for the keys that are stored now. Raises OperatorError where there is none."""
    if _KEY_ID.fullmatch(who):
        wanted = {who.lower()}
    else:
        wanted = {pair.public.id.hex() for name in _key_names(home, who) for pair in _keys(home).pairs(name)}
    excluded = home.configuration.entries(EXCLUDED)
    found = tuple(key_id for key_id in excluded if key_id in wanted)
    if not found:
        raise OperatorError(
            f"no excluded key belongs to {who[:80]!r}: name the key id, see `rmsserver exclusion user list`"
        )
    home.configuration.change_list(EXCLUDED, remove=wanted.__contains__)
    return found


def block_user(home: Home, who: str) -> tuple[str, ...]:
    """Refuse a user in every pipeline; the entries that were added. Raises OperatorError.

    By address and SID where the directory knows both, so that neither a new address nor an old certificate is a way round.
    """
    names = _names(home, who)
    home.configuration.change_list(BLOCKED, add=[",".join(names)])
    return names


def unblock_user(home: Home, who: str) -> tuple[str, ...]:
    """Lift a block; the entries that were taken out. Raises OperatorError where there is none."""
    names = {fold(name) for name in _names(home, who)}
    found = tuple(entry for entry in home.configuration.entries(BLOCKED) if fold(entry) in names)
    if not found:
        raise OperatorError(f"{who[:80]!r} is not blocked: see `rmsserver exclusion user list`")
    home.configuration.change_list(BLOCKED, remove=lambda entry: fold(entry) in names)
    return found


def excluded_users(home: Home) -> tuple[list[str], list[str]]:
    """Excluded key ids, and blocked addresses and SIDs."""
    return home.configuration.entries(EXCLUDED), home.configuration.entries(BLOCKED)


def _keys(home: Home) -> SqlUserKeys:
    return SqlUserKeys(home.database, home.certificates.master_key)


def _key_names(home: Home, who: str) -> list[str]:
    """What the user's key pairs may be stored under: SIDs of an account, the address of a federated one."""
    account = _account(home, who)
    known = [] if account is None else [account.account.sid, *account.sid_history]
    return list(dict.fromkeys((who, *known)))


def _names(home: Home, who: str) -> tuple[str, ...]:
    account = _account(home, who)
    return (who,) if account is None else tuple(dict.fromkeys((who, account.account.sid)))


def _account(home: Home, who: str) -> DirectoryAccount | None:
    if not is_sid(who) and not is_email_address(who):
        raise OperatorError(f"{who[:80]!r} is neither an e-mail address nor a SID: write it like user@example.com")
    with _directory(home) as directory:
        return find_account(who, directory)


@contextmanager
def _directory(home: Home) -> Iterator[Directory]:
    if home.config.directory.kind != "ldap":
        yield EmbeddedDirectory(home.accounts)
        return
    settings = ldap_settings(home.config.directory)
    from rmsserver.directory.ldap.directory import LdapDirectory

    directory = LdapDirectory(settings)
    try:
        yield directory
    finally:
        directory.close()
