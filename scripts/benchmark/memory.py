"""Memory over many licences: resident memory of the server at intervals."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from benchmark.load import run
from benchmark.rounds import Say, Scene

LICENCES = 50_000
_STEPS = 20
_AT_ONCE = 200


@dataclass(frozen=True)
class Sample:
    licences: int
    mebibytes: float


def measure(scene: Scene, say: Say, licences: int = LICENCES) -> list[Sample]:
    """Ask for `licences` use licences, each for a publishing licence of its own, so that caches are full early."""
    samples = [_sample(scene, 0)]
    step = licences // _STEPS
    writers = [scene.writer.requests(scene.reader(i)) for i in range(len(scene.reading))]
    for done in range(step, licences + 1, step):
        missing = step
        while missing > 0:
            count = min(_AT_ONCE, missing)
            share = -(-count // len(writers))
            run(scene.reading, [list(itertools.islice(writer, share)) for writer in writers])
            missing -= share * len(writers)
        samples.append(_sample(scene, done))
        say(f"{done} licences, {samples[-1].mebibytes:.0f} MiB")
    return samples


def _sample(scene: Scene, licences: int) -> Sample:
    return Sample(licences, scene.server.memory_bytes() / 2**20)
