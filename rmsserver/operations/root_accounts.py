"""The accounts of a licensing-only cluster: their key pairs are at its root cluster ([MS-RMSI] 1.3.4, 3.3).

The root answers Precertify, where it lists this server's account: by SID, or by address where it has a directory of its own.
What it answers is checked like a certificate that a caller presents, and kept in the cache of licences, so that a mailbox is
asked for once in its lifetime.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass, field

from rmsserver.errors import AcquirePreLicenseInvalidLicensee, RmsError
from rmsserver.operations.account_certificate import verify_account_certificate
from rmsserver.operations.rights_evaluation import WINDOWS, account_of_root
from rmsserver.operations.subject import Subject
from rmsserver.operations.use_licenses import UseLicenses
from rmsserver.ports import Directory
from rmsserver.xrml.rac import RightsAccountCertificate

PRECERTIFICATION = "/Precertification.asmx"


@dataclass(frozen=True)
class _Certificate:
    """A pre-certified RAC, as the cache keeps it; verified anew each time."""

    text: str = field(repr=False)

    @property
    def weight_bytes(self) -> int:
        return len(self.text)


def certified_at_root(subject: Subject, server: UseLicenses) -> RightsAccountCertificate:
    """The account's certificate from the root cluster.

    Raises AcquirePreLicenseInvalidLicensee where the root has none, PortUnavailable, and what `verify_account_certificate`
    raises.
    """
    url = server.state.certification_url + PRECERTIFICATION
    cache, key = server.ports.license_cache, hashlib.sha256(f"certified at\0{url}\0{subject.id}".encode()).digest()
    kept = cache.get(key)
    if isinstance(kept, _Certificate):
        try:
            return _verified(kept.text, subject, server)
        except RmsError:
            server.caller.trail.note("root", "the certificate in the cache does not count any more")
    text = server.ports.peers.precertify(url, subject.id) or server.ports.peers.precertify(url, subject.email)
    if text is None:
        raise AcquirePreLicenseInvalidLicensee("the root cluster has no certificate for the account")
    rac = _verified(text, subject, server)
    cache.put(key, _Certificate(text))
    return rac


def _verified(text: str, subject: Subject, server: UseLicenses) -> RightsAccountCertificate:
    # Nobody presents a certificate here, so it need not be the caller's own.
    state = dataclasses.replace(server.state, require_own_rac=False)
    rac = verify_account_certificate((text,), server.caller, state, server.now, verified=server.ports.license_cache)
    if rac.account != (subject.id_type, subject.id) and not _is_namesake(rac, subject, server.ports.directory):
        raise AcquirePreLicenseInvalidLicensee("the root cluster answered with the certificate of another account")
    return rac


def _is_namesake(rac: RightsAccountCertificate, subject: Subject, directory: Directory) -> bool:
    """Would the certificate, presented here, stand for this very account?"""
    id_type, sid = rac.account
    if id_type != WINDOWS or directory.by_sid(sid) is not None:
        return False
    found = account_of_root(sid, rac.email, directory)
    return found is not None and found.account.sid == subject.id
