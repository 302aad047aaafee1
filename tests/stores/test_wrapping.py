"""rmsserver.stores.wrapping"""

from __future__ import annotations

import json
import pickle

import pytest

from rmsserver.errors import OperatorError
from rmsserver.ports import UnwrapError
from rmsserver.stores.wrapping import MasterKey, ScryptCost, open_master_key

CHEAP = ScryptCost(n=2**4)


def test_round_trip() -> None:
    """What was wrapped comes back, and looks different each time."""
    key = MasterKey.generate()
    one, two = (key.wrap("user key", "S-1-5-21-1", b"secret") for _ in range(2))
    assert key.unwrap("user key", "S-1-5-21-1", one) == key.unwrap("user key", "S-1-5-21-1", two) == b"secret"
    assert one != two
    assert b"secret" not in one


@pytest.mark.parametrize(
    ("purpose", "identity"), [("user key", "S-1-5-21-2"), ("nt hash", "S-1-5-21-1"), ("user keyS", "-1-5-21-1")]
)
def test_K1_bound_to_purpose_and_identity(purpose: str, identity: str) -> None:
    """K1: an item moved to another row, or used for another purpose, does not open."""
    key = MasterKey.generate()
    wrapped = key.wrap("user key", "S-1-5-21-1", b"secret")
    with pytest.raises(UnwrapError):
        key.unwrap(purpose, identity, wrapped)


def test_K1_any_changed_byte_is_noticed() -> None:
    """K1: version, nonce, ciphertext and tag are all guarded, and so is the length."""
    key = MasterKey.generate()
    wrapped = key.wrap("p", "i", b"secret")
    for at in range(len(wrapped)):
        changed = wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :]
        with pytest.raises(UnwrapError):
            key.unwrap("p", "i", changed)
    for short in (b"", wrapped[:20], wrapped[:-1]):
        with pytest.raises(UnwrapError):
            key.unwrap("p", "i", short)


def test_another_master_key_opens_nothing() -> None:
    """Wrapping and fingerprints of two clusters have nothing in common."""
    one, two = MasterKey.generate(), MasterKey.generate()
    with pytest.raises(UnwrapError):
        two.unwrap("p", "i", one.wrap("p", "i", b"secret"))
    assert one.fingerprint("p", b"data") != two.fingerprint("p", b"data")


def test_fingerprints() -> None:
    """Stable for one key, different for each purpose and text."""
    key = MasterKey.generate()
    assert key.fingerprint("p", b"data") == key.fingerprint("p", b"data")
    assert len({key.fingerprint("p", b"data"), key.fingerprint("q", b"data"), key.fingerprint("p", b"date")}) == 3


def test_sealing() -> None:
    """The passphrase opens what it sealed; a new one opens the same key without touching wrapped items."""
    key = MasterKey.generate()
    wrapped = key.wrap("p", "i", b"secret")
    for passphrase in ("first", "zweite Länge"):
        assert open_master_key(key.seal(passphrase, CHEAP), passphrase).unwrap("p", "i", wrapped) == b"secret"


def test_wrong_passphrase_is_one_line() -> None:
    """A wrong passphrase is an error for the operator, in one line that does not repeat it."""
    with pytest.raises(OperatorError, match="passphrase is wrong") as caught:
        open_master_key(MasterKey.generate().seal("right", CHEAP), "wr0ng-one")
    assert "wr0ng-one" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [{"n": 2**30}, {"kdf": "none"}, {"format": 2}, {"salt": "zz"}, {"n": 3}, {"key": ""}]
)
def test_changed_parameters_are_refused(change: dict[str, object]) -> None:
    """A changed file neither opens nor makes the server ask for a terabyte of memory."""
    sealed = {**json.loads(MasterKey.generate().seal("p", CHEAP)), **change}
    with pytest.raises(OperatorError):
        open_master_key(json.dumps(sealed), "p")


def test_shows_nothing() -> None:
    """Neither repr nor pickle give the key away."""
    secret = bytes(range(32))
    key = MasterKey(secret)
    assert repr(key) == "MasterKey(...)"
    with pytest.raises(TypeError):
        pickle.dumps(key)
