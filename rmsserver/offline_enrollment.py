"""Enrollment by files ([MS-RMPR] 3.6.4.2) on the homes of both clusters: the new one asks and completes, the other answers.

With home.py, enrolled_home.py and server.py the only code that opens stores.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from rmsserver.config import Config
from rmsserver.enrolled_home import create_certified_home, make_applicant, root_fingerprint
from rmsserver.errors import OperatorError
from rmsserver.home import Home, NewCluster
from rmsserver.operations.admin.enrollment import check_enrolled_chain
from rmsserver.operations.admin.offline_enrollment import answer_request, read_answer, read_request
from rmsserver.operations.enrollee import read_public_key
from rmsserver.outbound.enrollment import request_file
from rmsserver.state import AuditTrail, ServerState
from rmsserver.stores.memory import system_randomness
from rmsserver.stores.pending_enrollment import PendingEnrollment, load_pending, remove_pending
from rmsserver.xrml.keys import CryptoMode, PrivateKey, PublicKey


@dataclass(frozen=True)
class RequestedCertificate:
    """What an operator looks at before a request is answered. Texts as the request has them, not checked."""

    name: str
    url: str
    fingerprint: str
    """Of the key, as `rmsserver enrollment request` showed it."""


def request_certificate(
    config: Config,
    new: NewCluster,
    revocation_authorities: tuple[PublicKey, ...],
    passphrase: str,
    write: Callable[[bytes], None],
) -> str:
    """Make the key of a new cluster, keep it in the home, and hand the request's file to `write`; the key's fingerprint.

    Raises OperatorError, and what `write` raises; then nothing is kept.
    """
    if (config.home / "certificates").exists():
        raise OperatorError(f"there is a cluster in {config.home} already: name another --home")
    guid, key = system_randomness().guid(), PrivateKey.generate(new.mode.rsa_bits)
    settings = {name: getattr(new, name) for name in new.__dataclass_fields__} | {"mode": int(new.mode)}
    PendingEnrollment(guid, key, settings).save(config.home, passphrase)
    try:
        write(request_file(make_applicant(new.name, new.base_url, key.public, guid, revocation_authorities)))
    except BaseException:
        remove_pending(config.home)
        raise
    return key.public.id.hex()


def complete_cluster(
    config: Config,
    answer: bytes,
    passphrase: str,
    confirm: Callable[[str], None],
    progress: Callable[[str], None] = lambda _line: None,
) -> ServerState:
    """Make the cluster with the certificates of an answer's file.

    `confirm` gets the fingerprint of the root key above the certificate, and raises where it is not the expected one.
    Raises OperatorError; then nothing was made, and another answer may come.
    """
    if (config.home / "certificates").exists():
        raise OperatorError(f"there is a cluster in {config.home} already: name another --home")
    pending = load_pending(config.home, passphrase)
    new = _new_cluster(pending)
    chain = read_answer(answer)
    check_enrolled_chain(chain, pending.key.public, pending.guid, new.mode, dt.datetime.now(dt.UTC))
    confirm(root_fingerprint(chain))
    progress("making keys")
    state = create_certified_home(config, new, chain, pending.key, passphrase, progress)
    remove_pending(config.home)
    return state


def requested_certificate(data: bytes) -> RequestedCertificate:
    """Raises OperatorError, and RmsError where the key is none."""
    request = read_request(data)
    if request.key is None or request.key.public_key is None:
        raise OperatorError("the request has no key: check that it is the right file")
    key = read_public_key(request.key.public_key)
    information = request.information
    name, url = (information.name, information.url) if information else (None, None)
    return RequestedCertificate(name or "", url or "", key.id.hex())


def answer_with(home: Home, data: bytes, trail: AuditTrail, now: dt.datetime) -> bytes:
    """The answer's file, issued by this cluster's Enrollment Service. Raises OperatorError.

    The cluster's switch `enrollmentEnabled` is for requests over the network; whoever can open the store needs none.
    """
    service = home.certificates.enrollment_service(home.state.licensor)
    if service is None:
        raise OperatorError(
            "this cluster has no Enrollment Service of its own to sign with: answer at the cluster that has"
        )
    return answer_request(data, service, trail, home.state, system_randomness().guid, now)


def _new_cluster(pending: PendingEnrollment) -> NewCluster:
    settings = dict(pending.settings)
    mode = CryptoMode(settings.pop("mode"))
    return NewCluster(mode=mode, **settings)
