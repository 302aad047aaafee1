"""Which controllers a domain has, as DNS tells ([MS-ADTS] 6.3.2.3). Needs dnspython, which comes with the extra `[ad]`."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Protocol

from rmsserver.errors import OperatorError

_RESOLVE_SECONDS = 5.0
_MOST_CONTROLLERS = 8


class _Record(Protocol):
    priority: int
    weight: int
    port: int
    target: object


def controllers_of(domain: str, resolver: object | None = None) -> tuple[str, ...]:
    """`ldap://HOST:PORT` of the domain's controllers, the preferred first, at most eight.

    Only hosts that are named below the domain: whoever can forge an answer of DNS must not be able to name a host of his
    own, with a certificate that is genuine. Raises OperatorError. `resolver`: of dnspython, where not the system's.
    """
    try:
        import dns.exception
        import dns.resolver
    except ImportError:
        raise OperatorError('finding controllers by DNS needs dnspython: pip install "rmsserver[ad]"') from None
    name = domain.strip().strip(".").lower()
    question = f"_ldap._tcp.dc._msdcs.{name}."
    asked = resolver if isinstance(resolver, dns.resolver.Resolver) else None
    try:
        answer = (asked or dns.resolver.Resolver()).resolve(question, "SRV", lifetime=_RESOLVE_SECONDS)
    except dns.exception.DNSException as error:
        raise OperatorError(
            f"DNS names no controller of {name} ({type(error).__name__}): check the domain, or name a controller"
        ) from None
    found = [record for record in _in_order(answer) if _host(record).endswith(f".{name}")]
    if not found:
        raise OperatorError(f"DNS names no controller of {name} that is called ….{name}: name a controller")
    return tuple(f"ldap://{_host(record)}:{record.port}" for record in found[:_MOST_CONTROLLERS])


def _in_order(records: Iterable[_Record]) -> list[_Record]:
    """By priority; within one by chance, the heavier the sooner ([RFC2782])."""
    return sorted(records, key=lambda one: (one.priority, -(random.random() ** (1 / max(one.weight, 1)))))  # noqa: S311 - no secret


def _host(record: _Record) -> str:
    return str(record.target).rstrip(".").lower()
