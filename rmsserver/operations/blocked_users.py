"""Users whom the administrator blocked: refused in every pipeline, whatever account certificate they present.

Diverges: the specification excludes account certificates by their key (racExclusionPolicy), from which a user is free again
with the next certificate. A block is of the person: by SID or by any of the e-mail addresses, those of the certificate and
those that the directory knows. It is checked beside the exclusions, never instead of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from rmsserver.errors import DrmacIsExcluded, UnauthorizedAccess
from rmsserver.operations.rights_evaluation import WINDOWS
from rmsserver.operations.subject import Subject
from rmsserver.ports import Directory
from rmsserver.state import FederatedAccount, RequestContext, ServerState
from rmsserver.xrml.rac import RightsAccountCertificate
from rmsserver.xrml.values import fold


def check_caller(caller: RequestContext, state: ServerState, directory: Directory) -> None:
    """Who signed on is not blocked; anonymous callers pass. Raises UnauthorizedAccess, PortUnavailable."""
    account = caller.account
    if account is None or not state.blocked_users:
        return
    if isinstance(account, FederatedAccount):
        blocked = _is_blocked((account.email, *account.proxy_addresses), None, state, directory)
    else:
        blocked = _is_blocked((), account.sid, state, directory)
    if blocked:
        caller.trail.note("blocked", account.email if isinstance(account, FederatedAccount) else account.name)
        raise UnauthorizedAccess("the caller is blocked")


def check_account_certificate(
    rac: RightsAccountCertificate, caller: RequestContext, state: ServerState, directory: Directory
) -> None:
    """Who the certificate is for is not blocked. Raises DrmacIsExcluded, PortUnavailable."""
    id_type, identity = rac.account
    sid = identity if id_type == WINDOWS else None
    if _is_blocked((identity, rac.email, *rac.email_aliases), sid, state, directory):
        caller.trail.note("blocked", rac.email)
        raise DrmacIsExcluded


def is_blocked(subject: Subject, state: ServerState, directory: Directory) -> bool:
    """Whether a certificate for this account may not be made, nor a licence. Raises PortUnavailable."""
    sid = subject.id if subject.id_type == WINDOWS else None
    return _is_blocked((subject.id, subject.email, *subject.aliases), sid, state, directory)


def _is_blocked(names: Iterable[str], sid: str | None, state: ServerState, directory: Directory) -> bool:
    if not state.blocked_users:
        return False
    every = set(names)
    if sid is not None:
        every.add(sid)
        known = directory.by_sid(sid)
        if known is not None:
            every.update((known.account.sid, *known.sid_history, *known.emails))
    return not state.blocked_users.isdisjoint(fold(name.strip()) for name in every)
