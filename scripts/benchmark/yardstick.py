"""The yardstick: RSA-2048 signatures per second by `openssl speed`, on the server's core."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass


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
    before, begun = os.times(), time.perf_counter()
    done = subprocess.run(  # noqa: S603 - no words of others
        ["openssl", "speed", "-elapsed", "-seconds", str(seconds), "rsa2048"],  # noqa: S607 - as the path finds it
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        capture_output=True,
        text=True,
        check=False,
    )
    after, took = os.times(), time.perf_counter() - begun
    if done.returncode != 0:
        raise RuntimeError("openssl speed does not run: " + done.stderr.strip()[-200:])
    used = after.children_user + after.children_system - before.children_user - before.children_system
    signs = _signs_per_second(done.stdout)
    return Yardstick(signs, signs * took / used)


def _signs_per_second(table: str) -> float:
    """From the last two lines: the titles of the columns, and `rsa 2048 bits` with a number for each."""
    titles, row = table.strip().splitlines()[-2:]
    return float(row.partition("bits")[2].split()[titles.split().index("sign/s")])
