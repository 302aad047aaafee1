"""What `rmsserver key` does to a cluster: operations/admin/server_keys on the stores of a `Home`.

The certificate store changes in one step. Templates are signed again afterwards, one by one; what a crash leaves signed by
the former key is signed by `rmsserver key templates`, or with the next change of keys.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from pathlib import Path

from rmsserver.config import PassphraseSource
from rmsserver.errors import OperatorError
from rmsserver.home import Home
from rmsserver.operations.admin.server_keys import (
    EnrollmentService,
    find_enrollment_service,
    is_issued_by,
    outdated_templates,
    reissue_template,
    renew_licensor,
    roll_over,
    upgrade_mode,
)
from rmsserver.state import ServerState
from rmsserver.stores.configuration import StateHolder
from rmsserver.stores.memory import system_randomness
from rmsserver.xrml.keys import CryptoMode, PrivateKey

MIN_PASSPHRASE = 8


def renew_key(home: Home, now: dt.datetime) -> ServerState:
    """A new range for the same key. Raises OperatorError."""
    licensor = home.state.licensor
    chain = renew_licensor(licensor, _service(home), system_randomness().guid, now)
    home.certificates.install_licensor(chain, licensor.key)
    home.configuration.touch()
    return fresh_state(home)


def roll_key_over(home: Home, now: dt.datetime, *, leave_adopted: bool = False) -> ServerState:
    """A new key; the present one becomes a former one. Raises OperatorError."""
    state, service = home.state, _service(home)
    _check_adopted(state, service, leave_adopted)
    key = PrivateKey.generate(state.cryptographic_mode.rsa_bits)
    chain = roll_over(state, service, key, system_randomness().guid, now)
    home.certificates.install_licensor(chain, key)
    home.configuration.touch()
    sign_templates_again(home, now)
    return fresh_state(home)


def upgrade_cryptographic_mode(home: Home, now: dt.datetime, *, leave_adopted: bool = False) -> ServerState:
    """From mode 1 to mode 2: new chains and keys; documents of before are served with the old key (rulings 25)."""
    state, store = home.state, home.certificates
    if state.cryptographic_mode is CryptoMode.MODE_1:
        _check_adopted(state, _service(home), leave_adopted)
    documents, keys = upgrade_mode(state, store.hierarchy_key, PrivateKey.generate, system_randomness().guid, now)
    replaced = ("enrollment_service", "machine_authority", "machine_issuer")
    store.install_licensor(
        documents.licensor_chain,
        keys.licensor,
        machine_chain=documents.machine_chain,
        keys={role: getattr(keys, role) for role in replaced},
    )
    home.configuration.touch()
    sign_templates_again(home, now)
    return fresh_state(home)


def sign_templates_again(home: Home, now: dt.datetime) -> int:
    """Sign what another key than the present one signed, published and archived; how many those were."""
    state = fresh_state(home)
    outdated = outdated_templates(state)
    for template in outdated:
        home.configuration.put_template(reissue_template(template, state.licensor, now), now)
    return len(outdated)


def change_passphrase(home: Home, passphrase: str) -> str | None:
    """Seal the master key under another passphrase.

    Where the passphrase comes from a file, the new one is on the disk beside it before the store changes, and takes its
    place afterwards: a crash leaves both. Returns what the operator has still to do.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise OperatorError(f"the passphrase needs at least {MIN_PASSPHRASE} characters")
    store, config = home.certificates, home.config
    path = config.passphrase_file if config.passphrase_source is PassphraseSource.FILE else None
    if path is None:
        store.change_passphrase(passphrase)
        return "Give the new passphrase from now on: " + (
            "set RMSSERVER_PASSPHRASE before the next start."
            if config.passphrase_source is PassphraseSource.ENVIRONMENT
            else "the next start asks for it."
        )
    beside = path.with_name(path.name + ".new")
    _write_secret(beside, passphrase)
    try:
        store.change_passphrase(passphrase)
    except OperatorError:
        beside.unlink()  # the store refused, and is as it was
        raise
    beside.replace(path)
    return None


def new_passphrase() -> str:
    """A random one, for files that no person has to type."""
    return secrets.token_urlsafe(32)


def fresh_state(home: Home) -> ServerState:
    """The state as a server that starts now would have it."""
    return StateHolder(home.certificates, home.configuration).current()


def _service(home: Home) -> EnrollmentService:
    certificates = home.certificates.load()
    key = home.certificates.hierarchy_key("enrollment_service")
    return find_enrollment_service((certificates.licensor, *certificates.former_licensors), key)


def _check_adopted(state: ServerState, service: EnrollmentService, leave: bool) -> None:
    if not leave and not is_issued_by(state.licensor, service):
        raise OperatorError(
            "the present certificate was adopted from another cluster; a new one stands under this cluster's own root, which "
            "genuine Windows clients do not accept: add --leave-adopted where that does not matter"
        )


def _write_secret(path: Path, text: str) -> None:
    """Durable before it returns; only the owner can read it. One that is there may be all that opens the store for a command
    that runs now: it is left alone.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise OperatorError(
            f"{path} is there: another command changes the passphrase, or ended before it could; remove it where none does"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text + "\n")
        stream.flush()
        os.fsync(stream.fileno())
