"""rmsserver.stores.key_factory"""

from __future__ import annotations

import io
import math
import struct
import subprocess
import sys

import pytest

from rmsserver.stores.key_factory import serve
from rmsserver.xrml.keys import PrivateKey


def _keys(answers: bytes) -> list[PrivateKey]:
    keys = []
    while answers:
        (length,) = struct.unpack(">I", answers[:4])
        keys.append(PrivateKey.from_der(answers[4 : 4 + length]))
        answers = answers[4 + length :]
    return keys


def test_one_key_for_each_line() -> None:
    """Lengths as asked for, in order."""
    answers = io.BytesIO()
    serve(io.BytesIO(b"1024\n2048\n1024\n"), answers)
    assert [key.public.bits for key in _keys(answers.getvalue())] == [1024, 2048, 1024]


@pytest.mark.parametrize("line", [b"512\n", b"x\n", b"65536\n"])
def test_other_lengths(line: bytes) -> None:
    """Nothing else is made."""
    with pytest.raises(ValueError, match=r"."):
        serve(io.BytesIO(line), io.BytesIO())


def test_C7_no_shared_prime_between_processes() -> None:
    """C7: keys of two factories, started at the same moment, have no prime in common; both end with their input."""
    command = [sys.executable, "-m", "rmsserver.stores.key_factory"]
    factories = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
    moduli = [
        key.public.modulus for factory in factories for key in _keys(factory.communicate(b"1024\n" * 10, timeout=60)[0])
    ]
    assert len(moduli) == 20
    assert all(math.gcd(one, other) == 1 for at, one in enumerate(moduli) for other in moduli[:at])
    assert [factory.returncode for factory in factories] == [0, 0]
