"""What `rmsserver key` does to a cluster whose certificate another one issued: it asks there again.

A licensing-only cluster asks its root (SubEnroll), one beside another cluster that one (Enroll, or by files). The answer is
checked as at the first time, and the certificate store changes in one step. A licensing-only cluster trusts account
certificates by the key that issued its own certificate ([MS-RMPRS] 1.3.3): the root's former key stays trusted, its new one
is from then on.
"""

from __future__ import annotations

import datetime as dt

from rmsserver.enrolled_home import (
    RootCluster,
    ask_for_certificate,
    check_fingerprint,
    make_applicant,
    root_fingerprint,
)
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.key_administration import fresh_state, sign_templates_again
from rmsserver.operations.admin.enrollment import check_enrolled_chain
from rmsserver.operations.admin.offline_enrollment import read_answer
from rmsserver.outbound.enrollment import Applicant, request_file
from rmsserver.state import ServerState
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.keys import CryptoMode, PrivateKey

_TAKE_ALONG = (
    "make a new cluster with `rmsserver init --root`, and take the documents along: `rmsserver tpd export` here, "
    "`rmsserver tpd import` there"
)


def is_enrolled(home: Home) -> bool:
    """Has the store nothing to issue its own certificate with? An adopted cluster has its Enrollment Service still."""
    keys = home.certificates.load().hierarchy_keys
    return home.state.is_licensing_only or not any(name.startswith("enrollment-service") for name in keys)


def renew_at_root(home: Home, root: RootCluster) -> ServerState:
    """A new certificate for the same key and GUID, from the cluster that issued the present one. Raises OperatorError."""
    state = home.state
    chain = ask_for_certificate(root, _same_applicant(state), state.cryptographic_mode)
    _check_root(root, chain, state)
    return _install(home, chain, state.licensor.key)


def roll_over_at_root(
    home: Home, root: RootCluster, now: dt.datetime, *, mode: CryptoMode | None = None
) -> ServerState:
    """A new key and GUID; the present key becomes a former one. `mode`: of the new key, None for the present one.

    Raises OperatorError.
    """
    state = home.state
    mode = mode or state.cryptographic_mode
    key, guid = PrivateKey.generate(mode.rsa_bits), system_randomness().guid()
    authorities = state.licensor.certificate.revocation_authorities
    applicant = make_applicant(state.name, state.base_url, key.public, guid, authorities)
    chain = ask_for_certificate(root, applicant, mode)
    _check_root(root, chain, state)
    _install(home, chain, key)
    sign_templates_again(home, now)
    return fresh_state(home)


def upgrade_mode_at_root(home: Home, root: RootCluster, now: dt.datetime) -> ServerState:
    """A key of mode 2 for a licensing-only cluster, whose root has that mode already. Raises OperatorError."""
    if home.state.cryptographic_mode is CryptoMode.MODE_2:
        raise OperatorError("this cluster is in cryptographic mode 2 already")
    return roll_over_at_root(home, root, now, mode=CryptoMode.MODE_2)


def check_can_upgrade(home: Home) -> None:
    """A cluster beside another has an issuer of machine certificates of its own, in its mode. Raises OperatorError."""
    if is_enrolled(home) and not home.state.is_licensing_only:
        raise OperatorError(
            "this store cannot issue its own certificate in another mode: put keys that are kept elsewhere back; or, where "
            f"another cluster issued it, {_TAKE_ALONG}"
        )


def renewal_request(home: Home) -> bytes:
    """The request of `renew_at_root` as a file, for a cluster without a connection. Raises OperatorError."""
    _check_by_files(home)
    return request_file(_same_applicant(home.state))


def renew_with_answer(home: Home, answer: bytes, fingerprint: str | None, now: dt.datetime) -> ServerState:
    """Install the certificate in an answer's file. `fingerprint`: of the root key, where it is a new one.

    Raises OperatorError.
    """
    _check_by_files(home)
    chain, state, asked = read_answer(answer), home.state, _same_applicant(home.state)
    check_enrolled_chain(chain, asked.key, asked.guid, state.cryptographic_mode, now)
    _check_root_key(root_fingerprint(chain), fingerprint, state)
    return _install(home, chain, state.licensor.key)


def _same_applicant(state: ServerState) -> Applicant:
    """As at the first time: documents are sealed to this key and GUID."""
    certificate = state.licensor.certificate
    object_, key = certificate.principal.object, certificate.principal.public_key
    return make_applicant(
        object_.name or state.name, state.base_url, key, object_.guid, certificate.revocation_authorities
    )


def _check_root(root: RootCluster, chain: tuple[str, ...], state: ServerState) -> None:
    check_fingerprint(root, chain)
    _check_root_key(root_fingerprint(chain), root.fingerprint, state)


def _check_root_key(found: str, expected: str | None, state: ServerState) -> None:
    """The root key of before needs no word; another one was compared by a person."""
    if found != (expected or root_fingerprint(state.licensor.chain)).lower():
        raise OperatorError(
            f"the root key above the new certificate has the fingerprint {found}, and is not the one expected: compare "
            "it with the root's administrators, and give it by --root-fingerprint"
        )


def _check_by_files(home: Home) -> None:
    if not is_enrolled(home):
        raise OperatorError("this cluster has a root of its own: leave --request and --answer out")
    if home.state.is_licensing_only:
        raise OperatorError("a licensing-only cluster enrolls over the network alone: give --root-user")


def _install(home: Home, chain: tuple[str, ...], key: PrivateKey) -> ServerState:
    home.certificates.install_licensor(chain, key, keep_issuer=home.state.is_licensing_only)
    home.configuration.touch()
    return fresh_state(home)
