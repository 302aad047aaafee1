"""Keys from passwords, against a published vector and what Mono's own class gave."""

from __future__ import annotations

import pytest

from rmsserver.operations.admin.password_derive_bytes import PasswordDeriveBytes


def test_pbkdf1() -> None:
    """The first bytes are PBKDF1's: the vector of PKCS #5 test suites (password, SHA-1, 1000 rounds)."""
    derived = PasswordDeriveBytes(b"password", bytes.fromhex("78578E5A5D63CB06"), 1000)
    assert derived.get_bytes(16).hex().upper() == "DC19847E05C64D2FAF10EBFB4A3D2A20"


@pytest.mark.parametrize(
    ("password", "salt", "calls"),
    [
        (
            "pässword".encode(),
            b"",
            [
                (16, "4314B032AC3B37CF0FF3B86292752D3A"),
                (16, "AC3B37CFA5899319B74310B0FF8B1425"),
                (
                    50,
                    "FF8B142573F2FFD62E8030E326758E9A4D7947F4812405CDDC94F96766C4669D"
                    "DB5974D52BAFA492CB145576371309FFBEA1",
                ),
            ],
        ),
        (
            b"abc",
            b"\1\2\3",
            [
                (12, "3F9B7F5B167A6B114F29EC5F"),
                (4, "13A8086F"),
                (10, "167A6B11C2F34A51CC67"),
                (33, "0000000000000000000000000000190B74BAA3407E0FA93C2F27FF48E7F39DEAF9"),
            ],
        ),
    ],
)
def test_successive_calls(password: bytes, salt: bytes, calls: list[tuple[int, str]]) -> None:
    """More bytes than the hash has, and the bytes that the second call gets wrong for ever."""
    derived = PasswordDeriveBytes(password, salt)
    assert [(count, derived.get_bytes(count).hex().upper()) for count, _ in calls] == calls


def test_one_iteration_is_none() -> None:
    """Below two iterations there is nothing to keep secret."""
    with pytest.raises(ValueError):
        PasswordDeriveBytes(b"x", iterations=1)
