"""Moduli of 2048 bits that others can factor (threat C8)."""

from __future__ import annotations

import math

_SMALL_PRIMES = [n for n in range(3, 168) if all(n % d for d in range(2, math.isqrt(n) + 1))]


def _roca() -> int:
    """CVE-2017-15361: a power of 65537 modulo every small prime."""
    product = math.prod(_SMALL_PRIMES)
    modulus = pow(65537, 12345, product) + (2**2047 // product + 1) * product
    return modulus if modulus % 2 else modulus + product


WEAK_MODULI = {
    "primes too close": (2**1024 - 105) * (2**1024 - 1093337),
    "a small factor": 2**2048 - 1,
    "ROCA": _roca(),
}
