"""Which endpoint demands what of its caller, as plain data: the product's defaults, and what administrators change.

Defaults (wire facts 9): sign-on for certification and licensing alike, nobody on the server-to-server and mobile endpoints
until accounts are added. [MS-RMPR] 3.1.4.1 demands sign-on for Certify and recommends it for FindServiceLocationsForUser.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from rmsserver.auth import Identity


class Demand(enum.Enum):
    """What an endpoint demands."""

    REQUIRED = "required"
    """Any verified account."""
    ANONYMOUS = "anonymous"
    """Nothing; an identity is still taken where the client offers one."""
    NOBODY = "nobody"
    """Refuses everybody."""
    LISTED = "listed"
    """A verified account of the rule's list, or a member of a group in it."""
    FEDERATED = "federated"
    """An account that signed on through federation, and no other."""


class Verdict(enum.Enum):
    """What to do with a request."""

    SERVE = "serve"
    CHALLENGE = "challenge"
    """401 with challenges: nobody signed on, and somebody might be served."""
    FORBID = "forbid"
    """403: whoever asks, the answer would not change by signing on."""


def _no_groups(_sid: str, _candidates: Iterable[str]) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True)
class Rule:
    """`accounts` holds SIDs, `groups` SIDs and e-mail addresses of groups; both count for LISTED alone. Whoever makes a rule
    from names (`listed.py`) turns those of accounts into SIDs."""

    demand: Demand
    accounts: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    groups_of: Callable[[str, Iterable[str]], frozenset[str]] = field(default=_no_groups, compare=False, repr=False)
    """Of the port `Directory`: asked for callers who are not in `accounts`, where there are `groups`."""

    def judge(self, identity: Identity | None) -> Verdict:
        """May block, and raise `PortUnavailable`, where groups are listed."""
        if self.demand is Demand.ANONYMOUS:
            return Verdict.SERVE
        if self.demand is Demand.NOBODY or (self.demand is Demand.LISTED and not self.accounts and not self.groups):
            return Verdict.FORBID
        if identity is None:
            return Verdict.CHALLENGE
        if self.demand is Demand.FEDERATED:
            # The web layer serves these paths by session cookie alone; a sign-on of the directory never counts there.
            return Verdict.FORBID
        served = self.demand is Demand.REQUIRED or self._lists(identity.account.sid)
        return Verdict.SERVE if served else Verdict.FORBID

    def _lists(self, sid: str) -> bool:
        if sid.upper() in {listed.upper() for listed in self.accounts}:
            return True
        return bool(self.groups) and bool(self.groups_of(sid, self.groups))


_REQUIRED = Rule(Demand.REQUIRED)
_NOBODY = Rule(Demand.NOBODY)
_FEDERATED = Rule(Demand.FEDERATED)

DEFAULT_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "/certification/certification.asmx": _REQUIRED,
        "/certification/servicelocator.asmx": _REQUIRED,
        "/certification/server.asmx": _REQUIRED,
        "/licensing/license.asmx": _REQUIRED,
        "/licensing/license.asmx#acquireprelicense": _NOBODY,
        "/licensing/publish.asmx": _REQUIRED,
        "/licensing/server.asmx": _REQUIRED,
        "/licensing/servicelocator.asmx": _REQUIRED,
        "/licensing/templatedistribution.asmx": _REQUIRED,
        "/certification/activation.asmx": _NOBODY,
        "/certification/precertification.asmx": _NOBODY,
        "/certification/servercertification.asmx": _NOBODY,
        "/certification/mobilecertification.asmx": _NOBODY,
        "/certification/subenrollservice.asmx": _NOBODY,
        "/licensing/editissuancelicense.asmx": _NOBODY,
        "/decommission/decommission.asmx": _NOBODY,
        "/groupexpansion/groupexpansion.asmx": _NOBODY,
        "/drmremote/directoryservices/directoryservices.rem": _NOBODY,
        "/enrollment/enrollservice.asmx": _NOBODY,
        "/certificationexternal/certification.asmx": _FEDERATED,
        "/certificationexternal/server.asmx": _FEDERATED,
        "/certificationexternal/servicelocator.asmx": _FEDERATED,
        "/licensingexternal/license.asmx": _FEDERATED,
        "/licensingexternal/publish.asmx": _FEDERATED,
        "/licensingexternal/server.asmx": _FEDERATED,
        "/licensingexternal/servicelocator.asmx": _FEDERATED,
    }
)
"""Paths below the base path (`/_wmcs`), in small letters ([MS-RMPR] 3.1.4.2). After `#` stands an operation that has a rule
of its own besides that of its endpoint: pre-licensing asks for others, and others' mailboxes are many. The directories
`…external` belong to federation, as [MS-RMPR] 3.1.4.2 recommends, and are not served without it."""


_RULED_APART = frozenset({"acquireprelicense"})
"""Operations that nobody may call where no rule was written for them."""


@dataclass(frozen=True)
class AccessPolicy:
    """The table of one cluster."""

    rules: Mapping[str, Rule] = field(default_factory=lambda: DEFAULT_RULES)

    def rule(self, path: str) -> Rule:
        """The rule for a path below the base path, letter case ignored. Nobody is let in where no rule was written."""
        return self.rules.get(path.lower(), _NOBODY)

    def allows(self, path: str, operation: str, identity: Identity | None) -> bool:
        """May a caller whom the endpoint serves call this operation of it? May block, and raise `PortUnavailable`.

        Asked only once the operation is known, so that nobody else waits for a list with groups in it.
        """
        operation = operation.lower()
        rule = self.rules.get(f"{path.lower()}#{operation}")
        if rule is None:
            return operation not in _RULED_APART
        return rule.judge(identity) is Verdict.SERVE

    def changed(self, path: str, rule: Rule) -> AccessPolicy:
        """This policy with another rule for one path.

        Raises ValueError for a path that is not in the table, and where a path of federation is to be more than closed.
        Certify may be opened too: it then answers an unknown caller with its own fault ([MS-RMPR] 3.3.4.1).
        """
        path = path.lower()
        if path not in self.rules:
            raise ValueError(f"no such endpoint: {path}")
        if "external/" in path and rule.demand not in (Demand.FEDERATED, Demand.NOBODY):
            raise ValueError(f"{path} is for federated accounts: it can be closed to nobody, and no more")
        return replace(self, rules=MappingProxyType({**self.rules, path: rule}))

    def with_anonymous_licensing(self) -> AccessPolicy:
        """Licensing opened to anonymous callers, as administrators do for trusted user domains (wire facts 9).

        Opens use licences and server information; publishing and templates stay for the cluster's own people.
        """
        opened = {
            path: Rule(Demand.ANONYMOUS)
            for path in ("/licensing/license.asmx", "/licensing/server.asmx")
            if path in self.rules
        }
        return replace(self, rules=MappingProxyType({**self.rules, **opened}))
