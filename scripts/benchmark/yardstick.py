"""The yardstick: RSA-2048 signatures per second by `openssl speed`, on the server's core."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass

_SIGNED = re.compile(r"private rsa\S*(?: sign ops)? for (\d+)s: (\d+) .* in ([0-9.]+)s", re.IGNORECASE)
"""`for`: seconds that passed; `in`: seconds of processor time."""


@dataclass(frozen=True)
class Yardstick:
    """Signatures per second that passed, and per second that the core really gave: fewer pass where others use it."""

    per_second: float
    per_cpu_second: float

    @property
    def share(self) -> float:
        """How much of the core openssl got."""
        return self.per_second / self.per_cpu_second

    @classmethod
    def mean(cls, one: Yardstick, other: Yardstick) -> Yardstick:
        return cls(
            (one.per_second + other.per_second) / 2,
            (one.per_cpu_second + other.per_cpu_second) / 2,
        )


def measure(core: int, seconds: int) -> Yardstick:
    """Run openssl for about twice `seconds`. Raises RuntimeError where it does not run."""
    done = subprocess.run(  # noqa: S603 - no words of others
        ["openssl", "speed", "-seconds", str(seconds), "rsa2048"],  # noqa: S607 - as the path finds it
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        capture_output=True,
        text=True,
        check=False,
    )
    signed = _SIGNED.search(done.stderr)
    if done.returncode != 0 or signed is None:
        raise RuntimeError("openssl speed does not run: " + done.stderr.strip()[-200:])
    passed, count, used = float(signed[1]), int(signed[2]), float(signed[3])
    return Yardstick(count / passed, count / used)
