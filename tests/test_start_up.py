"""What the server refuses before it serves anybody."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from rmsserver.errors import OperatorError
from rmsserver.server import check_mode_1_padding
from rmsserver.state import TrustedLicensingServer
from rmsserver.xrml.keys import CryptoMode, PrivateKey
from tests.cluster import make_cluster


def _strict(self: PrivateKey, data: bytes, mode: CryptoMode) -> bytes | None:
    """Decryption as OpenSSL does it without implicit rejection: wrong padding is an error, and so noise is."""
    return None


def test_C2_this_openssl_rejects_implicitly() -> None:
    """C2: the self-test passes here, in mode 1 and in mode 2."""
    for mode in CryptoMode:
        check_mode_1_padding(make_cluster(mode).state)


def test_C2_mode_1_is_refused_without_implicit_rejection() -> None:
    """C2: one line that says what to do; a mode 2 cluster, whose padding is OAEP, starts."""
    with patch.object(PrivateKey, "decrypt", _strict):
        with pytest.raises(OperatorError, match=r"OpenSSL 3\.2"):
            check_mode_1_padding(make_cluster(CryptoMode.MODE_1).state)
        check_mode_1_padding(make_cluster(CryptoMode.MODE_2).state)


def test_C2_a_former_key_of_mode_1_counts() -> None:
    """C2: a mode 2 cluster that still opens documents of its mode 1 past needs it as well."""
    old = make_cluster(CryptoMode.MODE_1).state.licensor
    state = make_cluster(CryptoMode.MODE_2).with_state(former_licensors=(old,)).state
    with patch.object(PrivateKey, "decrypt", _strict), pytest.raises(OperatorError):
        check_mode_1_padding(state)


def test_C2_an_imported_key_of_mode_1_counts() -> None:
    """C2: as does one of a publishing domain that was taken over."""
    old = TrustedLicensingServer(make_cluster(CryptoMode.MODE_1).state.licensor)
    state = make_cluster(CryptoMode.MODE_2).with_state(trusted_licensing_servers=(old,)).state
    with patch.object(PrivateKey, "decrypt", _strict), pytest.raises(OperatorError):
        check_mode_1_padding(state)
