"""rmsserver.directory.nt_hash"""

from __future__ import annotations

import pytest

from rmsserver.directory.nt_hash import md4, nt_hash


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4(message: bytes, digest: str) -> None:
    """The test suite of [RFC1320] A.5, one and two blocks."""
    assert md4(message).hex() == digest


def test_nt_hash() -> None:
    """[MS-NLMP] 4.2.2.1.2: NTOWFv1 of "Password"."""
    assert nt_hash("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"
