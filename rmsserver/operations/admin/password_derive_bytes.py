"""Keys from passwords as .NET's `PasswordDeriveBytes` makes them: PBKDF1 ([RFC8018] 5.1), and what it adds to that.

PBKDF1 gives as many bytes as its hash. For more, .NET hashes a decimal counter and the last intermediate value; and where
bytes were left over from one call, it hands out the wrong ones in the next, for ever, so as not to break what relies on it.
Old trusted publishing domain files take the first 16 bytes alone, which are PBKDF1's.
"""

from __future__ import annotations

import hashlib

ITERATIONS = 100
"""What .NET does where nobody says otherwise, with SHA-1."""


class PasswordDeriveBytes:
    """One derivation, with the state that successive calls share."""

    def __init__(self, password: bytes, salt: bytes = b"", iterations: int = ITERATIONS) -> None:
        if iterations < 2:
            raise ValueError("at least two iterations")
        value = password + salt
        for _ in range(iterations - 1):
            value = _sha1(value)
        self._base = value
        self._counter = 0
        self._left = b""
        self._taken = 0

    def get_bytes(self, count: int) -> bytes:
        """The next `count` bytes, including .NET's mistake in the second call."""
        out = b""
        if self._left:
            available = len(self._left) - self._taken
            if available >= count:
                out = self._left[self._taken : self._taken + count]
                self._taken += count
                if self._taken == len(self._left):
                    self._left = b""
                return out
            # The mistake: it should begin at what was taken, and begins at how much is left. Beyond the end: zeros.
            out = self._left[available : 2 * available] if 2 * available <= len(self._left) else bytes(available)
            self._left = b""
        block = self._blocks(count - len(out))
        used = count - len(out)
        if len(block) > used:
            self._left, self._taken = block, used
        return out + block[:used]

    def _blocks(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            found += _sha1((str(self._counter).encode() if self._counter else b"") + self._base)
            self._counter += 1
        return found


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
