"""Slows down the guessing of passwords (threat A7), by account, by address and by both together.

Three counters see every failure. Guessing at one account from one address locks soonest and longest; guessing at one
account from many addresses, and at many accounts from one address (spraying), locks later. An account's own lock is short,
so that nobody can keep a person out for long by failing in her name. While any lock holds, the right password gets the same
refusal as a wrong one, after the same work, and changes no counter.

Counters live in this process's memory and end with it. Each table is bounded; the entry that failed longest ago goes first.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """`free` failures cost nothing; the next locks for 2 s, each further one twice as long, up to `longest_s`.

    Every `recovery_s` one failure is forgiven, so that an office behind one address, whose machines each try their own
    user's name once before they ask for another, does not fill its counter over the day.
    """

    free: int
    longest_s: float
    recovery_s: float


@dataclass(frozen=True)
class GuessingLimits:
    """Limits of the three counters, and how many entries each of them keeps."""

    pair: Limit = Limit(free=5, longest_s=900, recovery_s=600)
    account: Limit = Limit(free=25, longest_s=60, recovery_s=60)
    address: Limit = Limit(free=50, longest_s=300, recovery_s=5)
    entries: int = 10_000


@dataclass
class _Failures:
    count: float
    last: float
    locked_until: float


class _Counter:
    def __init__(self, limit: Limit, entries: int) -> None:
        self._limit = limit
        self._entries = entries
        self._table: OrderedDict[str, _Failures] = OrderedDict()

    def locked(self, key: str, now: float) -> bool:
        entry = self._table.get(key)
        return entry is not None and now < entry.locked_until

    def failed(self, key: str, now: float) -> None:
        old = self._table.pop(key, None)
        forgiven = (now - old.last) / self._limit.recovery_s if old else 0.0
        count = 1 + (max(0.0, old.count - forgiven) if old else 0.0)
        over = count - self._limit.free
        penalty = min(2 ** min(over, 30), self._limit.longest_s) if over > 0 else 0.0
        self._table[key] = _Failures(count, now, now + penalty)
        if len(self._table) > self._entries:
            self._table.popitem(last=False)

    def forget(self, key: str) -> None:
        self._table.pop(key, None)

    def __len__(self) -> int:
        return len(self._table)


class PasswordGuessing:
    """Thread-safe. `monotonic` gives seconds that never run backwards."""

    def __init__(
        self, limits: GuessingLimits | None = None, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        limits = limits or GuessingLimits()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._pair = _Counter(limits.pair, limits.entries)
        self._account = _Counter(limits.account, limits.entries)
        self._address = _Counter(limits.address, limits.entries)

    def is_locked(self, login: str, client_address: str) -> bool:
        """Whether a lock holds for such an attempt, so that `admits` would refuse even the right password."""
        now = self._monotonic()
        with self._lock:
            return any(counter.locked(key, now) for counter, key in self._keys(login, client_address))

    def admits(self, login: str, client_address: str, *, proven: bool) -> bool:
        """The last word on one attempt, after the password was checked: True where it was right and no lock holds.

        Call it once for each attempt, also for unknown accounts: they are counted alike (N6).
        """
        keys = self._keys(login, client_address)
        now = self._monotonic()
        with self._lock:
            if any(counter.locked(key, now) for counter, key in keys):
                return False
            if proven:
                # Only the pair: else one right password would wash away the failures at other accounts.
                self._pair.forget(keys[0][1])
                return True
            for counter, key in keys:
                counter.failed(key, now)
            return False

    def _keys(self, login: str, client_address: str) -> tuple[tuple[_Counter, str], ...]:
        """The counters and their keys; that of the pair first."""
        account, address = account_key(login), address_key(client_address)
        return (self._pair, f"{address} {account}"), (self._account, account), (self._address, address)

    @property
    def entries(self) -> int:
        """How many counters are kept, for the metrics."""
        return len(self._pair) + len(self._account) + len(self._address)


def account_key(login: str) -> str:
    """One key for all spellings of a login: `DOMAIN\\user`, `user@realm` and `user` share their failures."""
    return login.rpartition("\\")[2].partition("@")[0].strip().casefold()[:256]


def address_key(client_address: str) -> str:
    """The address; of an IPv6 address the /64 network, because one host has all of it to choose from."""
    try:
        address = ipaddress.ip_address(client_address.partition("%")[0])
    except ValueError:
        return client_address[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
